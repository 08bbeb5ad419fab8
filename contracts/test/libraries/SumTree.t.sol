// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../../interfaces/IDisputes.sol";
import {SumTree} from "../../libraries/SumTree.sol";
import {Trees} from "../Trees.sol";
import {Vm} from "../Vm.sol";
import {Rise} from "./Rise.sol";

contract SumTreeTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint96 private constant MAX = type(uint96).max;

    function rootFrom(
        uint96 amount,
        uint256 index,
        uint256 depth,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) external pure returns (bytes32, uint256) {
        return SumTree.rootFrom(amount, index, depth, sums, siblings);
    }

    /// forge-config: default.fuzz.runs = 100
    function testFuzz_proves_the_amount_at_its_place(uint256 seed, uint8 size, uint8 place, uint96 other)
        external
        view
    {
        uint96[] memory amounts = new uint96[](1 + size % 30);
        uint256 index = place % amounts.length;
        uint256 sum = 0;
        for (uint256 i = 0; i < amounts.length; i++) {
            amounts[i] = uint88(uint256(keccak256(abi.encode(seed, i))));
            sum += amounts[i];
        }
        (bytes32 root, uint256 total, IDisputes.PayProof memory leaf) = Trees.pay(amounts, 5, index);
        (bytes32 got, uint256 gotTotal) = this.rootFrom(amounts[index], index, 5, leaf.sums, leaf.siblings);
        require(got == root && gotTotal == total && total == sum, "in");
        if (uint256(other) + sum <= MAX) {
            (got,) = this.rootFrom(other, index, 5, leaf.sums, leaf.siblings);
            require(got != root || other == amounts[index], "another amount");
        }
        for (uint256 i = 0; i < 32; i++) {
            (got,) = this.rootFrom(amounts[index], i, 5, leaf.sums, leaf.siblings);
            require(i == index || got != root, "another place");
        }
    }

    function testFuzz_rises_as_defined(uint88 amount, uint88[24] memory raw, bytes32 seed, uint256 index, uint8 deep)
        external
        view
    {
        uint256 depth = deep % 25;
        uint96[] memory sums = new uint96[](depth);
        bytes32[] memory siblings = new bytes32[](depth);
        for (uint256 d = 0; d < depth; d++) (sums[d], siblings[d]) = (raw[d], keccak256(abi.encode(seed, d)));
        index %= 1 << depth;
        (bytes32 root, uint256 total) = Rise.pay(amount, index, sums, siblings);
        (bytes32 got, uint256 gotTotal) = this.rootFrom(amount, index, depth, sums, siblings);
        require(got == root && gotTotal == total);
    }

    function test_refusals() external {
        uint96[] memory one = new uint96[](1);
        bytes32[] memory two = new bytes32[](2);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadIndex.selector, 4, 4));
        this.rootFrom(1, 4, 2, new uint96[](2), two);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadIndex.selector, 1, 1));
        this.rootFrom(1, 1, 0, new uint96[](0), new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 1, 2));
        this.rootFrom(1, 3, 2, one, two);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 2, 1));
        this.rootFrom(1, 1, 1, one, two);
    }

    /// @notice Sums end at 2^96 - 1: at it they stand, one more is refused, and so is a sum that wraps any type.
    function test_sums_fit_96_bits() external {
        uint96[] memory sums = new uint96[](2);
        bytes32[] memory siblings = new bytes32[](2);
        (sums[0], sums[1]) = (MAX - 5, 2);
        (, uint256 total) = this.rootFrom(3, 2, 2, sums, siblings);
        require(total == MAX);
        vm.expectRevert(abi.encodeWithSelector(SumTree.SumOverflow.selector, uint256(MAX) + 1));
        this.rootFrom(4, 2, 2, sums, siblings);
        (sums[0], sums[1]) = (MAX, MAX);
        vm.expectRevert(abi.encodeWithSelector(SumTree.SumOverflow.selector, 3 * uint256(MAX)));
        this.rootFrom(MAX, 0, 2, sums, siblings);
        // Calldata that no typed caller makes: a sum of 2^256 - 5 would bring the total back to 0.
        bytes memory data = abi.encodeCall(this.rootFrom, (5, 0, 1, new uint96[](1), new bytes32[](1)));
        assembly {
            mstore(add(data, add(36, 192)), sub(0, 5))
        }
        (bool done, bytes memory why) = address(this).call(data);
        require(!done && keccak256(why) == keccak256(abi.encodeWithSelector(SumTree.SumOverflow.selector, 0)), "wraps");
    }

    /// @notice Neither a leaf nor a node of one tree is one of the other's.
    function test_domains() external view {
        (bytes32 pay,) = this.rootFrom(7, 0, 0, new uint96[](0), new bytes32[](0));
        require(pay == keccak256(abi.encodePacked(uint8(2), uint96(7))) && pay != Trees.leaf(7));
    }
}
