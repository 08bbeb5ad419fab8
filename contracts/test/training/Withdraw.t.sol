// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingWithdrawTest is TrainingBase {
    function test_the_owner_takes_it_after_the_delay() external {
        address owner = ownerOf(TRAINER_NODE);
        vm.startPrank(owner);
        fails(IStakeVault.NothingToWithdraw.selector, TRAINER_NODE);
        training.withdraw(TRAINER_NODE);
        training.unbond(TRAINER_NODE, BOND);
        (,, uint40 exitAt) = training.bondOf(TRAINER_NODE);
        vm.warp(exitAt - 1);
        fails(IStakeVault.ExitTooEarly.selector, exitAt - 1, exitAt);
        training.withdraw(TRAINER_NODE);
        vm.warp(exitAt);
        uint256 before = token.balanceOf(owner);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.BondWithdrawn(TRAINER_NODE, owner, BOND);
        training.withdraw(TRAINER_NODE);
        eq("paid", token.balanceOf(owner) - before, BOND);
        eq("balance", token.balanceOf(address(training)), 0);
    }

    function test_nobody_else() external {
        fails(IStakeVault.NotOwner.selector, TRAINER_NODE, num(address(this)));
        training.withdraw(TRAINER_NODE);
    }
}
