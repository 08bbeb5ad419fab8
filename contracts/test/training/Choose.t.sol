// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingChooseTest is TrainingBase {
    function test_the_half_with_the_fault_stays() external {
        opened();
        answer();
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.HalfChosen(
            id, false, 2, 4, ITrainingDisputes.Turn.Answer, uint40(block.timestamp) + MOVE_S
        );
        choose(true);
        answer();
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.HalfChosen(
            id, false, 2, 3, ITrainingDisputes.Turn.Descend, uint40(block.timestamp) + MOVE_S
        );
        choose(false);
        turnIs(ITrainingDisputes.Turn.Descend);
    }

    function test_refusals() external {
        opened();
        vm.prank(CHALLENGER);
        wrongTurn(ITrainingDisputes.Turn.Answer, ITrainingDisputes.Turn.Choose);
        training.choose(id, true);
        answer();
        fails(ITrainingDisputes.NotParty.selector, id, num(address(this)));
        training.choose(id, true);
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        vm.prank(CHALLENGER);
        fails(ITrainingDisputes.TurnOver.selector, id, deadline);
        training.choose(id, true);
    }

    /// @notice Wherever the fault is, it is found in log2(segments) + log2(steps) moves, at its own step.
    /// forge-config: default.fuzz.runs = 96
    function test_every_step_is_found(uint256 step) external {
        step = bound(step, 0, SEGMENTS * STEPS - 1);
        opened();
        eq("moves", bisect(step), 2 + 3);
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        eq("step", uint256(game.segment) * STEPS + game.low, step);
        eq("next", game.high, game.low + 1);
        turnIs(ITrainingDisputes.Turn.Judge);
        eq("deadline", game.deadline, block.timestamp + VERDICT_S);
    }
}
