// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract CancelTaskTest is Base {
    uint64 private task;
    uint40 private start;

    function setUp() public override {
        super.setUp();
        IRoundBook.TaskParams memory params = rig.params();
        start = uint40(block.timestamp) + 50;
        params.startsAt = start;
        vm.prank(SPONSOR);
        task = rounds.createTask(params, 2);
    }

    function test_before_the_start_all_of_it_returns() external {
        rig.join(task, 8, TRAINER);
        vm.warp(start - 1);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskClosed(task, SPONSOR, 2 * POOLS, 0);
        vm.prank(SPONSOR);
        rounds.cancelTask(task);
        eq("owner", token.balanceOf(SPONSOR), 1e30);
        eq("balance", rewards.balanceOf(task), 0);
        require(rounds.taskOf(task).closed);
        fails(IRoundBook.TaskIsClosed.selector, task);
        vm.prank(SPONSOR);
        rounds.cancelTask(task);
        // Nothing can be drawn, so nothing can be earned.
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        fails(IRoundBook.TaskIsClosed.selector, task);
        rounds.closeTask(task);
    }

    /// @notice What others paid in goes to the owner too: they gave it to the task.
    function test_who_may() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.cancelTask(9);
        fails(IRoundBook.NotTaskOwner.selector, task, num(address(this)));
        rounds.cancelTask(task);
        vm.warp(start);
        fails(IRoundBook.TaskStarted.selector, task, start);
        vm.prank(SPONSOR);
        rounds.cancelTask(task);
    }
}
