// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";
import {RootRig} from "../RootRig.sol";

/// @notice A signature holds for one chain, contract, task, round, mode and set of words. Each test brings everything else
/// in order, so that the signature alone refuses.
contract ReplayTest is Base {
    uint64 private task;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
    }

    function good(uint64 of_, uint32 round) private returns (Rig.Settlement memory) {
        IRoundBook.Seat[] memory seats = rig.draw(of_, round);
        return rig.settlement(of_, round, seats, rig.lanes(40_000, 3), rig.lanes(40_000, 3), ALL);
    }

    function refuses(Rig.Settlement memory made) private {
        fails(IRoundBook.BadSignature.selector, 0);
        rig.post(made);
    }

    function test_another_chain() external {
        Rig.Settlement memory made = good(task, 1);
        vm.chainId(99);
        refuses(made);
        rig.post(rig.signOnly(made, ALL)); // signed for this chain
    }

    function test_another_contract() external {
        RootRig other = RootRig(vm.deployCode("RootRig.sol:RootRig", abi.encode(address(0))));
        eq("same task there", other.createTask(), task);
        Rig.Settlement memory made = good(task, 1);
        bytes memory signatures = other.signOnly(made, ALL).signatures;
        require(keccak256(signatures) != keccak256(made.signatures), "the domain binds the contract");
        made.signatures = signatures;
        refuses(made);
    }

    function test_another_task() external {
        uint64 twin = rig.createTask();
        Rig.Settlement memory made = good(twin, 1);
        made.report.task = task;
        made.signatures = rig.signatures(made.seats, rounds.reportDigest(made.report), ALL);
        made.report.task = twin;
        refuses(made);
    }

    function test_another_round() external {
        Rig.Settlement memory made = good(task, 2);
        made.report.round = 1;
        made.signatures = rig.signatures(made.seats, rounds.reportDigest(made.report), ALL);
        made.report.round = 2;
        refuses(made);
    }

    function test_another_attempt() external {
        Rig.Settlement memory made = good(task, 1);
        vm.warp(block.timestamp + 20);
        made.report.attempt = 1;
        refuses(made);
    }

    function test_other_words() external {
        Rig.Settlement memory made = good(task, 1);
        made.words[0] = rig.lanes(65_535, 3);
        made.report.wordsHash = keccak256(abi.encodePacked(made.words));
        refuses(made);
    }

    function test_another_mode() external {
        uint64 root = rig.createRootTask();
        RootRig.RootRound memory made = rig.rootMade(root, 1);
        made.base.report.mode = 0;
        made.base.signatures = rig.signatures(made.base.seats, rounds.reportDigest(made.base.report), ALL);
        made.base.report.mode = 1;
        fails(IRoundBook.BadSignature.selector, 0);
        rig.postRoot(made);
    }

    function test_another_state() external {
        uint64 root = rig.createRootTask();
        RootRig.RootRound memory made = rig.rootMade(root, 1);
        made.state.data = "elsewhere";
        made.base.report.wordsHash = keccak256(abi.encode(made.state));
        fails(IRoundBook.BadSignature.selector, 0);
        rig.postRoot(made);
    }
}
