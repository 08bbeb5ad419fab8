// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DisputeBase, IDisputes, IRoundBook} from "./DisputeBase.sol";
import {IStakeVault} from "../../interfaces/IStakeVault.sol";

contract EquivocateTest is DisputeBase {
    IRoundBook.Report private a;
    IRoundBook.Report private b;

    function setUp() public override {
        super.setUp();
        task = rig.createTask();
        a = rig.blank(task, 1, rig.draw(task, 1)).report;
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
        emit IDisputes.Equivocated(task, 1, 3, digestA, digestB);
        disputes.equivocate(a, signatureA, b, signatureB);
        eq("slashed", vault.nodeOf(3).bonded, SEAT - SLASH);
        eq("reporter", token.balanceOf(address(this)), SLASH / 2);
        eq("burnt", token.balanceOf(BURNT), SLASH / 2);
        fails(IDisputes.AlreadyPunished.selector, 3, 1);
        disputes.equivocate(b, signatureB, a, signatureA);
        signatureA = sign(4, a);
        signatureB = sign(4, b);
        disputes.equivocate(a, signatureA, b, signatureB); // another node is another fault
        a.round = b.round = 2;
        signatureA = sign(3, a);
        signatureB = sign(3, b);
        disputes.equivocate(a, signatureA, b, signatureB); // and so is another round
        eq("twice", vault.nodeOf(3).bonded, SEAT - 2 * SLASH);
    }

    /// @notice Both modes are one fault: two states of one round.
    function test_two_modes() external {
        b = a;
        b.mode = 1;
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, b);
        disputes.equivocate(a, signatureA, b, signatureB);
        eq("slashed", vault.nodeOf(3).bonded, SEAT - SLASH);
    }

    /// @notice Signing a later attempt, another round or another seed is honest, and so is signing twice.
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
        fails(IDisputes.NotAFault.selector);
        disputes.equivocate(a, signatureA, other, signatureB);
    }

    function test_refusals() external {
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, b);
        bytes memory foreign = sign(4, b);
        fails(IDisputes.BadSignature.selector, 0);
        disputes.equivocate(a, "", b, signatureB);
        fails(IDisputes.BadSignature.selector, 1);
        disputes.equivocate(a, signatureA, b, "");
        fails(IDisputes.NotAFault.selector); // two signers
        disputes.equivocate(a, signatureA, b, foreign);
        signatureA = sign(99, a);
        signatureB = sign(99, b);
        fails(IDisputes.NotAFault.selector); // nobody's key
        disputes.equivocate(a, signatureA, b, signatureB);
        a.task = b.task = 9;
        signatureA = sign(3, a);
        signatureB = sign(3, b);
        fails(IRoundBook.UnknownTask.selector, 9);
        disputes.equivocate(a, signatureA, b, signatureB);
    }

    /// @notice Signatures for another chain are no fault on this one.
    function test_other_chain() external {
        vm.chainId(99);
        bytes memory signatureA = sign(3, a);
        bytes memory signatureB = sign(3, b);
        vm.chainId(31_337);
        fails(IDisputes.NotAFault.selector);
        disputes.equivocate(a, signatureA, b, signatureB);
        eq("not slashed", vault.nodeOf(3).bonded, SEAT);
    }

    /// @notice High s is refused: it could otherwise pass for a second signature.
    function test_malleated() external {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(3, rounds.reportDigest(a));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory mirror = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        bytes memory signatureB = sign(3, b);
        fails(IDisputes.BadSignature.selector, 0);
        disputes.equivocate(a, mirror, b, signatureB);
    }

    /// @notice A node that has nothing left is punished all the same, and pays nothing.
    function test_nothing_left() external {
        vm.prank(ownerOf(8));
        vault.unbond(8, SEAT);
        vm.warp(block.timestamp + 1e9);
        vm.prank(ownerOf(8));
        vault.withdraw(8);
        bytes memory signatureA = sign(8, a);
        bytes memory signatureB = sign(8, b);
        disputes.equivocate(a, signatureA, b, signatureB);
        eq("reporter", token.balanceOf(address(this)), 0);
        fails(IDisputes.AlreadyPunished.selector, 8, 1);
        disputes.equivocate(a, signatureA, b, signatureB);
    }

    // ---- observations ----

    function observed(uint256 key, bytes32 commitment) private view returns (bytes memory) {
        return rig.sign(key, disputes.observationDigest(task, 1, "seed", 3, commitment));
    }

    function test_observation_is_typed_data_of_the_book() external view {
        bytes32 kind =
            keccak256("Observation(uint64 task,uint32 round,bytes32 seed,uint32 node,bytes32 commitment)");
        bytes32 body = keccak256(abi.encode(kind, task, uint32(1), bytes32("seed"), uint32(3), bytes32("a")));
        bytes32 expected = keccak256(abi.encodePacked(hex"1901", rounds.domainSeparator(), body));
        eq("digest", disputes.observationDigest(task, 1, "seed", 3, "a"), expected);
    }

    function test_two_observations() external {
        bytes memory signatureA = observed(3, "a");
        bytes memory signatureB = observed(3, "b");
        bytes32 digestA = disputes.observationDigest(task, 1, "seed", 3, "a");
        bytes32 digestB = disputes.observationDigest(task, 1, "seed", 3, "b");
        vm.warp(block.timestamp + 1e9);
        vm.expectEmit(true, true, true, true);
        emit IDisputes.Equivocated(task, 1, 3, digestA, digestB);
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", signatureB);
        eq("slashed", vault.nodeOf(3).bonded, SEAT - SLASH);
        eq("reporter", token.balanceOf(address(this)), SLASH / 2);
        fails(IDisputes.AlreadyPunished.selector, 3, 1);
        disputes.equivocateObservation(task, 1, "seed", 3, "b", signatureB, "a", signatureA);
    }

    /// @notice Two reports and two observations are two faults.
    function test_both_kinds() external {
        bytes memory signatureA = observed(3, "a");
        bytes memory signatureB = observed(3, "b");
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", signatureB);
        signatureA = sign(3, a);
        signatureB = sign(3, b);
        disputes.equivocate(a, signatureA, b, signatureB);
        eq("twice", vault.nodeOf(3).bonded, SEAT - 2 * SLASH);
    }

    function test_observation_refusals() external {
        bytes memory signatureA = observed(3, "a");
        bytes memory signatureB = observed(3, "b");
        bytes memory foreign = observed(4, "b");
        fails(IDisputes.NotAFault.selector); // the same twice
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "a", signatureA);
        fails(IDisputes.BadSignature.selector, 0);
        disputes.equivocateObservation(task, 1, "seed", 3, "a", "", "b", signatureB);
        fails(IDisputes.BadSignature.selector, 1);
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", "");
        fails(IDisputes.NotAFault.selector); // two signers
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", foreign);
        signatureA = observed(4, "a");
        fails(IDisputes.NotAFault.selector); // node 4 signed of node 3
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", foreign);
        signatureA = rig.sign(3, disputes.observationDigest(task, 1, "seed", 99, "a"));
        signatureB = rig.sign(3, disputes.observationDigest(task, 1, "seed", 99, "b"));
        fails(IStakeVault.UnknownNode.selector, 99);
        disputes.equivocateObservation(task, 1, "seed", 99, "a", signatureA, "b", signatureB);
        signatureA = rig.sign(3, disputes.observationDigest(9, 1, "seed", 3, "a"));
        signatureB = rig.sign(3, disputes.observationDigest(9, 1, "seed", 3, "b"));
        fails(IRoundBook.UnknownTask.selector, 9);
        disputes.equivocateObservation(9, 1, "seed", 3, "a", signatureA, "b", signatureB);
        for (uint32 node = 3; node <= 4; node++) eq("not slashed", vault.nodeOf(node).bonded, SEAT);
    }

    /// @notice Observations of two rounds, seeds or tasks are two observations: recovered against one of them, the signer of
    /// the other is somebody else.
    function test_observations_of_two_rounds() external {
        bytes memory signatureA = observed(3, "a");
        bytes memory signatureB = rig.sign(3, disputes.observationDigest(task, 2, "seed", 3, "b"));
        fails(IDisputes.NotAFault.selector);
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", signatureB);
        signatureB = rig.sign(3, disputes.observationDigest(task, 1, "else", 3, "b"));
        fails(IDisputes.NotAFault.selector);
        disputes.equivocateObservation(task, 1, "seed", 3, "a", signatureA, "b", signatureB);
    }
}
