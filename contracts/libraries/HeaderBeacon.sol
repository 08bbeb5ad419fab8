// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Randomness of a block, read from its RLP header
/// @notice The header is proved by its hash, so only a real header is ever parsed; strictness is against chains whose
/// headers have another shape. A header is one list of byte strings; field 13 (mixHash) is 32 bytes.
library HeaderBeacon {
    error MalformedHeader(uint256 offset);

    uint256 private constant MIX_HASH_FIELD = 13;
    uint256 private constant LISTS = 0xc0; // prefixes from here on are lists
    uint256 private constant MIX_HASH_PREFIX = 0xa0; // a string of 32 bytes

    /// @notice mixHash of a header whose hash the caller has checked.
    function mixHash(bytes calldata header) internal pure returns (bytes32 mix) {
        uint256 length = header.length;
        uint256 offset;
        bool bad;
        // In one piece: a draw is the dearest call of a round, and steps between functions would be half of this. Offsets
        // and sizes stay below 2^25, and what lies behind the end of the call's data reads as zero.
        assembly ("memory-safe") {
            // The list: its prefix, then the size of its payload, must end with the header.
            let word := calldataload(header.offset)
            let size := sub(byte(0, word), LISTS)
            offset := 1
            bad := or(iszero(length), lt(byte(0, word), LISTS))
            if and(iszero(bad), gt(size, 55)) {
                let sizeBytes := sub(size, 55)
                size := shr(sub(256, shl(3, sizeBytes)), shl(8, word))
                // Shortest form only.
                bad := or(gt(sizeBytes, 3), or(lt(size, 56), iszero(byte(1, word))))
                offset := add(1, sizeBytes)
            }
            bad := or(bad, iszero(eq(add(offset, size), length)))
            if bad { offset := 0 }

            let field := mul(bad, MIX_HASH_FIELD)
            // On Ethereum and its like the first seven fields have fixed sizes: two hashes, an address, three hashes, a
            // bloom. Where their prefixes say so, they are passed by at once.
            let data := add(header.offset, offset)
            let prefixes := or(
                or(shl(16, byte(0, calldataload(data))), shl(8, byte(0, calldataload(add(data, 33))))),
                byte(0, calldataload(add(data, 66)))
            )
            if eq(prefixes, 0xa0a094) {
                data := add(data, 87)
                prefixes := or(
                    or(shl(16, byte(0, calldataload(data))), shl(8, byte(0, calldataload(add(data, 33))))),
                    byte(0, calldataload(add(data, 66)))
                )
                if and(eq(prefixes, 0xa0a0a0), eq(shr(232, calldataload(add(data, 99))), 0xb90100)) {
                    if gt(length, add(offset, 445)) {
                        offset := add(offset, 445)
                        field := add(field, 7)
                    }
                }
            }
            // Fields in their shortest form or not: a header that has the right hash is in the chain's own form.
            for {} lt(field, MIX_HASH_FIELD) { field := add(field, 1) } {
                word := calldataload(add(header.offset, offset))
                let prefix := byte(0, word)
                offset := add(offset, 1)
                if lt(prefix, 0x80) { continue } // a byte that stands for itself
                size := sub(prefix, 0x80)
                if gt(size, 55) {
                    let sizeBytes := sub(size, 55)
                    size := shr(sub(256, shl(3, sizeBytes)), shl(8, word))
                    // More bytes than a header's bloom needs, or a list: no field of a header.
                    if gt(sizeBytes, 3) {
                        bad := 1
                        offset := sub(offset, 1)
                        break
                    }
                    offset := add(offset, sizeBytes)
                }
                offset := add(offset, size)
                if gt(offset, length) {
                    bad := 1
                    break
                }
            }
            if iszero(bad) {
                bad := or(
                    iszero(eq(byte(0, calldataload(add(header.offset, offset))), MIX_HASH_PREFIX)),
                    gt(add(offset, 33), length)
                )
                mix := calldataload(add(add(header.offset, offset), 1))
            }
        }
        require(!bad, MalformedHeader(offset));
    }
}
