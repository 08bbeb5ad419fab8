// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract BondTest is VaultBase {
    function test_anyone_pays() external {
        address payer = address(0xabc);
        fund(payer);
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Bonded(1, 5, SEAT + 5);
        vm.prank(payer);
        vault.bond(1, 5);
        eq("bonded", vault.nodeOf(1).bonded, SEAT + 5);
        eq("balance", token.balanceOf(address(vault)), 10 * uint256(SEAT) + 5);
    }

    function test_snapshots() external {
        vm.warp(block.timestamp + 10);
        vm.prank(ownerOf(1));
        vault.bond(1, 5);
        eq("before", vault.stakeAt(1, uint48(block.timestamp - 1)), SEAT);
        eq("now", vault.stakeAt(1, uint48(block.timestamp)), SEAT + 5);
        eq("before it was there", vault.stakeAt(1, uint48(block.timestamp - 11)), 0);
        eq("unknown", vault.stakeAt(99, uint48(block.timestamp)), 0);
    }

    function test_refusals() external {
        fails(IStakeVault.UnknownNode.selector, 99);
        vault.bond(99, 1);
        fails(IStakeVault.ZeroAmount.selector);
        vault.bond(1, 0);
        fails(IStakeVault.UnknownNode.selector, 0);
        vault.nodeOf(0);
    }
}
