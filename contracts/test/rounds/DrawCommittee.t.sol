// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract DrawCommitteeTest is Base {
    uint64 private task;
    bytes32 private constant MIX = keccak256("mix");

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
    }

    function test_draw() external {
        rig.arm(task, 1, MIX);
        bytes32 seed = keccak256(abi.encode(block.chainid, address(rounds), task, uint32(1), MIX));
        IRoundBook.Seat[] memory seats = rig.predict(seed, 7);
        bytes memory packed = rig.packed(seats);
        bytes memory header = rig.header(MIX);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.CommitteeDrawn(task, 1, seed, packed);
        rounds.drawCommittee(task, 1, header);
        IRoundBook.Live memory live = rounds.liveOf(task);
        eq("draw", live.drawHash, bytes32(bytes30(keccak256(abi.encode(seed, keccak256(packed))))));
        eq("round", live.drawnRound, 1);
        eq("draws", live.draws, 1);
        (, uint40 lockedUntil) = vault.seatAt(0);
        eq("locked until the window closes", lockedUntil, rounds.taskOf(task).params.startsAt + 400);
        rig.takeSeats(8, 1); // thawed
        fails(IRoundBook.AlreadyDrawn.selector, 1);
        rounds.drawCommittee(task, 1, header);
    }

    function test_refusals() external {
        bytes memory header = rig.header(MIX);
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.drawCommittee(9, 1, header);
        fails(IRoundBook.WrongRound.selector, 2, 1);
        rounds.drawCommittee(task, 2, header);
        fails(IRoundBook.NotArmed.selector, 1);
        rounds.drawCommittee(task, 1, header);
        rounds.armBeacon(task, 1);
        uint64 seedBlock = rounds.liveOf(task).seedBlock;
        vm.roll(seedBlock);
        fails(IRoundBook.SeedBlockPending.selector, seedBlock, seedBlock);
        rounds.drawCommittee(task, 1, header);
        vm.roll(seedBlock + 1);
        vm.setBlockhash(seedBlock, keccak256("another"));
        failsHash(IRoundBook.BadHeader.selector, keccak256(header), keccak256("another"));
        rounds.drawCommittee(task, 1, header);
        vm.roll(seedBlock + 257);
        fails(IRoundBook.SeedExpired.selector, seedBlock, seedBlock + 257);
        rounds.drawCommittee(task, 1, header);
        rig.toPhase(task, 1, IRoundBook.Phase.Window);
        fails(IRoundBook.WrongPhase.selector, 1, 3, 2);
        rounds.drawCommittee(task, 1, header);
    }

    /// @notice A late draw uses the block fixed by the arm.
    function test_caller_does_not_choose_the_block() external {
        rig.arm(task, 1, MIX);
        uint64 seedBlock = rounds.liveOf(task).seedBlock;
        vm.roll(seedBlock + 256); // the last block that can prove it
        bytes memory header = rig.header(MIX);
        vm.setBlockhash(seedBlock, keccak256(header));
        bytes32 seed = keccak256(abi.encode(block.chainid, address(rounds), task, uint32(1), MIX));
        IRoundBook.Seat[] memory seats = rig.predict(seed, 7);
        rounds.drawCommittee(task, 1, header);
        bytes32 committee = keccak256(rig.packed(seats));
        eq("draw", rounds.liveOf(task).drawHash, bytes32(bytes30(keccak256(abi.encode(seed, committee)))));
    }
}
