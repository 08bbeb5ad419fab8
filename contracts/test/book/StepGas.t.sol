// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BookBase} from "./BookBase.sol";

/// @notice What a settled round costs inside `step`, once every word has been written before: 5,000 a word of storage is
/// the price of reading and writing it.
contract StepGasTest is BookBase {
    uint256 private constant REP = 5_500; // a reputation word
    uint256 private constant CON = 5_540; // a contribution word
    uint256 private constant FIXED = 6_500;

    function setUp() public override {
        super.setUp();
        // The first round of each size, in a task of its own; round 1 fills every slot.
        first(256);
        first(1024);
        first(10_000);
    }

    function first(uint64 nodes) private {
        (uint256[] memory words, uint256 trainerWords) = wordsOf(nodes, 1);
        book.step(nodes, 1, words, trainerWords, 0, words.length, false);
        book.step(nodes | 1 << 32, 1, words, trainerWords, 0, words.length, true);
    }

    /// @dev 15 of 16 nodes are trainers; all are due, and nothing stands behind the last lane of a role.
    function wordsOf(uint256 nodes, uint256 seed) private pure returns (uint256[] memory words, uint256 trainerWords) {
        (uint256 trainers, uint256 verifiers) = (nodes - nodes / 16, nodes / 16);
        trainerWords = (trainers + 14) / 15;
        words = random(seed, trainerWords + (verifiers + 14) / 15);
        for (uint256 i = 0; i < words.length; i++) words[i] |= lanes(0x8001, 15);
        words[trainerWords - 1] &= lanes(0xffff, (trainers - 1) % 15 + 1);
        words[words.length - 1] &= lanes(0xffff, (verifiers - 1) % 15 + 1);
    }

    function measure(uint64 nodes, bool contributions) private returns (uint256 used, uint256 budget) {
        (uint256[] memory words, uint256 trainerWords) = wordsOf(nodes, 2);
        gasVm.cool(address(book));
        book.step(contributions ? nodes | 1 << 32 : nodes, 2, words, trainerWords, 0, words.length, contributions);
        used = gasVm.lastCallGas().gasTotalUsed;
        budget = FIXED + REP * words.length;
        if (contributions) {
            budget += CON * ((nodes - nodes / 16 + 7) / 8 + (nodes / 16 + 7) / 8);
        }
        atMost("gas", used, budget);
    }

    event Measured(string what, uint256 nodes, uint256 gas, uint256 each);

    function test_reputation_only() external {
        uint16[3] memory sizes = [256, 1024, 10_000];
        for (uint256 i = 0; i < 3; i++) {
            (uint256 used,) = measure(sizes[i], false);
            emit Measured("reputation", sizes[i], used, used / sizes[i]);
        }
    }

    function test_with_contributions() external {
        uint16[3] memory sizes = [256, 1024, 10_000];
        for (uint256 i = 0; i < 3; i++) {
            (uint256 used,) = measure(sizes[i], true);
            emit Measured("contributions", sizes[i], used, used / sizes[i]);
        }
    }
}
