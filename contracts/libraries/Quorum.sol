// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook} from "../interfaces/IRoundBook.sol";

/// @title Signatures of a quorum of seats
/// @notice Bit j of the bitmap says that seat j signs. A node signs once for all its seats: its signature stands in the
/// order of its first set seat, and the others need none. Weight is the number of bits set. A bit that is left clear takes
/// weight away and nothing else: who signs answers with all its seats. A committee is 24 bytes a seat: uint32 node,
/// address signer.
library Quorum {
    uint256 internal constant SEAT_LENGTH = 24;
    uint256 internal constant SIGNATURE_LENGTH = 65;
    uint256 internal constant MAX_SEATS = 128;
    /// @dev Half of the order of secp256k1: a greater s is the same signature in another form.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Reverts unless `bitmap` weighs at least `needed` and every signing node's signature is good. Cheap checks first.
    function check(
        bytes32 digest,
        bytes calldata committee,
        uint256 bitmap,
        bytes calldata signatures,
        uint256 needed
    ) internal view {
        uint256 seats = committee.length / SEAT_LENGTH;
        require(seats <= MAX_SEATS, IRoundBook.WrongLength("committee", seats, MAX_SEATS));
        require(bitmap >> seats == 0, IRoundBook.WrongLength("signers", bitmap, seats));
        uint256 got = weight(bitmap);
        require(got >= needed, IRoundBook.NoQuorum(got, needed));

        uint256 start;
        uint256 from;
        assembly ("memory-safe") {
            start := sub(committee.offset, 8) // a seat ends 24 bytes behind the one before: its key is in the low bytes
            from := signatures.offset
        }
        unchecked {
            uint256 end = from + signatures.length;
            (uint256 next, uint256 at, bool good) = _walk(digest, bitmap, start, from, end);
            require(
                good || next + SIGNATURE_LENGTH <= end,
                IRoundBook.WrongLength("signatures", signatures.length, next + SIGNATURE_LENGTH - from)
            );
            require(good, IRoundBook.BadSignature((at - start) / SEAT_LENGTH));
            require(next == end, IRoundBook.WrongLength("signatures", signatures.length, next - from));
        }
    }

    /// @notice Node and hot key of seat `index`; the caller keeps the index below the number of seats.
    function seatAt(bytes calldata committee, uint256 index) internal pure returns (uint256 node, address signer) {
        uint256 seat;
        assembly ("memory-safe") {
            seat := shr(64, calldataload(add(committee.offset, mul(index, 24))))
        }
        return (seat >> 160, address(uint160(seat)));
    }

    /// @notice Number of bits set among the low 128.
    function weight(uint256 bitmap) internal pure returns (uint256 bits) {
        // Sums of neighbours in fields of 2, 4 and 8 bits, and of the sixteen bytes by one product. Unchecked: no field is
        // full, and what the product has above its 16th byte is cut off.
        unchecked {
            bits = bitmap - ((bitmap >> 1) & 0x55555555555555555555555555555555);
            bits = (bits & 0x33333333333333333333333333333333) + ((bits >> 2) & 0x33333333333333333333333333333333);
            bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            bits = ((bits * 0x01010101010101010101010101010101) >> 120) & 0xff;
        }
    }

    /// @dev Over the set seats in order, from their first key at `start`: where the signatures from `from` on end, and the seat
    /// at which it stopped, if not good. In one piece and by the precompile itself: this is the loop of the dearest call
    /// that recurs.
    function _walk(bytes32 digest, uint256 bitmap, uint256 start, uint256 from, uint256 end)
        private
        view
        returns (uint256 next, uint256 at, bool good)
    {
        assembly ("memory-safe") {
            let buffer := mload(0x40) // free memory, and left free
            mstore(buffer, digest)
            mstore(add(buffer, 0x20), 0)
            let seen := 0 // the keys that have signed, by two bits each
            next := from
            at := start
            for { let left := bitmap } left {
                left := shr(1, left)
                at := add(at, SEAT_LENGTH)
            } {
                if iszero(and(left, 1)) { continue }
                let word := calldataload(at) // its low 20 bytes are the key
                let bits := or(shl(byte(31, word), 1), shl(byte(30, word), 1))
                if eq(and(seen, bits), bits) {
                    // It may have signed. A key belongs to one node for ever, so it stands for its node.
                    let before := start
                    for { let set := bitmap } lt(before, at) {
                        set := shr(1, set)
                        before := add(before, SEAT_LENGTH)
                    } {
                        if and(set, iszero(shl(96, xor(calldataload(before), word)))) { break }
                    }
                    if lt(before, at) { continue }
                }
                seen := or(seen, bits)

                let after := add(next, SIGNATURE_LENGTH)
                if gt(after, end) { break }
                mstore8(add(buffer, 0x3f), byte(31, calldataload(sub(after, 0x20)))) // v
                calldatacopy(add(buffer, 0x40), next, 0x40) // r and s
                // A recovery that fails returns nothing and leaves this, which is no key; a vacant seat's zero is not found.
                mstore(0x00, not(0))
                pop(staticcall(gas(), 1, buffer, 0x80, 0x00, 0x20))
                if or(gt(mload(add(buffer, 0x60)), HALF_ORDER), or(shl(96, xor(mload(0x00), word)), shr(160, mload(0x00)))) {
                    break
                }
                next := after
            }
            // Stopped early where the seat it stands at is set: behind the last set seat there is none.
            good := iszero(shr(div(sub(at, start), SEAT_LENGTH), bitmap))
        }
    }
}
