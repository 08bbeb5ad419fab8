// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingUnbondTest is TrainingBase {
    function test_a_part_leaves_and_each_request_restarts_the_delay() external {
        uint40 now_ = uint40(block.timestamp);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.BondLeaving(TRAINER_NODE, 10e18, 40e18, 10e18, now_ + LEAVE_S);
        vm.prank(ownerOf(TRAINER_NODE));
        training.unbond(TRAINER_NODE, 10e18);
        vm.warp(now_ + 5);
        vm.prank(ownerOf(TRAINER_NODE));
        training.unbond(TRAINER_NODE, 40e18);
        (uint96 free, uint96 exiting, uint40 exitAt) = training.bondOf(TRAINER_NODE);
        eq("free", free, 0);
        eq("exiting", exiting, BOND);
        eq("exit", exitAt, now_ + 5 + LEAVE_S);
    }

    function test_refusals() external {
        fails(IStakeVault.NotOwner.selector, TRAINER_NODE, num(address(this)));
        training.unbond(TRAINER_NODE, 1);
        vm.startPrank(ownerOf(TRAINER_NODE));
        fails(IStakeVault.ZeroAmount.selector);
        training.unbond(TRAINER_NODE, 0);
        fails(IStakeVault.StakeTooLow.selector, BOND, BOND + 1);
        training.unbond(TRAINER_NODE, BOND + 1);
    }

    /// @notice What is leaving is locked first, and lost like the rest.
    function test_what_is_leaving_still_answers() external {
        vm.prank(ownerOf(TRAINER_NODE));
        training.unbond(TRAINER_NODE, 10e18);
        fund(30e18);
        opened();
        (uint96 free, uint96 exiting,) = training.bondOf(TRAINER_NODE);
        eq("exiting", exiting, 0);
        eq("free", free, 30e18);
        eq("locked", training.disputeOf(id).trainerBond, BOND);
    }
}
