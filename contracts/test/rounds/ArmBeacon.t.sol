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

    function test_not_after_the_draw() external {
        uint64 task = rig.createTask();
        rig.draw(task, 1);
        fails(IRoundBook.AlreadyDrawn.selector, 1);
        rounds.armBeacon(task, 1);
    }
}
