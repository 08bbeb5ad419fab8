// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingDescendTest is TrainingBase {
    function test_the_steps_join_the_two_checkpoints() external {
        opened(2, 3);
        (ITrainingDisputes.Border memory first, ITrainingDisputes.Border memory last) =
            (border(2, false), border(2, true));
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.Descended(
            id, 2, stepRoot(2), checkpoints[2], checkpoints[3], uint40(block.timestamp) + MOVE_S
        );
        vm.prank(vm.addr(TRAINER_NODE));
        training.descend(id, stepRoot(2), first, last);
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        eq("low", game.low, 0);
        eq("high", game.high, STEPS);
        eq("segment", game.segment, 2);
        turnIs(ITrainingDisputes.Turn.Reseed);
    }

    /// @notice Neither end may be another state, nor stand elsewhere, in either tree.
    function test_refusals() external {
        opened(2, 3);
        (ITrainingDisputes.Border memory first, ITrainingDisputes.Border memory last) =
            (border(2, false), border(2, true));
        bytes32 root = stepRoot(2);
        fails(ITrainingDisputes.NotParty.selector, id, num(address(this)));
        training.descend(id, root, first, last);
        vm.startPrank(vm.addr(TRAINER_NODE));
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.descend(id, stepRoot(1), first, last);
        ITrainingDisputes.Border memory other = border(1, false);
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.descend(id, root, other, last);
        other = border(3, true);
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.descend(id, root, first, other);
        other = border(2, true);
        other.inSteps[0] = "x";
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.descend(id, root, first, other);
        other = border(2, false);
        other.inCheckpoints[0] = "x";
        vm.expectPartialRevert(ITrainingDisputes.WrongState.selector);
        training.descend(id, root, other, last);
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        fails(ITrainingDisputes.TurnOver.selector, id, deadline);
        training.descend(id, root, first, last);
    }

    function test_not_at_another_turn() external {
        opened();
        (ITrainingDisputes.Border memory first, ITrainingDisputes.Border memory last) =
            (border(0, false), border(0, true));
        vm.prank(vm.addr(TRAINER_NODE));
        wrongTurn(ITrainingDisputes.Turn.Answer, ITrainingDisputes.Turn.Descend);
        training.descend(id, stepRoot(0), first, last);
    }
}
