// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook} from "../Base.sol";
import {RepWords} from "../../libraries/RepWords.sol";

contract StepTest is Base {
    function step(uint32 round, uint256 word) private returns (uint256) {
        uint256[] memory words = same(word, 1);
        vm.prank(address(rounds));
        return book.step(9, TRAINER, round, words);
    }

    function test_refusals() external {
        uint256[] memory words = same(0, 1);
        fails(IReputationBook.NotRounds.selector, num(address(this)));
        book.step(9, TRAINER, 1, words);
        step(5, 0);
        vm.startPrank(address(rounds));
        fails(IReputationBook.StaleRound.selector, 5, 5);
        book.step(9, TRAINER, 5, words);
        fails(IReputationBook.StaleRound.selector, 4, 5);
        book.step(9, TRAINER, 4, words);
    }

    function test_words_and_units() external {
        vm.startPrank(address(rounds));
        for (uint32 node = 1; node <= 20; node++) book.openSlot(9, TRAINER, node);
        uint256[] memory words = new uint256[](2);
        words[0] = rig.lanes(32_768 + 1, 15);
        words[1] = (32_768 + 5) << (16 * 3) | 1; // slots 18 and 15
        vm.expectEmit(true, true, true, true);
        emit IReputationBook.WordStepped(9, TRAINER, 1, 3, words[1], 0, uint256(3) << 240 | 2048 << (16 * 3));
        uint256 units = book.step(9, TRAINER, 3, words);
        eq("units", units, 1_000_000);
        eq("slot 0", book.contributionOf(9, TRAINER, 1), 50_000);
        eq("slot 14", book.contributionOf(9, TRAINER, 15), 50_000);
        eq("slot 15", book.contributionOf(9, TRAINER, 16), 0);
        eq("slot 18", book.contributionOf(9, TRAINER, 19), 250_000);
        eq("word 0", book.contributionWordAt(9, TRAINER, 0), 50_000 * uint256(bytes32(hex"0000000100000001000000010000000100000001000000010000000100000001")));
        eq("reputation", book.reputationOf(9, TRAINER, 1), 2048);
        eq("failed newcomer", book.reputationOf(9, TRAINER, 16), 0);
        eq("stamp", book.wordAt(9, TRAINER, 0) >> 240, 3);
    }

    function test_nobody_earned() external {
        eq("units", step(1, rig.lanes(32_768, 15)), 0);
        eq("contribution", book.contributionWordAt(9, TRAINER, 0), 0);
    }

    /// @notice A lane holds 4,294 rounds in which one node takes everything.
    function test_contribution_lane_does_not_overflow() external {
        vm.startPrank(address(rounds));
        book.openSlot(9, TRAINER, 1);
        book.openSlot(9, TRAINER, 2);
        uint256[] memory words = same(65_535, 1);
        for (uint32 round = 1; round <= 4294; round++) book.step(9, TRAINER, round, words);
        eq("mine", book.contributionOf(9, TRAINER, 1), 4_294_000_000);
        eq("neighbour", book.contributionOf(9, TRAINER, 2), 0);
    }

    function testFuzz_units(uint256 seed, uint8 count) external {
        uint256[] memory words = new uint256[](bound(count, 1, 5));
        for (uint256 i = 0; i < words.length; i++) words[i] = uint256(keccak256(abi.encode(seed, i))) >> 16;
        vm.prank(address(rounds));
        uint256 units = book.step(9, TRAINER, 1, words);
        uint256 points = 0;
        for (uint256 s = 0; s < 15 * words.length; s++) points += part(words, s);
        uint256 sum = 0;
        for (uint256 s = 0; s < 15 * words.length; s++) {
            uint256 lane = uint32(book.contributionWordAt(9, TRAINER, uint32(s / 8)) >> (32 * (s % 8)));
            eq("share", lane, points == 0 ? 0 : part(words, s) * 1e6 / points);
            sum += lane;
        }
        eq("sum", units, sum);
        require(units <= 1e6);
    }

    /// @notice What bounds the slots of a task: 3,000 of them, all new, settle under the cap of 2^24 gas a transaction.
    function test_gas_of_a_new_slot() external {
        uint256[] memory words = new uint256[](100);
        for (uint256 i = 0; i < words.length; i++) words[i] = rig.lanes(65_535, 15);
        vm.prank(address(rounds));
        uint256 before = gasleft();
        book.step(9, TRAINER, 1, words);
        uint256 each = (before - gasleft()) / 1500;
        require(each < 5500, NotEqual("gas", each, 5500));
    }

    function part(uint256[] memory words, uint256 slot) private pure returns (uint256) {
        uint256 score = RepWords.lane(words[slot / 15], slot % 15);
        return score > 32_768 ? score - 32_768 : 0;
    }
}
