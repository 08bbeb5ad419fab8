// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook, IRoundBook, IStakeVault} from "../Base.sol";
import {Trees} from "../Trees.sol";
import {ITrainingDisputes} from "../../interfaces/ITrainingDisputes.sol";

/// @notice A run of node 8 in round 1 of a task: 4 segments of 8 steps, states are any words. CHALLENGER has tokens.
abstract contract TrainingBase is Base {
    uint96 internal constant BOND = 50e18;
    uint40 internal constant MOVE_S = 60;
    uint40 internal constant VERDICT_S = 900;
    uint40 internal constant LEAVE_S = 5_000;
    uint32 internal constant TRAINER_NODE = 8;
    uint32 internal constant SEGMENTS = 4;
    uint32 internal constant STEPS = 8;
    address internal constant CHALLENGER = address(0xC0FFEE);
    ITrainingDisputes.Outcome internal constant TRAINER_WON = ITrainingDisputes.Outcome.TrainerWon;
    ITrainingDisputes.Outcome internal constant CHALLENGER_WON = ITrainingDisputes.Outcome.ChallengerWon;
    ITrainingDisputes.Outcome internal constant UNDECIDED = ITrainingDisputes.Outcome.Undecided;

    ITrainingDisputes internal training;
    uint64 internal task;
    uint64 internal id;
    uint256[] internal checkpoints;

    function setUp() public virtual override {
        super.setUp();
        training = ITrainingDisputes(
            vm.deployCode(
                "contracts/build/TrainingDisputes.json", abi.encode(rounds, BOND, MOVE_S, VERDICT_S, LEAVE_S)
            )
        );
        IRoundBook.TaskParams memory params = rig.params();
        params.startsAt = uint40(block.timestamp) + 100;
        task = rig.create(params);
        token.mint(CHALLENGER, 10 * BOND);
        vm.prank(CHALLENGER);
        token.approve(address(training), type(uint256).max);
        fund(BOND);
        for (uint256 i = 0; i <= SEGMENTS; i++) checkpoints.push(state(i * STEPS));
        rig.toPhase(task, 1, IRoundBook.Phase.Reveal);
    }

    function fund(uint96 amount) internal {
        address owner = ownerOf(TRAINER_NODE);
        vm.prank(owner);
        token.approve(address(training), amount);
        vm.prank(owner);
        training.bond(TRAINER_NODE, amount);
    }

    function state(uint256 step) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("state", step)));
    }

    function claim() internal view returns (ITrainingDisputes.Training memory) {
        bytes32 root = Trees.rootOf(checkpoints, Trees.depthOf(SEGMENTS + 1));
        return ITrainingDisputes.Training(task, 1, TRAINER_NODE, SEGMENTS, STEPS, root);
    }

    function signed(ITrainingDisputes.Training memory made) internal view returns (bytes memory) {
        return rig.sign(TRAINER_NODE, training.trainingDigest(made));
    }

    /// @dev Over the whole run, unless told otherwise.
    function opened() internal returns (uint64) {
        return opened(0, SEGMENTS);
    }

    function opened(uint32 low, uint32 high) internal returns (uint64) {
        ITrainingDisputes.Training memory made = claim();
        bytes memory signature = signed(made);
        vm.prank(CHALLENGER);
        id = training.open(made, signature, low, high, "rows");
        return id;
    }

    function stepsOf(uint256 segment) internal pure returns (uint256[] memory states) {
        states = new uint256[](STEPS + 1);
        for (uint256 i = 0; i <= STEPS; i++) states[i] = state(segment * STEPS + i);
    }

    function middle() internal view returns (uint32) {
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        return game.low + (game.high - game.low) / 2;
    }

    function sketch() internal pure returns (bytes memory) {
        return new bytes(64);
    }

    function answer() internal {
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        (uint256[] memory states, uint256 depth) = game.inSegment
            ? (stepsOf(game.segment), Trees.depthOf(STEPS + 1))
            : (checkpoints, Trees.depthOf(SEGMENTS + 1));
        uint32 index = middle();
        (, bytes32[] memory siblings) = Trees.words(states, depth, index);
        vm.prank(vm.addr(TRAINER_NODE));
        training.answer(id, states[index], siblings, sketch());
    }

    function choose(bool agrees) internal {
        vm.prank(CHALLENGER);
        training.choose(id, agrees);
    }

    function border(uint256 segment, bool last) internal view returns (ITrainingDisputes.Border memory made) {
        uint256 checkpoint = last ? segment + 1 : segment;
        uint256 step = last ? STEPS : 0;
        made.digest = checkpoints[checkpoint];
        (, made.inCheckpoints) = Trees.words(checkpoints, Trees.depthOf(SEGMENTS + 1), checkpoint);
        (, made.inSteps) = Trees.words(stepsOf(segment), Trees.depthOf(STEPS + 1), step);
    }

    function stepRoot(uint256 segment) internal pure returns (bytes32) {
        return Trees.rootOf(stepsOf(segment), Trees.depthOf(STEPS + 1));
    }

    function descend(uint256 segment) internal {
        (ITrainingDisputes.Border memory first, ITrainingDisputes.Border memory last) =
            (border(segment, false), border(segment, true));
        vm.prank(vm.addr(TRAINER_NODE));
        training.descend(id, stepRoot(segment), first, last);
    }

    function reseed() internal {
        vm.prank(CHALLENGER);
        training.reseed(id, "new rows");
    }

    /// @dev All the way down to step `faulty` of the whole run (from 0): the challenger agrees with what is before it.
    function bisect(uint256 faulty) internal returns (uint256 moves) {
        while (training.disputeOf(id).turn == ITrainingDisputes.Turn.Answer) {
            uint256 here = middle() * STEPS;
            answer();
            choose(here <= faulty);
            moves++;
        }
        uint256 segment = training.disputeOf(id).low;
        descend(segment);
        reseed();
        while (training.disputeOf(id).turn == ITrainingDisputes.Turn.Answer) {
            uint256 here = segment * STEPS + middle();
            answer();
            choose(here <= faulty);
            moves++;
        }
    }

    /// @dev The draw of a round, and its signatures under a verdict.
    function drawn(uint32 round) internal returns (IRoundBook.Seat[] memory) {
        return rig.draw(task, round);
    }

    function resolveBy(IRoundBook.Seat[] memory seats, uint32 round, bool trainerRight, uint256 signers) internal {
        bytes memory signatures = rig.signatures(seats, training.verdictDigest(id, trainerRight), signers);
        training.resolve(id, trainerRight, rig.seedOf(task, round), rig.packed(seats), signers, signatures);
    }

    function turnIs(ITrainingDisputes.Turn expected) internal view {
        eq("turn", uint256(training.disputeOf(id).turn), uint256(expected));
    }

    /// @dev What everybody has after the game: the challenger began with 10 bonds, the trainer with one.
    function checkMoney(ITrainingDisputes.Outcome outcome) internal view {
        (uint96 free,,) = training.bondOf(TRAINER_NODE);
        uint256 challenger = token.balanceOf(CHALLENGER);
        uint256 burnt = token.balanceOf(BURNT);
        bool trainerWon = outcome == TRAINER_WON;
        bool nobody = outcome == UNDECIDED;
        eq("trainer", free, trainerWon ? BOND + BOND / 2 : nobody ? BOND : 0);
        eq("challenger", challenger, trainerWon ? 9 * BOND : nobody ? 10 * BOND : 10 * BOND + BOND / 2);
        eq("burnt", burnt, nobody ? 0 : BOND / 2);
        eq("balance", token.balanceOf(address(training)), free);
        ITrainingDisputes.Dispute memory game = training.disputeOf(id);
        eq("outcome", uint256(game.outcome), uint256(outcome));
        eq("over", uint256(game.turn), uint256(ITrainingDisputes.Turn.Over));
        eq("fault", training.faultOf(game.training), outcome == CHALLENGER_WON ? id : 0);
    }

    function wrongTurn(ITrainingDisputes.Turn got, ITrainingDisputes.Turn needed) internal {
        fails(ITrainingDisputes.WrongTurn.selector, id, uint256(got), uint256(needed));
    }
}
