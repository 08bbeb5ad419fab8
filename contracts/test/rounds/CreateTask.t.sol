// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract CreateTaskTest is Base {
    function create(IRoundBook.TaskParams memory params) private returns (uint64) {
        vm.prank(SPONSOR);
        return rounds.createTask(params, params.rounds);
    }

    function refuses(IRoundBook.TaskParams memory params, bytes32 field) private {
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadParams.selector, field));
        vm.prank(SPONSOR);
        rounds.createTask(params, 1);
    }

    function test_create() external {
        IRoundBook.TaskParams memory params = rig.params();
        IRoundBook.TaskParams memory stored = rig.params();
        stored.startsAt = uint40(block.timestamp);
        uint256 held = token.balanceOf(SPONSOR);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskCreated(1, SPONSOR, stored);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.TaskFunded(1, SPONSOR, 4, 400e18);
        eq("id", create(params), 1);
        eq("paid", held - token.balanceOf(SPONSOR), 400e18);
        IRoundBook.Task memory task = rounds.taskOf(1);
        eq("params", keccak256(abi.encode(task.params)), keccak256(abi.encode(stored)));
        eq("owner", task.owner, SPONSOR);
        require(!task.closed);
        eq("escrow", rewards.balanceOf(1), 400e18);
        eq("there", token.balanceOf(address(rewards)), 400e18);
        eq("funded", rounds.liveOf(1).fundedRounds, 4);
        eq("second", create(params), 2);
        eq("count", rounds.taskCount(), 2);
    }

    function test_times() external {
        IRoundBook.TaskParams memory params = rig.params();
        params.startsAt = uint40(block.timestamp) - 1;
        refuses(params, "startsAt");
        params = rig.params();
        params.commitS = 0;
        refuses(params, "commitS");
        params = rig.params();
        params.revealS = 0;
        refuses(params, "revealS");
        params = rig.params();
        params.postS = 0;
        refuses(params, "postS");
        params = rig.params();
        params.windowS = 0;
        refuses(params, "windowS");
        params.windowS = uint32(rig.UNBONDING()) / 2 - 300; // unbonding must be longer than two periods, not as long
        refuses(params, "period");
        params.windowS -= 1;
        create(params);
        params.commitS = params.revealS = params.postS = params.windowS = type(uint32).max;
        refuses(params, "period");
        params = rig.params();
        params.attemptS = 0;
        refuses(params, "attemptS");
        params = rig.params();
        params.startsAt = type(uint40).max - 6 * 400 + 1; // two rounds more, so that deadlines after the last fit
        refuses(params, "rounds");
        params.startsAt -= 1;
        create(params);
    }

    function test_numbers() external {
        IRoundBook.TaskParams memory params = rig.params();
        params.rounds = 0;
        refuses(params, "rounds");
        params.rounds = 4295;
        refuses(params, "rounds");
        params.rounds = 4294;
        create(params);
        params = rig.params();
        params.seats = 0;
        refuses(params, "seats");
        params.seats = 129;
        params.quorum = 129;
        refuses(params, "seats");
        params = rig.params();
        params.quorum = 4;
        refuses(params, "quorum");
        params.quorum = 8;
        refuses(params, "quorum");
        params = rig.params();
        params.trainerPool = type(uint96).max;
        refuses(params, "trainerPool");
        params = rig.params();
        params.verifierPool = 7 * SEAT_FEE - 1;
        refuses(params, "verifierPool");
        params.verifierPool += 1;
        create(params);
        params = rig.params();
        params.slash = 40e18 - 1; // 5 × 40 = 2 × (90 + 10)
        refuses(params, "slash");
        params.slash += 1;
        create(params);
        params.slash = SEAT + 1;
        refuses(params, "slash");
    }

    function test_modes() external {
        IRoundBook.TaskParams memory params = rig.params();
        params.levels = 1;
        refuses(params, "levels");
        params.levels = 0;
        params.contributions = false;
        refuses(params, "contributions"); // a pool, and nothing that says whose it is
        params = rig.rootParams();
        params.mode = 2;
        refuses(params, "mode");
        params.mode = 1;
        params.levels = 21;
        refuses(params, "levels");
        params.levels = 20;
        create(params);
        params.levels = 0;
        create(params);
        params.contributions = true;
        refuses(params, "contributions");
    }

    /// @notice Reputation alone: no pools, no totals. Only where seats are free.
    function test_without_pay() external {
        IRoundBook.TaskParams memory params = rig.params();
        (params.trainerPool, params.verifierPool, params.contributions) = (0, 0, false);
        refuses(params, "verifierPool");
    }

    function test_funding() external {
        IRoundBook.TaskParams memory params = rig.params();
        fails(IRoundBook.BadFunding.selector, 0, 4);
        vm.prank(SPONSOR);
        rounds.createTask(params, 0);
        fails(IRoundBook.BadFunding.selector, 5, 4);
        vm.prank(SPONSOR);
        rounds.createTask(params, 5);
        eq("none", rounds.taskCount(), 0);
        vm.prank(SPONSOR);
        rounds.createTask(params, 1);
        eq("one round's pools", rewards.balanceOf(1), POOLS);
    }

    function testFuzz_quorum_is_two_thirds(uint8 seats, uint8 quorum) external {
        IRoundBook.TaskParams memory params = rig.params();
        params.seats = uint8(bound(seats, 1, 128));
        params.quorum = uint8(bound(quorum, 0, 130));
        params.slash = SEAT;
        params.verifierPool = 13e18; // pays 128 seats
        bool sound = 3 * uint256(params.quorum) > 2 * uint256(params.seats) && params.quorum <= params.seats;
        if (sound) create(params);
        else refuses(params, "quorum");
    }

    function test_no_arithmetic_on_time_overflows() external {
        IRoundBook.TaskParams memory params = rig.params();
        params.startsAt = type(uint40).max - 6 * 400;
        uint64 task = create(params);
        vm.warp(type(uint40).max - 801);
        (uint32 round, IRoundBook.Phase phase, uint40 endsAt) = rounds.clockAt(task, 0);
        eq("round", round, 4);
        eq("phase", uint8(phase), uint8(IRoundBook.Phase.Window));
        eq("end", endsAt, type(uint40).max - 800);
        vm.warp(type(uint40).max);
        rounds.closeTask(task);
    }
}
