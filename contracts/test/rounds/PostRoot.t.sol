// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {RootRig} from "../RootRig.sol";

contract PostRootTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createRootTask();
    }

    function test_post() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        bytes32 digest = rounds.reportDigest(made.base.report);
        eq("the state is the report's words", made.base.report.wordsHash, keccak256(abi.encode(made.state)));
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Posted(task, 1, digest, made.base.report, ALL, 1, made.base.words);
        rig.postRoot(made);
        eq("hash", rounds.liveOf(task).postedHash, rig.hashOf(made.base));
        fails(IRoundBook.StaleReport.selector, 1, 1);
        rig.postRoot(made);
    }

    /// @notice Nothing is to be done between two rounds: the clock makes the first final, and the second promotes it.
    function test_the_next_post_promotes() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        (uint32 round, bytes32 hash) = rounds.parentOf(task);
        eq("built on genesis", round, 0);
        eq("no record", hash, bytes32(0));
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        (round, hash) = rounds.finalOf(task);
        eq("final by the clock", round, 1);
        eq("record", hash, rig.hashOf(first.base));
        RootRig.RootRound memory second = rig.rootPosted(task, 2);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("promoted", live.finalRound, 1);
        eq("its record", live.finalHash, rig.hashOf(first.base));
        eq("posted", live.postedRound, 2);
        eq("its record", live.postedHash, rig.hashOf(second.base));
        (round, hash) = rounds.parentOf(task);
        eq("built on the first", round, 1);
        eq("record", hash, rig.hashOf(first.base));
        rig.rootPosted(task, 4); // the third is skipped
        eq("promoted", rounds.liveOf(task).finalRound, 2);
        fails(IRoundBook.WrongMode.selector, 1, 0);
        rounds.finalise(task, first.base.parent, new uint256[](0), 0);
    }

    function test_states_are_bound() external {
        rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        bytes32 honest = keccak256(abi.encode(made.parentState));
        uint256 totals = made.parentState.totals;
        made.parentState.totals = 0;
        failsHash(IRoundBook.WrongHash.selector, bytes32("state"), keccak256(abi.encode(made.parentState)), honest);
        rig.postRoot(made);
        made.parentState.totals = totals;
        made.state.points += 1;
        failsHash(
            IRoundBook.WrongHash.selector,
            bytes32("state"),
            keccak256(abi.encode(made.state)),
            made.base.report.wordsHash
        );
        rig.postRoot(made);
        made.state.points -= 1;
        IRoundBook.Settled memory parent = made.base.parent;
        bytes32 expected = keccak256(abi.encode(parent));
        bytes32 state = parent.state;
        parent.state = "forged";
        failsHash(
            IRoundBook.WrongHash.selector,
            bytes32("settled"),
            keccak256(abi.encode(parent)),
            expected
        );
        rig.postRoot(made);
        parent.state = state;
        rig.postRoot(made);
    }

    /// @notice Before the first final round nothing has been earned, whatever the caller says of a parent.
    function test_genesis_has_no_state() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.parentState.totals = 5;
        rig.postRoot(made); // is not read
        eq("posted", rounds.liveOf(task).postedRound, 1);
    }

    function with(RootRig.RootRound memory made, uint256 trainers, uint256 verifiers, uint256 points)
        private
        view
        returns (RootRig.RootRound memory)
    {
        made.state.totals = trainers | (verifiers << 128);
        made.state.points = points;
        return rig.resignRoot(made, ALL);
    }

    function refuses(RootRig.RootRound memory made, bytes32 what, uint256 got, uint256 expected) private {
        failsFor(IRoundBook.WrongReward.selector, what, got, expected);
        rig.postRoot(made);
    }

    /// @notice A role's total grows by its pool, less at most a wei a slot; by nothing where nobody has points.
    function test_totals_follow_the_points() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        uint256 both = 1 | (1 << 128);
        refuses(with(made, 90e18 + 1, 10e18, both), "trainers", 90e18 + 1, 90e18);
        refuses(with(made, 90e18, 10e18 + 1, both), "verifiers", 10e18 + 1, 10e18);
        refuses(with(made, 90e18 - 4, 10e18, both), "trainers", 90e18 - 4, 90e18); // three slots
        refuses(with(made, 90e18, 10e18 - 8, both), "verifiers", 10e18 - 8, 10e18); // seven
        refuses(with(made, 1, 10e18, 1 << 128), "trainers", 1, 0);
        refuses(with(made, 90e18, 1, 1), "verifiers", 1, 0);
        refuses(with(made, 0, 10e18, both), "trainers", 0, 90e18);
        rig.postRoot(with(made, 90e18 - 3, 10e18 - 7, both));
    }

    function test_nobody_earned() external {
        RootRig.RootRound memory made = with(rig.rootMade(task, 1), 0, 0, 0);
        eq("reward", made.base.report.rewardTotal, 0);
        rig.postRoot(made);
    }

    /// @notice What was earned is never taken back.
    function test_totals_never_fall() external {
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        uint256 trainers = uint128(first.state.totals);
        uint256 verifiers = first.state.totals >> 128;
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        refuses(with(made, trainers - 1, verifiers + 10e18, 1 << 128), "trainers", trainers - 1, trainers);
        refuses(with(made, trainers + 90e18, verifiers - 1, 1), "verifiers", verifiers - 1, verifiers);
        rig.postRoot(with(made, trainers + 90e18, verifiers + 10e18, 1 | (1 << 128)));
    }

    function test_reward_total_is_exact() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        uint256 paid = made.base.report.rewardTotal;
        made.base.report.rewardTotal = paid - 1;
        made.base = rig.signOnly(made.base, ALL);
        refuses(made, "rewardTotal", paid - 1, paid);
        made.base.report.rewardTotal = paid + 1;
        made.base = rig.signOnly(made.base, ALL);
        refuses(made, "rewardTotal", paid + 1, paid);
    }

    function test_quorum() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.base = rig.signOnly(made.base, 0xf);
        fails(IRoundBook.NoQuorum.selector, 4, 5);
        rig.postRoot(made);
        made.base.seats[0].signer = vm.addr(9);
        made.base.committee = rig.packed(made.base.seats);
        failsHash(
            IRoundBook.WrongCommittee.selector, keccak256(made.base.committee), made.base.report.committeeHash
        );
        rig.postRoot(made);
    }

    function test_time_round_and_mode() external {
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.base.report.task = 9;
        fails(IRoundBook.UnknownTask.selector, 9);
        rig.postRoot(made);
        made.base.report.task = rig.createTask();
        fails(IRoundBook.WrongMode.selector, 1, 0);
        rig.postRoot(made);
        made.base.report.task = task;
        made.base.report.round = 2;
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rig.postRoot(made);
        made.base.report.round = 1;
        made.base.report.parent = "other";
        failsHash(IRoundBook.WrongParent.selector, bytes32("other"), bytes32("genesis"));
        rig.postRoot(made);
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
        fails(IRoundBook.WrongPhase.selector, 1, 3, 2);
        rig.postRoot(made);
    }
}
