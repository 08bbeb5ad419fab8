// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IRoundBook, IStakeVault} from "../Base.sol";

contract DrawSeatsTest is Base {
    function draw(bytes32 seed, uint32 count) private returns (uint32[] memory nodes, address[] memory signers) {
        vm.prank(address(rounds));
        return vault.drawSeats(seed, count, uint40(block.timestamp) + 100);
    }

    function test_only_rounds() external {
        fails(IStakeVault.NotRounds.selector, num(address(this)));
        vault.drawSeats(0, 1, 0);
    }

    function testFuzz_is_fisher_yates(bytes32 seed, uint32 count) external {
        count = uint32(bound(count, 1, 7));
        IRoundBook.Seat[] memory expected = rig.predict(seed, count);
        (uint32[] memory nodes, address[] memory signers) = draw(seed, count);
        for (uint256 i = 0; i < count; i++) {
            eq("node", nodes[i], expected[i].node);
            eq("signer", signers[i], expected[i].signer);
        }
    }

    function test_a_seat_serves_one_draw_at_a_time() external {
        draw(bytes32("a"), 4);
        (uint32[] memory nodes,) = draw(bytes32("b"), 3);
        uint256 locked = 0;
        for (uint32 i = 0; i < 7; i++) {
            (, uint40 until) = vault.seatAt(i);
            if (until > block.timestamp) locked++;
        }
        eq("all seven locked", locked, 7);
        eq("three drawn", nodes.length, 3);
        fails(IStakeVault.NotEnoughSeats.selector, 1, 0);
        vm.prank(address(rounds));
        vault.drawSeats(bytes32("c"), 1, 1);
        vm.warp(block.timestamp + 100);
        draw(bytes32("c"), 7);
    }

    function test_too_few() external {
        fails(IStakeVault.NotEnoughSeats.selector, 8, 7);
        vm.prank(address(rounds));
        vault.drawSeats(bytes32("c"), 8, 1);
    }

    /// @notice Splitting stake over identities leaves its share of seats as it was: places are drawn, not nodes.
    function test_seats_are_linear_in_stake() external {
        vm.startPrank(ownerOf(8));
        vault.bond(8, 6 * SEAT);
        vault.takeSeats(8, 7);
        vm.stopPrank();
        uint256 mine = 0;
        for (uint256 i = 0; i < 200; i++) {
            (uint32[] memory nodes,) = draw(keccak256(abi.encode(i)), 7);
            for (uint256 j = 0; j < 7; j++) if (nodes[j] == 8) mine++;
            vm.warp(block.timestamp + 100);
        }
        require(mine > 620 && mine < 780, "half of 1400");
    }
}
