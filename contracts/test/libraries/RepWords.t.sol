// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RepWords} from "../../libraries/RepWords.sol";
import {Scalar} from "./Scalar.sol";

contract RepWordsTest {
    uint256 private constant LOW_BITS = type(uint256).max / 0xffff; // bit 0 of each lane

    function points(uint256[] calldata words) external pure returns (uint256) {
        return RepWords.points(words);
    }

    function anyPart(uint256[] calldata words) external pure returns (bool) {
        return RepWords.anyPart(words);
    }

    function check(uint256 word, uint256 scores, uint16 round, bool decays) private pure {
        uint256 next = RepWords.step(word, scores, round, decays);
        require(RepWords.stamp(next) == round, "stamp");
        for (uint256 i = 0; i < 15; i++) {
            uint256 expected = Scalar.step(Scalar.lane(word, i), Scalar.lane(scores, i), decays);
            require(RepWords.lane(next, i) == expected, "lane");
        }
    }

    function testFuzz_every_lane_is_the_scalar_rule(uint256 word, uint256 scores, uint16 round, bool decays)
        external
        pure
    {
        check(word, scores, round, decays);
        check(word, word, round, decays); // every score meets its rep
    }

    function testFuzz_few_scores(uint256 word, uint256 seed, bool decays) external pure {
        uint256 few = uint256(keccak256(abi.encode(seed))) & (LOW_BITS * 3);
        check(word, few, 1, decays);
        check(word & (LOW_BITS * 0x7f), few, 1, decays);
        check(word | (LOW_BITS * 0xff80), few, 1, decays);
    }

    /// @notice Scores one below, at and one above the reputation, and the ends of the range.
    function testFuzz_near(uint256 word, uint256 choice, bool decays) external pure {
        uint256 scores = 0;
        for (uint256 i = 0; i < 15; i++) {
            uint256 rep = Scalar.lane(word, i);
            uint16[6] memory ends = [0, 1, 2, 32_767, 32_768, 65_535];
            uint256 pick = Scalar.lane(choice, i) % 9;
            uint256 score = pick < 6 ? ends[pick] : uint16(rep + 65_536 + pick - 7);
            scores |= score << (16 * i);
        }
        check(word, scores, 1, decays);
    }

    function testFuzz_one_lane_does_not_change_another(uint256 word, uint256 scores, uint16 other, uint8 lane)
        external
        pure
    {
        uint256 shift = 16 * (uint256(lane) % 15);
        uint256 mask = uint256(0xffff) << shift;
        uint256 changed = (scores & ~mask) | (uint256(other) << shift);
        uint256 a = RepWords.step(word, scores, 1, true);
        require(a & ~mask == RepWords.step(word, changed, 1, true) & ~mask, "score");
        changed = (word & ~mask) | (uint256(other) << shift);
        require(a & ~mask == RepWords.step(changed, scores, 1, true) & ~mask, "rep");
    }

    /// @notice Neither the old stamp nor the top of a score word counts.
    function testFuzz_tops_are_ignored(uint256 word, uint256 scores, uint16 top, bool decays) external pure {
        uint256 tops = uint256(top) << 240;
        require(RepWords.step(word, scores, 9, decays) == RepWords.step(word ^ tops, scores ^ tops, 9, decays), "step");
        require(RepWords.parts(scores) == RepWords.parts(scores ^ tops), "parts");
        require(RepWords.parts(scores) >> 240 == 0, "lane 15");
    }

    function testFuzz_parts_and_points(uint256[6] memory raw, uint8 count) external view {
        uint256[] memory words = new uint256[](count % 7);
        for (uint256 i = 0; i < words.length; i++) {
            words[i] = raw[i];
            if (i % 3 == 1) words[i] |= LOW_BITS * 0x8000; // every lane earns, or stands at the threshold
            uint256 parts = RepWords.parts(words[i]);
            for (uint256 l = 0; l < 15; l++) {
                require(Scalar.lane(parts, l) == Scalar.part(Scalar.lane(words[i], l)), "part");
            }
        }
        uint256 sum = Scalar.points(words);
        require(this.points(words) == sum, "points");
        require(this.anyPart(words) == (sum != 0), "any");
    }

    function test_points_of_many_full_words() external view {
        uint256[] memory words = new uint256[](3000);
        for (uint256 i = 0; i < words.length; i++) words[i] = type(uint256).max;
        require(this.points(words) == 3000 * 15 * 32_767, "points");
        for (uint256 i = 0; i < words.length; i++) words[i] = LOW_BITS * 32_768;
        require(this.points(words) == 0 && !this.anyPart(words), "threshold");
        words[2999] |= 1 << 224; // the last lane of all
        require(this.points(words) == 1 && this.anyPart(words), "one point");
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
