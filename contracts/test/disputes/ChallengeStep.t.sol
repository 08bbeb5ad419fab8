// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook, ITreeErrors, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

contract ChallengeStepTest is DisputeBase {
    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    function spoilt(uint32 round, uint256 index, uint256 change) private returns (RootRig.RootRound memory made) {
        made = rig.rootMade(task, round);
        made.next.reputation[index] ^= change;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
    }

    function test_fault_against_genesis() external {
        RootRig.RootRound memory made = spoilt(1, 0, 1);
        expectVoid(made.base);
        rig.challengeStep(made, 0);
        checkVoid(made.base);
        notPending(task, 1);
        rig.challengeStep(made, 0);
    }

    function test_fault_against_a_parent() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = spoilt(2, 2, 1 << 32);
        expectVoid(made.base);
        rig.challengeStep(made, 2);
        checkVoid(made.base);
    }

    /// @notice The stamp is part of the word; and words that nobody has a slot in are stepped too.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_any_bit_of_any_word(uint8 index, uint8 bit) external {
        index %= 4;
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = spoilt(2, index, 1 << bit);
        for (uint32 i = 0; i < 4; i++) {
            if (i == index) continue;
            fails(IDisputes.NotAFault.selector);
            rig.challengeStep(made, i);
        }
        expectVoid(made.base);
        rig.challengeStep(made, index);
        checkVoid(made.base);
    }

    function test_honest_post_stands() external {
        for (uint32 round = 1; round <= 3; round++) {
            RootRig.RootRound memory made = rig.rootPosted(task, round);
            for (uint32 index = 0; index < 4; index++) {
                fails(IDisputes.NotAFault.selector);
                rig.challengeStep(made, index);
            }
        }
    }

    /// @notice Trainers who were not due decay, verifiers do not: each role by its own rule.
    function test_decay_by_role() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        made.next = rig.step(task, 2, made.before, new uint256[](4));
        require(made.next.reputation[0] << 16 != made.before.reputation[0] << 16, "trainers fell");
        eq("verifiers did not", made.next.reputation[2] << 16, made.before.reputation[2] << 16);
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        for (uint32 index = 0; index < 4; index++) {
            fails(IDisputes.NotAFault.selector);
            rig.challengeStep(made, index);
        }
    }

    function test_window_closes() external {
        RootRig.RootRound memory made = spoilt(1, 0, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        notPending(task, 1);
        rig.challengeStep(made, 0);
        vm.warp(block.timestamp - 1);
        rig.challengeStep(made, 0);
    }

    // ---- forgeries against an honest post ----

    function test_forged_posts() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        made.base.report.mode = 0;
        fails(IDisputes.WrongMode.selector, 0, 1);
        rig.challengeStep(made, 0);
        made.base.report.mode = 1;
        made.base.report.round = 1; // the parent itself: final
        notPending(task, 1);
        rig.challengeStep(made, 0);
        made.base.report.round = 2;
        made.base.signers = SEVEN;
        notPending(task, 2);
        rig.challengeStep(made, 0);
        made.base.signers = ALL;
        made.base.committee = "";
        wrongHash("committee", keccak256(""), made.base.report.committeeHash);
        rig.challengeStep(made, 0);
    }

    function test_forged_states() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        made.state.reputation = "mine";
        wrongHash("state", keccak256(abi.encode(made.state)), made.base.report.wordsHash);
        rig.challengeStep(made, 0);
        made.state.reputation = Trees.rootOf(made.next.reputation, 2);

        made.parentState.reputation = "mine";
        wrongHash("parentState", keccak256(abi.encode(made.parentState)), keccak256(abi.encode(first.state)));
        rig.challengeStep(made, 0);
        made.parentState.reputation = Trees.rootOf(made.before.reputation, 2);

        made.base.parent.state = "mine";
        wrongHash("parent", keccak256(abi.encode(made.base.parent)), rig.hashOf(first.base));
        rig.challengeStep(made, 0);
    }

    /// @notice A record from further back, or the genesis of a task that has a record, is not the parent.
    function test_other_parents() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        RootRig.RootRound memory second = rig.rootPosted(task, 2);
        RootRig.RootRound memory made = rig.rootPosted(task, 3);
        bytes32 expected = rig.hashOf(second.base);
        (made.base.parent, made.parentState, made.before) = (rig.settled(first.base), first.state, first.next);
        wrongHash("parent", rig.hashOf(first.base), expected);
        rig.challengeStep(made, 0);
        (made.base.parent, made.parentState, made.before) = (noRecord, noState, rig.empty(1));
        wrongHash("parent", keccak256(abi.encode(noRecord)), expected);
        rig.challengeStep(made, 0);
    }

    /// @notice Before the first final round the parent is nothing, whatever the caller brings.
    function test_genesis_is_all_zero() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        bytes32 none = keccak256(abi.encode(noRecord));
        made.base.parent.signers = 1;
        wrongHash("parent", keccak256(abi.encode(made.base.parent)), none);
        rig.challengeStep(made, 0);
        made.base.parent.signers = 0;
        made.parentState.reputation = Trees.rootOf(same(7, 4), 2);
        wrongHash("parentState", keccak256(abi.encode(made.parentState)), keccak256(abi.encode(noState)));
        rig.challengeStep(made, 0);
        made.parentState.reputation = 0;
        made.before.reputation = same(7, 4); // words that were never there
        wrongHash("before", Trees.rootOf(made.before.reputation, 2), Trees.rootOf(same(0, 4), 2));
        rig.challengeStep(made, 0);
    }

    function test_forged_words() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        made.next.scores[0] ^= 1;
        wrongHash("score", Trees.rootOf(made.next.scores, 2), made.state.scores);
        rig.challengeStep(made, 0);
        made.next.scores[0] ^= 1;
        made.before.reputation[0] ^= 1;
        wrongHash("before", Trees.rootOf(made.before.reputation, 2), made.parentState.reputation);
        rig.challengeStep(made, 0);
        made.before.reputation[0] ^= 1;
        made.next.reputation[0] ^= 1;
        wrongHash("next", Trees.rootOf(made.next.reputation, 2), made.state.reputation);
        rig.challengeStep(made, 0);
    }

    function test_other_places() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        IDisputes.Accused memory accused = rig.accused(made.base);
        IDisputes.WordProof memory score = rig.scoreProof(made, 0);
        IDisputes.WordProof memory before = rig.beforeProof(made, 0);
        IDisputes.WordProof memory next = rig.nextProof(made, 0);
        failsFor(IDisputes.BadIndex.selector, "word", 4, 4);
        call(accused, made, 4, score, before, next);
        IDisputes.WordProof memory other = rig.nextProof(made, 2);
        wrongHash("next", rootAt(other, 0), made.state.reputation); // a verifiers' word for a trainers'
        call(accused, made, 0, score, before, other);
        other = rig.beforeProof(made, 2);
        wrongHash("before", rootAt(other, 0), made.parentState.reputation);
        call(accused, made, 0, score, other, next);
        other = rig.scoreProof(made, 2);
        wrongHash("score", rootAt(other, 0), made.state.scores);
        call(accused, made, 0, other, before, next);
        next.siblings = new bytes32[](3);
        fails(ITreeErrors.BadProofLength.selector, 3, 2);
        call(accused, made, 0, score, before, next);
    }

    function call(
        IDisputes.Accused memory accused,
        RootRig.RootRound memory made,
        uint32 index,
        IDisputes.WordProof memory score,
        IDisputes.WordProof memory before,
        IDisputes.WordProof memory next
    ) private {
        disputes.challengeStep(
            accused, made.state, made.base.parent, made.parentState, index, score, before, next
        );
    }

    /// @dev What a proof of two siblings gives at `index`.
    function rootAt(IDisputes.WordProof memory proof, uint256 index) private pure returns (bytes32 root) {
        root = Trees.leaf(proof.word);
        for (uint256 level = 0; level < 2; level++) {
            root = (index >> level) & 1 == 0
                ? keccak256(abi.encodePacked(uint8(1), root, proof.siblings[level]))
                : keccak256(abi.encodePacked(uint8(1), proof.siblings[level], root));
        }
    }
}
