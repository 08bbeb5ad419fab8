// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {BookBase} from "./BookBase.sol";

contract OpenSlotTest is BookBase {
    function test_slots_are_dense_by_task_and_role() external {
        vm.expectEmit(true, true, true, true);
        emit IReputationBook.SlotOpened(TASK, TRAINER, 42, 0);
        eq("first", book.openSlot(TASK, TRAINER, 42), 0);
        eq("second", book.openSlot(TASK, TRAINER, 7), 1);
        eq("other role", book.openSlot(TASK, VERIFIER, 7), 0);
        eq("other task", book.openSlot(8, TRAINER, 7), 0);
        eq("count", book.slotCount(TASK, TRAINER), 2);
        eq("slot", book.slotOf(TASK, TRAINER, 7), 1);
        eq("newcomer", book.reputationOf(TASK, TRAINER, 7), 0);
        eq("no contribution", book.contributionOf(TASK, TRAINER, 7), 0);
        eq("rounds", book.rounds(), address(this));
    }

    function test_refusals() external {
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NotRounds.selector, STRANGER));
        vm.prank(STRANGER);
        book.openSlot(TASK, TRAINER, 42);
        book.openSlot(TASK, TRAINER, 42);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.SlotTaken.selector, TASK, TRAINER, 42));
        book.openSlot(TASK, TRAINER, 42);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, VERIFIER, 42));
        book.slotOf(TASK, VERIFIER, 42);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, TRAINER, 43));
        book.reputationOf(TASK, TRAINER, 43);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, TRAINER, 43));
        book.contributionOf(TASK, TRAINER, 43);
    }
}
