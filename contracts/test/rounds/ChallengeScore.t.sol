// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";
import {PositionTree} from "../../libraries/PositionTree.sol";

contract ChallengeScoreTest is Base {
    uint64 private task;
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
        bytes32 digest = rounds.reportDigest(made.report);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Voided(task, 1, digest, address(rig));
        rig.challenge(made, ALL, 0, same(honest, 7));
        for (uint256 j = 0; j < 7; j++) {
            eq("slashed", vault.nodeOf(made.seats[j].node).bonded, j < 5 ? SEAT - SLASH : SEAT);
        }
        eq("reporter", token.balanceOf(address(rig)), 5 * uint256(SLASH) / 2);
        eq("burnt", token.balanceOf(BURNT), 5 * uint256(SLASH) / 2);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("no pending post", live.postedRound, 0);
        eq("voided", live.voidedDigest, digest);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.challenge(made, ALL, 0, same(honest, 7));
        // No re-post, no second draw; the parent stands and the next round works.
        fails(IRoundBook.StaleReport.selector, 1, 1);
        rig.post(made);
        fails(IRoundBook.AlreadyDrawn.selector, 1);
        rounds.armBeacon(task, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
        vm.prank(vm.addr(8));
        rounds.commit(task, 2, 8, "c");
        eq("parent", rounds.taskOf(task).model, bytes32("genesis"));
        for (uint32 node = 1; node <= 7; node++) {
            if (vault.nodeOf(node).seats == 1) continue;
            vm.prank(ownerOf(node));
            vault.bond(node, SLASH);
            rig.takeSeats(node, 1);
        }
        rig.finalised(task, 2);
        eq("final", rounds.taskOf(task).finalRound, 2);
    }

    function test_honest_post_stands() external {
        Rig.Settlement memory made = post(honest);
        fails(IRoundBook.NotAFault.selector);
        rig.challenge(made, ALL, 0, same(honest, 7));
    }

    /// @notice Rejection at agreement follows another rule, which this proof does not judge.
    function test_rejected_lane_is_no_fault() external {
        Rig.Settlement memory made = post(rig.lanes(40_000, 2) | (1 << 32));
        fails(IRoundBook.NotAFault.selector);
        rig.challenge(made, ALL, 0, same(honest, 7));
    }

    function test_score_without_votes_is_a_fault() external {
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), honest, 0, ALL);
        rig.post(made);
        rig.challenge(made, ALL, 0, same(0, 7));
        eq("voided", rounds.liveOf(task).postedRound, 0);
    }

    function test_window_closes() external {
        Rig.Settlement memory made = post(wrong);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        fails(IRoundBook.WindowClosed.selector, block.timestamp);
        rig.challenge(made, ALL, 0, same(honest, 7));
        vm.warp(block.timestamp - 1);
        rig.challenge(made, ALL, 0, same(honest, 7));
    }

    /// @notice Every input is bound to what was posted: an honest post cannot be killed by a forgery.
    function test_forgeries() external {
        fails(IRoundBook.UnknownTask.selector, 0);
        Rig.Settlement memory nothing;
        rig.challenge(nothing, 0, 0, new uint256[](0));
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, seats, honest, honest, ALL);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.challenge(made, ALL, 0, same(honest, 7));
        rig.post(made);
        uint256[] memory forged = same(honest, 7);
        bytes32 digest = rounds.reportDigest(made.report);

        made.report.record = "forged";
        bytes32 other = rounds.reportDigest(made.report);
        fails(IRoundBook.WrongHash.selector, uint256(bytes32("report")), uint256(other), uint256(digest));
        rig.challenge(made, ALL, 0, forged);
        made.report.record = "round record";

        fails(IRoundBook.WrongHash.selector, uint256(bytes32("signers")), 0x7f, ALL);
        rig.challenge(made, 0x7f, 0, forged);

        (made.seats[0], made.seats[6]) = (made.seats[6], made.seats[0]);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundBook.WrongCommittee.selector, hashOf(made.seats), made.report.committeeHash)
        );
        rig.challenge(made, ALL, 0, forged);
        (made.seats[0], made.seats[6]) = (made.seats[6], made.seats[0]);

        made.votes[0].node = 9;
        other = keccak256(abi.encode(made.votes));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("votes")), uint256(other), uint256(made.report.votesHash)
        );
        rig.challenge(made, ALL, 0, forged);
        made.votes[0].node = made.seats[0].node;

        made.trainerWords[0] = wrong;
        other = keccak256(abi.encodePacked(made.trainerWords, made.verifierWords));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("words")), uint256(other), uint256(made.report.wordsHash)
        );
        rig.challenge(made, ALL, 0, forged);
        made.trainerWords[0] = honest;

        fails(IRoundBook.WrongLength.selector, uint256(bytes32("wordIndex")), 1, 1);
        rig.challenge(made, ALL, 1, forged);
        uint256[] memory six = same(honest, 6);
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("voteWords")), 6, 7);
        rig.challenge(made, ALL, 0, six);
        forged[3] = wrong;
        bytes32 root = keccak256(abi.encodePacked(uint8(0), wrong));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("root")), uint256(root), uint256(made.votes[3].root)
        );
        rig.challenge(made, ALL, 0, forged);
    }

    function test_proof_count() external {
        Rig.Settlement memory made = post(wrong);
        uint256[] memory words = same(honest, 7);
        bytes32[][] memory proofs = new bytes32[][](6);
        fails(IRoundBook.WrongLength.selector, uint256(bytes32("proofs")), 6, 7);
        call(made, words, proofs);
        proofs = new bytes32[][](7);
        proofs[2] = new bytes32[](1);
        fails(PositionTree.BadProofLength.selector, 1, 0);
        call(made, words, proofs);
    }

    function call(Rig.Settlement memory made, uint256[] memory words, bytes32[][] memory proofs) private {
        rounds.challengeScore(
            made.report, made.seats, made.votes, made.trainerWords, made.verifierWords, ALL, 0, words, proofs
        );
    }

    /// @notice One vote a seat: strangers and second votes count nothing, and two seats count twice.
    function test_votes_weigh_as_seats() external {
        vm.startPrank(ownerOf(1));
        vault.bond(1, 6 * SEAT);
        vault.takeSeats(1, 6); // 7 of 13
        vm.stopPrank();
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, seats, 0, 0, 0x7f);
        uint256 heavy = 0; // seats of node 1
        for (uint256 j = 0; j < 7; j++) if (seats[j].node == 1) heavy++;
        require(heavy > 1 && heavy < 7, "seed gives both");
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
        made.trainerWords[0] = (7 - heavy) > 3 ? 40_000 : 50_000; // index 3 of the sorted seven
        rig.post(rig.resign(made, 0x7f));
        made = rig.resign(made, 0x7f);
        bytes32[][] memory proofs = new bytes32[][](words.length);
        fails(IRoundBook.NotAFault.selector);
        rounds.challengeScore(
            made.report, seats, votes, made.trainerWords, made.verifierWords, 0x7f, 0, words, proofs
        );
    }

    /// @notice Eight second votes do not outvote seven seats.
    function test_second_votes_count_nothing() external {
        IRoundBook.Seat[] memory seats = rig.draw(task, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, seats, honest, honest, ALL);
        IRoundBook.Vote[] memory votes = new IRoundBook.Vote[](15);
        uint256[] memory words = new uint256[](15);
        for (uint256 i = 0; i < 15; i++) {
            words[i] = i < 7 ? honest : wrong;
            votes[i] = vote(seats[i % 7].node, words[i]);
        }
        made.votes = votes;
        made = rig.resign(made, ALL);
        rig.post(made);
        bytes32[][] memory proofs = new bytes32[][](15);
        fails(IRoundBook.NotAFault.selector);
        call(made, words, proofs);
    }

    /// @notice A signer with several seats pays for each, and never more than it has.
    function test_slash_by_seats() external {
        vm.prank(ownerOf(7));
        vault.leaveSeats(7, 1);
        vm.prank(ownerOf(1));
        vault.bond(1, SEAT);
        rig.takeSeats(1, 1);
        Rig.Settlement memory made = rig.settlement(task, 1, rig.draw(task, 1), wrong, honest, 0x7f);
        rig.post(made);
        rig.challenge(made, 0x7f, 0, same(honest, 7));
        eq("two seats", vault.nodeOf(1).bonded, 2 * (SEAT - SLASH));
        eq("one seat", vault.nodeOf(2).bonded, SEAT - SLASH);
        eq("no seat", vault.nodeOf(7).bonded, SEAT);
    }

    function vote(uint32 node, uint256 word) private pure returns (IRoundBook.Vote memory) {
        return IRoundBook.Vote(node, "c", keccak256(abi.encodePacked(uint8(0), word)), "r");
    }

    function hashOf(IRoundBook.Seat[] memory seats) private pure returns (bytes32) {
        bytes memory packed;
        for (uint256 j = 0; j < seats.length; j++) packed = abi.encodePacked(packed, seats[j].node, seats[j].signer);
        return keccak256(packed);
    }
}
