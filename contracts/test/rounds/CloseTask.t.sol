// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract CloseTaskTest is Base {
    uint96 private constant FEES = 7 * SEAT_FEE;

    function test_refunds_what_was_not_finalised() external {
        uint64 task = rig.createTask();
        rig.finalised(task, 1);
        rig.toPhase(task, 4, IRoundBook.Phase.Window);
        fails(IRoundBook.TaskRunning.selector, task);
        rounds.closeTask(task);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        uint256 held = token.balanceOf(SPONSOR);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskClosed(task, SPONSOR, 300e18, 0);
        rounds.closeTask(task);
        eq("refund", token.balanceOf(SPONSOR) - held, 300e18);
        eq("balance", rewards.balanceOf(task), 100e18);
        eq("nothing burnt", token.balanceOf(BURNT), 0);
        fails(IRoundBook.TaskIsClosed.selector, task);
        rounds.closeTask(task);
        // Claims outlive the close; what stays is dust.
        for (uint32 node = 1; node <= 7; node++) rewards.claim(task, VERIFIER, node);
        for (uint32 node = 8; node <= 10; node++) rewards.claim(task, TRAINER, node);
        require(rewards.balanceOf(task) < 1e15, "dust");
        eq("held", token.balanceOf(address(rewards)), rewards.balanceOf(task));
    }

    /// @notice Whoever draws a committee for nothing pays it nothing, but loses the fee of its seats.
    function test_a_draw_that_was_not_settled_forfeits_its_seat_fees() external {
        uint64 task = rig.createTask();
        rig.finalised(task, 1);
        rig.draw(task, 2); // nobody posts
        rig.draw(task, 3);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskClosed(task, SPONSOR, 300e18 - 2 * FEES, 2 * FEES);
        rounds.closeTask(task);
        eq("burnt", token.balanceOf(BURNT), 2 * FEES);
        eq("balance", rewards.balanceOf(task), 100e18);
    }

    function test_a_void_round_forfeits_too() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory made = rig.settlement(
            task, 1, rig.draw(task, 1), rig.lanes(40_001, 3), rig.lanes(40_000, 3), ALL
        );
        rig.post(made);
        rig.challenge(made, 0, same(rig.lanes(40_000, 3), 7));
        uint256 slashed = token.balanceOf(BURNT);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("burnt", token.balanceOf(BURNT) - slashed, FEES);
        eq("balance", rewards.balanceOf(task), 0);
    }

    /// @notice However late, the words of the last post can be applied, and then the task closed: no pay is dropped.
    function test_pending_post_must_be_finalised_first() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory made = rig.posted(task, 4);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.NotFinalised.selector, 4);
        rounds.closeTask(task);
        rig.toPhase(task, 60, IRoundBook.Phase.Commit);
        fails(IRoundBook.NotFinalised.selector, 4);
        rounds.closeTask(task);
        rig.finalise(made);
        rounds.closeTask(task);
        eq("balance", rewards.balanceOf(task), 100e18);
    }

    function test_refusals() external {
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.closeTask(1);
        uint64 root = rig.createRootTask();
        rig.toPhase(root, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.WrongMode.selector, 1, 0);
        rounds.closeTask(root);
    }

    /// @notice The pool of a role in which nobody earned goes back.
    function test_unearned_pool_returns() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), rig.lanes(1, 3), 0, ALL);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        rig.finalise(made);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("verifiers' pool", rewards.balanceOf(task), 10e18);
    }

    /// @notice Seats are paid by the verifiers' pool or not at all: where it returns whole, the fee of the seats does not.
    function test_unearned_seats_forfeit_their_fees() external {
        uint64 task = rig.createTask();
        uint256 word = rig.lanes(40_000, 3);
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), word, word, ALL);
        made.words[1] = rig.lanes(1, 7);
        made = rig.resign(made, ALL);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        rig.finalise(made);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("burnt", token.balanceOf(BURNT), FEES);
        eq("trainers' pool", rewards.balanceOf(task), 90e18);
    }

    /// @notice Rounds that were never paid for are not paid back.
    function test_only_what_was_paid_in_returns() external {
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        uint64 task = rounds.createTask(params, 2);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("all of it", token.balanceOf(SPONSOR), 1e30);
        eq("nothing left", token.balanceOf(address(rewards)), 0);
    }
}
