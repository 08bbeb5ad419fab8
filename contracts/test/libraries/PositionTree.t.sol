// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PositionTree} from "../../libraries/PositionTree.sol";
import {Trees} from "../Trees.sol";
import {Vm} from "../Vm.sol";
import {Rise} from "./Rise.sol";

contract PositionTreeTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function rootFrom(uint256 word, uint256 index, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return PositionTree.rootFrom(word, index, count, proof);
    }

    /// forge-config: default.fuzz.runs = 100
    function testFuzz_proves_the_word_at_its_place(uint256 seed, uint8 size, uint8 place, uint256 other)
        external
        view
    {
        uint256[] memory words = new uint256[](1 + size % 40);
        uint256 index = place % words.length;
        for (uint256 i = 0; i < words.length; i++) words[i] = uint256(keccak256(abi.encode(seed, i)));
        (bytes32 root, bytes32[] memory proof) = Trees.words(words, PositionTree.depthOf(words.length), index);
        require(this.rootFrom(words[index], index, words.length, proof) == root, "in");
        require(this.rootFrom(other, index, words.length, proof) != root, "another word");
        for (uint256 i = 0; i < words.length; i++) {
            require(i == index || this.rootFrom(words[index], i, words.length, proof) != root, "another place");
        }
    }

    function testFuzz_rises_as_defined(uint256 word, bytes32[] calldata siblings, uint256 index) external view {
        uint256 depth = siblings.length % 21;
        bytes32[] memory some = new bytes32[](depth);
        for (uint256 d = 0; d < depth; d++) some[d] = siblings[d];
        index %= 1 << depth;
        require(this.rootFrom(word, index, 1 << depth, some) == Rise.words(word, index, some));
    }

    function test_depth() external pure {
        uint8[10] memory depths = [0, 0, 1, 2, 2, 3, 3, 3, 3, 4];
        for (uint256 count = 0; count < 10; count++) require(PositionTree.depthOf(count) == depths[count]);
    }

    function test_refusals() external {
        vm.expectRevert(abi.encodeWithSelector(PositionTree.BadIndex.selector, 3, 3));
        this.rootFrom(1, 3, 3, new bytes32[](2));
        vm.expectRevert(abi.encodeWithSelector(PositionTree.BadProofLength.selector, 1, 2));
        this.rootFrom(1, 2, 3, new bytes32[](1));
        vm.expectRevert(abi.encodeWithSelector(PositionTree.BadProofLength.selector, 3, 2));
        this.rootFrom(1, 2, 3, new bytes32[](3));
    }

    /// @notice An inner node is no leaf, and a tree of sorted pairs would have let two words stand at one index.
    function test_no_second_word_for_an_index() external view {
        uint256[] memory words = new uint256[](2);
        (words[0], words[1]) = (1, 2);
        (bytes32 root,) = Trees.words(words, 1, 0);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = Trees.leaf(1); // sorted pairs take either order, and so word 2 at index 0
        require(this.rootFrom(2, 0, 2, proof) != root);
        require(this.rootFrom(2, 1, 2, proof) == root);
        require(this.rootFrom(uint256(root), 0, 1, new bytes32[](0)) != root);
    }
}
