// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook, ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingOpenTest is TrainingBase {
    function test_it_locks_both_bonds_and_asks_the_trainer() external {
        ITrainingDisputes.Training memory made = claim();
        uint40 deadline = uint40(block.timestamp) + MOVE_S;
        bytes memory signature = signed(made);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.DisputeOpened(
            1, task, TRAINER_NODE, CHALLENGER, made, 0, SEGMENTS, "rows", BOND, ITrainingDisputes.Turn.Answer, deadline
        );
        vm.prank(CHALLENGER);
        id = training.open(made, signature, 0, SEGMENTS, "rows");
        eq("id", id, 1);
        eq("count", training.disputeCount(), 1);
        (uint96 free,,) = training.bondOf(TRAINER_NODE);
        eq("locked", free, 0);
        eq("challenger", token.balanceOf(CHALLENGER), 9 * BOND);
        eq("balance", token.balanceOf(address(training)), 2 * BOND);
        turnIs(ITrainingDisputes.Turn.Answer);
        eq("deadline", training.disputeOf(id).deadline, deadline);
    }

    /// @notice One segment needs no answer at its level, one step of one segment no steps.
    function test_a_shorter_range_begins_further_down() external {
        opened(1, 2);
        turnIs(ITrainingDisputes.Turn.Descend);
        ITrainingDisputes.Training memory made = claim();
        made.steps = 1;
        bytes memory signature = signed(made);
        vm.prank(CHALLENGER);
        id = training.open(made, signature, 3, 4, "rows");
        turnIs(ITrainingDisputes.Turn.Judge);
        eq("deadline", training.disputeOf(id).deadline, block.timestamp + VERDICT_S);
    }

    /// @notice A friend who locks the bond by a dispute to lose keeps nobody out.
    function test_an_empty_bond_keeps_nobody_out() external {
        opened();
        opened();
        eq("locked", training.disputeOf(id).trainerBond, 0);
        turnIs(ITrainingDisputes.Turn.Answer);
    }

    function badTraining(bytes32 field) private {
        fails(ITrainingDisputes.BadTraining.selector, uint256(field));
    }

    function test_ranges() external {
        ITrainingDisputes.Training memory made = claim();
        bytes memory signature = signed(made);
        vm.startPrank(CHALLENGER);
        badTraining("range");
        training.open(made, signature, 2, 2, "rows");
        badTraining("range");
        training.open(made, signature, 0, SEGMENTS + 1, "rows");
        made.segments = 0;
        badTraining("segments");
        training.open(made, signature, 0, 1, "rows");
        made.segments = type(uint32).max;
        badTraining("segments");
        training.open(made, signature, 0, 1, "rows");
        (made.segments, made.steps) = (SEGMENTS, 0);
        badTraining("steps");
        training.open(made, signature, 0, 1, "rows");
        made.steps = type(uint32).max;
        badTraining("steps");
        training.open(made, signature, 0, 1, "rows");
    }

    /// @notice Every field is signed, by the trainer's hot key alone.
    function test_signatures() external {
        ITrainingDisputes.Training memory made = claim();
        bytes memory others = rig.sign(9, training.trainingDigest(made));
        vm.startPrank(CHALLENGER);
        fails(ITrainingDisputes.BadTrainingSignature.selector, TRAINER_NODE);
        training.open(made, others, 0, SEGMENTS, "rows");
        bytes memory good = signed(made);
        made.root = "another";
        fails(ITrainingDisputes.BadTrainingSignature.selector, TRAINER_NODE);
        training.open(made, good, 0, SEGMENTS, "rows");
        made = claim();
        made.steps = STEPS + 1;
        fails(ITrainingDisputes.BadTrainingSignature.selector, TRAINER_NODE);
        training.open(made, good, 0, SEGMENTS, "rows");
        fails(ITrainingDisputes.BadTrainingSignature.selector, TRAINER_NODE);
        training.open(claim(), "", 0, SEGMENTS, "rows");
    }

    function test_only_while_the_round_is_open() external {
        ITrainingDisputes.Training memory made = claim();
        bytes memory signature = signed(made);
        rig.toPhase(task, 1, IRoundBook.Phase.Commit);
        vm.startPrank(CHALLENGER);
        notDisputable(1, IRoundBook.Phase.Commit);
        training.open(made, signature, 0, SEGMENTS, "rows");
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1); // the last second of the window
        training.open(made, signature, 0, SEGMENTS, "rows");
        vm.warp(block.timestamp + 1);
        notDisputable(2, IRoundBook.Phase.Commit);
        training.open(made, signature, 0, SEGMENTS, "rows");
        rig.toPhase(task, 2, IRoundBook.Phase.Reveal);
        notDisputable(2, IRoundBook.Phase.Reveal);
        training.open(made, signature, 0, SEGMENTS, "rows");
    }

    function notDisputable(uint32 current, IRoundBook.Phase phase) private {
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingDisputes.NotDisputable.selector, task, 1, current, uint8(phase))
        );
    }

    /// @notice A training that has lost once is not disputed again.
    function test_a_known_fault_is_not_disputed_again() external {
        opened();
        vm.warp(block.timestamp + MOVE_S + 1);
        training.timeout(id);
        bytes32 hash = training.disputeOf(id).training;
        ITrainingDisputes.Training memory made = claim();
        bytes memory signature = signed(made);
        fails(ITrainingDisputes.AlreadyFaulty.selector, uint256(hash));
        vm.prank(CHALLENGER);
        training.open(made, signature, 0, SEGMENTS, "rows");
    }

    function test_unknown_disputes() external {
        fails(ITrainingDisputes.UnknownDispute.selector, 1);
        training.disputeOf(1);
        fails(ITrainingDisputes.UnknownDispute.selector, 1);
        training.timeout(1);
        fails(ITrainingDisputes.UnknownDispute.selector, 1);
        training.verdictDigest(1, true);
    }
}
