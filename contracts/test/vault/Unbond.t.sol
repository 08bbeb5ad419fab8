// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract UnbondTest is VaultBase {
    function test_unbond_restarts_the_delay() external {
        address owner = ownerOf(8);
        uint40 first = uint40(block.timestamp) + UNBONDING;
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Unbonding(8, 10, SEAT - 10, 10, first);
        vm.prank(owner);
        vault.unbond(8, 10);
        vm.warp(block.timestamp + 50);
        vm.prank(owner);
        vault.unbond(8, 5);
        eq("exit", vault.nodeOf(8).exitAt, first + 50);
        eq("exiting", vault.nodeOf(8).exiting, 15);
        eq("snapshot", vault.stakeAt(8, uint48(block.timestamp)), SEAT - 15);
    }

    function test_refusals() external {
        fails(IStakeVault.NotOwner.selector, 8, num(vm.addr(8)));
        vm.prank(vm.addr(8));
        vault.unbond(8, 1);
        fails(IStakeVault.UnknownNode.selector, 99);
        vault.unbond(99, 1);
        fails(IStakeVault.ZeroAmount.selector);
        vm.prank(ownerOf(8));
        vault.unbond(8, 0);
        fails(IStakeVault.StakeTooLow.selector, SEAT, SEAT + 1);
        vm.prank(ownerOf(8));
        vault.unbond(8, SEAT + 1);
        fails(IStakeVault.StakeTooLow.selector, SEAT, uint256(SEAT) + 1);
        vm.prank(ownerOf(1)); // one seat stays covered
        vault.unbond(1, 1);
        fails(IStakeVault.StakeTooLow.selector, SEAT, type(uint96).max);
        vm.prank(ownerOf(1));
        vault.unbond(1, type(uint96).max);
    }
}
