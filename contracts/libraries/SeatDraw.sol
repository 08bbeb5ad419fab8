// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Drawing seats without replacement
/// @notice Partial Fisher-Yates over places 0..size-1. Step i takes j = i + keccak256(abi.encode(seed, i)) mod
/// (size - i), swaps places i and j and yields what stood at j. Among many places only what was swapped is held, in an
/// open-addressed table in memory, so that a step costs the same whatever the size. The modulo bias is under 2^-200 for
/// sizes that fit uint32.
/// @dev A seat is one slot: from its lowest bit 24 bits of the owner's own, 40 of lockedUntil, and the 24 bytes that a
/// committee lists.
library SeatDraw {
    uint256 private constant LOCK_AT = 24;
    uint256 private constant LOCK_FIELD = 0xffffffffff000000;

    /// @notice Draws `count` seats, passing by those that are locked, and locks what it draws.
    /// @param first slot of the seat at place 0
    /// @param count at most `steps`
    /// @param steps how many seats it may look at, at most `size`
    /// @param lockUntil seconds, fits uint40; a seat that is locked until now is free
    /// @return committee 24 bytes a seat, in the order drawn; shorter if too many are passed by to meet `count` others
    function lockSeats(
        bytes32 seed,
        uint256 first,
        uint256 size,
        uint256 count,
        uint256 steps,
        uint256 lockUntil
    ) internal returns (bytes memory committee) {
        // In one piece and with all of its state on the stack: a draw is the dearest call of a round.
        assembly ("memory-safe") {
            // Allocated with 8 bytes to spare: a seat is written as a word, which the next one's covers in part.
            committee := mload(0x40)
            let out := add(committee, 0x20)
            let low := and(add(out, add(mul(24, count), 39)), not(31))
            mstore(0x40, low)

            // What the steps moved stands in free memory, in two tables of zeros that last as long as this block. Their
            // entries are narrower than the words that they are read and written in: what is behind stays as it is.
            // `low` is for places below `near`: all where that is cheaper, else those that something may be moved from.
            // It has 4 bytes for each, of place xor (what stands there).
            // `high` is for the others: cells of 8 bytes, place and what stands there, a power of two of them of which
            // at most four fifths are ever filled, 0 where free; `mask` is that of offsets. A place is in the cell that
            // its last bits give, or the next free one behind.
            let near := size
            if gt(size, shl(4, steps)) { near := steps }
            let high := add(low, shl(2, near))
            let mask := 0
            if lt(near, size) {
                mask := mul(10, steps)
                mask := or(mask, shr(1, mask))
                mask := or(mask, shr(2, mask))
                mask := or(mask, shr(4, mask))
                mask := or(mask, shr(8, mask))
                mask := or(mask, shr(16, mask))
            }
            calldatacopy(low, calldatasize(), add(add(shl(2, near), mask), 1)) // zeros

            mstore(0x00, seed) // the hash's input, with the step behind it
            let lock := shl(LOCK_AT, lockUntil)
            let planned := count // a step for each seat, and one for each that is passed by
            for { let i := 0 } lt(i, planned) { i := add(i, 1) } {
                mstore(0x20, i)
                let j := add(i, mod(keccak256(0x00, 0x40), sub(size, i)))
                let moved := xor(i, shr(224, mload(add(low, shl(2, i)))))
                let place := j
                switch lt(j, near)
                case 0 {
                    let cell := add(high, and(shl(3, j), mask))
                    for { let entry := shr(192, mload(cell)) } entry { entry := shr(192, mload(cell)) } {
                        if eq(shr(32, entry), j) {
                            place := and(entry, 0xffffffff)
                            break
                        }
                        cell := add(high, and(sub(add(cell, 8), high), mask))
                    }
                    mstore(cell, or(shl(192, or(shl(32, j), moved)), shr(64, shl(64, mload(cell)))))
                }
                default {
                    let cell := add(low, shl(2, j))
                    let word := mload(cell)
                    place := xor(j, shr(224, word))
                    mstore(cell, xor(word, shl(224, xor(place, moved))))
                }

                let slot := add(first, place)
                let seat := sload(slot)
                let unlocked := and(seat, not(LOCK_FIELD))
                // A step more, or with too few left none any more: a `break` would reorder the stack in every step.
                switch gt(xor(seat, unlocked), shl(LOCK_AT, timestamp()))
                case 0 {
                    sstore(slot, or(unlocked, lock))
                    mstore(out, seat)
                    out := add(out, 24)
                }
                default { planned := mul(add(planned, 1), lt(planned, steps)) }
            }
            mstore(out, 0)
            mstore(committee, sub(sub(out, committee), 0x20))
        }
    }
}
