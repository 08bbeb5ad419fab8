// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, ITreeErrors, Rig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

contract ChallengeScoreTest is DisputeBase {
    uint256 private honest;
    uint256 private wrong;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
        honest = rig.lanes(40_000, 3);
        wrong = honest + (1 << 32); // lane 2 one point too high
    }

    function post(uint256 word) private returns (Rig.Settlement memory made) {
        made = rig.settlement(task, 1, rig.draw(task, 1), word, honest, ALL);
        rig.post(made);
    }

    function test_fault() external {
        Rig.Settlement memory made = post(wrong);
        expectVoid(made);
        rig.challenge(made, 0, same(honest, 7));
        checkVoid(made);
        notPending(task, 1);
        rig.challenge(made, 0, same(honest, 7));
    }

    function test_honest_post_stands() external {
        Rig.Settlement memory made = post(honest);
        fails(IDisputes.NotAFault.selector);
        rig.challenge(made, 0, same(honest, 7));
    }

    /// @notice Rejection at agreement follows another rule, which this proof does not judge.
    function test_rejected_lane_is_no_fault() external {
        Rig.Settlement memory made = post(rig.lanes(40_000, 2) | (1 << 32));
        fails(IDisputes.NotAFault.selector);
        rig.challenge(made, 0, same(honest, 7));
    }

    function test_score_without_votes_is_a_fault() external {
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), honest, 0, ALL);
        rig.post(made);
        rig.challenge(made, 0, same(0, 7));
        eq("void", rounds.liveOf(task).voidedRound, 1);
    }

    function test_no_score_in_spite_of_votes_is_a_fault() external {
        Rig.Settlement memory made = post(rig.lanes(40_000, 2));
        rig.challenge(made, 0, same(honest, 7));
        eq("void", rounds.liveOf(task).voidedRound, 1);
    }

    function test_window_closes() external {
        Rig.Settlement memory made = post(wrong);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        notPending(task, 1);
        rig.challenge(made, 0, same(honest, 7));
        vm.warp(block.timestamp - 1);
        rig.challenge(made, 0, same(honest, 7));
    }

    /// @notice Every input is bound to what was posted: an honest post cannot be killed by a forgery.
    function test_forgeries() external {
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, seats, honest, honest, ALL);
        uint256[] memory forged = same(honest, 7);
        notPending(task, 1); // nothing is posted yet
        rig.challenge(made, 0, forged);
        rig.post(made);

        made.report.task = 9;
        fails(IRoundBook.UnknownTask.selector, 9);
        rig.challenge(made, 0, forged);
        made.report.task = task;

        made.report.round = 2;
        notPending(task, 2);
        rig.challenge(made, 0, forged);
        made.report.round = 1;

        made.report.mode = 1;
        fails(IDisputes.WrongMode.selector, 1, 0);
        rig.challenge(made, 0, forged);
        made.report.mode = 0;

        made.report.record = "forged";
        notPending(task, 1);
        rig.challenge(made, 0, forged);
        made.report.record = "round record";

        made.signers = SEVEN; // those who did not sign
        notPending(task, 1);
        rig.challenge(made, 0, forged);
        made.signers = ALL;

        made.trainerWords = 2; // a verifier's word as if a trainer's
        notPending(task, 1);
        rig.challenge(made, 1, forged);
        made.trainerWords = 1;

        (seats[0], seats[6]) = (seats[6], seats[0]); // somebody else's seat where one signed
        bytes memory drawn = made.committee;
        made.committee = rig.packed(seats);
        wrongHash("committee", keccak256(made.committee), made.report.committeeHash);
        rig.challenge(made, 0, forged);
        made.committee = abi.encodePacked(drawn, uint192(0));
        wrongHash("committee", keccak256(made.committee), made.report.committeeHash);
        rig.challenge(made, 0, forged);
        made.committee = drawn;

        made.words[0] = wrong;
        wrongHash("words", keccak256(abi.encodePacked(made.words)), made.report.wordsHash);
        rig.challenge(made, 0, forged);
        made.words[0] = honest;

        made.votes[0].node = 9;
        wrongHash("votes", keccak256(abi.encode(made.votes)), made.report.votesHash);
        rig.challenge(made, 0, forged);
        made.votes[0].node = made.seats[0].node;

        failsFor(IDisputes.BadIndex.selector, "word", 1, 1); // a verifiers' word has no votes
        rig.challenge(made, 1, forged);

        uint256[] memory six = same(honest, 6);
        failsFor(IDisputes.WrongLength.selector, "voteWords", 6, 7);
        rig.challenge(made, 0, six);

        forged[3] = wrong;
        wrongHash("vote", Trees.leaf(wrong), made.votes[3].root);
        rig.challenge(made, 0, forged);
    }

    function test_proof_length() external {
        Rig.Settlement memory made = post(wrong);
        IDisputes.WordProof[] memory proofs = rig.bare(same(honest, 7));
        IDisputes.Accused memory accused = rig.accused(made);
        proofs[2].siblings = new bytes32[](1);
        fails(ITreeErrors.BadProofLength.selector, 1, 0);
        disputes.challengeScore(accused, made.words, made.votes, 0, proofs);
    }

    /// @notice Sixteen trainers: the second word, by proofs of trees of two.
    function test_second_word() external {
        for (uint256 key = 11; key <= 23; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        uint256[] memory voted = same(rig.lanes(40_000, 15), 2);
        voted[1] = 50_000;
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), 0, 0, ALL);
        bytes32 root = Trees.rootOf(voted, 1);
        for (uint256 i = 0; i < 7; i++) made.votes[i].root = root;
        made.words = new uint256[](3);
        (made.words[0], made.words[1], made.trainerWords) = (voted[0], 50_001, 2);
        made = rig.resign(made, ALL);
        rig.post(made);
        IDisputes.Accused memory accused = rig.accused(made);
        IDisputes.WordProof[] memory first = new IDisputes.WordProof[](7);
        IDisputes.WordProof[] memory second = new IDisputes.WordProof[](7);
        for (uint256 i = 0; i < 7; i++) {
            first[i] = Trees.wordProof(voted, 1, 0);
            second[i] = Trees.wordProof(voted, 1, 1);
        }
        fails(IDisputes.NotAFault.selector);
        disputes.challengeScore(accused, made.words, made.votes, 0, first);
        bytes32 elsewhere = keccak256(abi.encodePacked(uint8(1), Trees.leaf(voted[0]), first[0].siblings[0]));
        require(elsewhere == root, "a proof of word 0");
        bytes32 turned = keccak256(abi.encodePacked(uint8(1), first[0].siblings[0], Trees.leaf(voted[0])));
        wrongHash("vote", turned, root); // is none of word 1
        disputes.challengeScore(accused, made.words, made.votes, 1, first);
        disputes.challengeScore(accused, made.words, made.votes, 1, second);
        eq("void", rounds.liveOf(task).voidedRound, 1);
        eq("reporter", token.balanceOf(address(this)), 5 * uint256(SLASH) / 2);
    }

    /// @notice One vote a seat: strangers and second votes count nothing, and two seats count twice.
    function test_votes_weigh_as_seats() external {
        rig.moreSeats(1, 6); // 7 of 13
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, seats, 0, 0, SEVEN);
        uint256 heavy = 0; // seats of node 1
        for (uint256 j = 0; j < 7; j++) if (seats[j].node == 1) heavy++;
        require(heavy > 2 && heavy < 7, "the seed leaves room for two more votes");
        // One vote for each distinct node, then a stranger and a second vote of node 1.
        uint256[] memory words = new uint256[](10 - heavy);
        IRoundBook.Vote[] memory votes = new IRoundBook.Vote[](10 - heavy);
        uint256 n = 0;
        for (uint256 j = 0; j < 7; j++) {
            bool seen = false;
            for (uint256 i = 0; i < j; i++) if (seats[i].node == seats[j].node) seen = true;
            if (seen) continue;
            words[n] = seats[j].node == 1 ? 50_000 : 40_000;
            votes[n] = vote(seats[j].node, words[n]);
            n++;
        }
        words[n] = 2;
        votes[n] = vote(9, 2);
        words[n + 1] = 65_535;
        votes[n + 1] = vote(1, 65_535);
        made.votes = votes;
        made.words[0] = (7 - heavy) > 3 ? 40_000 : 50_000; // index 3 of the sorted seven
        made = rig.resign(made, SEVEN);
        rig.post(made);
        fails(IDisputes.NotAFault.selector);
        rig.challenge(made, 0, words);
    }

    /// @notice A list of more votes than seats is signed by no honest member: no transaction might hold its proofs.
    function test_more_votes_than_seats_are_a_fault() external {
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), honest, honest, ALL);
        IRoundBook.Vote[] memory votes = new IRoundBook.Vote[](8);
        for (uint256 i = 0; i < 8; i++) votes[i] = vote(made.seats[i % 7].node, honest);
        made.votes = votes;
        made = rig.resign(made, ALL);
        rig.post(made);
        expectVoid(made);
        rig.challenge(made, 0, new uint256[](0));
        checkVoid(made);
    }

    /// @notice Three second votes do not outvote four seats.
    function test_second_votes_count_nothing() external {
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), honest, honest, ALL);
        uint256[] memory words = new uint256[](7);
        for (uint256 i = 0; i < 7; i++) {
            words[i] = i < 3 ? honest : wrong;
            made.votes[i] = vote(made.seats[i % 3].node, words[i]);
        }
        made = rig.resign(made, ALL);
        rig.post(made);
        fails(IDisputes.NotAFault.selector);
        rig.challenge(made, 0, words);
    }

    /// @notice The lower of the two middle votes, whoever cast it.
    function test_lower_median() external {
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), 0, 0, ALL);
        uint256[] memory words = new uint256[](7);
        for (uint256 i = 0; i < 7; i++) {
            words[i] = i == 6 ? 0 : 60_000 - 1000 * i; // one abstains
            made.votes[i] = vote(made.seats[i].node, words[i]);
        }
        made.words[0] = 57_000; // of 55..60 thousand the third
        made = rig.resign(made, ALL);
        rig.post(made);
        fails(IDisputes.NotAFault.selector);
        rig.challenge(made, 0, words);
    }

    /// @notice A signer with several seats pays for each, once.
    function test_slash_by_seats() external {
        vm.prank(ownerOf(7));
        vault.leaveSeats(7, 1);
        rig.moreSeats(1, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), wrong, honest, SEVEN);
        rig.post(made);
        rig.challenge(made, 0, same(honest, 7));
        eq("two seats", vault.nodeOf(1).bonded, 2 * (SEAT - SLASH));
        eq("one seat", vault.nodeOf(2).bonded, SEAT - SLASH);
        eq("no seat", vault.nodeOf(7).bonded, SEAT);
        eq("reporter", token.balanceOf(address(rig)), 7 * uint256(SLASH) / 2);
        eq("burnt", token.balanceOf(BURNT), 7 * uint256(SLASH) / 2);
    }

    /// @notice A bit left clear saves nothing: a signature stands for all seats of its node, before and behind the set one.
    function test_slash_of_seats_whose_bits_are_clear() external {
        vm.prank(ownerOf(7));
        vault.leaveSeats(7, 1);
        rig.moreSeats(1, 1);
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        for (uint256 keep = 0; keep < 2; keep++) {
            uint256 before = vm.snapshotState();
            uint256 signers = SEVEN;
            uint256 seen = 0;
            for (uint256 j = 0; j < 7; j++) if (seats[j].node == 1 && seen++ == keep) signers &= ~(1 << j);
            Rig.Settlement memory made = rig.settlement(task, 1, seats, wrong, honest, signers);
            rig.post(made);
            rig.challenge(made, 0, same(honest, 7));
            eq("two seats", vault.nodeOf(1).bonded, 2 * (SEAT - SLASH));
            for (uint32 node = 2; node <= 6; node++) eq("one seat", vault.nodeOf(node).bonded, SEAT - SLASH);
            vm.revertToState(before);
        }
    }

    /// @notice Who accuses itself to save its stake loses half of it all the same.
    function test_self_challenge_costs_half() external {
        Rig.Settlement memory made = post(wrong);
        address owner = ownerOf(made.seats[0].node);
        uint256 held = token.balanceOf(owner);
        IDisputes.Accused memory accused = rig.accused(made);
        IDisputes.WordProof[] memory proofs = rig.bare(same(honest, 7));
        vm.prank(owner);
        disputes.challengeScore(accused, made.words, made.votes, 0, proofs);
        eq("half of what five lost", token.balanceOf(owner) - held, 5 * uint256(SLASH) / 2);
        eq("the other half is burnt", token.balanceOf(BURNT), 5 * uint256(SLASH) / 2);
    }

    /// @notice Whoever left before the proof is still slashed: exiting stake first.
    function test_exit_does_not_escape() external {
        Rig.Settlement memory made = post(wrong);
        uint32 node = made.seats[0].node;
        vm.prank(ownerOf(node));
        vault.bond(node, 100e18);
        vm.prank(ownerOf(node));
        vault.unbond(node, 100e18);
        rig.challenge(made, 0, same(honest, 7));
        eq("exiting", vault.nodeOf(node).exiting, 0);
        eq("bonded", vault.nodeOf(node).bonded, SEAT - SLASH + 100e18);
    }
}
