// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract PostTest is Base {
    uint64 private task;
    Rig.Settlement private empty;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function good() private returns (Rig.Settlement memory) {
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        return rig.settlement(task, 1, seats, rig.lanes(40_000, 3), rig.lanes(40_000, 3), ALL);
    }

    function test_post() external {
        Rig.Settlement memory made = good();
        bytes32 digest = rounds.reportDigest(made.report);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Posted(
            task, 1, digest, made.report, made.votes, made.trainerWords, made.verifierWords, ALL
        );
        rig.post(made);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("round", live.postedRound, 1);
        eq("digest", live.reportDigest, digest);
        eq("time", live.postedAt, block.timestamp);
        fails(IRoundBook.StaleReport.selector, 1, 1);
        rig.post(made);
    }

    function test_time_and_round() external {
        Rig.Settlement memory made = good();
        made.report.task = 9;
        fails(IRoundBook.UnknownTask.selector, 9);
        rig.post(made);
        made.report.task = task;
        made.report.round = 0;
        fails(IRoundBook.StaleReport.selector, 0, 0);
        rig.post(made);
        made.report.round = 2;
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rig.post(made);
        made.report.round = 1;
        made.report.mode = 1;
        fails(IRoundBook.WrongMode.selector, 1);
        rig.post(made);
        made.report.mode = 0;
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
        fails(IRoundBook.WrongPhase.selector, 1, 3, 2);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Post);
        made.report.round = 2;
        fails(IRoundBook.NotArmed.selector, 2);
        rig.post(made);
    }

    function test_attempts_open_in_turn() external {
        Rig.Settlement memory made = good();
        made.report.attempt = 2;
        made = rig.signOnly(made, ALL);
        uint40 opensAt = rounds.taskOf(task).params.startsAt + 240;
        vm.warp(opensAt - 1);
        fails(IRoundBook.AttemptTooEarly.selector, 2, opensAt);
        rig.post(made);
        vm.warp(opensAt);
        rig.post(made);
    }

    function test_last_attempt_does_not_overflow() external {
        Rig.Settlement memory made = good();
        made.report.attempt = type(uint32).max;
        uint256 opensAt = rounds.taskOf(task).params.startsAt + 200 + uint256(type(uint32).max) * 20;
        fails(IRoundBook.AttemptTooEarly.selector, type(uint32).max, opensAt);
        rig.post(made);
    }

    function test_earlier_post_must_be_final() external {
        rig.posted(task, 1);
        IRoundBook.Seat[] memory seats = rig.draw(task, 2);
        Rig.Settlement memory made = rig.settlement(task, 2, seats, 0, 0, ALL);
        fails(IRoundBook.NotFinalised.selector, 1);
        rig.post(made);
    }

    function test_final_round_is_stale() external {
        Rig.Settlement memory made = rig.finalised(task, 1);
        fails(IRoundBook.StaleReport.selector, 1, 1);
        rig.post(made);
    }

    function test_bound_values() external {
        Rig.Settlement memory made = good();
        bytes32 seed = made.report.seed;
        made.report.seed = 0;
        fails(IRoundBook.WrongSeed.selector, 0, uint256(seed));
        rig.post(made);
        made.report.seed = seed;
        made.report.parent = "other";
        fails(IRoundBook.WrongParent.selector, uint256(bytes32("other")), uint256(bytes32("genesis")));
        rig.post(made);
        made.report.parent = "genesis";
        made.report.rewardTotal = 100e18 + 1;
        fails(IRoundBook.RewardTooHigh.selector, 100e18 + 1, 100e18);
        rig.post(made);
        made.report.rewardTotal = 100e18;
        bytes32 drawn = made.report.committeeHash;
        made.report.committeeHash = "mine";
        fails(IRoundBook.WrongCommittee.selector, uint256(bytes32("mine")), uint256(drawn));
        rig.post(made);
        made.report.committeeHash = drawn;
        made.seats[0].signer = vm.addr(9);
        bytes memory packed;
        for (uint256 j = 0; j < 7; j++) packed = abi.encodePacked(packed, made.seats[j].node, made.seats[j].signer);
        fails(IRoundBook.WrongCommittee.selector, uint256(keccak256(packed)), uint256(drawn));
        rig.post(made);
    }

    function test_words() external {
        Rig.Settlement memory made = good();
        uint256[] memory words = made.trainerWords;
        made.trainerWords = new uint256[](2);
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("trainerWords")), 2, 1);
        rig.post(made);
        made.trainerWords = words;
        made.verifierWords = new uint256[](0);
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("verifierWords")), 0, 1);
        rig.post(made);
        made.verifierWords = rig.lanes(1, 8) == 0 ? words : same(rig.lanes(1, 8), 1); // seven slots
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("verifierWords")), 8, 7);
        rig.post(made);
        made.verifierWords = same(rig.lanes(40_000, 7), 1);
        made.trainerWords = same(1 << 240, 1);
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("trainerWords")), 4, 3);
        rig.post(made);
        made.trainerWords = same(5, 1);
        bytes32 got = keccak256(abi.encodePacked(made.trainerWords, made.verifierWords));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("words")), uint256(got), uint256(made.report.wordsHash)
        );
        rig.post(made);
        made.trainerWords = words;
        made.votes[2].root = "other";
        got = keccak256(abi.encode(made.votes));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("votes")), uint256(got), uint256(made.report.votesHash)
        );
        rig.post(made);
    }

    /// @notice A full word has 15 lanes; its top 16 bits stay clear.
    function test_top_bits_of_a_full_word() external {
        for (uint256 key = 11; key <= 22; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        Rig.Settlement memory made = good();
        made.trainerWords[0] = 1 << 240;
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("trainerWords")), 16, 15);
        rig.post(made);
        made.trainerWords[0] = 1 << 239;
        rig.post(rig.resign(made, ALL));
    }

    function test_signatures() external {
        Rig.Settlement memory made = good();
        Rig.Settlement memory other = rig.signOnly(made, 0xf);
        fails(IRoundBook.NoQuorum.selector, 4, 5);
        rig.post(other);
        other = rig.signOnly(made, 0x7f);
        other.bitmap = 0xff;
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("signerBitmap")), 0xff, 7);
        rig.post(other);
        other.bitmap = ALL;
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("signatures")), 455, 325);
        rig.post(other);
        other = rig.signOnly(made, ALL);
        other.bitmap = 0x3f;
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("signatures")), 325, 390);
        rig.post(other);
        other.bitmap = ALL << 1; // signatures of others
        fails(IRoundBook.BadSignature.selector, 1);
        rig.post(other);
        other = rig.signOnly(made, ALL);
        other.report.record = "changed after signing";
        fails(IRoundBook.BadSignature.selector, 0);
        rig.post(other);
    }

    /// @notice The mirror image of a signature, with high s, is refused.
    function test_malleated_signature() external {
        Rig.Settlement memory made = good();
        bytes32 digest = rounds.reportDigest(made.report);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(made.seats[0].node, digest);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory mirror = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        for (uint256 i = 0; i < 65; i++) made.signatures[i] = mirror[i];
        fails(IRoundBook.BadSignature.selector, 0);
        rig.post(made);
    }

    function test_other_chain_or_round_or_contract() external {
        Rig.Settlement memory made = good();
        vm.chainId(99);
        fails(IRoundBook.BadSignature.selector, 0);
        rig.post(made);
    }

    /// @notice A node with several seats signs once, for all of them.
    function test_node_with_two_seats() external {
        vm.prank(ownerOf(7));
        vault.leaveSeats(7, 1);
        vm.prank(ownerOf(1));
        vault.bond(1, SEAT);
        rig.takeSeats(1, 1);
        Rig.Settlement memory made = good();
        uint256 first = 7;
        uint256 second = 7;
        for (uint256 j = 0; j < 7; j++) {
            if (made.seats[j].node != 1) continue;
            if (first == 7) first = j;
            else second = j;
        }
        uint256 others = 0x7f & ~((1 << first) | (1 << second));
        Rig.Settlement memory half = rig.signOnly(made, others | (1 << first));
        fails(IRoundBook.BadSignature.selector, second);
        rig.post(half);
        half = rig.signOnly(made, others | (1 << second));
        fails(IRoundBook.BadSignature.selector, second);
        rig.post(half);
        made = rig.signOnly(made, 0x7f);
        eq("six signatures", made.signatures.length, 6 * 65);
        rig.post(made);
    }
}
