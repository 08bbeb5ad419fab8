// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingTimeoutTest is TrainingBase {
    function over(ITrainingDisputes.Turn turn, ITrainingDisputes.Outcome outcome) private {
        turnIs(turn);
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline);
        fails(ITrainingDisputes.TurnOpen.selector, id, deadline);
        training.timeout(id);
        vm.warp(deadline + 1);
        bool nobody = outcome == UNDECIDED;
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.DisputeClosed(
            id, task, TRAINER_NODE, turn, outcome, nobody ? 0 : BOND / 2, nobody ? 0 : BOND / 2
        );
        training.timeout(id);
        checkMoney(outcome);
        wrongTurn(ITrainingDisputes.Turn.Over, ITrainingDisputes.Turn.Judge);
        training.timeout(id);
    }

    function test_a_trainer_that_does_not_answer_loses() external {
        opened();
        over(ITrainingDisputes.Turn.Answer, CHALLENGER_WON);
    }

    function test_a_trainer_that_does_not_show_its_steps_loses() external {
        opened(0, 1);
        over(ITrainingDisputes.Turn.Descend, CHALLENGER_WON);
    }

    function test_a_challenger_that_does_not_choose_loses() external {
        opened();
        answer();
        over(ITrainingDisputes.Turn.Choose, TRAINER_WON);
    }

    function test_a_challenger_that_draws_no_rows_loses() external {
        opened(0, 1);
        descend(0);
        over(ITrainingDisputes.Turn.Reseed, TRAINER_WON);
    }

    function test_a_silent_committee_costs_nobody() external {
        opened();
        bisect(13);
        over(ITrainingDisputes.Turn.Judge, UNDECIDED);
    }
}
