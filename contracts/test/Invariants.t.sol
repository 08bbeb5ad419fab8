// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook, IStakeVault} from "./Base.sol";
import {Rig} from "./Rig.sol";

/// @notice Moves of many parties in any order. What a move may not do is asserted here, what must always hold below.
contract Handler is Base {
    uint32 private constant NODES = 10;
    uint64 public task;
    uint32 public round; // last round played
    uint32 public finalRound;
    uint256 public finalised;
    uint256 public paid;
    mapping(uint32 node => uint256) public put; // by the owner: bonded, less withdrawn
    mapping(uint32 node => uint256) public lost; // by proven faults
    mapping(string move => uint256) public moves;

    function setUp() public override {
        super.setUp();
        IRoundBook.TaskParams memory params = rig.params();
        params.rounds = 4000;
        params.seats = 4;
        params.quorum = 3;
        vm.prank(SPONSOR);
        task = rounds.createTask(params);
        for (uint32 node = 1; node <= NODES; node++) {
            put[node] = SEAT;
            rig.join(task, node, VERIFIER);
            rig.join(task, node, TRAINER);
        }
    }

    function parts() external view returns (Rig) {
        return rig;
    }

    function bond(uint32 node, uint96 amount) external {
        node = one(node);
        amount = uint96(bound(amount, 1, 2 * SEAT));
        vm.prank(ownerOf(node));
        vault.bond(node, amount);
        put[node] += amount;
        moves["bond"]++;
    }

    function unbond(uint32 node, uint96 amount) external {
        node = one(node);
        IStakeVault.Node memory record = vault.nodeOf(node);
        uint96 free = record.bonded - record.seats * SEAT; // covered, or this underflows
        if (free == 0) return;
        vm.prank(ownerOf(node));
        vault.unbond(node, uint96(bound(amount, 1, free)));
        moves["unbond"]++;
    }

    /// @notice Exit is possible whenever the delay is over, whatever the others did.
    function withdraw(uint32 node, bool patient) external {
        node = one(node);
        IStakeVault.Node memory record = vault.nodeOf(node);
        if (record.exiting == 0) return;
        if (patient && record.exitAt > block.timestamp) vm.warp(record.exitAt);
        if (block.timestamp < record.exitAt) return;
        vm.prank(ownerOf(node));
        vault.withdraw(node);
        put[node] -= record.exiting;
        moves["withdraw"]++;
    }

    function takeSeats(uint32 node, uint32 count) external {
        node = one(node);
        IStakeVault.Node memory record = vault.nodeOf(node);
        uint96 free = record.bonded / SEAT - record.seats;
        if (free == 0) return;
        rig.takeSeats(node, uint32(bound(count, 1, free)));
        moves["takeSeats"]++;
    }

    function leaveSeats(uint32 node, uint32 count) external {
        node = one(node);
        uint32 free = 0;
        for (uint32 i = 0; i < vault.seatCount(); i++) {
            (uint32 holder, uint40 lockedUntil) = vault.seatAt(i);
            if (holder == node && lockedUntil <= block.timestamp) free++;
        }
        if (free == 0) return;
        vm.prank(ownerOf(node));
        vault.leaveSeats(node, uint32(bound(count, 1, free)));
        moves["leaveSeats"]++;
    }

    /// @notice A fault proved at any time, at times while a draw is pending.
    function equivocate(uint32 node, uint32 salt, bool frozen) external {
        node = one(node);
        if (frozen) {
            vm.prank(address(rounds));
            vault.freezeSeats(uint64(block.number) + 9);
        }
        IRoundBook.Report memory a;
        IRoundBook.Report memory b;
        (a.task, b.task) = (task, task);
        (a.round, b.round) = (salt, salt);
        b.model = "other";
        bytes memory signatureA = rig.sign(node, rounds.reportDigest(a));
        bytes memory signatureB = rig.sign(node, rounds.reportDigest(b));
        uint256 before = stakeOf(node);
        try rounds.equivocate(a, signatureA, b, signatureB) {
            lost[node] += before - stakeOf(node);
            moves["equivocate"]++;
        } catch {}
        if (frozen) {
            vm.prank(address(rounds));
            vault.thawSeats();
        }
    }

    /// @notice A round by the clock: nobody drawn, honest and final, or caught.
    function play(uint8 kind, uint256 scores) external {
        (uint32 current,,) = rounds.clockAt(task, 0);
        round = (current > round ? current : round) + 1;
        if (round > 4000) return;
        rig.toPhase(task, round, IRoundBook.Phase.Post);
        if (kind % 4 == 0 || unlocked() < 4) return;
        IRoundBook.Seat[] memory seats = rig.draw(task, round);
        uint256 word = scores >> 96; // ten lanes
        if (kind % 4 == 1) lie(seats, word);
        else settle(seats, word);
    }

    function settle(IRoundBook.Seat[] memory seats, uint256 word) private {
        Rig.Settlement memory made = widen(rig.settlement(task, round, seats, word, word, 0));
        rig.post(made);
        rig.toPhase(task, round + 1, IRoundBook.Phase.Commit);
        rig.finalise(made);
        finalised++;
        moves["settle"]++;
    }

    function lie(IRoundBook.Seat[] memory seats, uint256 word) private {
        Rig.Settlement memory made = widen(rig.settlement(task, round, seats, word ^ 2, word ^ 3, 0));
        rig.post(made);
        uint256[10] memory before;
        for (uint32 node = 1; node <= NODES; node++) before[node - 1] = stakeOf(node);
        uint256 held = token.balanceOf(address(rig));
        uint256[] memory words = same(word ^ 3, made.votes.length);
        try rig.challenge(made, made.bitmap, 0, words) {
            uint256 all = 0;
            for (uint32 node = 1; node <= NODES; node++) {
                uint256 taken = before[node - 1] - stakeOf(node);
                lost[node] += taken;
                all += taken;
            }
            require(2 * (token.balanceOf(address(rig)) - held) <= all, "at most half to the reporter");
            moves["lie"]++;
        } catch {
            // A posted 1 is not judged.
            rig.toPhase(task, round + 1, IRoundBook.Phase.Commit);
            rig.finalise(made);
            finalised++;
        }
    }

    function claim(uint32 node, bool trains) external {
        node = one(node);
        try rounds.claim(task, trains ? TRAINER : VERIFIER, node) returns (uint96 amount) {
            paid += amount;
            moves["claim"]++;
        } catch {}
    }

    function wait(uint16 time, uint8 blocks) external {
        vm.warp(block.timestamp + time);
        vm.roll(block.number + blocks);
    }

    /// @notice Read by the invariant that it never falls.
    function note(uint32 final_) external {
        finalRound = final_;
    }

    /// @dev Ten verifiers have joined here, not seven; signed by all four seats.
    function widen(Rig.Settlement memory made) private view returns (Rig.Settlement memory) {
        made.verifierWords[0] = made.trainerWords[0] >> 3 & rig.lanes(0xffff, 10);
        return rig.resign(made, 0xf);
    }

    function unlocked() private view returns (uint256 free) {
        for (uint32 i = 0; i < vault.seatCount(); i++) {
            (, uint40 lockedUntil) = vault.seatAt(i);
            if (lockedUntil <= block.timestamp) free++;
        }
    }

    function one(uint32 node) private pure returns (uint32) {
        return uint32(bound(node, 1, NODES));
    }

    function stakeOf(uint32 node) public view returns (uint256) {
        IStakeVault.Node memory record = vault.nodeOf(node);
        return uint256(record.bonded) + record.exiting;
    }
}

