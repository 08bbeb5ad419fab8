// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook, IRoundBook, IStakeVault} from "../Base.sol";

contract JoinTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        IRoundBook.TaskParams memory params = rig.params();
        vm.prank(SPONSOR);
        task = rounds.createTask(params, 1);
    }

    function test_owner_or_signer() external {
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Joined(task, TRAINER, 8, 0, "http://a");
        vm.prank(ownerOf(8));
        rounds.join(task, 8, TRAINER, "http://a");
        vm.prank(vm.addr(9));
        rounds.join(task, 9, TRAINER, "");
        eq("slot", book.slotOf(task, TRAINER, 9), 1);
        vm.prank(vm.addr(9));
        rounds.join(task, 9, VERIFIER, ""); // each role has its own words
        eq("slot", book.slotOf(task, VERIFIER, 9), 0);
    }

    function test_refusals() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.join(9, 8, TRAINER, "");
        fails(IRoundBook.NotNode.selector, 8, num(address(this)));
        rounds.join(task, 8, TRAINER, "");
        fails(IStakeVault.UnknownNode.selector, 99);
        rounds.join(task, 99, TRAINER, "");
        string memory long = string(new bytes(129));
        fails(IRoundBook.EndpointTooLong.selector, 129, 128);
        rounds.join(task, 8, TRAINER, long);
        rig.join(task, 8, TRAINER);
        fails(IReputationBook.SlotTaken.selector, task, 0, 8);
        vm.prank(ownerOf(8));
        rounds.join(task, 8, TRAINER, "");
    }

    /// @notice A slot costs the least stake, held at the time.
    function test_stake_is_needed() external {
        vm.prank(ownerOf(8));
        vault.unbond(8, SEAT - LEAST + 1);
        fails(IStakeVault.StakeTooLow.selector, LEAST - 1, LEAST);
        vm.prank(ownerOf(8));
        rounds.join(task, 8, TRAINER, "");
    }

    /// @notice The book knows its slots without asking, and a closed task opens none.
    function test_slots_are_counted() external {
        rig.join(task, 8, TRAINER);
        rig.join(task, 9, TRAINER);
        rig.join(task, 1, VERIFIER);
        eq("trainers", rounds.liveOf(task).trainerSlots, 2);
        eq("verifiers", rounds.liveOf(task).verifierSlots, 1);
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        rounds.closeTask(task);
        fails(IRoundBook.TaskIsClosed.selector, task);
        vm.prank(ownerOf(10));
        rounds.join(task, 10, TRAINER, "");
    }

    /// @notice Root mode: each role has room for 15·2^levels, and the last of them can join.
    function test_room_in_root_mode() external {
        IRoundBook.TaskParams memory params = rig.rootParams();
        params.levels = 0;
        vm.prank(SPONSOR);
        uint64 small = rounds.createTask(params, 1);
        for (uint32 key = 11; key <= 16; key++) rig.register(key, LEAST);
        for (uint32 node = 1; node <= 15; node++) rig.join(small, node, TRAINER);
        fails(IRoundBook.SlotsFull.selector, small, 0, 15);
        vm.prank(ownerOf(16));
        rounds.join(small, 16, TRAINER, "");
        eq("no slot", book.slotCount(small, TRAINER), 15);
        rig.join(small, 16, VERIFIER);
    }

    /// @notice The number of slots stands still while a report is made.
    function test_not_while_a_report_is_made() external {
        rig.toPhase(task, 2, IRoundBook.Phase.Post);
        fails(IRoundBook.WrongPhase.selector, 2, 2, 3);
        vm.prank(ownerOf(8));
        rounds.join(task, 8, TRAINER, "");
        rig.toPhase(task, 2, IRoundBook.Phase.Window);
        rig.join(task, 8, TRAINER);
    }
}
