// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice What a leaf and siblings make of themselves at an index, whether they belong there or not: the definition of
/// both trees, told level by level. Nothing here is shared with the product.
library Rise {
    function words(uint256 word, uint256 index, bytes32[] memory siblings) internal pure returns (bytes32 root) {
        root = keccak256(abi.encodePacked(uint8(0), word));
        for (uint256 d = 0; d < siblings.length; d++) {
            root = (index >> d) & 1 == 0
                ? keccak256(abi.encodePacked(uint8(1), root, siblings[d]))
                : keccak256(abi.encodePacked(uint8(1), siblings[d], root));
        }
    }

    function pay(uint96 amount, uint256 index, uint96[] memory sums, bytes32[] memory siblings)
        internal
        pure
        returns (bytes32 root, uint256 total)
    {
        root = keccak256(abi.encodePacked(uint8(2), amount));
        uint96 sum = amount; // checked: a sum beyond 96 bits reverts
        for (uint256 d = 0; d < siblings.length; d++) {
            root = (index >> d) & 1 == 0
                ? keccak256(abi.encodePacked(uint8(3), root, sum, siblings[d], sums[d]))
                : keccak256(abi.encodePacked(uint8(3), siblings[d], sums[d], root, sum));
            sum += sums[d];
        }
        total = sum;
    }
}
