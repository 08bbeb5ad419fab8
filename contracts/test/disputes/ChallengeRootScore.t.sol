// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, ITreeErrors, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

contract ChallengeRootScoreTest is DisputeBase {
    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    /// @dev A post whose scores are honest but for `word` at `index`, with everything behind them in order.
    function post(uint256 index, uint256 word) private returns (RootRig.RootRound memory round) {
        round = rig.rootMade(task, 1);
        round.next.scores[index] = word;
        round.next = rig.step(task, 1, round.before, round.next.scores);
        round = rig.restate(round, ALL);
        rig.postRoot(round);
    }

    function test_fault() external {
        RootRig.RootRound memory round = post(0, rig.lanes(40_000, 3) + 1);
        expectVoid(round.base);
        rig.challengeRootScore(round, 0);
        checkVoid(round.base);
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
    }

    function test_honest_post_stands() external {
        RootRig.RootRound memory round = rig.rootPosted(task, 1);
        for (uint32 index = 0; index < 2; index++) {
            fails(IDisputes.NotAFault.selector);
            rig.challengeRootScore(round, index);
        }
    }

    function test_rejected_lane_is_no_fault() external {
        RootRig.RootRound memory round = post(0, rig.lanes(40_000, 2) | (1 << 32));
        fails(IDisputes.NotAFault.selector);
        rig.challengeRootScore(round, 0);
    }

    /// @notice A score where no trainer is: nobody voted on it.
    function test_score_behind_the_last_word_is_a_fault() external {
        RootRig.RootRound memory round = post(1, 65_535);
        expectVoid(round.base);
        rig.challengeRootScore(round, 1);
        checkVoid(round.base);
    }

    function test_score_behind_the_last_slot_is_a_fault() external {
        RootRig.RootRound memory round = post(0, rig.lanes(40_000, 4));
        expectVoid(round.base);
        rig.challengeRootScore(round, 0);
        checkVoid(round.base);
    }

    /// @notice What a verifier's score should be is not judged.
    function test_verifiers_words_are_not_judged() external {
        RootRig.RootRound memory round = post(2, rig.lanes(65_535, 1));
        failsFor(IDisputes.BadIndex.selector, "word", 2, 2);
        rig.challengeRootScore(round, 2);
    }

    function test_more_votes_than_seats_are_a_fault() external {
        RootRig.RootRound memory round = rig.rootMade(task, 1);
        IRoundBook.Vote[] memory votes = new IRoundBook.Vote[](8);
        for (uint256 i = 0; i < 8; i++) votes[i] = round.base.votes[i % 7];
        round.base.votes = votes;
        round = rig.restate(round, ALL);
        rig.postRoot(round);
        expectVoid(round.base);
        rig.challengeRootScore(round, 0);
        checkVoid(round.base);
    }

    function test_window_closes() external {
        RootRig.RootRound memory round = post(0, 40_000);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
        vm.warp(block.timestamp - 1);
        rig.challengeRootScore(round, 0);
    }

    // ---- forgeries against an honest post ----


    function test_forged_posts() external {
        RootRig.RootRound memory round = rig.rootPosted(task, 1);
        round.base.report.mode = 0;
        fails(IDisputes.WrongMode.selector, 0, 1);
        rig.challengeRootScore(round, 0);
        round.base.report.mode = 1;

        round.base.report.record = "forged";
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
        round.base.report.record = "round record";

        round.base.signers = SEVEN;
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
        round.base.signers = ALL;

        round.base.trainerWords = 2; // trees of votes of another depth
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
        round.base.trainerWords = 0; // no votes at all
        notPending(task, 1);
        rig.challengeRootScore(round, 0);
        round.base.trainerWords = 1;

        round.base.committee = abi.encodePacked(round.base.committee, uint192(0));
        wrongHash("committee", keccak256(round.base.committee), round.base.report.committeeHash);
        rig.challengeRootScore(round, 0);
    }

    function test_forged_state() external {
        RootRig.RootRound memory round = rig.rootPosted(task, 1);
        bytes32 scores = round.state.scores;
        round.state.scores = "mine";
        wrongHash("state", keccak256(abi.encode(round.state)), round.base.report.wordsHash);
        rig.challengeRootScore(round, 0);
        round.state.scores = scores;

        round.next.scores[0] ^= 1; // a word that is not in the tree
        wrongHash("score", Trees.rootOf(round.next.scores, 2), scores);
        rig.challengeRootScore(round, 0);
        round.next.scores[0] ^= 1;

        round.base.votes[2].node = 9;
        wrongHash("votes", keccak256(abi.encode(round.base.votes)), round.base.report.votesHash);
        rig.challengeRootScore(round, 0);
    }

    function test_forged_proofs() external {
        RootRig.RootRound memory round = rig.rootPosted(task, 1);
        IDisputes.WordProof memory score = rig.scoreProof(round, 0);
        bytes32 moved = keccak256(
            abi.encodePacked(
                uint8(1),
                keccak256(abi.encodePacked(uint8(1), score.siblings[0], Trees.leaf(score.word))),
                score.siblings[1]
            )
        );
        IDisputes.Accused memory accused = rig.accused(round.base);
        IDisputes.WordProof[] memory votes = new IDisputes.WordProof[](0);
        wrongHash("score", moved, round.state.scores); // the word of another place
        disputes.challengeRootScore(accused, round.state, round.base.votes, 1, score, votes);

        score.siblings = new bytes32[](1);
        fails(ITreeErrors.BadProofLength.selector, 1, 2);
        disputes.challengeRootScore(accused, round.state, round.base.votes, 0, score, votes);
        score = rig.scoreProof(round, 0);
        failsFor(IDisputes.WrongLength.selector, "voteWords", 0, 7); // votes left out
        disputes.challengeRootScore(accused, round.state, round.base.votes, 0, score, votes);
        votes = rig.voteProofs(round, 0);
        score = rig.scoreProof(round, 1);
        failsFor(IDisputes.WrongLength.selector, "voteWords", 7, 0); // there are none behind the last word
        disputes.challengeRootScore(accused, round.state, round.base.votes, 1, score, votes);
        score = rig.scoreProof(round, 0);
        votes[6].word ^= 1;
        wrongHash("vote", Trees.leaf(votes[6].word), round.base.votes[6].root);
        disputes.challengeRootScore(accused, round.state, round.base.votes, 0, score, votes);
    }
}
