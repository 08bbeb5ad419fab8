// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Vm} from "../Vm.sol";

contract CommitTest is Base {
    uint64 private task;
    bytes32 private constant HASH = bytes32("commitment");

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function test_commit() external {
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Committed(task, 1, 8, HASH);
        vm.prank(vm.addr(8));
        rounds.commit(task, 1, 8, HASH);
    }

    function test_refusals() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.commit(9, 1, 8, HASH);
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rounds.commit(task, 2, 8, HASH);
        fails(IRoundBook.NotNode.selector, 8, num(vm.addr(9)));
        vm.prank(vm.addr(9));
        rounds.commit(task, 1, 8, HASH);
        fails(IRoundBook.NotJoined.selector, task, 0, 1); // a verifier, no trainer
        vm.prank(vm.addr(1));
        rounds.commit(task, 1, 1, HASH);
        rig.toPhase(task, 1, IRoundBook.Phase.Reveal); // the very second at which COMMIT ends
        fails(IRoundBook.WrongPhase.selector, 1, 1, 0);
        rounds.commit(task, 1, 8, HASH);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.WrongPhase.selector, 4, 4, 0);
        rounds.commit(task, 4, 8, HASH);
    }

    function test_not_before_the_start() external {
        IRoundBook.TaskParams memory params = rig.params();
        params.startsAt = uint40(block.timestamp) + 1;
        vm.prank(SPONSOR);
        uint64 later = rounds.createTask(params, 1);
        fails(IRoundBook.WrongPhase.selector, 0, 3, 0);
        rounds.commit(later, 0, 8, HASH);
    }

    /// @notice Nobody has to wait for the words of the round before to be applied.
    function test_does_not_wait_for_the_earlier_post() external {
        rig.posted(task, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.prank(vm.addr(8));
        rounds.commit(task, 2, 8, HASH);
    }

    /// @notice A commitment is a log: a node that commits again overrides nothing, and readers see both.
    function test_several_commits_are_all_logged() external {
        vm.recordLogs();
        vm.startPrank(vm.addr(8));
        rounds.commit(task, 1, 8, HASH);
        rounds.commit(task, 1, 8, "another");
        vm.stopPrank();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("logs", logs.length, 2);
        for (uint256 i = 0; i < 2; i++) {
            eq("event", logs[i].topics[0], IRoundBook.Committed.selector);
            eq("node", uint256(logs[i].topics[3]), 8);
        }
        eq("first", abi.decode(logs[0].data, (bytes32)), HASH);
        eq("second", abi.decode(logs[1].data, (bytes32)), bytes32("another"));
    }
}
