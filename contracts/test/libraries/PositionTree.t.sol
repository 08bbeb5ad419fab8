// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";

contract PositionTreeTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function rootFrom(uint256 word, uint256 index, uint256 count, bytes32[] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return PositionTree.rootFrom(word, index, count, proof);
    }

    function leaf(uint256 word) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), word));
    }

    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(1), left, right));
    }

    function build(uint256[] memory words, uint256 index) private pure returns (bytes32 root, bytes32[] memory proof) {
        uint256 depth = PositionTree.depthOf(words.length);
        proof = new bytes32[](depth);
        bytes32[] memory row = new bytes32[](1 << depth);
        for (uint256 i = 0; i < row.length; i++) row[i] = leaf(i < words.length ? words[i] : 0);
        for (uint256 d = 0; d < depth; d++) {
            proof[d] = row[(index >> d) ^ 1];
            for (uint256 i = 0; i < row.length >> (d + 1); i++) row[i] = node(row[2 * i], row[2 * i + 1]);
        }
        root = row[0];
    }

    function testFuzz_proves_the_word_at_its_place(uint256 seed, uint8 size, uint8 place, uint256 other)
        external
        view
    {
        uint256[] memory words = new uint256[](1 + size % 40);
        uint256 index = place % words.length;
        for (uint256 i = 0; i < words.length; i++) words[i] = uint256(keccak256(abi.encode(seed, i)));
        (bytes32 root, bytes32[] memory proof) = build(words, index);
        require(this.rootFrom(words[index], index, words.length, proof) == root, "in");
        require(this.rootFrom(other, index, words.length, proof) != root, "another word");
        for (uint256 i = 0; i < words.length; i++) {
            require(i == index || this.rootFrom(words[index], i, words.length, proof) != root, "another place");
        }
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
        bytes32 a = leaf(1);
        bytes32 b = leaf(2);
        bytes32 root = node(a, b);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = a; // sorted pairs take either order, and so word 2 at index 0
        require(this.rootFrom(2, 0, 2, proof) != root);
        require(this.rootFrom(uint256(root), 0, 1, new bytes32[](0)) != root);
    }
}
