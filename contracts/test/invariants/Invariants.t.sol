// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook, IStakeVault} from "../Base.sol";
import {RootRig} from "../RootRig.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds whatever anybody does, in both modes, with corrupt committees, watchers who sleep and owners who
/// leave. What a single move may not do is asserted in the handler; what must always hold, here; and that everybody gets out
/// with what is theirs, at the end of every run.
contract InvariantsTest is Base {
    Handler private handler;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public override {
        handler = Handler(vm.deployCode("Handler.sol:Handler"));
        adopt(RootRig(address(handler)));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[23] memory moves = [
            handler.play.selector,
            handler.play.selector,
            handler.play.selector,
            handler.play.selector,
            handler.prosecute.selector,
            handler.prosecute.selector,
            handler.demand.selector,
            handler.demand.selector,
            handler.answer.selector,
            handler.expire.selector,
            handler.reclaim.selector,
            handler.wait.selector,
            handler.wait.selector,
            handler.armOnly.selector,
            handler.finish.selector,
            handler.claim.selector,
            handler.close.selector,
            handler.fund.selector,
            handler.bond.selector,
            handler.unbond.selector,
            handler.withdraw.selector,
            handler.seat.selector,
            handler.unseat.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), new bytes4[](25));
        for (uint256 i = 0; i < 23; i++) targets[0].selectors[i] = moves[i];
        targets[0].selectors[23] = handler.enlist.selector;
        targets[0].selectors[24] = handler.equivocate.selector;
    }

    function invariant_all() external {
        stakes();
        seats();
        money();
        finality();
        eq("fees of open demands", token.balanceOf(address(disputes)), handler.asked() * DEMAND_FEE);
    }

    /// @dev The vault holds what owners have put in, less what proven faults took: no more, no less. So nobody is slashed but
    /// by a fault, none of the saints ever, and no owner but by its own withdrawal lowers a stake.
    function stakes() private view {
        uint256 sum = 0;
        for (uint32 node = 1; node <= handler.nodes(); node++) {
            IStakeVault.Node memory record = vault.nodeOf(node);
            uint256 stake = uint256(record.bonded) + record.exiting;
            eq("stake", stake, handler.put(node) - handler.lost(node));
            eq("snapshot", vault.stakeAt(node, uint48(block.timestamp)), record.bonded);
            sum += stake;
        }
        eq("vault", token.balanceOf(address(vault)), sum);
        eq("honest", handler.lost(1) + handler.lost(2), 0);
    }

    /// @dev Each seat has one node, each node the seats it counts, and stake under every one.
    function seats() private view {
        uint32 count = vault.seatCount();
        uint256[15] memory held;
        for (uint32 i = 0; i < count; i++) {
            (uint32 node,) = vault.seatAt(i);
            held[node]++;
        }
        for (uint32 node = 1; node <= handler.nodes(); node++) {
            IStakeVault.Node memory record = vault.nodeOf(node);
            eq("seats", record.seats, held[node]);
            require(record.bonded >= uint256(record.seats) * SEAT, "covered");
        }
    }

    /// @dev Every wei that came in is held, was paid or went back; and nobody is paid but out of final rounds' pools.
    function money() private view {
        uint64[] memory tasks = handler.tasks();
        uint256 sum = 0;
        for (uint256 i = 0; i < tasks.length; i++) {
            uint64 task = tasks[i];
            uint256 balance = rewards.balanceOf(task);
            (uint256 trainers, uint256 verifiers) = (handler.paid(task, 0), handler.paid(task, 1));
            eq("conserved", balance + trainers + verifiers + handler.returned(task), handler.funded(task) * POOLS);
            require(trainers <= handler.finals(task) * 90e18, "trainers");
            require(verifiers <= handler.finals(task) * 10e18, "verifiers");
            sum += balance;
        }
        eq("escrow", token.balanceOf(address(rewards)), sum);
    }

    /// @dev A final record stands: no later round's loss, no void and no further post touches it.
    function finality() private {
        for (uint256 which = 0; which < 3; which++) {
            uint64 task = handler.current(which);
            (uint32 round, bytes32 hash) = rounds.finalOf(task);
            uint32 seen = handler.finalRound(task);
            require(round >= seen, "falls");
            if (round == seen) eq("the same record", hash, handler.finalHash(task));
            require(!handler.voided(task, round), "void and final");
            handler.note(task);
        }
    }

    /// @notice Whatever came before: tasks close, pay is claimed down to the dust, and every owner leaves with its stake.
    function afterInvariant() external {
        vm.warp(block.timestamp + 1e6);
        vm.roll(block.number + 3000);
        for (uint8 which = 0; which < 3; which++) {
            handler.reclaim(which);
            handler.close(which, false);
        }
        eq("no fee is kept", token.balanceOf(address(disputes)), 0);
        uint64[] memory tasks = handler.tasks();
        uint32 nodes = handler.nodes();
        for (uint256 i = 0; i < tasks.length - 3; i++) {
            if (handler.finals(tasks[i]) == 0) continue;
            for (uint32 node = 1; node <= nodes; node++) {
                handler.claimFor(tasks[i], node, TRAINER);
                handler.claimFor(tasks[i], node, VERIFIER);
            }
            // A millionth of a pool, rounded up, for each lane and round; but where pay was poisoned it is lost.
            if (handler.poisoned(tasks[i])) continue;
            require(rewards.balanceOf(tasks[i]) <= handler.finals(tasks[i]) * 15 * 100e12, "dust");
        }
        for (uint32 node = 1; node <= nodes; node++) {
            IStakeVault.Node memory record = vault.nodeOf(node);
            vm.startPrank(ownerOf(node));
            if (record.seats != 0) vault.leaveSeats(node, record.seats);
            if (record.bonded != 0) vault.unbond(node, record.bonded);
            vm.stopPrank();
        }
        vm.warp(block.timestamp + 100_000);
        for (uint32 node = 1; node <= nodes; node++) {
            if (vault.nodeOf(node).exiting == 0) continue;
            uint256 held = token.balanceOf(ownerOf(node));
            vm.prank(ownerOf(node));
            vault.withdraw(node);
            eq("all of it", token.balanceOf(ownerOf(node)) - held, handler.put(node) - handler.lost(node));
        }
        eq("the vault is empty", token.balanceOf(address(vault)), 0);
    }

    /// @notice No move is refused always, and every fault is posted and proved: the invariants have been asked something.
    function test_every_move_is_made() external {
        for (uint256 i = 0; i < 900; i++) {
            uint256 dice = uint256(keccak256(abi.encode(i)));
            uint8 which = uint8(dice);
            handler.play(which, uint8(dice >> 8), dice << 8);
            handler.demand(which, uint8(dice >> 16), uint32(dice >> 24));
            if (dice >> 60 & 3 == 0) handler.answer(which);
            if (dice >> 62 & 1 == 0) handler.wait(uint16(dice >> 64), uint8(dice >> 72));
            if (dice >> 63 & 3 != 0) handler.prosecute(which, uint8(dice >> 80), uint32(dice >> 88));
            handler.expire(which);
            handler.finish(uint8(dice >> 96), dice >> 104 & 1 == 0);
            handler.seat(uint32(dice >> 112));
            handler.seat(uint32(dice >> 144));
            handler.fund(which);
            for (uint256 k = 0; k < (dice >> 120 & 3); k++) handler.close(which, dice >> 123 & 1 == 0);
            if (dice >> 128 & 7 == 0) others(dice >> 136);
            if (i % 50 == 0) this.invariant_all();
        }
        made("words", 0, 3);
        made("root", 1, 7);
        bytes32[24] memory names = [
            bytes32("bond"),
            "unbond",
            "withdraw",
            "seat",
            "unseat",
            "frozen",
            "enlist",
            "twoReports",
            "twoObservations",
            "armOnly",
            "draw",
            "honest",
            "corrupt",
            "part",
            "finalise",
            "demand",
            "answer",
            "expire",
            "reclaim",
            "accuse",
            "fund",
            "close",
            "claim",
            "claimRoot"
        ];
        for (uint256 i = 0; i < 24; i++) require(handler.moves(names[i]) != 0, string(abi.encodePacked(names[i])));
        require(handler.moves("cancel") != 0, "cancel");
        this.afterInvariant();
    }

    function others(uint256 dice) private {
        uint32 node = uint32(dice);
        handler.bond(node, uint96(dice));
        handler.unbond(node, uint96(dice >> 8));
        handler.unseat(node + 1);
        for (uint8 which = 0; which < 3; which++) handler.armOnly(which);
        for (uint32 i = 0; i < 5; i++) handler.seat(node + i);
        handler.enlist();
        handler.equivocate(node, uint8(dice), uint32(dice >> 40), dice & 1 == 0);
        handler.claim(node, dice >> 48, dice & 2 == 0);
        handler.withdraw(node, uint8(dice >> 16));
        handler.reclaim(uint8(dice));
    }

    /// @dev Every fault of a mode was posted; and proved, where one proof does.
    function made(string memory mode, uint256 root, uint256 faults) private view {
        for (uint256 fault = 0; fault <= faults; fault++) {
            require(handler.moves(keccak256(abi.encode("posted", root == 1, fault))) != 0, string.concat(mode, " post"));
            if (fault == 0 || fault == 3 || fault == 7) continue;
            require(handler.moves(keccak256(abi.encode("proved", root == 1, fault))) != 0, string.concat(mode, " proof"));
        }
    }
}
