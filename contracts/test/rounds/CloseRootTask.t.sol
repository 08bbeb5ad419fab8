// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {RootRig} from "../RootRig.sol";

contract CloseRootTaskTest is Base {
    uint64 private task;
    IRoundBook.Settled private noRecord;
    IRoundBook.RootState private noState;

    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    /// @notice The last post is final by the clock alone; nobody had to promote it.
    function test_refunds_what_no_final_round_has_earned() external {
        rig.rootPosted(task, 1);
        rig.draw(task, 2); // nobody posts
        RootRig.RootRound memory made = rig.rootPosted(task, 4);
        IRoundBook.Settled memory settled = rig.settled(made.base);
        fails(IRoundBook.TaskRunning.selector, task);
        rounds.closeRootTask(task, settled, made.state);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        uint256 earned = uint128(made.state.totals) + (made.state.totals >> 128);
        require(earned <= 200e18 && earned > 200e18 - 20, "two rounds, less dust");
        uint96 fees = 7 * SEAT_FEE;
        uint256 held = token.balanceOf(SPONSOR);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskClosed(task, SPONSOR, uint96(400e18 - earned) - fees, fees);
        rounds.closeRootTask(task, settled, made.state);
        eq("refund", token.balanceOf(SPONSOR) - held, 400e18 - earned - fees);
        eq("burnt", token.balanceOf(BURNT), fees);
        eq("what is owed stays, to the wei", rewards.balanceOf(task), earned);
        fails(IRoundBook.TaskIsClosed.selector, task);
        rounds.closeRootTask(task, settled, made.state);
    }

    function test_record_and_state_are_bound() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        IRoundBook.Settled memory settled = rig.settled(made.base);
        bytes32 expected = keccak256(abi.encode(settled));
        settled.state = "less";
        failsHash(IRoundBook.WrongHash.selector, bytes32("settled"), keccak256(abi.encode(settled)), expected);
        rounds.closeRootTask(task, settled, made.state);
        settled = rig.settled(made.base);
        made.state.totals -= 1;
        expected = settled.state;
        failsHash(IRoundBook.WrongHash.selector, bytes32("state"), keccak256(abi.encode(made.state)), expected);
        rounds.closeRootTask(task, settled, made.state);
    }

    function test_without_a_final_round() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.reputation[0] ^= 1;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        rig.challengeStep(made, 0);
        uint256 slashed = token.balanceOf(BURNT);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeRootTask(task, noRecord, noState);
        eq("nothing is owed", rewards.balanceOf(task), 0);
        eq("burnt", token.balanceOf(BURNT) - slashed, 7 * SEAT_FEE);
        eq("the rest returns", token.balanceOf(SPONSOR), 1e30 - 7 * SEAT_FEE);
    }

    function test_refusals() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.closeRootTask(9, noRecord, noState);
        uint64 words = rig.createTask();
        rig.toPhase(words, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.WrongMode.selector, 0, 1);
        rounds.closeRootTask(words, noRecord, noState);
    }
}
