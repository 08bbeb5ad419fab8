// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook} from "../Base.sol";

contract OpenSlotTest is Base {
    function test_slots_are_dense_by_task_and_role() external {
        vm.startPrank(address(rounds));
        vm.expectEmit(true, true, true, true);
        emit IReputationBook.SlotOpened(9, TRAINER, 42, 0);
        eq("first", book.openSlot(9, TRAINER, 42), 0);
        eq("second", book.openSlot(9, TRAINER, 7), 1);
        eq("other role", book.openSlot(9, VERIFIER, 7), 0);
        eq("other task", book.openSlot(8, TRAINER, 7), 0);
        eq("count", book.slotCount(9, TRAINER), 2);
        eq("slot", book.slotOf(9, TRAINER, 7), 1);
        eq("newcomer", book.reputationOf(9, TRAINER, 7), 0);
        eq("no contribution", book.contributionOf(9, TRAINER, 7), 0);
    }

    function test_refusals() external {
        fails(IReputationBook.NotRounds.selector, num(address(this)));
        book.openSlot(9, TRAINER, 42);
        vm.startPrank(address(rounds));
        book.openSlot(9, TRAINER, 42);
        fails(IReputationBook.SlotTaken.selector, 9, 0, 42);
        book.openSlot(9, TRAINER, 42);
        fails(IReputationBook.NoSlot.selector, 9, 1, 42);
        book.slotOf(9, VERIFIER, 42);
        fails(IReputationBook.NoSlot.selector, 9, 0, 43);
        book.reputationOf(9, TRAINER, 43);
        fails(IReputationBook.NoSlot.selector, 9, 0, 43);
        book.contributionOf(9, TRAINER, 43);
    }
}
