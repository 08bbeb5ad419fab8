// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PositionTree} from "../../libraries/PositionTree.sol";
import {SumTree} from "../../libraries/SumTree.sol";

/// @notice For trees of depth 0 to 4, every index, every leaf and all siblings, where keccak256 has no collisions: one root
/// has one leaf at each index, a node is no leaf, and the leaves of a pay tree add up to at most its sum. Run by
/// scripts/prove.py, which takes keccak256 as injective.
contract TreesProof {
    /// @dev Siblings, more than any tree here has.
    struct Path {
        bytes32 a;
        bytes32 b;
        bytes32 c;
        bytes32 d;
    }

    struct Word {
        uint256 word;
        Path path;
    }

    struct Sums {
        uint96 a;
        uint96 b;
        uint96 c;
        uint96 d;
    }

    /// @dev `pick`, as a number of its own on every path: a place in memory may not depend on an unknown.
    function one(uint256 pick, uint256 count) private pure returns (uint256) {
        for (uint256 i = 0; i + 1 < count; i++) {
            if (pick == i) return i;
        }
        return count - 1;
    }

    function wordRoot(uint256 word, uint256 index, uint256 count, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return PositionTree.rootFrom(word, index, count, siblings);
    }

    function sumRoot(uint96 amount, uint256 index, uint256 depth, uint96[] calldata sums, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32, uint256)
    {
        return SumTree.rootFrom(amount, index, depth, sums, siblings);
    }

    function siblingsOf(Path calldata path, uint256 depth) private pure returns (bytes32[] memory some) {
        some = new bytes32[](depth);
        if (depth > 0) some[0] = path.a;
        if (depth > 1) some[1] = path.b;
        if (depth > 2) some[2] = path.c;
        if (depth > 3) some[3] = path.d;
    }

    function sumsOf(Sums calldata all, uint256 depth) private pure returns (uint96[] memory some) {
        some = new uint96[](depth);
        if (depth > 0) some[0] = all.a;
        if (depth > 1) some[1] = all.b;
        if (depth > 2) some[2] = all.c;
        if (depth > 3) some[3] = all.d;
    }

    // ---- words ----

    function words(uint256 depth, uint256 pick, Word calldata x, Word calldata y) private view {
        uint256 index = one(pick, 1 << depth);
        bytes32 root = this.wordRoot(x.word, index, 1 << depth, siblingsOf(x.path, depth));
        bytes32 other = this.wordRoot(y.word, index, 1 << depth, siblingsOf(y.path, depth));
        assert(root != other || x.word == y.word);
    }

    function check_one_word_0(uint256 pick, Word calldata x, Word calldata y) external view {
        words(0, pick, x, y);
    }

    function check_one_word_1(uint256 pick, Word calldata x, Word calldata y) external view {
        words(1, pick, x, y);
    }

    function check_one_word_2(uint256 pick, Word calldata x, Word calldata y) external view {
        words(2, pick, x, y);
    }

    function check_one_word_3(uint256 pick, Word calldata x, Word calldata y) external view {
        words(3, pick, x, y);
    }

    function check_one_word_4(uint256 pick, Word calldata x, Word calldata y) external view {
        words(4, pick, x, y);
    }

    // ---- pay ----

    struct Leaf {
        uint96 amount;
        Sums sums;
        Path path;
    }

    function leafRoot(Leaf calldata leaf, uint256 index, uint256 depth) private view returns (bytes32, uint256) {
        return this.sumRoot(leaf.amount, index, depth, sumsOf(leaf.sums, depth), siblingsOf(leaf.path, depth));
    }

    function pay(uint256 depth, uint256 pick, Leaf calldata x, Leaf calldata y) private view {
        uint256 index = one(pick, 1 << depth);
        (bytes32 root, uint256 total) = leafRoot(x, index, depth);
        (bytes32 other, uint256 otherTotal) = leafRoot(y, index, depth);
        assert(root != other || (x.amount == y.amount && total == otherTotal));
    }

    function check_one_amount_0(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        pay(0, pick, x, y);
    }

    function check_one_amount_1(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        pay(1, pick, x, y);
    }

    function check_one_amount_2(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        pay(2, pick, x, y);
    }

    function check_one_amount_3(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        pay(3, pick, x, y);
    }

    function check_one_amount_4(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        pay(4, pick, x, y);
    }

    /// @notice Leaves at two places of one tree: together at most its sum.
    function check_two_leaves(uint256 pick, Leaf calldata x, Leaf calldata y) external view {
        uint256 both = one(pick, 64);
        if (both & 7 == both >> 3) return;
        (bytes32 root, uint256 total) = leafRoot(x, both & 7, 3);
        (bytes32 other,) = leafRoot(y, both >> 3, 3);
        assert(root != other || uint256(x.amount) + y.amount <= total);
    }

    // ---- domains ----

    /// @notice What stands for a leaf of a tree stands for no node of it, and for nothing of the other tree.
    function check_domains(uint256 word, uint256 other, Leaf calldata x, Leaf calldata y, Path calldata path)
        external
        view
    {
        bytes32[4] memory roots;
        roots[0] = this.wordRoot(word, 0, 1, siblingsOf(path, 0));
        roots[1] = this.wordRoot(other, 1, 2, siblingsOf(path, 1));
        (roots[2],) = leafRoot(x, 0, 0);
        (roots[3],) = leafRoot(y, 1, 1);
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 j = 0; j < i; j++) assert(roots[i] != roots[j]);
        }
    }
}
