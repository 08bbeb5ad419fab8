// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract FundTaskTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        task = rounds.createTask(params, 1);
    }

    function test_anyone_pays_for_more_rounds() external {
        token.mint(address(this), 1e24);
        token.approve(address(rounds), type(uint256).max);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskFunded(task, address(this), 2, 2 * POOLS);
        rounds.fundTask(task, 2);
        eq("funded", rounds.liveOf(task).fundedRounds, 3);
        eq("balance", rewards.balanceOf(task), 3 * uint256(POOLS));
        eq("paid", token.balanceOf(address(this)), 1e24 - 2 * uint256(POOLS));
        eq("there", token.balanceOf(address(rewards)), 3 * uint256(POOLS));
    }

    function test_no_more_than_there_are_rounds() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.fundTask(9, 1);
        fails(IRoundBook.BadFunding.selector, 0, 4);
        vm.prank(SPONSOR);
        rounds.fundTask(task, 0);
        fails(IRoundBook.BadFunding.selector, 4, 3);
        vm.prank(SPONSOR);
        rounds.fundTask(task, 4);
        vm.startPrank(SPONSOR);
        rounds.fundTask(task, 3);
        fails(IRoundBook.BadFunding.selector, 1, 0);
        rounds.fundTask(task, 1);
        vm.stopPrank();
    }

    function test_not_once_closed() external {
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        vm.prank(SPONSOR);
        rounds.fundTask(task, 1); // useless, and returned
        rounds.closeTask(task);
        eq("all returned", token.balanceOf(SPONSOR), 1e30);
        fails(IRoundBook.TaskIsClosed.selector, task);
        vm.prank(SPONSOR);
        rounds.fundTask(task, 1);
    }
}
