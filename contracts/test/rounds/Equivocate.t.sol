// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";

contract EquivocateTest is Base {
    uint64 private task;
    IRoundBook.Report private a;
    IRoundBook.Report private b;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
        a = rig.settlement(task, 1, rig.draw(task, 1), 0, 0, 0).report;
        b = a;
        b.model = "other";
    }

    function sign(uint256 key, IRoundBook.Report memory report) private view returns (bytes memory) {
        return rig.sign(key, rounds.reportDigest(report));
    }

    function test_slashed_once_a_round() external {
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, b);
        vm.warp(block.timestamp + 1e9); // any time
        bytes32 digestA = rounds.reportDigest(a);
        bytes32 digestB = rounds.reportDigest(b);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Equivocated(task, 1, 3, digestA, digestB);
        rounds.equivocate(a, signatureA, b, signatureB);
        eq("slashed", vault.nodeOf(3).bonded, SEAT - SLASH);
        eq("reporter", token.balanceOf(address(this)), SLASH / 2);
        fails(IRoundBook.AlreadyPunished.selector, 3, 1);
        rounds.equivocate(b, signatureB, a, signatureA);
        signatureA = sign(4, a);
        signatureB = sign(4, b);
        rounds.equivocate(a, signatureA, b, signatureB); // another node is another fault
    }

    /// @notice Signing a later attempt, another round or another seed is honest.
    function test_honest_pairs() external {
        honest(a);
        IRoundBook.Report memory later = b;
        later.attempt = 1;
        honest(later);
        later = b;
        later.round = 2;
        honest(later);
        later = b;
        later.seed = "other";
        honest(later);
        later = b;
        later.task = task + 1;
        honest(later);
    }

    function honest(IRoundBook.Report memory other) private {
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, other);
        fails(IRoundBook.NotAFault.selector);
        rounds.equivocate(a, signatureA, other, signatureB);
    }

    function test_refusals() external {
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, b);
        bytes memory foreign = sign(4, b);
        fails(IRoundBook.BadSignature.selector, 0);
        rounds.equivocate(a, "", b, signatureB);
        fails(IRoundBook.BadSignature.selector, 1);
        rounds.equivocate(a, signatureA, b, "");
        fails(IRoundBook.NotAFault.selector); // two signers
        rounds.equivocate(a, signatureA, b, foreign);
        signatureA = sign(99, a);
        signatureB = sign(99, b);
        fails(IRoundBook.NotAFault.selector); // nobody's key
        rounds.equivocate(a, signatureA, b, signatureB);
        a.task = 9;
        fails(IRoundBook.UnknownTask.selector, 9);
        rounds.equivocate(a, signatureA, b, signatureB);
    }
}
