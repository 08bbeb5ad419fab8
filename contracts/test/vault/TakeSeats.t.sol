// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract TakeSeatsTest is VaultBase {
    function test_take() external {
        address owner = ownerOf(8);
        vm.startPrank(owner);
        vault.bond(8, SEAT);
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.SeatsChanged(8, 0, 2);
        vault.takeSeats(8, 2);
        eq("seats", vault.nodeOf(8).seats, 2);
        eq("all", vault.seatCount(), 9);
        (uint32 node, uint40 locked) = vault.seatAt(8);
        eq("node", node, 8);
        eq("locked", locked, 0);
        fails(IStakeVault.StakeTooLow.selector, 2 * SEAT, 3 * SEAT);
        vault.takeSeats(8, 1);
    }

    function test_refusals() external {
        fails(IStakeVault.NotOwner.selector, 8, num(address(this)));
        vault.takeSeats(8, 1);
        fails(IStakeVault.ZeroAmount.selector);
        vm.prank(ownerOf(8));
        vault.takeSeats(8, 0);
        uint64 until = uint64(block.number) + 9;
        vault.freezeSeats(until);
        fails(IStakeVault.SeatsFrozen.selector, until);
        vm.prank(ownerOf(8));
        vault.takeSeats(8, 1);
        vm.roll(until);
        fails(IStakeVault.SeatsFrozen.selector, until);
        vm.prank(ownerOf(8));
        vault.takeSeats(8, 1);
        vm.roll(until + 1);
        takeSeats(8, 1);
    }

    function test_too_many_for_any_stake() external {
        fails(IStakeVault.StakeTooLow.selector, SEAT, type(uint96).max);
        vm.prank(ownerOf(8));
        vault.takeSeats(8, type(uint32).max);
    }
}
