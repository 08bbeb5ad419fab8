// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Merkle tree bound to position
/// @notice leaf = keccak256(0x00 ‖ word), node = keccak256(0x01 ‖ left ‖ right); the depth is the smallest d with
/// 2^d >= count, missing leaves are the zero word, and bit i of the index says on which side level i lies. So a root has
/// exactly one word at each index: trees of sorted pairs admit two.
library PositionTree {
    error BadProofLength(uint256 got, uint256 expected);
    error BadIndex(uint256 index, uint256 count);

    /// @notice Levels above the leaves of a tree of `count` words.
    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while (1 << depth < count) depth++;
    }

    /// @notice The root that `word` at `index` and its siblings, lowest first, make.
    function rootFrom(uint256 word, uint256 index, uint256 count, bytes32[] calldata proof)
        internal
        pure
        returns (bytes32 root)
    {
        require(index < count, BadIndex(index, count));
        uint256 depth = depthOf(count);
        require(proof.length == depth, BadProofLength(proof.length, depth));
        assembly ("memory-safe") {
            // Behind the free memory pointer: the tag, then the two children.
            let free := mload(0x40)
            let left := add(free, 1)
            mstore8(free, 0)
            mstore(left, word)
            root := keccak256(free, 33)
            mstore8(free, 1)
            let end := add(proof.offset, shl(5, depth))
            for { let from := proof.offset } lt(from, end) { from := add(from, 32) } {
                let side := shl(5, and(index, 1)) // 32 where the node at hand is the right child
                index := shr(1, index)
                mstore(add(left, side), root)
                mstore(add(left, xor(side, 32)), calldataload(from))
                root := keccak256(free, 65)
            }
        }
    }
}
