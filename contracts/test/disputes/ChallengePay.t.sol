// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IReputationBook, IRoundBook, ITreeErrors, RootRig} from "./DisputeBase.sol";
import {Trees} from "../Trees.sol";

contract ChallengePayTest is DisputeBase {
    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    /// @dev One wei moved from leaf `from` to leaf `to` of the trainers.
    function moved(uint32 round, uint256 from, uint256 to) private returns (RootRig.RootRound memory made) {
        made = rig.rootMade(task, round);
        made.next.trainerPay[from] -= 1;
        made.next.trainerPay[to] += 1;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
    }

    function test_fault_against_genesis() external {
        RootRig.RootRound memory made = moved(1, 0, 1);
        expectVoid(made.base);
        rig.challengePay(made, TRAINER, 1);
        checkVoid(made.base);
        notPending(task, 1);
        rig.challengePay(made, TRAINER, 1);
    }

    function test_fault_against_a_parent() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = moved(2, 2, 5); // to a slot that nobody holds yet
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, TRAINER, 0);
        expectVoid(made.base);
        rig.challengePay(made, TRAINER, 5);
        checkVoid(made.base);
    }

    /// @notice The unused leaf of a word and leaves of words that nobody has a slot in earn nothing.
    function test_unused_leaves() external {
        RootRig.RootRound memory made = moved(1, 0, 15);
        expectVoid(made.base);
        rig.challengePay(made, TRAINER, 15);
        checkVoid(made.base);
    }

    function test_unused_lane_has_no_part() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.scores[0] |= uint256(65_535) << 240; // the top bits of a score word are no score
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, TRAINER, 15);
    }

    function test_verifiers() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.verifierPay[6] -= 3;
        made.next.verifierPay[31] += 3;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, VERIFIER, 0);
        expectVoid(made.base);
        rig.challengePay(made, VERIFIER, 6);
        checkVoid(made.base);
    }

    /// @notice A leaf that falls is as wrong as one that rises: what was earned is never taken back.
    function test_leaf_that_falls() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        made.next.trainerPay[0] = 0;
        made.next.trainerPay[1] += 60e18;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        expectVoid(made.base);
        rig.challengePay(made, TRAINER, 0);
        checkVoid(made.base);
    }

    /// @notice Where nobody has points nobody is paid.
    function test_no_points_no_pay() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        made.next = rig.step(task, 2, made.before, new uint256[](4));
        eq("no points", rig.pointsOf(made.next.scores, 0), 0);
        eq("as before", made.next.trainerPay[0], first.next.trainerPay[0]);
        (made.next.trainerPay[0], made.next.trainerPay[1]) =
            (made.next.trainerPay[0] - 5, made.next.trainerPay[1] + 5); // the total stands
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, TRAINER, 2);
        expectVoid(made.base);
        rig.challengePay(made, TRAINER, 1);
        checkVoid(made.base);
    }

    function test_honest_post_stands() external {
        for (uint32 round = 1; round <= 2; round++) {
            RootRig.RootRound memory made = rig.rootPosted(task, round);
            for (uint32 slot = 0; slot < 32; slot += 5) {
                fails(IDisputes.NotAFault.selector);
                rig.challengePay(made, TRAINER, slot);
                fails(IDisputes.NotAFault.selector);
                rig.challengePay(made, VERIFIER, slot);
            }
        }
    }

    /// @notice Uneven scores round down, and rounding is no fault.
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_honest_rounding(uint256 scores, uint8 slot) external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.scores[0] = scores >> 208; // three lanes
        made.next.scores[2] = (scores << 48) >> 144; // seven
        made.next = rig.step(task, 1, made.before, made.next.scores);
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, TRAINER, slot % 32);
        fails(IDisputes.NotAFault.selector);
        rig.challengePay(made, VERIFIER, slot % 32);
    }

    function test_window_closes() external {
        RootRig.RootRound memory made = moved(1, 0, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        notPending(task, 1);
        rig.challengePay(made, TRAINER, 0);
        vm.warp(block.timestamp - 1);
        rig.challengePay(made, TRAINER, 0);
    }

    // ---- forgeries against an honest post ----

    function test_forged_posts() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        made.base.report.mode = 0;
        fails(IDisputes.WrongMode.selector, 0, 1);
        rig.challengePay(made, TRAINER, 0);
        made.base.report.mode = 1;
        made.base.signers = SEVEN;
        notPending(task, 1);
        rig.challengePay(made, TRAINER, 0);
        made.base.signers = ALL;
        made.base.committee = "";
        wrongHash("committee", keccak256(""), made.base.report.committeeHash);
        rig.challengePay(made, TRAINER, 0);
    }

    function test_forged_states() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        made.state.points += 1;
        wrongHash("state", keccak256(abi.encode(made.state)), made.base.report.wordsHash);
        rig.challengePay(made, TRAINER, 0);
        made.state.points -= 1;
        made.parentState.totals = 0;
        wrongHash("parentState", keccak256(abi.encode(made.parentState)), keccak256(abi.encode(first.state)));
        rig.challengePay(made, TRAINER, 0);
        made.parentState.totals = first.state.totals;
        made.base.parent.model = "mine";
        wrongHash("parent", keccak256(abi.encode(made.base.parent)), rig.hashOf(first.base));
        rig.challengePay(made, TRAINER, 0);
    }

    function test_genesis_owes_nobody() external {
        RootRig.RootRound memory made = rig.rootPosted(task, 1);
        (bytes32 nothing,,) = Trees.pay(made.before.trainerPay, 5, 0);
        made.before.trainerPay[3] = 1;
        (bytes32 mine,,) = Trees.pay(made.before.trainerPay, 5, 0);
        wrongHash("before", mine, nothing);
        rig.challengePay(made, TRAINER, 0);
    }

    function test_forged_leaves() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        uint96 held = made.next.trainerPay[0];
        made.next.trainerPay[0] = 0;
        (bytes32 root,,) = Trees.pay(made.next.trainerPay, 5, 0);
        wrongHash("next", root, made.state.trainerPay);
        rig.challengePay(made, TRAINER, 0);
        made.next.trainerPay[0] = held;
        made.before.trainerPay[0] = 0;
        (root,,) = Trees.pay(made.before.trainerPay, 5, 0);
        wrongHash("before", root, made.parentState.trainerPay);
        rig.challengePay(made, TRAINER, 0);
    }

    struct Parts {
        IDisputes.Accused accused;
        IDisputes.WordProof score;
        IDisputes.PayProof before;
        IDisputes.PayProof next;
    }

    function parts(RootRig.RootRound memory made, uint256 slot) private view returns (Parts memory) {
        return Parts(
            rig.accused(made.base),
            rig.scoreProof(made, slot / 16),
            rig.payProof(made, made.before, TRAINER, slot),
            rig.payProof(made, made.next, TRAINER, slot)
        );
    }

    function call(RootRig.RootRound memory made, IReputationBook.Role role, uint32 slot, Parts memory with) private {
        disputes.challengePay(
            with.accused,
            made.state,
            made.base.parent,
            made.parentState,
            role,
            slot,
            with.score,
            with.before,
            with.next
        );
    }

    function test_other_places() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        Parts memory with = parts(made, 0);
        failsFor(IDisputes.BadIndex.selector, "leaf", 32, 32);
        call(made, TRAINER, 32, with);
        // The leaf of lane 2 for lane 0: it has the same amount, so only its place tells.
        with.next = rig.payProof(made, made.next, TRAINER, 2);
        vm.expectPartialRevert(IDisputes.WrongHash.selector);
        call(made, TRAINER, 0, with);
        with = parts(made, 0);
        with.before = rig.payProof(made, made.before, TRAINER, 5);
        vm.expectPartialRevert(IDisputes.WrongHash.selector);
        call(made, TRAINER, 0, with);
        // Word 1 for word 0, and a trainer's leaf for a verifier's.
        with = parts(made, 0);
        with.score = rig.scoreProof(made, 1);
        vm.expectPartialRevert(IDisputes.WrongHash.selector);
        call(made, TRAINER, 0, with);
        with = parts(made, 0);
        vm.expectPartialRevert(IDisputes.WrongHash.selector);
        call(made, VERIFIER, 0, with);
    }

    function test_proof_lengths_and_sums() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootPosted(task, 2);
        Parts memory with = parts(made, 0);
        with.next.sums = new uint96[](4);
        fails(ITreeErrors.BadProofLength.selector, 4, 5);
        call(made, TRAINER, 0, with);
        with = parts(made, 0);
        with.next.siblings = new bytes32[](6);
        fails(ITreeErrors.BadProofLength.selector, 6, 5);
        call(made, TRAINER, 0, with);
        with = parts(made, 0);
        uint256 total = uint256(type(uint96).max) + with.next.amount - with.next.sums[0];
        for (uint256 i = 0; i < 5; i++) total += with.next.sums[i];
        with.next.sums[0] = type(uint96).max;
        fails(ITreeErrors.SumOverflow.selector, total);
        call(made, TRAINER, 0, with);
    }

    /// @notice A root of children whose sums are not the total that was posted proves nothing, and can answer nothing.
    function test_total_is_bound() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        uint256 honest = uint128(made.state.totals);
        made.next.trainerPay[0] -= 2;
        made = rig.restate(made, ALL);
        made.state.totals += 2; // within the dust of three slots, but not the sum of the leaves
        made = rig.resignRoot(made, ALL);
        rig.postRoot(made);
        wrongHash("total", bytes32(honest - 2), bytes32(honest));
        rig.challengePay(made, TRAINER, 0);
    }
}
