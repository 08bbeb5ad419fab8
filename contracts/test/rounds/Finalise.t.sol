// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract FinaliseTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function test_finalise() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1);
        fails(IRoundBook.WindowOpen.selector, block.timestamp + 1);
        rig.finalise(made);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Finalised(task, 1, "genesis", made.report.model, 999_999, 999_999);
        rig.finalise(made);
        IRoundBook.Task memory now_ = rounds.taskOf(task);
        eq("model", now_.model, made.report.model);
        eq("final round", now_.finalRound, 1);
        eq("finalised", now_.finalised, 1);
        eq("trainer", book.reputationOf(task, TRAINER, 8), 2500);
        eq("verifier", book.reputationOf(task, VERIFIER, 1), 2500);
        eq("units", book.contributionOf(task, TRAINER, 8), 333_333);
        eq("no digest", rounds.liveOf(task).reportDigest, bytes32(0));
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
    }

    function test_refusals() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        bytes32 digest = rounds.reportDigest(made.report);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        uint64 other = rig.createTask();
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.finalise(9, made.report, made.trainerWords, made.verifierWords);
        fails(IRoundBook.NothingPosted.selector, other);
        rounds.finalise(other, made.report, made.trainerWords, made.verifierWords);
        made.report.model = "mine";
        bytes32 mine = rounds.reportDigest(made.report);
        fails(IRoundBook.WrongHash.selector, uint256(bytes32("report")), uint256(mine), uint256(digest));
        rig.finalise(made);
        made.report.model = keccak256(abi.encode("model", uint32(1)));
        made.trainerWords[0] = 7;
        mine = keccak256(abi.encodePacked(made.trainerWords, made.verifierWords));
        fails(
            IRoundBook.WrongHash.selector, uint256(bytes32("words")), uint256(mine), uint256(made.report.wordsHash)
        );
        rig.finalise(made);
    }

    /// @notice Slots opened since the post, even a whole new word of them, are not due.
    function test_slots_opened_since_the_post() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
        for (uint256 key = 11; key <= 25; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        rig.finalise(made);
        eq("newcomer", book.reputationOf(task, TRAINER, 11), 0);
        eq("second word", book.wordAt(task, TRAINER, 1), 0);
    }

    /// @notice A round without a post needs nothing: the next one builds on the same parent and nobody decays.
    function test_skipped_round() external {
        rig.finalised(task, 1);
        Rig.Settlement memory made = rig.finalised(task, 4);
        eq("final", rounds.taskOf(task).finalRound, 4);
        eq("count", rounds.taskOf(task).finalised, 2);
        eq("reputation", book.reputationOf(task, TRAINER, 8), uint256(2500 + 2343)); // 37,500 / 16, floored
        eq("model", rounds.taskOf(task).model, made.report.model);
    }

    /// @notice A round can be finalised rounds later.
    function test_late() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        rig.toPhase(task, 9, IRoundBook.Phase.Post);
        rig.finalise(made);
        eq("final", rounds.taskOf(task).finalRound, 1);
    }
}
