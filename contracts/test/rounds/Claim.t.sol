// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract ClaimTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function test_claim() external {
        rig.finalised(task, 1);
        address owner = ownerOf(8);
        uint256 held = token.balanceOf(owner);
        uint96 due = 333_333 * (90e18 / 1e6);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Claimed(task, TRAINER, 8, owner, 333_333, due);
        eq("amount", rounds.claim(task, TRAINER, 8), due);
        eq("paid", token.balanceOf(owner) - held, due);
        eq("claimed", rounds.claimedOf(task, TRAINER, 8), 333_333);
        eq("escrow", rounds.taskOf(task).escrow, 400e18 - due);
        fails(IRoundBook.NothingToClaim.selector, 8);
        rounds.claim(task, TRAINER, 8);
        rig.finalised(task, 2);
        rig.finalised(task, 3);
        eq("two rounds at once", rounds.claim(task, TRAINER, 8), 2 * due);
    }

    function test_refusals() external {
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.claim(9, TRAINER, 8);
        fails(IRoundBook.NotJoined.selector, task, 1, 8);
        rounds.claim(task, VERIFIER, 8);
        fails(IRoundBook.NothingToClaim.selector, 8);
        rounds.claim(task, TRAINER, 8);
        rig.posted(task, 1); // nothing before it is final
        fails(IRoundBook.NothingToClaim.selector, 8);
        rounds.claim(task, TRAINER, 8);
    }

    /// @notice All pools of all rounds, to the wei but for the dust of the floors.
    function test_money_is_conserved() external {
        for (uint32 round = 1; round <= 4; round++) rig.finalised(task, round);
        uint256 paid = 0;
        for (uint32 node = 1; node <= 7; node++) paid += rounds.claim(task, VERIFIER, node);
        for (uint32 node = 8; node <= 10; node++) paid += rounds.claim(task, TRAINER, node);
        eq("conserved", paid + rounds.taskOf(task).escrow, 400e18);
        eq("escrow is there", token.balanceOf(address(rounds)), rounds.taskOf(task).escrow);
        // At most one unit of 1e-6 of a pool for each slot and round.
        require(rounds.taskOf(task).escrow <= 4 * (3 * 90e12 + 7 * 10e12));
    }
}
