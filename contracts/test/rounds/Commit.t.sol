// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

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
        uint64 later = rounds.createTask(params);
        fails(IRoundBook.WrongPhase.selector, 0, 3, 0);
        rounds.commit(later, 0, 8, HASH);
    }

    function test_waits_for_the_pending_post() external {
        rig.posted(task, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        fails(IRoundBook.NotFinalised.selector, 1);
        vm.prank(vm.addr(8));
        rounds.commit(task, 2, 8, HASH);
    }
}
