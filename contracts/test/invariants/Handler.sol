// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {RootRig} from "../RootRig.sol";
import {Trees} from "../Trees.sol";
import {Watch} from "./Watch.sol";

/// @notice All parties in one: owners of nodes, members, a watcher, and sponsors, whose moves are here. A task that is over
/// is closed and another takes its place, so that there are always three in play.
contract Handler is Watch {
    uint16 private constant ROUNDS = 6;
    address private constant BURNT = 0x000000000000000000000000000000000000dEaD;

    mapping(uint64 task => uint256) public funded;
    mapping(uint64 task => uint256) public returned; // to its owner, or burnt
    mapping(uint64 task => uint256[2]) public paid; // to each role
    mapping(uint64 task => uint32) public finalRound; // as last seen
    mapping(uint64 task => bytes32) public finalHash;

    constructor() RootRig(address(0)) {
        for (uint32 node = 1; node <= nodes; node++) {
            invest(node, 2 * SEAT);
            takeSeats(node, 2);
        }
        for (uint8 which = 0; which < 3; which++) open(which, false);
    }

    function tasks() external view returns (uint64[] memory) {
        return _tasks;
    }

    // ---- moves ----

    function fund(uint8 which) external {
        uint64 task = pick(which);
        if (rounds.taskOf(task).closed || rounds.liveOf(task).fundedRounds == ROUNDS) return;
        vm.prank(SPONSOR);
        rounds.fundTask(task, 1);
        funded[task] += 1;
        moves["fund"]++;
    }

    /// @notice Once it is over a task can always be closed, when the last post is applied; before its start, cancelled.
    function close(uint8 which, bool later) external {
        uint64 task = pick(which);
        settle(task, type(uint32).max);
        (, IRoundBook.Phase phase,) = rounds.clockAt(task, 0);
        uint256 held = rewards.balanceOf(task);
        uint256 burnt = token.balanceOf(BURNT);
        if (phase == IRoundBook.Phase.Over) {
            reclaimed(task);
            if (isRoot(task)) {
                (IRoundBook.Settled memory record, IRoundBook.RootState memory state,) = finalLedger(task);
                rounds.closeRootTask(task, record, state);
            } else {
                rounds.closeTask(task);
            }
            uint256 fees = (rounds.liveOf(task).draws - earning[task]) * 4 * SEAT_FEE;
            require(token.balanceOf(BURNT) - burnt == fees, "the seats of what was not settled");
            moves["close"]++;
        } else if (block.timestamp < rounds.taskOf(task).params.startsAt) {
            vm.prank(SPONSOR);
            rounds.cancelTask(task);
            require(rewards.balanceOf(task) == 0, "all returns");
            moves["cancel"]++;
        } else {
            return;
        }
        returned[task] = held - rewards.balanceOf(task);
        open(which % 3, later);
    }

    function claim(uint32 node, uint256 which, bool trains) external {
        claimFor(_tasks[which % _tasks.length], one(node), trains ? TRAINER : VERIFIER);
    }

    /// @notice Who has earned something since its last claim is paid it, to the wei, whatever the task has come to.
    function claimFor(uint64 task, uint32 node, IReputationBook.Role role) public {
        settle(task, type(uint32).max);
        uint32 slot;
        try book.slotOf(task, role, node) returns (uint32 found) {
            slot = found;
        } catch {
            return; // came when the task was over
        }
        uint256 held = token.balanceOf(ownerOf(node));
        uint96 due;
        if (isRoot(task)) {
            (IRoundBook.Settled memory record, IRoundBook.RootState memory state, Ledger memory ledger) =
                finalLedger(task);
            if (record.digest == 0) return;
            IDisputes.PayProof memory proof = leafOf(ledger, role, slot);
            due = rewards.claimedOf(task, role, node);
            due = proof.amount > due ? proof.amount - due : 0;
            if (due == 0 || (poisoned[task] && role == TRAINER)) return;
            rewards.claimRoot(task, role, node, record, state, proof.amount, proof.sums, proof.siblings);
        } else {
            uint256 pool = rounds.poolOf(task, role);
            due = uint96(
                book.contributionOf(task, role, node) * pool / 1e6 - rewards.claimedOf(task, role, node) * pool / 1e6
            );
            if (due == 0) return;
            rewards.claim(task, role, node);
        }
        require(token.balanceOf(ownerOf(node)) - held == due, "what was due");
        paid[task][uint8(role)] += due;
        moves[isRoot(task) ? bytes32("claimRoot") : bytes32("claim")]++;
    }

    /// @notice For the invariant that a final record stands.
    function note(uint64 task) external {
        (finalRound[task], finalHash[task]) = rounds.finalOf(task);
    }

    // ---- how ----

    function leafOf(Ledger memory ledger, IReputationBook.Role role, uint32 slot)
        private
        pure
        returns (IDisputes.PayProof memory)
    {
        return Trees.payProof(role == TRAINER ? ledger.trainerPay : ledger.verifierPay, 4, slot);
    }

    function open(uint8 which, bool later) private {
        IRoundBook.TaskParams memory wanted = which == 2 ? rootParams() : params();
        (wanted.rounds, wanted.seats, wanted.quorum, wanted.levels) = (ROUNDS, 4, 3, 0);
        wanted.startsAt = later ? uint40(block.timestamp) + 50 : 0;
        vm.prank(SPONSOR);
        uint64 task = rounds.createTask(wanted, 2);
        funded[task] = 2;
        current[which] = task;
        _tasks.push(task);
        for (uint32 node = 1; node <= nodes; node++) enter(task, node);
    }
}
