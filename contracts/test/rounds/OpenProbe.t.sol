// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract OpenProbeTest is Base {
    function test_open() external {
        uint64 task = rig.createTask();
        fails(IRoundBook.WrongPhase.selector, 1, 0, 2);
        vm.prank(SPONSOR);
        rounds.openProbe(task, 1, "key");
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        fails(IRoundBook.NotTaskOwner.selector, task, num(address(this)));
        rounds.openProbe(task, 1, "key");
        fails(IRoundBook.WrongRound.selector, 2, 1);
        vm.prank(SPONSOR);
        rounds.openProbe(task, 2, "key");
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.openProbe(9, 1, "key");
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.ProbeOpened(task, 1, "key");
        vm.prank(SPONSOR);
        rounds.openProbe(task, 1, "key");
    }
}
