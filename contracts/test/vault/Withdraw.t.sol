// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract WithdrawTest is VaultBase {
    /// @notice Exit is possible although nobody else does anything, and pays the cold owner.
    function test_exit() external {
        address owner = ownerOf(1);
        uint256 held = token.balanceOf(owner);
        vm.startPrank(owner);
        vault.leaveSeats(1, 1);
        vault.unbond(1, SEAT);
        uint40 exitAt = vault.nodeOf(1).exitAt;
        vm.warp(exitAt - 1);
        fails(IStakeVault.ExitTooEarly.selector, exitAt - 1, exitAt);
        vault.withdraw(1);
        vm.warp(exitAt);
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Withdrawn(1, owner, SEAT);
        vault.withdraw(1);
        eq("paid", token.balanceOf(owner) - held, SEAT);
        fails(IStakeVault.NothingToWithdraw.selector, 1);
        vault.withdraw(1);
    }

    function test_only_the_owner() external {
        fails(IStakeVault.NotOwner.selector, 1, num(address(this)));
        vault.withdraw(1);
        fails(IStakeVault.UnknownNode.selector, 99);
        vault.withdraw(99);
    }
}
