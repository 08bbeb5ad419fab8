// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {Neighbours} from "./Neighbours.sol";

/// @notice A book alone, deployed from its committed artifact: the test is its RoundBook.
abstract contract BookBase is Neighbours {
    uint64 internal constant TASK = 9;

    IReputationBook internal book;

    function setUp() public virtual {
        book = IReputationBook(vm.deployCode("contracts/build/ReputationBook.json", abi.encode(address(this))));
    }

    /// @dev Score words that differ in every lane.
    function random(uint256 seed, uint256 count) internal pure returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i = 0; i < count; i++) words[i] = uint256(keccak256(abi.encode(seed, i))) >> 16;
    }
}
