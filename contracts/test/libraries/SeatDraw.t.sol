// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {SeatDraw} from "../../libraries/SeatDraw.sol";

/// @notice The draw over seats in storage against plain Fisher-Yates over a whole array.
contract SeatDrawTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant LOCK_UNTIL = 0xfedcba9876;

    uint256[1 << 32] private seats;

    function bound(uint256 value, uint256 low, uint256 high) private pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    /// @dev The record of the seat at a place: every bit matters.
    function record(uint256 place, uint256 lockedUntil) private pure returns (uint256) {
        return uint256(packed(place)) << 64 | lockedUntil << 24 | (place & 0xffffff);
    }

    function packed(uint256 place) private pure returns (uint192) {
        return uint192(uint256(keccak256(abi.encode("seat", place))));
    }

    function listed(bytes memory committee, uint256 index) private pure returns (uint192 seat) {
        assembly ("memory-safe") {
            seat := shr(64, mload(add(add(committee, 0x20), mul(24, index))))
        }
    }

    /// @dev Plain Fisher-Yates over a whole array.
    function plain(bytes32 seed, uint256 size, uint256 steps) private pure returns (uint256[] memory drawn) {
        uint256[] memory places = new uint256[](size);
        for (uint256 i = 0; i < size; i++) places[i] = i;
        drawn = new uint256[](steps);
        for (uint256 i = 0; i < steps; i++) {
            uint256 j = i + uint256(keccak256(abi.encode(seed, i))) % (size - i);
            (places[i], places[j]) = (places[j], places[i]);
            drawn[i] = places[i];
        }
    }

    /// @dev Memory in use around the draw, and memory behind the free pointer that is not clean: neither may matter.
    function lockSeats(bytes32 seed, uint256 size, uint256 count, uint256 steps)
        private
        returns (bytes memory committee)
    {
        uint256[] memory before = new uint256[](3);
        before[2] = 7;
        uint256 first;
        assembly ("memory-safe") {
            first := seats.slot
            let free := mload(0x40)
            for { let k := 0 } lt(k, 0x8000) { k := add(k, 0x20) } { mstore(add(free, k), not(0)) }
        }
        committee = SeatDraw.lockSeats(seed, first, size, count, steps, LOCK_UNTIL);
        bytes32 listedHash = keccak256(committee);
        uint256[] memory behind = new uint256[](3);
        require(before[2] == 7 && behind[0] == 0 && behind[2] == 0, "memory");
        behind[0] = 8;
        require(keccak256(committee) == listedHash, "allocated");
        uint256 tail;
        assembly ("memory-safe") {
            tail := mload(add(add(committee, 0x20), mload(committee)))
        }
        require(uint64(tail >> 192) == 0, "padding");
    }

    /// @dev `locks` tells by its bits which of the places are locked, again and again over all of them.
    function check(bytes32 seed, uint256 size, uint256 count, uint256 steps, uint256 locks) private {
        for (uint256 place = 0; place < size; place++) {
            bool locked = (locks >> (place & 0xff)) & 1 == 1;
            seats[place] = record(place, locked ? block.timestamp + 1 : block.timestamp - place % 2);
        }
        uint256[] memory order = plain(seed, size, steps);
        bytes memory committee = lockSeats(seed, size, count, steps);

        uint256 found = 0;
        uint256 spare = steps - count;
        for (uint256 i = 0; found < count; i++) {
            if ((locks >> (order[i] & 0xff)) & 1 == 1) {
                if (spare == 0) break;
                spare--;
                continue;
            }
            require(found < committee.length / 24, "too few");
            require(listed(committee, found) == packed(order[i]), "order");
            require(seats[order[i]] == record(order[i], LOCK_UNTIL), "record");
            seats[order[i]] = 0;
            found++;
        }
        require(committee.length == 24 * found, "length");
        for (uint256 place = 0; place < size; place++) {
            if (seats[place] == 0) continue;
            bool locked = (locks >> (place & 0xff)) & 1 == 1;
            require(
                seats[place] == record(place, locked ? block.timestamp + 1 : block.timestamp - place % 2), "another"
            );
        }
    }

    /// @notice All places are in the first table.
    function testFuzz_is_fisher_yates(bytes32 seed, uint256 size, uint256 count, uint256 steps, uint256 locks)
        external
    {
        size = bound(size, 1, 200);
        steps = bound(steps, 1, size);
        check(seed, size, bound(count, 0, steps), steps, locks);
    }

    /// @notice Most are in the second, which often wraps, and half of them are passed by; or a few more or less.
    function testFuzz_in_few_steps(bytes32 seed, uint256 size, uint256 count, uint256 steps, uint256 locks) external {
        steps = bound(steps, 1, 20);
        check(seed, bound(size, 16 * steps, 18 * steps + 9), bound(count, 0, steps), steps, locks);
    }

    /// @notice Few places, where steps often meet what was moved before.
    function test_every_edge() external {
        for (uint256 i = 0; i < 60; i++) {
            bytes32 seed = keccak256(abi.encode(i));
            for (uint256 steps = 1; steps <= 12; steps++) check(seed, 13, steps, steps, 0);
            check(seed, 40, 31, 40, 0);
        }
    }

    /// @notice All but a few are passed by: as many steps as there may be.
    function test_passes_by_nearly_all() external {
        check(bytes32("seed"), 700, 31, 700, type(uint256).max - 1 - (1 << 77));
        check(bytes32("seed"), 700, 31, 188, type(uint256).max - 1 - (1 << 77));
        check(bytes32("seed"), 300, 300, 300, 0);
        check(bytes32("seed"), 60, 20, 60, type(uint256).max);
    }

    /// @notice Many steps over many more places: the second table fills up to four fifths.
    function test_fills_up() external {
        check(bytes32("fill"), 3300, 204, 204, 0); // 256 cells
        check(bytes32("full"), 3300, 1, 204, type(uint256).max);
    }

    /// @notice The order of the vectors, whether with as many steps as seats or with more.
    function test_vectors() external {
        string memory json = vm.readFile("tests/vectors/draw.json");
        uint256 cases = vm.parseJsonUint(json, ".count");
        require(cases > 5, "cases");
        for (uint256 i = 0; i < cases; i++) {
            string memory entry = string.concat(".cases[", vm.toString(i), "].");
            bytes32 seed = vm.parseJsonBytes32(json, string.concat(entry, "seed"));
            uint256 size = vm.parseJsonUint(json, string.concat(entry, "size"));
            uint256[] memory places = vm.parseJsonUintArray(json, string.concat(entry, "positions"));
            uint256 more = 4 * places.length + 64;
            for (uint256 turn = 0; turn < 2; turn++) {
                for (uint256 j = 0; j < places.length; j++) seats[places[j]] = record(places[j], 0);
                bytes memory committee =
                    lockSeats(seed, size, places.length, turn == 0 ? places.length : more < size ? more : size);
                require(committee.length == 24 * places.length, "length");
                for (uint256 j = 0; j < places.length; j++) {
                    require(listed(committee, j) == packed(places[j]), "order");
                }
            }
        }
    }
}
