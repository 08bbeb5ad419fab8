// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HashChainSeed} from "../../seeds/HashChainSeed.sol";
import {ISeedSource} from "../../interfaces/ISeedSource.sol";
import {IStakeVault, VaultBase} from "../vault/VaultBase.sol";

/// @notice The moves of a round over source and vault together: arm, reveal, draw, and arm again where a value is
/// withheld. The test is the `rounds` of both.
contract SeedFreezeTest is VaultBase {
    uint64 private constant DELAY = 2;
    uint64 private constant WINDOW = 250;

    HashChainSeed private seeds;
    bytes32[10] private values;

    function setUp() public override {
        super.setUp();
        values[9] = keccak256("secret");
        for (uint256 i = 9; i > 0; i--) values[i - 1] = keccak256(abi.encode(values[i]));
        bytes32[] memory tips = new bytes32[](1);
        tips[0] = values[0];
        bytes memory arguments = abi.encode(address(this), tips, uint32(9), DELAY, WINDOW);
        seeds = HashChainSeed(vm.deployCode("contracts/build/HashChainSeed.json", arguments));
    }

    function arm() private returns (uint64 ticket) {
        ticket = seeds.ticket();
        vault.freezeSeats(seeds.frozenUntil(ticket));
    }

    function pass(uint64 ticket) private {
        uint64 seedBlock = seeds.seedBlockOf(ticket);
        vm.roll(seedBlock + 1);
        vm.setBlockhash(seedBlock, keccak256(abi.encode(seedBlock)));
    }

    function draw(uint64 ticket, uint256 task) private {
        bytes32 seed = keccak256(abi.encode(task, seeds.randomness(ticket, "")));
        bytes memory expected = predict(seed, 3);
        eq("committee", vault.drawSeats(seed, 3, uint40(block.timestamp) + 10), expected);
    }

    function refused(uint64 until) private {
        fails(IStakeVault.SeatsFrozen.selector, until);
        vm.prank(ownerOf(8));
        vault.takeSeats(8, 1);
    }

    /// @notice Two tasks share a ticket; seats stand still from the ticket to the last draw.
    function test_frozen_while_the_number_is_open() external {
        uint64 ticket = arm();
        vm.roll(block.number + 1);
        eq("shared", arm(), ticket);
        uint64 until = seeds.frozenUntil(ticket);
        refused(until);
        pass(ticket);
        refused(until);
        seeds.reveal(0, values[1]);
        draw(ticket, 1);
        refused(until); // its number is known, and one task has not drawn
        draw(ticket, 2);
        takeSeats(8, 1);
    }

    /// @notice Where the value is withheld the freeze ends with the ticket, and the round is armed again.
    function test_withheld_and_armed_again() external {
        uint64 ticket = arm();
        uint64 until = seeds.frozenUntil(ticket);
        vm.roll(until);
        refused(until);
        require(!seeds.expired(ticket), "the last block");
        vm.roll(until + 1);
        require(seeds.expired(ticket), "expired");
        takeSeats(8, 1);
        fails(ISeedSource.TicketExpired.selector, ticket);
        seeds.randomness(ticket, "");

        uint64 next = arm();
        eq("another", next, ticket + 1);
        pass(next);
        seeds.reveal(0, values[2]);
        draw(next, 1);
        takeSeats(9, 1);
    }

    /// @notice The freeze of the longest window is one that the vault allows.
    function test_longest_freeze() external {
        bytes32[] memory tips = new bytes32[](1);
        tips[0] = values[0];
        bytes memory arguments = abi.encode(address(this), tips, 9, 256, 256);
        seeds = HashChainSeed(vm.deployCode("contracts/build/HashChainSeed.json", arguments));
        arm();
        refused(uint64(block.number) + 512);
    }
}
