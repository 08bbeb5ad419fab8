// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../interfaces/IDisputes.sol";

/// @notice Trees of words and of pay, built whole: what the contracts only ever check by proof.
library Trees {
    function leaf(uint256 word) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), word));
    }

    function depthOf(uint256 count) internal pure returns (uint256 depth) {
        while (1 << depth < count) depth++;
    }

    /// @notice Root of `words` in a tree of 2^depth leaves, and the siblings of `index`, lowest first.
    function words(uint256[] memory values, uint256 depth, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory siblings)
    {
        bytes32[] memory row = new bytes32[](1 << depth);
        for (uint256 i = 0; i < row.length; i++) row[i] = leaf(i < values.length ? values[i] : 0);
        siblings = new bytes32[](depth);
        for (uint256 level = 0; level < depth; level++) {
            siblings[level] = row[(index >> level) ^ 1];
            for (uint256 i = 0; i < row.length >> (level + 1); i++) {
                row[i] = keccak256(abi.encodePacked(uint8(1), row[2 * i], row[2 * i + 1]));
            }
        }
        root = row[0];
    }

    /// @notice A pay tree of `amounts`: hash and sum of its root, and the proof of `index`.
    function pay(uint96[] memory amounts, uint256 depth, uint256 index)
        internal
        pure
        returns (bytes32 root, uint256 total, IDisputes.PayProof memory proof)
    {
        bytes32[] memory row = new bytes32[](1 << depth);
        uint96[] memory sums = new uint96[](1 << depth);
        for (uint256 i = 0; i < row.length; i++) {
            if (i < amounts.length) sums[i] = amounts[i];
            row[i] = keccak256(abi.encodePacked(uint8(2), sums[i]));
        }
        proof = IDisputes.PayProof(sums[index], new uint96[](depth), new bytes32[](depth));
        for (uint256 level = 0; level < depth; level++) {
            uint256 beside = (index >> level) ^ 1;
            (proof.sums[level], proof.siblings[level]) = (sums[beside], row[beside]);
            for (uint256 i = 0; i < row.length >> (level + 1); i++) {
                row[i] = keccak256(abi.encodePacked(uint8(3), row[2 * i], sums[2 * i], row[2 * i + 1], sums[2 * i + 1]));
                sums[i] = sums[2 * i] + sums[2 * i + 1];
            }
        }
        return (row[0], sums[0], proof);
    }

    function rootOf(uint256[] memory values, uint256 depth) internal pure returns (bytes32 root) {
        (root,) = words(values, depth, 0);
    }

    function wordProof(uint256[] memory values, uint256 depth, uint256 index)
        internal
        pure
        returns (IDisputes.WordProof memory)
    {
        (, bytes32[] memory siblings) = words(values, depth, index);
        return IDisputes.WordProof(index < values.length ? values[index] : 0, siblings);
    }

    function payProof(uint96[] memory amounts, uint256 depth, uint256 index)
        internal
        pure
        returns (IDisputes.PayProof memory proof)
    {
        (,, proof) = pay(amounts, depth, index);
    }
}
