// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract RevealTest is Base {
    function test_reveal() external {
        uint64 task = rig.createTask();
        fails(IRoundBook.WrongPhase.selector, 1, 0, 1);
        rounds.reveal(task, 1, 8, "manifest", 7, "salt");
        rig.toPhase(task, 1, IRoundBook.Phase.Reveal);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Revealed(task, 1, 8, "manifest", 7, "salt");
        vm.prank(ownerOf(8));
        rounds.reveal(task, 1, 8, "manifest", 7, "salt");
        fails(IRoundBook.NotNode.selector, 8, num(address(this)));
        rounds.reveal(task, 1, 8, "manifest", 7, "salt");
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rounds.reveal(task, 2, 8, "manifest", 7, "salt");
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.reveal(9, 2, 8, "manifest", 7, "salt");
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        fails(IRoundBook.WrongPhase.selector, 1, 2, 1);
        rounds.reveal(task, 1, 8, "manifest", 7, "salt");
    }
}
