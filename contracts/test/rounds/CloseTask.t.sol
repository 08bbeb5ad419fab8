// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract CloseTaskTest is Base {
    function test_refunds_what_was_not_finalised() external {
        uint64 task = rig.createTask();
        rig.finalised(task, 1);
        rig.toPhase(task, 4, IRoundBook.Phase.Window);
        fails(IRoundBook.TaskRunning.selector, task);
        rounds.closeTask(task);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        uint256 held = token.balanceOf(SPONSOR);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskClosed(task, SPONSOR, 300e18);
        rounds.closeTask(task);
        eq("refund", token.balanceOf(SPONSOR) - held, 300e18);
        eq("escrow", rounds.taskOf(task).escrow, 100e18);
        fails(IRoundBook.TaskIsClosed.selector, task);
        rounds.closeTask(task);
        fails(IRoundBook.TaskIsClosed.selector, task);
        rig.join(task, 1, TRAINER);
        // Claims outlive the close; what stays is dust.
        for (uint32 node = 1; node <= 7; node++) rounds.claim(task, VERIFIER, node);
        for (uint32 node = 8; node <= 10; node++) rounds.claim(task, TRAINER, node);
        require(rounds.taskOf(task).escrow < 1e15, "dust");
        eq("held", token.balanceOf(address(rounds)), rounds.taskOf(task).escrow);
    }

    function test_pending_post_must_be_finalised_first() external {
        uint64 task = rig.createTask();
        IRoundBook.Seat[] memory seats = rig.draw(task, 4);
        Rig.Settlement memory made = rig.settlement(task, 4, seats, rig.lanes(40_000, 3), 0, ALL);
        rig.post(made);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.NotFinalised.selector, 4);
        rounds.closeTask(task);
        rig.toPhase(task, 6, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1);
        fails(IRoundBook.NotFinalised.selector, 4);
        rounds.closeTask(task);
        vm.warp(block.timestamp + 1); // a period later nobody has: it is dropped
        rounds.closeTask(task);
        eq("escrow", rounds.taskOf(task).escrow, 0);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
    }

    function test_unknown() external {
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.closeTask(1);
    }

    /// @notice The pool of a role in which nobody earned goes back too.
    function test_unearned_pool_returns() external {
        uint64 task = rig.createTask();
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        rig.post(rig.settlement(task, 1, seats, rig.lanes(1, 3), 0, ALL));
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        rig.finalise(rig.settlement(task, 1, seats, rig.lanes(1, 3), 0, ALL));
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("escrow", rounds.taskOf(task).escrow, 10e18);
    }
}
