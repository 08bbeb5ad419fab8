// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract LeaveSeatsTest is VaultBase {
    function test_leave_closes_the_gap() external {
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.SeatsChanged(2, 1, 0);
        vm.prank(ownerOf(2));
        vault.leaveSeats(2, 1);
        eq("all", vault.seatCount(), 6);
        (uint32 node,) = vault.seatAt(1);
        eq("the last moved", node, 7);
        vm.prank(ownerOf(7)); // and still knows its place
        vault.leaveSeats(7, 1);
        eq("all", vault.seatCount(), 5);
        for (uint32 i = 0; i < 5; i++) {
            (node,) = vault.seatAt(i);
            require(node != 2 && node != 7);
        }
    }

    function test_refusals() external {
        fails(IStakeVault.NotOwner.selector, 1, num(address(this)));
        vault.leaveSeats(1, 1);
        vm.startPrank(ownerOf(1));
        fails(IStakeVault.ZeroAmount.selector);
        vault.leaveSeats(1, 0);
        fails(IStakeVault.TooManySeats.selector, 2, 1);
        vault.leaveSeats(1, 2);
        vm.stopPrank();
        uint64 until = uint64(block.number) + 9;
        vault.freezeSeats(until);
        fails(IStakeVault.SeatsFrozen.selector, until);
        vm.prank(ownerOf(1));
        vault.leaveSeats(1, 1);
    }

    /// @notice Locked seats stay; free ones of the same node go, wherever they stand in its list.
    function test_locked_seats_stay() external {
        vm.prank(ownerOf(1));
        vault.bond(1, 3 * SEAT);
        uint40 until = uint40(block.timestamp) + 50;
        vault.drawSeats(bytes32("seed"), 7, until);
        takeSeats(1, 3);
        vm.startPrank(ownerOf(1));
        vault.leaveSeats(1, 3);
        fails(IStakeVault.SeatLocked.selector, 1, until);
        vault.leaveSeats(1, 1);
        vm.warp(until);
        vault.leaveSeats(1, 1);
        eq("none", vault.nodeOf(1).seats, 0);
    }

    /// @notice Seats leave from anywhere in their node's list, and the rest still find their places.
    function testFuzz_leave_between_locked_seats(bytes32 seed) external {
        vm.startPrank(ownerOf(8));
        vault.bond(8, 5 * SEAT);
        vault.takeSeats(8, 6);
        vm.stopPrank();
        uint40 until = uint40(block.timestamp) + 50;
        vault.drawSeats(seed, 5, until);
        uint32 free = 0;
        for (uint32 i = 0; i < 13; i++) {
            (uint32 node, uint40 lockedUntil) = vault.seatAt(i);
            if (node == 8 && lockedUntil == 0) free++;
        }
        vm.startPrank(ownerOf(8));
        if (free != 0) vault.leaveSeats(8, free);
        vm.warp(until);
        for (uint32 left = 6 - free; left != 0; left--) vault.leaveSeats(8, 1);
        eq("all", vault.seatCount(), 7);
        uint256 found = 0;
        for (uint32 i = 0; i < 7; i++) {
            (uint32 node,) = vault.seatAt(i);
            found |= 1 << node;
        }
        eq("one seat each", found, 0xfe);
    }
}
