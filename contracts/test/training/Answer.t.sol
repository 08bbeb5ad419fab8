// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";
import {Trees} from "../Trees.sol";

contract TrainingAnswerTest is TrainingBase {
    function test_the_middle_is_proved_and_its_sketch_told() external {
        opened();
        vm.warp(block.timestamp + MOVE_S); // the deadline is inclusive
        (, bytes32[] memory siblings) = Trees.words(checkpoints, 3, 2);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.MiddleStated(
            id, false, 2, checkpoints[2], sketch(), uint40(block.timestamp) + MOVE_S
        );
        vm.prank(ownerOf(TRAINER_NODE)); // the cold key may, too
        training.answer(id, checkpoints[2], siblings, sketch());
        turnIs(ITrainingDisputes.Turn.Choose);
    }

    function test_refusals() external {
        opened();
        (bytes32 root, bytes32[] memory siblings) = Trees.words(checkpoints, 3, 2);
        fails(ITrainingDisputes.NotParty.selector, id, num(address(this)));
        training.answer(id, checkpoints[2], siblings, sketch());
        vm.startPrank(vm.addr(TRAINER_NODE));
        fails(ITrainingDisputes.WrongSketchLength.selector, 63, 2048);
        training.answer(id, checkpoints[2], siblings, new bytes(63));
        fails(ITrainingDisputes.WrongSketchLength.selector, 0, 2048);
        training.answer(id, checkpoints[2], siblings, "");
        fails(ITrainingDisputes.WrongSketchLength.selector, 2080, 2048);
        training.answer(id, checkpoints[2], siblings, new bytes(2080));
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.answer(id, checkpoints[1], siblings, sketch());
        // Another state's true proof does not stand at the middle.
        (, bytes32[] memory others) = Trees.words(checkpoints, 3, 3);
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.answer(id, checkpoints[3], others, sketch());
        eq("root", root, claim().root);
        bytes32[] memory short = new bytes32[](2);
        fails(IProofErrors.BadProofLength.selector, 2, 3);
        training.answer(id, checkpoints[2], short, sketch());
        training.answer(id, checkpoints[2], siblings, sketch());
        wrongTurn(ITrainingDisputes.Turn.Choose, ITrainingDisputes.Turn.Answer);
        training.answer(id, checkpoints[2], siblings, sketch());
    }

    function test_too_late() external {
        opened();
        (, bytes32[] memory siblings) = Trees.words(checkpoints, 3, 2);
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        fails(ITrainingDisputes.TurnOver.selector, id, deadline);
        vm.prank(vm.addr(TRAINER_NODE));
        training.answer(id, checkpoints[2], siblings, sketch());
    }

    /// @notice In the segment the steps' tree counts, not the checkpoints'.
    function test_in_the_segment_steps_are_proved() external {
        opened(1, 2);
        descend(1);
        reseed();
        (, bytes32[] memory siblings) = Trees.words(checkpoints, 3, 4);
        vm.prank(vm.addr(TRAINER_NODE));
        fails(IProofErrors.BadProofLength.selector, 3, 4);
        training.answer(id, checkpoints[4], siblings, sketch());
        answer();
        turnIs(ITrainingDisputes.Turn.Choose);
    }
}

interface IProofErrors {
    error BadProofLength(uint256 got, uint256 expected);
}
