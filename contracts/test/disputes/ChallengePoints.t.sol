// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, ITreeErrors, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

contract ChallengePointsTest is DisputeBase {
    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    /// @dev A role that earned and is said not to have: its pool is kept from it.
    function denied(uint256 points) private returns (RootRig.RootRound memory made) {
        made = rig.rootMade(task, 1);
        if (uint128(points) == 0) made.next.trainerPay = made.before.trainerPay;
        if (points >> 128 == 0) made.next.verifierPay = made.before.verifierPay;
        made = rig.restate(made, ALL);
        made.state.points = points;
        made = rig.resignRoot(made, ALL);
        rig.postRoot(made);
    }

    function test_trainers() external {
        RootRig.RootRound memory made = denied(uint256(7 * 7232) << 128);
        fails(IDisputes.NotAFault.selector); // no lane of this word has a part
        rig.challengePoints(made, 1);
        fails(IDisputes.NotAFault.selector); // the verifiers have points
        rig.challengePoints(made, 2);
        expectVoid(made.base);
        rig.challengePoints(made, 0);
        checkVoid(made.base);
        notPending(task, 1);
        rig.challengePoints(made, 0);
    }

    function test_verifiers() external {
        RootRig.RootRound memory made = denied(3 * 7232);
        fails(IDisputes.NotAFault.selector);
        rig.challengePoints(made, 0);
        expectVoid(made.base);
        rig.challengePoints(made, 2);
        checkVoid(made.base);
    }

    function test_nobody_earned_is_no_fault() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        uint256[] memory scores = new uint256[](4);
        scores[0] = rig.lanes(32_768, 3) | (uint256(65_535) << 240); // half is no part, and the top bits are no lane
        made.next = rig.step(task, 1, made.before, scores);
        made = rig.restate(made, ALL);
        eq("no points", made.state.points, 0);
        rig.postRoot(made);
        for (uint32 index = 0; index < 4; index++) {
            fails(IDisputes.NotAFault.selector);
            rig.challengePoints(made, index);
        }
    }

    function test_honest_post_stands() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        for (uint32 index = 0; index < 4; index++) {
            fails(IDisputes.NotAFault.selector);
            rig.challengePoints(made, index);
        }
    }

    function test_forgeries() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        made.base.report.mode = 0;
        fails(IDisputes.WrongMode.selector, 0, 1);
        rig.challengePoints(made, 0);
        made.base.report.mode = 1;
        made.base.signers = SEVEN;
        notPending(task, 1);
        rig.challengePoints(made, 0);
        made.base.signers = ALL;
        uint256 points = made.state.points;
        made.state.points = 0;
        wrongHash("state", keccak256(abi.encode(made.state)), made.base.report.wordsHash);
        rig.challengePoints(made, 0);
        made.state.points = points;
        made.next.scores[1] = 65_535;
        wrongHash("score", Trees.rootOf(made.next.scores, 2), made.state.scores);
        rig.challengePoints(made, 1);
        made.next.scores[1] = 0;
        IDisputes.Accused memory accused = rig.accused(made.base);
        IDisputes.WordProof memory score = rig.scoreProof(made, 0);
        failsFor(IDisputes.BadIndex.selector, "word", 4, 4);
        disputes.challengePoints(accused, made.state, 4, score);
        score.siblings = new bytes32[](0);
        fails(ITreeErrors.BadProofLength.selector, 0, 2);
        disputes.challengePoints(accused, made.state, 0, score);
        made.base.committee = "";
        wrongHash("committee", keccak256(""), made.base.report.committeeHash);
        rig.challengePoints(made, 0);
    }

    function test_window_closes() external {
        RootRig.RootRound memory made = denied(3 * 7232);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        notPending(task, 1);
        rig.challengePoints(made, 2);
        vm.warp(block.timestamp - 1);
        rig.challengePoints(made, 2);
    }
}
