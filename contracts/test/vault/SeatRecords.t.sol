// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

/// @notice What stands in the vault's slots: a seat's record is one of them, and `drawSeats` reads it raw.
contract SeatRecordsTest is VaultBase {
    uint256 private constant DRAWS = 3;
    uint256 private constant SEATS = 4;
    uint256 private constant MAX_SEATS = 1 << 24;
    uint256 private constant LISTS = SEATS + MAX_SEATS + 1;

    struct Seat {
        uint256 place;
        uint256 lockedUntil;
        address signer;
        uint256 node;
    }

    function record(uint256 index) private view returns (Seat memory) {
        uint256 word = uint256(stateVm.load(address(vault), bytes32(SEATS + index)));
        return Seat(word & 0xffffff, (word >> 24) & 0xffffffffff, address(uint160(word >> 64)), word >> 224);
    }

    function listLength(uint256 node) private view returns (uint256) {
        return uint256(stateVm.load(address(vault), keccak256(abi.encode(node, LISTS))));
    }

    /// @dev Index of the seat at a place of a node's list.
    function listed(uint256 node, uint256 place) private view returns (uint256) {
        uint256 start = uint256(keccak256(abi.encode(keccak256(abi.encode(node, LISTS)))));
        return uint32(uint256(stateVm.load(address(vault), bytes32(start + place / 8))) >> (32 * (place % 8)));
    }

    /// @dev Seats and lists are each other's inverse, records hold their nodes' keys, every seat is backed, and what
    /// stands behind the last seat is empty.
    function checkAll() private view {
        uint32 size = vault.seatCount();
        uint256[] memory held = new uint256[](NODES + 1);
        for (uint32 i = 0; i < size; i++) {
            Seat memory seat = record(i);
            (uint32 node, uint40 lockedUntil) = vault.seatAt(i);
            eq("node", seat.node, node);
            eq("lock", seat.lockedUntil, lockedUntil);
            eq("listed", listed(node, seat.place), i);
            if (node == 0) {
                eq("vacant: signer", seat.signer, address(0));
                eq("vacant: lock", lockedUntil, type(uint40).max);
            } else {
                eq("signer", seat.signer, vm.addr(node));
            }
            held[node]++;
        }
        for (uint32 node = 0; node <= NODES; node++) {
            eq("list", listLength(node), held[node]);
            if (node == 0) continue;
            eq("seats", vault.nodeOf(node).seats, held[node]);
            require(vault.nodeOf(node).bonded >= held[node] * SEAT, "backed");
        }
        for (uint256 i = size; i < size + 4; i++) {
            eq("empty", stateVm.load(address(vault), bytes32(SEATS + i)), bytes32(0));
        }
    }

    function test_one_slot_a_seat() external {
        moreSeats(8, 2);
        uint40 until = uint40(block.timestamp) + 9;
        vault.drawSeats(bytes32("seed"), 9, until);
        for (uint256 i = 0; i < 9; i++) {
            Seat memory seat = record(i);
            uint256 node = i < 7 ? i + 1 : 8;
            eq("node", seat.node, node);
            eq("signer", seat.signer, vm.addr(node));
            eq("locked", seat.lockedUntil, until);
            eq("place", seat.place, i == 8 ? 1 : 0);
        }
        checkAll();
    }

    /// @notice Seats are taken, left, drawn and slashed away in any order, frozen or not; a draw in between is right.
    function testFuzz_records_after_moves(uint256 moves) external {
        for (uint32 node = 1; node <= NODES; node++) {
            vm.prank(ownerOf(node));
            vault.bond(node, 3 * SEAT);
        }
        for (uint256 step = 0; step < 24; step++) {
            moves = uint256(keccak256(abi.encode(moves)));
            uint32 node = uint32(1 + (moves >> 8) % NODES);
            uint32 count = uint32(1 + (moves >> 16) % 3);
            uint32 size = vault.seatCount();
            uint256 kind = moves % 8;
            if (kind < 3) {
                vm.prank(ownerOf(node));
                try vault.takeSeats(node, count) {} catch {}
            } else if (kind < 5) {
                vm.prank(ownerOf(node));
                try vault.leaveSeats(node, count) {} catch {}
            } else if (kind == 5) {
                slash(node, count * SEAT / 2, address(0xfee));
            } else if (kind == 6) {
                vault.freezeSeats(uint64(block.number) + count);
            } else if (size != 0) {
                bytes memory expected = predict(bytes32(moves), count);
                try vault.drawSeats(bytes32(moves), count, uint40(block.timestamp) + 1 + node) returns (
                    bytes memory committee
                ) {
                    eq("committee", committee, expected);
                } catch (bytes memory why) {
                    require(bytes4(why) == IStakeVault.NotEnoughSeats.selector, "why");
                    require(expected.length < 24 * uint256(count), "there were enough");
                }
            }
            vm.roll(block.number + (moves >> 32) % 2);
            vm.warp(block.timestamp + (moves >> 40) % 4);
        }
        checkAll();
    }

    /// @notice A place in a list has 24 bits, so that many seats may stand in all.
    function test_no_more_than_records_can_tell_apart() external {
        uint256 draws = uint256(stateVm.load(address(vault), bytes32(DRAWS)));
        eq("seats", uint32(draws), SEATED);
        stateVm.store(address(vault), bytes32(DRAWS), bytes32((draws & ~uint256(type(uint32).max)) | (MAX_SEATS - 1)));
        takeSeats(8, 1);
        eq("full", vault.seatCount(), MAX_SEATS);
        eq("the last", record(MAX_SEATS - 1).node, 8);
        fails(IStakeVault.TooManySeats.selector, MAX_SEATS + 1, MAX_SEATS);
        vm.prank(ownerOf(9));
        vault.takeSeats(9, 1);
    }

    function test_no_seat_behind_the_last() external {
        fails(IStakeVault.NotEnoughSeats.selector, 7, 7);
        vault.seatAt(7);
    }
}
