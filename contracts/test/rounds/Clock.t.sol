// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";

contract ClockTest is Base {
    function check(uint64 task, uint40 time, uint32 round, IRoundBook.Phase phase, uint40 end) private view {
        (uint32 r, IRoundBook.Phase p, uint40 e) = rounds.clockAt(task, time);
        eq("round", r, round);
        eq("phase", uint8(p), uint8(phase));
        eq("end", e, end);
    }

    function test_phases_are_half_open() external {
        IRoundBook.TaskParams memory params = rig.params();
        uint40 t = uint40(block.timestamp) + 1000;
        params.startsAt = t;
        (params.commitS, params.revealS, params.postS, params.windowS) = (10, 20, 30, 40);
        vm.prank(SPONSOR);
        uint64 task = rounds.createTask(params, 1);
        check(task, 0, 0, IRoundBook.Phase.Window, t);
        check(task, t - 1, 0, IRoundBook.Phase.Window, t);
        check(task, t, 1, IRoundBook.Phase.Commit, t + 10);
        check(task, t + 9, 1, IRoundBook.Phase.Commit, t + 10);
        check(task, t + 10, 1, IRoundBook.Phase.Reveal, t + 30);
        check(task, t + 29, 1, IRoundBook.Phase.Reveal, t + 30);
        check(task, t + 30, 1, IRoundBook.Phase.Post, t + 60);
        check(task, t + 60, 1, IRoundBook.Phase.Window, t + 100);
        check(task, t + 100, 2, IRoundBook.Phase.Commit, t + 110);
        check(task, t + 399, 4, IRoundBook.Phase.Window, t + 400);
        check(task, t + 400, 4, IRoundBook.Phase.Over, t + 400);
        check(task, type(uint40).max, 4, IRoundBook.Phase.Over, t + 400);
    }

    function test_unknown_task() external {
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.clockAt(1, 0);
        fails(IRoundBook.UnknownTask.selector, 0);
        rounds.taskOf(0);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.liveOf(1);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.pendingOf(1);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.finalOf(1);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.parentOf(1);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.poolOf(1, TRAINER);
        fails(IRoundBook.UnknownTask.selector, 1);
        rounds.modeOf(1);
    }

    function test_what_a_task_is() external {
        uint64 words = rig.createTask();
        uint64 root = rig.createRootTask();
        (uint8 mode, uint8 levels) = rounds.modeOf(words);
        eq("words", mode, 0);
        eq("no levels", levels, 0);
        (mode, levels) = rounds.modeOf(root);
        eq("root", mode, 1);
        eq("levels", levels, 1);
        eq("trainers", rounds.poolOf(root, TRAINER), 90e18);
        eq("verifiers", rounds.poolOf(root, VERIFIER), 10e18);
    }

    function test_addresses() external view {
        eq("vault", rounds.vault(), address(vault));
        eq("book", rounds.reputation(), address(book));
        eq("rewards", rounds.rewards(), address(rewards));
        eq("disputes", rounds.disputes(), address(disputes));
        eq("token", rounds.token(), address(token));
        eq("headers", rounds.seedSource(), address(0));
        eq("fee", rounds.SEAT_FEE(), SEAT_FEE);
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = rounds.eip712Domain();
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain =
            keccak256(abi.encode(kind, keccak256(bytes(name)), keccak256(bytes(version)), chainId, verifier));
        eq("domain", rounds.domainSeparator(), domain);
        eq("name", keccak256(bytes(name)), keccak256("Credence"));
    }
}
