// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RootRig} from "../RootRig.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {IStakeVault} from "../../interfaces/IStakeVault.sol";

/// @notice What owners do with stake and seats, in any order; and who does wrong outside of rounds. Nodes 1 and 2 never do.
abstract contract Nodes is RootRig {
    uint32 internal constant SAINTS = 2;
    uint32 internal constant MOST_NODES = 14;
    uint32 internal constant MOST_SEATS = 40;

    uint32 public nodes = MEMBERS + TRAINERS;
    uint64[3] public current; // tasks in play: two in words, one in root mode
    uint64[] internal _tasks;
    mapping(uint32 node => uint256) public put; // by the owner: bonded, less withdrawn
    mapping(uint32 node => uint256) public lost; // by proven faults
    mapping(bytes32 move => uint256) public moves;

    /// @dev Time passes; honest members answer in time what they are asked.
    function to(uint256 time) internal virtual;

    function stakeOf(uint32 node) public view returns (uint256) {
        IStakeVault.Node memory record = vault.nodeOf(node);
        return uint256(record.bonded) + record.exiting;
    }

    function one(uint32 node) internal view returns (uint32) {
        return 1 + node % nodes;
    }

    function pick(uint8 which) internal view returns (uint64) {
        return current[which % 3];
    }

    function within(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function register(uint256 key, uint96 amount) public override {
        super.register(key, amount);
        put[uint32(key)] += amount;
    }

    function invest(uint32 node, uint96 amount) internal {
        vm.prank(ownerOf(node));
        vault.bond(node, amount);
        put[node] += amount;
    }

    // ---- moves ----

    function bond(uint32 node, uint96 amount) external {
        node = one(node);
        if (put[node] > 20 * SEAT) return;
        invest(node, uint96(within(amount, 1, 2 * SEAT)));
        moves["bond"]++;
    }

    function unbond(uint32 node, uint96 amount) external {
        node = one(node);
        IStakeVault.Node memory record = vault.nodeOf(node);
        uint96 free = record.bonded - record.seats * SEAT; // covered, or this underflows
        if (free == 0) return;
        vm.prank(ownerOf(node));
        vault.unbond(node, uint96(within(amount, 1, free)));
        moves["unbond"]++;
    }

    /// @notice Exit is possible whenever the delay is over, whatever the others did.
    function withdraw(uint32 node, uint8 patience) external {
        node = one(node);
        IStakeVault.Node memory record = vault.nodeOf(node);
        if (record.exiting == 0) return;
        if (patience % 16 == 0 && record.exitAt > block.timestamp) to(record.exitAt);
        if (block.timestamp < record.exitAt) return;
        record = vault.nodeOf(node);
        if (record.exiting == 0) return;
        vm.prank(ownerOf(node));
        vault.withdraw(node);
        put[node] -= record.exiting;
        moves["withdraw"]++;
    }

    /// @notice One more seat, with stake for it.
    function seat(uint32 node) external {
        node = one(node);
        if (vault.seatCount() >= MOST_SEATS) return;
        IStakeVault.Node memory record = vault.nodeOf(node);
        if (record.seats >= 4) return;
        uint96 short = (record.seats + 1) * SEAT;
        if (record.bonded < short) invest(node, short - record.bonded);
        vm.prank(ownerOf(node));
        try vault.takeSeats(node, 1) {
            moves["seat"]++;
        } catch (bytes memory reason) {
            require(bytes4(reason) == IStakeVault.SeatsFrozen.selector, "only a pending draw stops it");
            moves["frozen"]++;
        }
    }

    function unseat(uint32 node) external {
        node = one(node);
        uint32 free = 0;
        uint32 count = vault.seatCount();
        for (uint32 i = 0; i < count; i++) {
            (uint32 holder, uint40 lockedUntil) = vault.seatAt(i);
            if (holder == node && lockedUntil <= block.timestamp) free++;
        }
        if (free == 0) return;
        vm.prank(ownerOf(node));
        try vault.leaveSeats(node, free) {
            moves["unseat"]++;
        } catch (bytes memory reason) {
            require(bytes4(reason) == IStakeVault.SeatsFrozen.selector, "only a pending draw stops it");
        }
    }

    /// @notice A newcomer, in every task that takes it at this moment.
    function enlist() external {
        if (nodes == MOST_NODES) return;
        uint32 node = nodes + 1;
        register(node, SEAT);
        nodes = node;
        for (uint256 i = 0; i < 3; i++) {
            enter(current[i], node);
        }
        moves["enlist"]++;
    }

    function enter(uint64 task, uint32 node) internal {
        if (vault.nodeOf(node).bonded < LEAST) return;
        (, IRoundBook.Phase phase,) = rounds.clockAt(task, 0);
        if (phase == IRoundBook.Phase.Post) return;
        join(task, node, VERIFIER);
        join(task, node, TRAINER);
    }

    // ---- faults outside of rounds ----

    function equivocate(uint32 node, uint8 which, uint32 round, bool observations) external {
        node = one(node);
        if (node <= SAINTS) return;
        uint64 task = pick(which);
        round = uint32(within(round, 1, 8));
        uint256 before = stakeOf(node);
        if (observations ? twoObservations(task, round, node) : twoReports(task, round, node)) {
            uint256 taken = before - stakeOf(node);
            require(taken <= SLASH, "one slash");
            lost[node] += taken;
            moves[observations ? bytes32("twoObservations") : bytes32("twoReports")]++;
        }
    }

    function twoReports(uint64 task, uint32 round, uint32 node) private returns (bool) {
        IRoundBook.Report memory a;
        IRoundBook.Report memory b;
        (a.task, b.task, a.round, b.round, b.model) = (task, task, round, round, "other");
        bytes memory signatureA = sign(node, rounds.reportDigest(a));
        bytes memory signatureB = sign(node, rounds.reportDigest(b));
        try disputes.equivocate(a, signatureA, b, signatureB) {
            return true;
        } catch {
            return false; // punished already
        }
    }

    function twoObservations(uint64 task, uint32 round, uint32 node) private returns (bool) {
        bytes memory signatureA = sign(node, disputes.observationDigest(task, round, "seed", node, "a"));
        bytes memory signatureB = sign(node, disputes.observationDigest(task, round, "seed", node, "b"));
        try disputes.equivocateObservation(task, round, "seed", node, "a", signatureA, "b", signatureB) {
            return true;
        } catch {
            return false;
        }
    }
}
