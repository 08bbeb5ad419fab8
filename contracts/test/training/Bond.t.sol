// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook, IStakeVault, ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingBondTest is TrainingBase {
    function test_anyone_adds_to_a_bond() external {
        token.mint(address(this), 7);
        token.approve(address(training), 7);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.BondAdded(TRAINER_NODE, 7, BOND + 7);
        training.bond(TRAINER_NODE, 7);
        (uint96 free, uint96 exiting,) = training.bondOf(TRAINER_NODE);
        eq("free", free, BOND + 7);
        eq("exiting", exiting, 0);
        eq("balance", token.balanceOf(address(training)), BOND + 7);
    }

    function test_refusals() external {
        fails(IStakeVault.ZeroAmount.selector);
        training.bond(TRAINER_NODE, 0);
        fails(IStakeVault.UnknownNode.selector, 99);
        training.bond(99, 1);
    }

    function test_deploy() external {
        eq("bond", training.BOND(), BOND);
        eq("move", training.MOVE_S(), MOVE_S);
        eq("verdict", training.VERDICT_S(), VERDICT_S);
        eq("leaving", training.UNBONDING_S(), LEAVE_S);
        eq("rounds", training.rounds(), address(rounds));
        eq("vault", training.vault(), address(vault));
        eq("token", training.token(), address(token));
        fails(IStakeVault.ZeroAmount.selector);
        vm.deployCode("contracts/build/TrainingDisputes.json", abi.encode(rounds, 0, MOVE_S, VERDICT_S, LEAVE_S));
        fails(IRoundBook.BadParams.selector, uint256(bytes32("deadlines")));
        vm.deployCode("contracts/build/TrainingDisputes.json", abi.encode(rounds, BOND, 0, VERDICT_S, LEAVE_S));
        fails(IRoundBook.BadParams.selector, uint256(bytes32("deadlines")));
        vm.deployCode("contracts/build/TrainingDisputes.json", abi.encode(rounds, BOND, MOVE_S, 0, LEAVE_S));
    }
}
