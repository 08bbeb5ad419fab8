// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RepWords} from "../../libraries/RepWords.sol";

contract RepWordsTest {
    /// @dev The scalar rule, told apart from the word.
    function scalar(uint256 rep, uint256 score, bool decays) private pure returns (uint256) {
        if (score == 0) return decays ? rep - rep / 64 : rep;
        if (score == 1) return rep * 3 / 4;
        if (score > rep) return rep + (score - rep) / 16;
        return rep - (rep - score) / 4;
    }

    function testFuzz_every_lane_is_the_scalar_rule(uint256 word, uint256 scores, uint16 round, bool decays)
        external
        pure
    {
        uint256 next = RepWords.step(word, scores, round, decays);
        require(RepWords.stamp(next) == round, "stamp");
        for (uint256 i = 0; i < 15; i++) {
            uint256 expected = scalar(RepWords.lane(word, i), RepWords.lane(scores, i), decays);
            require(RepWords.lane(next, i) == expected, "lane");
        }
    }

    function testFuzz_few_scores(uint256 word, uint256 seed, bool decays) external pure {
        uint256 scores = 0;
        for (uint256 i = 0; i < 15; i++) scores |= (uint256(keccak256(abi.encode(seed, i))) % 4) << (16 * i);
        uint256 next = RepWords.step(word, scores, 1, decays);
        for (uint256 i = 0; i < 15; i++) {
            uint256 expected = scalar(RepWords.lane(word, i), RepWords.lane(scores, i), decays);
            require(RepWords.lane(next, i) == expected, "lane");
        }
    }

    function testFuzz_one_lane_does_not_change_another(uint256 word, uint256 scores, uint16 other, uint8 lane)
        external
        pure
    {
        uint256 shift = 16 * (uint256(lane) % 15);
        uint256 mask = uint256(0xffff) << shift;
        uint256 changed = (scores & ~mask) | (uint256(other) << shift);
        uint256 a = RepWords.step(word, scores, 1, true);
        uint256 b = RepWords.step(word, changed, 1, true);
        require(a & ~mask == b & ~mask);
    }

    /// @notice Failure brings every reputation to zero: a fall by a quarter, rounded up.
    function test_failure_reaches_zero() external pure {
        uint256 word = 65_535;
        uint256 steps = 0;
        while (RepWords.lane(word, 0) != 0) {
            word = RepWords.step(word, 1, 1, true);
            steps++;
        }
        require(steps < 45);
    }

    function test_words_for() external pure {
        require(RepWords.wordsFor(0) == 0 && RepWords.wordsFor(1) == 1);
        require(RepWords.wordsFor(15) == 1 && RepWords.wordsFor(16) == 2);
    }
}
