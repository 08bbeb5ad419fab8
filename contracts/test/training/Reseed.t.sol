// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingReseedTest is TrainingBase {
    function test_rows_come_after_the_steps() external {
        opened(0, 1);
        vm.prank(CHALLENGER);
        wrongTurn(ITrainingDisputes.Turn.Descend, ITrainingDisputes.Turn.Reseed);
        training.reseed(id, "early");
        descend(0);
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.Reseeded(id, "new rows", uint40(block.timestamp) + MOVE_S);
        reseed();
        turnIs(ITrainingDisputes.Turn.Answer);
    }

    function test_refusals() external {
        opened(0, 1);
        descend(0);
        fails(ITrainingDisputes.NotParty.selector, id, num(address(this)));
        training.reseed(id, "rows");
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        vm.prank(CHALLENGER);
        fails(ITrainingDisputes.TurnOver.selector, id, deadline);
        training.reseed(id, "rows");
    }
}
