// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook, IStakeVault} from "../Base.sol";
import {ISeedSource} from "../../interfaces/ISeedSource.sol";
import {RootRig} from "../RootRig.sol";

/// @notice Ticket t is the number of block t, which anyone can tell from block t + 1 to t + 10.
contract BlockSource is ISeedSource {
    function ticket() external view returns (uint64) {
        return uint64(block.number) + 1;
    }

    function frozenUntil(uint64 ticket_) external pure returns (uint64) {
        return ticket_ + 10;
    }

    function expired(uint64 ticket_) public view returns (bool) {
        return block.number > ticket_ + 10;
    }

    function randomness(uint64 ticket_, bytes calldata proof) external view returns (bytes32) {
        require(block.number > ticket_, TicketPending(ticket_));
        require(!expired(ticket_), TicketExpired(ticket_));
        require(keccak256(proof) == keccak256(abi.encode(ticket_)), BadSeedProof(ticket_));
        return keccak256(abi.encode("number", ticket_));
    }
}

contract SeedSourceTest is Base {
    uint64 private task;
    uint64 private ticket;

    function setUp() public override {
        address source = address(new BlockSource());
        adopt(RootRig(vm.deployCode("RootRig.sol:RootRig", abi.encode(source))));
        eq("source", rounds.seedSource(), source);
        task = rig.createTask();
        rig.toPhase(task, 1, IRoundBook.Phase.Post);
        ticket = uint64(block.number) + 1;
    }

    function test_ticket_then_draw() external {
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.BeaconArmed(task, 1, ticket);
        rounds.armBeacon(task, 1);
        fails(IStakeVault.SeatsFrozen.selector, ticket + 10);
        rig.takeSeats(8, 1);
        bytes memory proof = abi.encode(ticket);
        fails(ISeedSource.TicketPending.selector, ticket);
        rounds.drawCommittee(task, 1, proof);
        vm.roll(ticket + 1);
        fails(ISeedSource.BadSeedProof.selector, ticket);
        rounds.drawCommittee(task, 1, "x");
        fails(IRoundBook.AlreadyArmed.selector, 1, ticket);
        rounds.armBeacon(task, 1);
        bytes32 random = keccak256(abi.encode("number", ticket));
        bytes32 seed = keccak256(abi.encode(block.chainid, address(rounds), task, uint32(1), random));
        IRoundBook.Seat[] memory seats = rig.predict(seed, 7);
        bytes memory packed = rig.packed(seats);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.CommitteeDrawn(task, 1, seed, packed);
        rounds.drawCommittee(task, 1, proof);
    }

    function test_again_once_expired() external {
        rounds.armBeacon(task, 1);
        vm.roll(ticket + 10);
        fails(IRoundBook.AlreadyArmed.selector, 1, ticket);
        rounds.armBeacon(task, 1);
        vm.roll(ticket + 11);
        bytes memory proof = abi.encode(ticket);
        fails(ISeedSource.TicketExpired.selector, ticket);
        rounds.drawCommittee(task, 1, proof);
        rounds.armBeacon(task, 1);
        eq("another ticket", rounds.liveOf(task).seedBlock, ticket + 12);
    }
}
