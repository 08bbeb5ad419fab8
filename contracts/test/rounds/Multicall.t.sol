// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract MulticallTest is Base {
    function test_finalise_and_post_in_one_transaction() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory first = rig.posted(task, 1);
        IRoundBook.Seat[] memory seats = rig.draw(task, 2);
        uint256 word = rig.lanes(50_000, 3);
        Rig.Settlement memory second = rig.settlement(task, 2, seats, word, word, ALL);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(rounds.finalise, (task, rig.settled(first), first.words, END));
        calls[1] = abi.encodeCall(
            rounds.post,
            (second.report, second.parent, second.committee, second.words, second.signers, second.signatures)
        );
        rounds.multicall(calls);
        eq("final", rounds.liveOf(task).finalRound, 1);
        eq("posted", rounds.liveOf(task).postedRound, 2);
        eq("reputation", book.reputationOf(task, TRAINER, 8), 2500);
    }

    /// @notice All or nothing, with the error of the call that failed.
    function test_all_or_nothing() external {
        uint64 task = rig.createTask();
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(rounds.commit, (task, 1, 8, "c"));
        calls[1] = abi.encodeCall(rounds.commit, (task, 2, 8, "c"));
        fails(IRoundBook.WrongRound.selector, 2, 1);
        vm.prank(vm.addr(8));
        rounds.multicall(calls);
    }

    /// @notice The caller stays the caller: an owner's commits of many nodes go in one transaction, of nobody else's.
    function test_caller_is_kept() external {
        uint64 task = rig.createTask();
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(rounds.commit, (task, 1, 8, "c"));
        fails(IRoundBook.NotNode.selector, 8, num(address(this)));
        rounds.multicall(calls);
        vm.prank(ownerOf(8));
        rounds.multicall(calls);
    }
}
