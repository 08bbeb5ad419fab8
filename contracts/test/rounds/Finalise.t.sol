// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract FinaliseTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function test_finalise() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        bytes32 hash = rounds.liveOf(task).postedHash;
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1);
        fails(IRoundBook.WindowOpen.selector, block.timestamp + 1);
        rig.finalise(made);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Finalised(task, 1, made.report.model, 0, 2);
        rig.finalise(made);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("final round", live.finalRound, 1);
        eq("record", live.finalHash, hash);
        eq("nothing pending", live.postedRound, 0);
        eq("no hash", live.postedHash, bytes32(0));
        eq("cursor", live.appliedWords, 0);
        eq("trainer", book.reputationOf(task, TRAINER, 8), 2500);
        eq("verifier", book.reputationOf(task, VERIFIER, 1), 2500);
        eq("units", book.contributionOf(task, TRAINER, 8), 333_333);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
    }

    function test_refusals() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        IRoundBook.Settled memory settled = rig.settled(made);
        bytes32 hash = rig.hashOf(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        uint64 other = rig.createTask();
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.finalise(9, settled, made.words, END);
        fails(IRoundBook.NothingPosted.selector, other);
        rounds.finalise(other, settled, made.words, END);
        settled.model = "mine";
        failsHash(IRoundBook.WrongHash.selector, bytes32("settled"), keccak256(abi.encode(settled)), hash);
        rounds.finalise(task, settled, made.words, END);
        settled.model = made.report.model;
        settled.trainerWords = 2; // verifiers' words to trainers
        failsHash(IRoundBook.WrongHash.selector, bytes32("settled"), keccak256(abi.encode(settled)), hash);
        rounds.finalise(task, settled, made.words, END);
        settled.trainerWords = 1;
        made.words[0] = 7;
        bytes32 mine = keccak256(abi.encodePacked(made.words));
        failsHash(IRoundBook.WrongHash.selector, bytes32("words"), mine, made.report.wordsHash);
        rounds.finalise(task, settled, made.words, END);
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
        eq("verifier", book.reputationOf(task, VERIFIER, 1), 2500);
    }

    /// @notice A round without a post needs nothing: the next one builds on the same parent and nobody decays.
    function test_skipped_round() external {
        rig.finalised(task, 1);
        Rig.Settlement memory made = rig.finalised(task, 4);
        eq("final", rounds.liveOf(task).finalRound, 4);
        eq("reputation", book.reputationOf(task, TRAINER, 8), uint256(2500 + 2343)); // 37,500 / 16, floored
        eq("built on the first", made.report.parent, keccak256(abi.encode("model", uint32(1))));
    }

    /// @notice A round can be finalised rounds later.
    function test_late() external {
        Rig.Settlement memory made = rig.posted(task, 1);
        rig.toPhase(task, 9, IRoundBook.Phase.Post);
        rig.finalise(made);
        eq("final", rounds.liveOf(task).finalRound, 1);
    }

    /// @notice A task that nobody has joined settles nothing, and is not stuck by it.
    function test_no_words() external {
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        task = rounds.createTask(params, 2);
        Rig.Settlement memory made = rig.blank(task, 1, rig.draw(task, 1));
        made = rig.resign(made, ALL);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Finalised(task, 1, made.report.model, 0, 0);
        rig.finalise(made);
        eq("final", rounds.liveOf(task).finalRound, 1);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
    }

    // ---- in parts ----

    /// @notice Three words, a word at a time: the last part makes the round final.
    function test_in_parts() external {
        Rig.Settlement memory made = threeWords();
        rig.finaliseTo(made, 1);
        eq("cursor", rounds.liveOf(task).appliedWords, 1);
        eq("not yet", rounds.liveOf(task).finalRound, 0);
        eq("first word", book.reputationOf(task, TRAINER, 8), 2500);
        eq("second word", book.wordAt(task, TRAINER, 1), 0);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Finalised(task, 1, made.report.model, 1, 2);
        rig.finaliseTo(made, 2);
        eq("cursor", rounds.liveOf(task).appliedWords, 2);
        eq("second word", book.wordAt(task, TRAINER, 1) >> 240, 1);
        eq("verifiers", book.reputationOf(task, VERIFIER, 1), 0);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Finalised(task, 1, made.report.model, 2, 3);
        rig.finaliseTo(made, 3);
        eq("cursor", rounds.liveOf(task).appliedWords, 0);
        eq("final", rounds.liveOf(task).finalRound, 1);
        eq("verifiers", book.reputationOf(task, VERIFIER, 1), 2500);
        eq("both pools are released", book.contributionOf(task, TRAINER, 8), 1_000_000 / 16);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        eq("balance", rewards.balanceOf(task), POOLS);
    }

    function test_no_part_twice_and_none_left_out() external {
        Rig.Settlement memory made = threeWords();
        failsFor(IRoundBook.WrongLength.selector, bytes32("upTo"), 0, 1);
        rig.finaliseTo(made, 0);
        rig.finaliseTo(made, 2);
        failsFor(IRoundBook.WrongLength.selector, bytes32("upTo"), 2, 3);
        rig.finaliseTo(made, 2);
        failsFor(IRoundBook.WrongLength.selector, bytes32("upTo"), 1, 3);
        rig.finaliseTo(made, 1);
        // Half applied is not applied: nothing is posted on top, and the task is not closed.
        IRoundBook.Seat[] memory seats = rig.draw(task, 2);
        Rig.Settlement memory next = rig.settlement(task, 2, seats, 0, 0, ALL);
        fails(IRoundBook.NotFinalised.selector, 1);
        rig.post(next);
        rig.finalise(made);
        eq("final", rounds.liveOf(task).finalRound, 1);
        eq("the cursor begins anew", rounds.liveOf(task).appliedWords, 0);
    }

    /// @notice Parts and the whole give the same words.
    /// forge-config: default.fuzz.runs = 96
    function testFuzz_parts_are_the_whole(uint256 seed, uint8 first) external {
        Rig.Settlement memory made = rig.settlement(task, 1, more(), 0, 0, ALL);
        made.words = new uint256[](3);
        made.trainerWords = 2;
        made.words[0] = seed >> 16;
        made.words[1] = uint16(seed >> 8);
        made.words[2] = seed >> 144;
        made = rig.resign(made, ALL);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        uint256 before = vm.snapshotState();
        rig.finalise(made);
        bytes32 whole = everything();
        vm.revertToState(before);
        rig.finaliseTo(made, uint32(bound(first, 1, 2)));
        rig.finalise(made);
        eq("the same", everything(), whole);
    }

    function everything() private view returns (bytes32) {
        uint256[6] memory all = [
            book.wordAt(task, TRAINER, 0),
            book.wordAt(task, TRAINER, 1),
            book.wordAt(task, VERIFIER, 0),
            book.contributionWordAt(task, TRAINER, 0),
            book.contributionWordAt(task, TRAINER, 1),
            book.contributionWordAt(task, VERIFIER, 0)
        ];
        return keccak256(abi.encode(all, rounds.liveOf(task)));
    }

    function more() private returns (IRoundBook.Seat[] memory) {
        for (uint256 key = 11; key <= 23; key++) {
            rig.register(key, SEAT);
            rig.join(task, uint32(key), TRAINER);
        }
        return rig.draw(task, 1);
    }

    /// @dev Sixteen trainers and seven verifiers, posted, the window closed.
    function threeWords() private returns (Rig.Settlement memory made) {
        made = rig.settlement(task, 1, more(), 0, 0, ALL);
        made.words = new uint256[](3);
        made.trainerWords = 2;
        (made.words[0], made.words[1], made.words[2]) =
            (rig.lanes(40_000, 15), 40_000, rig.lanes(40_000, 7));
        made = rig.resign(made, ALL);
        rig.post(made);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
    }
}
