// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {IDisputes} from "../../interfaces/IDisputes.sol";
import {Rig} from "../Rig.sol";
import {RootRig} from "../RootRig.sol";

/// @notice The clock alone makes a post final; a void one leaves its parent, and the round is skipped.
contract FinalityTest is Base {
    function check(uint64 task, uint32 final_, uint32 pending) private view {
        (uint32 round, bytes32 hash) = rounds.finalOf(task);
        eq("final", round, final_);
        eq("with a record", hash == 0 ? 0 : 1, final_ == 0 ? 0 : 1);
        uint40 closesAt;
        (round, hash, closesAt) = rounds.pendingOf(task);
        eq("pending", round, pending);
        eq("with a hash", hash == 0 ? 0 : 1, pending == 0 ? 0 : 1);
        eq("closes", closesAt, pending == 0 ? 0 : rounds.taskOf(task).params.startsAt + 400 * pending);
    }

    function test_by_the_second() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory made = rig.posted(task, 1);
        turns(task);
        rig.finalise(made); // changes nothing of it
        check(task, 1, 0);
        (uint32 parent,) = rounds.parentOf(task);
        eq("latest record", parent, 1);
    }

    function test_by_the_second_in_root_mode() external {
        uint64 task = rig.createRootTask();
        rig.rootPosted(task, 1);
        turns(task);
    }

    function turns(uint64 task) private {
        check(task, 0, 1);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1);
        check(task, 0, 1);
        vm.warp(block.timestamp + 1);
        check(task, 1, 0);
        rig.toPhase(task, 9, IRoundBook.Phase.Commit);
        check(task, 1, 0);
    }

    /// @notice A void post: the parent stands, nothing more is posted in the round, and the next round builds on the parent.
    function test_void_skip_next() external {
        uint64 task = rig.createTask();
        rig.finalised(task, 1);
        Rig.Settlement memory made =
            rig.settlement(task, 2, rig.draw(task, 2), rig.lanes(40_001, 3), rig.lanes(40_000, 3), ALL);
        rig.post(made);
        rig.challenge(made, 0, same(rig.lanes(40_000, 3), 7));
        eq("voided", rounds.liveOf(task).voidedRound, 2);
        check(task, 1, 0);
        // Neither the same report again nor another, though POST still lasts.
        fails(IRoundBook.StaleReport.selector, 2, 2);
        rig.post(made);
        vm.warp(block.timestamp + 20);
        made.report.attempt = 1;
        made = rig.signOnly(made, ALL);
        fails(IRoundBook.StaleReport.selector, 2, 2);
        rig.post(made);
        fails(IRoundBook.AlreadyDrawn.selector, 2);
        rounds.armBeacon(task, 2);
        rig.toPhase(task, 3, IRoundBook.Phase.Commit);
        fails(IRoundBook.NothingPosted.selector, task);
        rig.finalise(made);
        reseat();
        made = rig.finalised(task, 3);
        eq("builds on the first", made.report.parent, keccak256(abi.encode("model", uint32(1))));
        check(task, 3, 0);
    }

    function test_void_skip_next_in_root_mode() external {
        uint64 task = rig.createRootTask();
        RootRig.RootRound memory first = rig.rootPosted(task, 1);
        RootRig.RootRound memory made = rig.rootMade(task, 2);
        made.next.reputation[3] ^= 1;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        // Late in the window: a fault is proved until the last second.
        rig.toPhase(task, 3, IRoundBook.Phase.Commit);
        vm.warp(block.timestamp - 1);
        rig.challengeStep(made, 3);
        check(task, 1, 0);
        eq("the first was promoted for good", rounds.liveOf(task).finalRound, 1);
        vm.warp(block.timestamp + 1);
        check(task, 1, 0);
        reseat();
        made = rig.rootPosted(task, 3);
        eq("parent", made.base.report.parent, first.base.report.model);
        eq("its state", keccak256(abi.encode(made.parentState)), keccak256(abi.encode(first.state)));
        rig.toPhase(task, 4, IRoundBook.Phase.Commit);
        check(task, 3, 0);
    }

    /// @notice The first post of a task can die too; then the next builds on genesis.
    function test_void_before_any_final_round() external {
        uint64 task = rig.createRootTask();
        RootRig.RootRound memory made = rig.rootMade(task, 1);
        made.next.scores[0] ^= 1;
        made = rig.restate(made, ALL);
        rig.postRoot(made);
        rig.challengeRootScore(made, 0);
        check(task, 0, 0);
        reseat();
        made = rig.rootPosted(task, 2);
        eq("genesis", made.base.report.parent, bytes32("genesis"));
        rig.toPhase(task, 3, IRoundBook.Phase.Commit);
        check(task, 2, 0);
    }

    function test_only_disputes_void() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory made = rig.posted(task, 1);
        bytes32 digest = rounds.reportDigest(made.report);
        fails(IRoundBook.NotDisputes.selector, num(address(this)));
        rounds.voidPost(task, digest, address(this));
        vm.startPrank(address(disputes));
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Voided(task, 1, digest, address(7));
        rounds.voidPost(task, digest, address(7));
        fails(IRoundBook.NothingPosted.selector, task);
        rounds.voidPost(task, digest, address(7));
        vm.stopPrank();
    }

    /// @notice A proposer that is silent or posts nothing harms nobody: whoever signed its report and then a later
    /// attempt's has done what it should.
    function test_signing_a_later_attempt_is_not_slashed() external {
        uint64 task = rig.createTask();
        Rig.Settlement memory first =
            rig.settlement(task, 1, rig.draw(task, 1), rig.lanes(40_000, 3), rig.lanes(40_000, 3), ALL);
        vm.warp(block.timestamp + 20);
        Rig.Settlement memory second =
            rig.settlement(task, 1, first.seats, rig.lanes(40_000, 3), rig.lanes(40_000, 3), ALL);
        second.report.attempt = 1;
        second = rig.signOnly(second, ALL);
        rig.post(second);
        bytes memory one = rig.sign(first.seats[0].node, rounds.reportDigest(first.report));
        bytes memory two = rig.sign(first.seats[0].node, rounds.reportDigest(second.report));
        fails(IDisputes.NotAFault.selector);
        disputes.equivocate(first.report, one, second.report, two);
        rig.toPhase(task, 2, IRoundBook.Phase.Commit);
        rig.finalise(second);
        for (uint32 node = 1; node <= 7; node++) eq("stake", vault.nodeOf(node).bonded, SEAT);
    }

    function reseat() private {
        for (uint32 node = 1; node <= 7; node++) {
            if (vault.nodeOf(node).seats == 1) continue;
            vm.prank(ownerOf(node));
            vault.bond(node, SLASH);
            rig.takeSeats(node, 1);
        }
    }
}
