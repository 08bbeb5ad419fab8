// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook, IStakeVault} from "../Base.sol";

contract ArmBeaconTest is Base {
    function test_arm_fixes_a_block_that_does_not_exist() external {
        uint64 task = rig.createTask();
        fails(IRoundBook.WrongPhase.selector, 1, 0, 2);
        rounds.armBeacon(task, 1);
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rounds.armBeacon(task, 2);
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.armBeacon(9, 1);
        uint64 seedBlock = uint64(block.number) + 2;
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.BeaconArmed(task, 1, seedBlock);
        rounds.armBeacon(task, 1);
        eq("seed block", rounds.liveOf(task).seedBlock, seedBlock);
        eq("round", rounds.liveOf(task).armedRound, 1);
        fails(IStakeVault.SeatsFrozen.selector, seedBlock + 256);
        rig.takeSeats(8, 1);
    }

    /// @notice The block is not chosen again while it can still be proved.
    function test_again_only_after_the_horizon() external {
        uint64 task = rig.createTask();
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        rounds.armBeacon(task, 1);
        uint64 seedBlock = rounds.liveOf(task).seedBlock;
        vm.roll(seedBlock + 256);
        fails(IRoundBook.AlreadyArmed.selector, 1, seedBlock);
        rounds.armBeacon(task, 1);
        vm.roll(seedBlock + 257);
        rounds.armBeacon(task, 1);
        eq("seed block", rounds.liveOf(task).seedBlock, seedBlock + 259);
    }

    /// @notice As many rounds are armed as are paid for, whatever becomes of them.
    function test_only_funded_rounds() external {
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        uint64 task = rounds.createTask(params, 1);
        rig.draw(task, 1); // nobody posts
        eq("draws", rounds.liveOf(task).draws, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Post);
        fails(IRoundBook.NotFunded.selector, 1, 1);
        rounds.armBeacon(task, 2);
        vm.prank(SPONSOR);
        rounds.fundTask(task, 1);
        rig.draw(task, 2);
        eq("draws", rounds.liveOf(task).draws, 2);
        rig.toPhase(task, 3, IRoundBook.Phase.Post);
        fails(IRoundBook.NotFunded.selector, 2, 2);
        rounds.armBeacon(task, 3);
    }

    /// @notice Arming freezes seats, so it costs a funded round, drawn or not; arming the same round again does not.
    function test_arming_counts() external {
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        uint64 task = rounds.createTask(params, 2);
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        rounds.armBeacon(task, 1);
        eq("one", rounds.liveOf(task).draws, 1);
        vm.roll(block.number + 259);
        rounds.armBeacon(task, 1);
        eq("still one", rounds.liveOf(task).draws, 1);
        vm.roll(block.number + 3000);
        rig.draw(task, 2);
        eq("two", rounds.liveOf(task).draws, 2);
        rig.toPhase(task, 3, IRoundBook.Phase.Post);
        fails(IRoundBook.NotFunded.selector, 2, 2);
        rounds.armBeacon(task, 3);
    }

    function test_not_after_the_draw() external {
        uint64 task = rig.createTask();
        rig.draw(task, 1);
        fails(IRoundBook.AlreadyDrawn.selector, 1);
        rounds.armBeacon(task, 1);
    }
}
