// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Merkle-sum tree of pay
/// @notice leaf = keccak256(0x02 ‖ uint96 amount), its sum the amount; node = keccak256(0x03 ‖ left hash ‖ uint96 left sum ‖
/// right hash ‖ uint96 right sum), its sum both together, at most 2^96 − 1. The depth is fixed, missing leaves are amount
/// 0, and bit i of the index says on which side level i lies. So a root has exactly one amount at each index, and all of
/// them add up to its sum: no set of leaves can claim more.
library SumTree {
    error BadProofLength(uint256 got, uint256 expected);
    error BadIndex(uint256 index, uint256 count);
    error SumOverflow(uint256 total);

    /// @notice The root hash and its sum that `amount` at `index` and its siblings, lowest first, make.
    function rootFrom(
        uint96 amount,
        uint256 index,
        uint256 depth,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32 hash, uint256 total) {
        require(index >> depth == 0, BadIndex(index, 1 << depth));
        require(sums.length == depth, BadProofLength(sums.length, depth));
        require(siblings.length == depth, BadProofLength(siblings.length, depth));
        total = amount;
        uint256 bits = 0; // of every sum met: below 2^96, or the proof is refused
        assembly ("memory-safe") {
            // Behind the free memory pointer: the tag, then each child as 32 bytes of hash and 12 of sum. A sum is written
            // before its hash, which covers the sum's leading zeros, so no child reaches the other's bytes.
            let free := mload(0x40)
            let left := add(free, 1)
            mstore(left, shl(160, total))
            mstore8(free, 2)
            hash := keccak256(free, 13)
            mstore8(free, 3)
            let both := add(add(left, left), 44)
            let gap := sub(siblings.offset, sums.offset)
            let end := add(sums.offset, shl(5, depth))
            for { let from := sums.offset } lt(from, end) { from := add(from, 32) } {
                let own := add(left, mul(44, and(index, 1))) // the right child where the bit is set
                index := shr(1, index)
                let other := sub(both, own)
                let sum := calldataload(from)
                mstore(add(own, 12), total)
                mstore(own, hash)
                mstore(add(other, 12), sum)
                mstore(other, calldataload(add(from, gap)))
                hash := keccak256(free, 89)
                total := add(total, sum)
                bits := or(bits, or(sum, total))
            }
        }
        require(bits >> 96 == 0, SumOverflow(total));
    }
}
