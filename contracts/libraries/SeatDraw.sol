// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Drawing positions without replacement
/// @notice Partial Fisher-Yates over 0..size-1. Step i takes j = i + keccak256(abi.encode(seed, i)) mod (size - i), swaps
/// positions i and j and yields what stood at j. Only swapped positions are held, in an open-addressed table in memory,
/// so a step costs the same whatever the size. The modulo bias is under 2^-200 for sizes that fit uint32.
library SeatDraw {
    struct Draw {
        bytes32 seed;
        uint256 size;
        uint256 taken; // steps done
        uint256[] table; // (position + 1) << 128 | value; 0 = free
    }

    /// @param maxSteps the most steps that will be asked for
    function open(bytes32 seed, uint256 size, uint256 maxSteps) internal pure returns (Draw memory draw) {
        uint256 capacity = 4;
        while (capacity < 2 * maxSteps) capacity <<= 1; // a step stores cell most one position: the load stays <= 1/2
        draw.seed = seed;
        draw.size = size;
        draw.table = new uint256[](capacity);
    }

    /// @notice The next position. The caller stops at `size` steps.
    function next(Draw memory draw) internal pure returns (uint256 position) {
        uint256 i = draw.taken++;
        uint256 j = i + uint256(keccak256(abi.encode(draw.seed, i))) % (draw.size - i);
        position = _read(draw.table, j);
        // What stood at i moves to j. Position i is never read again: later steps start behind it.
        if (j != i) _write(draw.table, j, _read(draw.table, i));
    }

    function _find(uint256[] memory table, uint256 position) private pure returns (uint256 cell) {
        uint256 mask = table.length - 1;
        cell = position & mask;
        while (table[cell] != 0 && table[cell] >> 128 != position + 1) cell = (cell + 1) & mask;
    }

    function _read(uint256[] memory table, uint256 position) private pure returns (uint256) {
        uint256 entry = table[_find(table, position)];
        return entry == 0 ? position : uint128(entry);
    }

    function _write(uint256[] memory table, uint256 position, uint256 value) private pure {
        table[_find(table, position)] = ((position + 1) << 128) | value;
    }
}
