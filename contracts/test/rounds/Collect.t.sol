// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract CollectTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function collects(bool reveals) private {
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Collected(task, 1, address(this), reveals, "root", 7, "data");
        rounds.collect(task, 1, reveals, "root", 7, "data");
    }

    /// @notice Whether a bundle counts is told by the time of its block, so nothing is refused: not the other phase's, not
    /// another round's, not one of a task that is not there. Readers ask the clock.
    function test_any_time() external {
        collects(false);
        collects(false); // of any number of collectors
        collects(true);
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        rounds.armBeacon(task, 1);
        collects(true);
        collects(false);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Collected(9, 7, ownerOf(3), true, "root", 0, "data");
        vm.prank(ownerOf(3));
        rounds.collect(9, 7, true, "root", 0, "data");
    }
}
