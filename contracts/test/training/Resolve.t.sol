// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook, ITrainingDisputes, TrainingBase} from "./TrainingBase.sol";

contract TrainingResolveTest is TrainingBase {
    /// @dev A dispute of round 1 at its last step, and the draw of round 2.
    function judged() private returns (IRoundBook.Seat[] memory seats) {
        opened();
        bisect(21);
        seats = drawn(2);
        turnIs(ITrainingDisputes.Turn.Judge);
    }

    function test_a_wrong_trainer_loses() external {
        IRoundBook.Seat[] memory seats = judged();
        vm.expectEmit(true, true, true, true);
        emit ITrainingDisputes.DisputeClosed(
            id, task, TRAINER_NODE, ITrainingDisputes.Turn.Judge, CHALLENGER_WON, BOND / 2, BOND / 2
        );
        resolveBy(seats, 2, false, ALL);
        checkMoney(CHALLENGER_WON);
        wrongTurn(ITrainingDisputes.Turn.Over, ITrainingDisputes.Turn.Judge);
        training.resolve(id, false, 0, "", 0, "");
    }

    function test_a_wrong_challenger_loses() external {
        IRoundBook.Seat[] memory seats = judged();
        resolveBy(seats, 2, true, ALL);
        checkMoney(TRAINER_WON);
    }

    function test_signatures_of_a_quorum_for_this_verdict() external {
        IRoundBook.Seat[] memory seats = judged();
        bytes32 seed = rig.seedOf(task, 2);
        bytes memory committee = rig.packed(seats);
        bytes memory four = rig.signatures(seats, training.verdictDigest(id, false), 0x0f);
        fails(IRoundBook.NoQuorum.selector, 4, 5);
        training.resolve(id, false, seed, committee, 0x0f, four);
        bytes memory others = rig.signatures(seats, training.verdictDigest(id, true), ALL);
        vm.expectPartialRevert(IRoundBook.BadSignature.selector);
        training.resolve(id, false, seed, committee, ALL, others);
    }

    function test_only_the_drawn_committee() external {
        IRoundBook.Seat[] memory seats = judged();
        bytes memory four = rig.signatures(seats, training.verdictDigest(id, false), ALL);
        bytes memory committee = rig.packed(seats);
        bytes32 seed = rig.seedOf(task, 2);
        bytes32 wrong = rig.seedOf(task, 1);
        vm.expectPartialRevert(IRoundBook.WrongDraw.selector);
        training.resolve(id, false, wrong, committee, ALL, four);
        (seats[0], seats[1]) = (seats[1], seats[0]);
        committee = rig.packed(seats);
        vm.expectPartialRevert(IRoundBook.WrongDraw.selector);
        training.resolve(id, false, seed, committee, ALL, four);
    }

    /// @notice The draw that the disputed round was settled by does not judge it, unless no other can come.
    function test_the_disputed_round_does_not_judge_itself() external {
        IRoundBook.Seat[] memory seats = drawn(1);
        opened();
        bisect(3);
        bytes memory signatures = rig.signatures(seats, training.verdictDigest(id, false), ALL);
        bytes memory committee = rig.packed(seats);
        bytes32 seed = rig.seedOf(task, 1);
        fails(ITrainingDisputes.NotLaterDraw.selector, 1, 1);
        training.resolve(id, false, seed, committee, ALL, signatures);
    }

    function test_the_last_draw_judges_when_the_task_is_over() external {
        rig.toPhase(task, 4, IRoundBook.Phase.Reveal);
        IRoundBook.Seat[] memory seats = drawn(4);
        ITrainingDisputes.Training memory made = claim();
        made.round = 4;
        bytes memory signature = signed(made);
        vm.warp(block.timestamp + 199); // the window's last second
        vm.prank(CHALLENGER);
        id = training.open(made, signature, 0, SEGMENTS, "rows");
        bisect(31);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        resolveBy(seats, 4, false, ALL);
        checkMoney(CHALLENGER_WON);
    }

    function test_too_late() external {
        IRoundBook.Seat[] memory seats = judged();
        uint40 deadline = training.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        bytes memory signatures = rig.signatures(seats, training.verdictDigest(id, true), ALL);
        bytes memory committee = rig.packed(seats);
        bytes32 seed = rig.seedOf(task, 2);
        fails(ITrainingDisputes.TurnOver.selector, id, deadline);
        training.resolve(id, true, seed, committee, ALL, signatures);
    }

    /// @notice A verdict fits one step: another dispute of the same training has another digest.
    function test_a_verdict_is_of_one_dispute() external {
        judged();
        bytes32 digest = training.verdictDigest(id, true);
        rig.toPhase(task, 1, IRoundBook.Phase.Reveal);
        opened();
        bisect(20);
        require(training.verdictDigest(id, true) != digest, NotEqual("digest", 0, 0));
    }
}
