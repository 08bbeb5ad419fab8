// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {Scalar} from "../libraries/Scalar.sol";
import {BookBase} from "./BookBase.sol";

contract StepTest is BookBase {
    uint64 private constant WHOLE = 1;
    uint64 private constant PARTS = 2;

    /// @dev All words at once, as trainers'.
    function step(uint32 round, uint256[] memory words) private returns (bool trainers, bool verifiers) {
        return book.step(TASK, round, words, words.length, 0, words.length, true);
    }

    function join(uint32 count) private {
        for (uint32 node = 1; node <= count; node++) book.openSlot(TASK, TRAINER, node);
    }

    function test_refusals() external {
        uint256[] memory words = same(0, 3);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NotRounds.selector, STRANGER));
        vm.prank(STRANGER);
        book.step(TASK, 1, words, 1, 0, 3, true);
        book.step(TASK, 5, words, 1, 0, 2, true);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.StaleRound.selector, 5, 5));
        book.step(TASK, 5, words, 1, 0, 3, true);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.StaleRound.selector, 4, 5)); // the verifiers' first
        book.step(TASK, 4, words, 1, 1, 3, true);
        book.step(TASK, 4, words, 1, 2, 3, true);
        eq("the others stay", book.wordAt(TASK, TRAINER, 0) >> 240, 5);
        eq("this one not", book.wordAt(TASK, VERIFIER, 1) >> 240, 4);
    }

    function test_words_and_units() external {
        join(20);
        uint256[] memory words = new uint256[](2);
        words[0] = lanes(32_768 + 1, 15);
        words[1] = (32_768 + 5) << (16 * 3) | 1; // slots 18 and 15
        (bool trainers, bool verifiers) = step(3, words);
        require(trainers && !verifiers);
        eq("slot 0", book.contributionOf(TASK, TRAINER, 1), 50_000);
        eq("slot 14", book.contributionOf(TASK, TRAINER, 15), 50_000);
        eq("slot 15", book.contributionOf(TASK, TRAINER, 16), 0);
        eq("slot 18", book.contributionOf(TASK, TRAINER, 19), 250_000);
        uint256 ones = type(uint256).max / 0xffffffff;
        eq("word 0", book.contributionWordAt(TASK, TRAINER, 0), 50_000 * ones);
        eq("word 1", book.contributionWordAt(TASK, TRAINER, 1), 50_000 * (ones >> 32));
        eq("word 2", book.contributionWordAt(TASK, TRAINER, 2), 250_000 << 64);
        eq("reputation", book.reputationOf(TASK, TRAINER, 1), 2048);
        eq("reputation of slot 18", book.reputationOf(TASK, TRAINER, 19), 2048);
        eq("failed newcomer", book.reputationOf(TASK, TRAINER, 16), 0);
        eq("stamp", book.wordAt(TASK, TRAINER, 0) >> 240, 3);
        eq("nothing of verifiers", book.wordAt(TASK, VERIFIER, 0), 0);
    }

    /// @notice Roles share nothing: neither words nor points; only trainers decay.
    function test_roles() external {
        uint256[] memory words = new uint256[](2);
        words[0] = lanes(65_535, 1);
        words[1] = lanes(40_000, 2);
        book.step(TASK, 1, words, 1, 0, 2, true);
        eq("trainer", book.contributionWordAt(TASK, TRAINER, 0), 1_000_000);
        eq("verifiers", book.contributionWordAt(TASK, VERIFIER, 0), 500_000 | 500_000 << 32);
        (bool trainers, bool verifiers) = book.step(TASK, 2, same(0, 2), 1, 0, 2, true);
        require(!trainers && !verifiers);
        eq("trainer", uint240(book.wordAt(TASK, TRAINER, 0)), 4095 - 63);
        eq("verifiers", uint240(book.wordAt(TASK, VERIFIER, 0)), 2500 | 2500 << 16);
    }

    function test_nobody_earned() external {
        (bool trainers, bool verifiers) = step(1, same(lanes(32_768, 15), 2));
        require(!trainers && !verifiers);
        eq("contribution", book.contributionWordAt(TASK, TRAINER, 0), 0);
    }

    function test_an_empty_round() external {
        (bool trainers, bool verifiers) = book.step(TASK, 1, new uint256[](0), 0, 0, 0, true);
        require(!trainers && !verifiers);
    }

    function test_without_contributions() external {
        uint256[] memory words = same(lanes(65_535, 15), 2);
        words[0] = lanes(32_768, 15);
        (bool trainers, bool verifiers) = book.step(TASK, 1, words, 1, 0, 2, false);
        require(!trainers && verifiers);
        eq("no units", book.contributionWordAt(TASK, VERIFIER, 0), 0);
        eq("reputation", uint16(book.wordAt(TASK, VERIFIER, 0)), 4095);
    }

    /// @notice A lane holds 4,294 rounds in which one node takes everything.
    function test_contribution_lane_does_not_overflow() external {
        join(2);
        uint256[] memory words = same(65_535, 1);
        for (uint32 round = 1; round <= 4294; round++) step(round, words);
        eq("mine", book.contributionOf(TASK, TRAINER, 1), 4_294_000_000);
        eq("neighbour", book.contributionOf(TASK, TRAINER, 2), 0);
    }

    /// @notice Every lane against the scalar rules, both roles, two rounds.
    /// forge-config: default.fuzz.runs = 100
    function testFuzz_scalar(uint256 seed, uint8 trainers, uint8 verifiers) external {
        uint256 trainerWords = bound(trainers, 0, 20);
        uint256 count = trainerWords + bound(verifiers, 0, 5);
        uint256[] memory a = random(seed, count);
        uint256[] memory b = random(~seed, count);
        for (uint256 i = 0; i < count; i++) a[i] |= uint256(uint16(seed)) << 240; // the top is ignored
        book.step(TASK, 1, a, trainerWords, 0, count, true);
        book.step(TASK, 7, b, trainerWords, 0, count, true);
        for (uint256 r = 0; r < 2; r++) {
            (uint256 from, uint256 to) = r == 0 ? (uint256(0), trainerWords) : (trainerWords, count);
            check(IReputationBook.Role(r), slice(a, from, to), slice(b, from, to));
        }
    }

    function check(IReputationBook.Role role, uint256[] memory a, uint256[] memory b) private view {
        (uint256 pointsA, uint256 pointsB) = (Scalar.points(a), Scalar.points(b));
        for (uint256 s = 0; s < 15 * a.length; s++) {
            uint256 word = book.wordAt(TASK, role, uint32(s / 15));
            bool decays = role == TRAINER;
            uint256 rep = Scalar.step(0, Scalar.lane(a[s / 15], s % 15), decays);
            eq("lane", Scalar.lane(word, s % 15), Scalar.step(rep, Scalar.lane(b[s / 15], s % 15), decays));
            eq("stamp", word >> 240, 7);
            uint256 units = uint32(book.contributionWordAt(TASK, role, uint32(s / 8)) >> (32 * (s % 8)));
            eq("units", units, Scalar.share(a, s, pointsA) + Scalar.share(b, s, pointsB));
        }
        uint32 behind = uint32((15 * a.length + 7) / 8);
        eq("behind", book.contributionWordAt(TASK, role, behind), 0);
        eq("behind", book.wordAt(TASK, role, uint32(a.length)), 0);
    }

    function slice(uint256[] memory words, uint256 from, uint256 to) private pure returns (uint256[] memory some) {
        some = new uint256[](to - from);
        for (uint256 i = from; i < to; i++) some[i - from] = words[i];
    }

    /// @notice In parts, cut anywhere, words and totals become what they do at once, and each part tells the same of all.
    /// forge-config: default.fuzz.runs = 150
    function testFuzz_parts(uint256 seed, uint8 trainers, uint8 verifiers, uint256 cuts) external {
        uint256 trainerWords = bound(trainers, 0, 24);
        uint256 count = trainerWords + bound(verifiers, 0, 12);
        uint256[] memory words = random(seed, count);
        if (seed % 4 == 0) words = same(lanes(32_768, 15), count); // nobody earns
        (bool trainersEarned, bool verifiersEarned) = book.step(WHOLE, 1, words, trainerWords, 0, count, true);
        eq("trainers", trainersEarned ? 1 : 0, Scalar.points(slice(words, 0, trainerWords)) == 0 ? 0 : 1);
        eq("verifiers", verifiersEarned ? 1 : 0, Scalar.points(slice(words, trainerWords, count)) == 0 ? 0 : 1);
        for (uint256 from = 0; from < count;) {
            uint256 to = from + 1 + cuts % 9;
            cuts = uint256(keccak256(abi.encode(cuts)));
            if (to > count) to = count;
            (bool t, bool v) = book.step(PARTS, 1, words, trainerWords, from, to, true);
            require(t == trainersEarned && v == verifiersEarned, "flags");
            from = to;
        }
        for (uint32 i = 0; i < 47; i++) {
            for (uint256 r = 0; r < 2; r++) {
                IReputationBook.Role role = IReputationBook.Role(r);
                eq("word", book.wordAt(PARTS, role, i), book.wordAt(WHOLE, role, i));
                eq("units", book.contributionWordAt(PARTS, role, i), book.contributionWordAt(WHOLE, role, i));
            }
        }
    }
}
