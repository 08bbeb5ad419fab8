// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract PostTest is Base {
    uint64 private task;

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
        bytes32 hash = rig.hashOf(made);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Posted(task, 1, digest, made.report, ALL, 1, made.words);
        rig.post(made);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("round", live.postedRound, 1);
        eq("hash", live.postedHash, hash);
        eq("no final round", live.finalRound, 0);
        (uint32 round, bytes32 pending, uint40 closesAt) = rounds.pendingOf(task);
        eq("pending", round, 1);
        eq("pending hash", pending, hash);
        eq("closes", closesAt, rounds.taskOf(task).params.startsAt + 400);
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
        fails(IRoundBook.WrongMode.selector, 1, 0);
        rig.post(made);
        made.report.mode = 0;
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
        fails(IRoundBook.WrongPhase.selector, 1, 3, 2);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Post);
        made.report.round = 2;
        fails(IRoundBook.NotDrawn.selector, 2);
        rig.post(made);
    }

    /// @notice A report of one mode cannot be posted in the other's task.
    function test_mode_of_the_task() external {
        uint64 root = rig.createRootTask();
        Rig.Settlement memory made = rig.blank(root, 1, rig.draw(root, 1));
        made.report.mode = 0;
        fails(IRoundBook.WrongMode.selector, 0, 1);
        rig.post(made);
        made.report.mode = 1;
        fails(IRoundBook.WrongMode.selector, 1, 1); // posted by the words' call
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

    /// @notice A final post whose words are not applied stands before the next, in words mode.
    function test_earlier_post_must_be_applied() external {
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
        bytes32 drawn = rounds.liveOf(task).drawHash | bytes32(uint256(1));
        bytes32 seed = made.report.seed;
        bytes32 committee = made.report.committeeHash;
        made.report.seed = 0;
        failsHash(IRoundBook.WrongDraw.selector, drawOf(0, committee), drawn);
        rig.post(made);
        made.report.seed = seed;
        made.report.committeeHash = "mine";
        failsHash(IRoundBook.WrongDraw.selector, drawOf(seed, "mine"), drawn);
        rig.post(made);
        made.report.committeeHash = committee;
        made.report.parent = "other";
        failsHash(IRoundBook.WrongParent.selector, bytes32("other"), bytes32("genesis"));
        rig.post(made);
        made.report.parent = "genesis";
        made.report.rewardTotal = 100e18 + 1;
        fails(IRoundBook.RewardTooHigh.selector, 100e18 + 1, 100e18);
        rig.post(made);
        made.report.rewardTotal = 100e18;
        made.seats[0].signer = vm.addr(9);
        made.committee = rig.packed(made.seats);
        failsHash(IRoundBook.WrongCommittee.selector, keccak256(made.committee), committee);
        rig.post(made);
    }

    /// @dev As a post of round 1 is compared: 240 bits of the draw, and the round.
    function drawOf(bytes32 seed, bytes32 committee) private pure returns (bytes32) {
        return bytes32(bytes30(keccak256(abi.encode(seed, committee)))) | bytes32(uint256(1));
    }

    function lowest(uint256 bits) private pure returns (uint256) {
        return bits & (~bits + 1);
    }

    /// @notice The parent's record comes with the post and must be the one that the book remembers.
    function test_parent_preimage() external {
        rig.finalised(task, 1);
        IRoundBook.Seat[] memory seats = rig.draw(task, 2);
        Rig.Settlement memory made = rig.settlement(task, 2, seats, 0, 0, ALL);
        bytes32 expected = rounds.liveOf(task).finalHash;
        bytes32 model = made.parent.model;
        made.parent.model = "mine";
        made.report.parent = "mine";
        failsHash(IRoundBook.WrongHash.selector, bytes32("settled"), keccak256(abi.encode(made.parent)), expected);
        rig.post(made);
        IRoundBook.Settled memory parent = made.parent;
        parent.model = model;
        made.parent = IRoundBook.Settled(0, 0, 0, 0, 0);
        failsHash(IRoundBook.WrongHash.selector, bytes32("settled"), keccak256(abi.encode(made.parent)), expected);
        rig.post(made);
        made.parent = parent;
        made.report.parent = "genesis"; // a fork from before
        failsHash(IRoundBook.WrongParent.selector, bytes32("genesis"), model);
        rig.post(made);
        made.report.parent = model;
        rig.post(rig.signOnly(made, ALL));
    }

    function test_words() external {
        Rig.Settlement memory made = good();
        uint256[] memory words = made.words;
        made.words = new uint256[](3);
        failsFor(IRoundBook.WrongLength.selector, bytes32("words"), 3, 2);
        rig.post(made);
        made.words = new uint256[](1);
        failsFor(IRoundBook.WrongLength.selector, bytes32("words"), 1, 2);
        rig.post(made);
        made.words = same(words[0], 2);
        made.words[1] = rig.lanes(1, 8); // seven slots
        failsFor(IRoundBook.WrongLength.selector, bytes32("verifierWords"), 8, 7);
        rig.post(made);
        made.words[1] = words[1];
        made.words[0] = 1 << 48;
        failsFor(IRoundBook.WrongLength.selector, bytes32("trainerWords"), 4, 3);
        rig.post(made);
        made.words[0] = 5;
        bytes32 got = keccak256(abi.encodePacked(made.words));
        failsHash(IRoundBook.WrongHash.selector, bytes32("words"), got, made.report.wordsHash);
        rig.post(made);
        made.words = words;
        rig.post(made);
    }

    /// @notice A full word has 15 lanes; its top 16 bits stay clear.
    function test_top_bits_of_a_full_word() external {
        for (uint256 key = 11; key <= 22; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        Rig.Settlement memory made = good();
        made.words[0] = 1 << 240;
        failsFor(IRoundBook.WrongLength.selector, bytes32("trainerWords"), 16, 15);
        rig.post(made);
        made.words[0] = 1 << 239;
        rig.post(rig.resign(made, ALL));
    }

    /// @notice No slot, no word; and one more trainer than a word holds needs a second word.
    function test_as_many_words_as_slots_need() external {
        for (uint256 key = 11; key <= 23; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        Rig.Settlement memory made = good(); // 16 trainers
        failsFor(IRoundBook.WrongLength.selector, bytes32("words"), 2, 3);
        rig.post(made);
        made.words = new uint256[](3);
        made.words[1] = 1 << 16;
        failsFor(IRoundBook.WrongLength.selector, bytes32("trainerWords"), 17, 16);
        rig.post(made);
        made.words[1] = 1;
        made.trainerWords = 2;
        rig.post(rig.resign(made, ALL));
        eq("remembered with two", rounds.liveOf(task).postedHash, rig.hashOf(rig.resign(made, ALL)));
    }

    function test_signatures() external {
        Rig.Settlement memory made = good();
        Rig.Settlement memory other = rig.signOnly(made, 0xf);
        fails(IRoundBook.NoQuorum.selector, 4, 5);
        rig.post(other);
        other = rig.signOnly(made, 0x7f);
        other.signers = 0xff;
        failsFor(IRoundBook.WrongLength.selector, bytes32("signers"), 0xff, 7);
        rig.post(other);
        other.signers = ALL;
        failsFor(IRoundBook.WrongLength.selector, bytes32("signatures"), 455, 325);
        rig.post(other);
        other = rig.signOnly(made, ALL);
        other.signers = 0x3f;
        failsFor(IRoundBook.WrongLength.selector, bytes32("signatures"), 325, 390);
        rig.post(other);
        other.signers = ALL << 1; // signatures of others
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

    /// @notice A node with several seats signs once, for all of them.
    function test_node_with_two_seats() external {
        vm.prank(ownerOf(7));
        vault.leaveSeats(7, 1);
        rig.moreSeats(1, 1);
        Rig.Settlement memory made = good();
        uint256 first = 7;
        uint256 second = 7;
        for (uint256 j = 0; j < 7; j++) {
            if (made.seats[j].node != 1) continue;
            if (first == 7) first = j;
            else second = j;
        }
        uint256 others = 0x7f & ~((1 << first) | (1 << second));
        Rig.Settlement memory whole = rig.signOnly(made, 0x7f);
        eq("six signatures", whole.signatures.length, 6 * 65);
        whole.signatures = abi.encodePacked(whole.signatures, rig.sign(1, rounds.reportDigest(made.report)));
        failsFor(IRoundBook.WrongLength.selector, "signatures", 7 * 65, 6 * 65); // once, not once a seat
        rig.post(whole);
        // A bit left clear is weight given away.
        Rig.Settlement memory half = rig.signOnly(made, others | (1 << second));
        eq("six signatures", half.signatures.length, 6 * 65);
        half.signers &= ~lowest(others) & ~lowest(others & (others - 1));
        fails(IRoundBook.NoQuorum.selector, 4, 5);
        rig.post(half);
        rig.post(rig.signOnly(made, 0x7f));
    }
}