contract InvariantsTest is Base {
    Handler private handler;

    function setUp() public override {
        handler = Handler(vm.deployCode("Invariants.t.sol:Handler"));
        handler.setUp();
        rig = handler.parts();
        (token, vault, book, rounds) = (rig.token(), rig.vault(), rig.book(), rig.rounds());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory moves = new bytes4[](11);
        moves[0] = Handler.bond.selector;
        moves[1] = Handler.unbond.selector;
        moves[2] = Handler.withdraw.selector;
        moves[3] = Handler.takeSeats.selector;
        moves[4] = Handler.leaveSeats.selector;
        moves[5] = Handler.equivocate.selector;
        moves[6] = Handler.play.selector;
        moves[7] = Handler.play.selector;
        moves[8] = Handler.play.selector;
        moves[9] = Handler.claim.selector;
        moves[10] = Handler.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), moves);
    }

    /// @notice The vault holds what nodes have put in, less what proven faults took: no more, no less. So nobody is
    /// slashed but by a fault, and no owner but its own withdrawal lowers a stake.
    function invariant_stakes() external view {
        uint256 sum = 0;
        for (uint32 node = 1; node <= 10; node++) {
            uint256 stake = handler.stakeOf(node);
            eq("stake", stake, handler.put(node) - handler.lost(node));
            eq("snapshot", vault.stakeAt(node, uint48(block.timestamp)), vault.nodeOf(node).bonded);
            sum += stake;
        }
        eq("vault", token.balanceOf(address(vault)), sum);
    }

    /// @notice Each seat has one node, each node the seats it counts, and stake under every one.
    function invariant_seats() external view {
        uint256[11] memory held;
        for (uint32 i = 0; i < vault.seatCount(); i++) {
            (uint32 node,) = vault.seatAt(i);
            held[node]++;
        }
        for (uint32 node = 1; node <= 10; node++) {
            IStakeVault.Node memory record = vault.nodeOf(node);
            eq("seats", record.seats, held[node]);
            require(record.bonded >= uint256(record.seats) * SEAT, "covered");
        }
    }

    /// @notice The book holds its escrow, and pays no more than the pools of finalised rounds.
    function invariant_escrow() external view {
        IRoundBook.Task memory task = rounds.taskOf(handler.task());
        eq("escrow", token.balanceOf(address(rounds)), task.escrow);
        eq("conserved", task.escrow + handler.paid(), 4000 * 100e18);
        require(handler.paid() <= handler.finalised() * 100e18, "paid");
        eq("finalised", task.finalised, handler.finalised());
    }

    function invariant_final_round_never_falls() external {
        uint32 finalRound = rounds.taskOf(handler.task()).finalRound;
        require(finalRound >= handler.finalRound());
        handler.note(finalRound);
    }

    /// @notice No move is refused always: the invariants have been asked something.
    function test_every_move_is_made() external {
        for (uint256 i = 0; i < 60; i++) {
            uint256 dice = uint256(keccak256(abi.encode(i)));
            uint32 node = uint32(dice);
            handler.bond(node, uint96(dice));
            handler.takeSeats(node, uint32(dice >> 40));
            handler.play(uint8(dice), dice);
            handler.claim(node, dice & 1 == 0);
            handler.unbond(node + 1, uint96(dice));
            handler.leaveSeats(node + 2, 1);
            handler.equivocate(node + 3, uint32(dice) % 2, dice & 1 == 0);
            handler.withdraw(node + 1, dice & 1 == 0);
        }
        string[9] memory moves =
            ["bond", "unbond", "withdraw", "takeSeats", "leaveSeats", "equivocate", "settle", "lie", "claim"];
        for (uint256 i = 0; i < 9; i++) require(handler.moves(moves[i]) != 0, moves[i]);
        this.invariant_stakes();
        this.invariant_seats();
        this.invariant_escrow();
    }
}
