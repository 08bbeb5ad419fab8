// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract DrawSeatsTest is VaultBase {
    function draw(bytes32 seed, uint32 count) private returns (bytes memory committee) {
        return vault.drawSeats(seed, count, uint40(block.timestamp) + 100);
    }

    /// @dev Positions of seats that are locked now, as bits.
    function lockedSeats() private view returns (uint256 bits) {
        uint32 size = vault.seatCount();
        for (uint32 i = 0; i < size; i++) {
            (, uint40 until) = vault.seatAt(i);
            if (until > block.timestamp) bits |= 1 << i;
        }
    }

    function test_only_rounds() external {
        fails(IStakeVault.NotRounds.selector, num(DISPUTES));
        vm.prank(DISPUTES);
        vault.drawSeats(0, 1, 0);
        fails(IStakeVault.NotRounds.selector, num(ownerOf(1)));
        vm.prank(ownerOf(1));
        vault.drawSeats(0, 1, 0);
    }

    function testFuzz_is_fisher_yates(bytes32 seed, uint32 count) external {
        count = uint32(bound(count, 1, SEATED));
        bytes memory expected = predict(seed, count);
        bytes memory committee = draw(seed, count);
        eq("length", committee.length, 24 * uint256(count));
        eq("committee", committee, expected);
    }

    /// @notice The same in a vault where seats of several nodes moved, were vacated and are locked by another draw. The
    /// draw passes them by, although the table of positions has to grow for it.
    function testFuzz_passes_by_what_is_locked(bytes32 seed, uint32 taken, uint32 count, uint32 left) external {
        for (uint32 node = 8; node <= NODES; node++) moreSeats(node, 9);
        for (uint32 node = 8; node <= NODES; node++) takeSeats(node, 1); // 37 seats
        leaveSeats(uint32(bound(left, 1, SEATED)), 1);
        leaveSeats(8, uint32(bound(left, 1, 9)));
        vault.freezeSeats(uint64(block.number) + 1);
        slash(9, uint96(bound(left, 1, 4)) * SEAT, address(this)); // vacancies
        uint256 free = vault.seatCount() - bound(left, 1, 4);
        taken = uint32(bound(taken, 0, free - 1));
        if (taken != 0) draw(keccak256(abi.encode(seed)), taken);
        count = uint32(bound(count, 1, free - taken));

        bytes memory expected = predict(seed, count);
        eq("enough", expected.length, 24 * uint256(count));
        eq("committee", draw(seed, count), expected);
    }

    /// @notice One stake may back several tasks, not two committees at once: what one draw has locked no other draws.
    function test_a_seat_serves_one_draw_at_a_time() external {
        uint64 until = uint64(block.number) + 9;
        vault.freezeSeats(until);
        vault.freezeSeats(until);
        draw(bytes32("a"), 4);
        uint256 first = lockedSeats();
        bytes memory second = draw(bytes32("b"), 3);
        eq("all seven locked", lockedSeats(), 0x7f);
        for (uint256 j = 0; j < 3; j++) {
            (uint32 node,) = seatOf(second, j); // node n stands at place n - 1
            eq("not drawn before", (first >> (node - 1)) & 1, 0);
        }
        fails(IStakeVault.NotEnoughSeats.selector, 1, 0);
        vault.drawSeats(bytes32("c"), 1, 1);
        vm.warp(block.timestamp + 99);
        fails(IStakeVault.NotEnoughSeats.selector, 1, 0);
        vault.drawSeats(bytes32("c"), 1, 1);
        vm.warp(block.timestamp + 1);
        draw(bytes32("c"), 7);
    }

    function test_too_few() external {
        fails(IStakeVault.NotEnoughSeats.selector, 8, 7);
        vault.drawSeats(bytes32("c"), 8, 1);
    }

    /// @notice A draw that fails leaves nothing locked.
    function test_all_or_nothing() external {
        draw(bytes32("a"), 3);
        uint256 before = lockedSeats();
        fails(IStakeVault.NotEnoughSeats.selector, 5, 4);
        vault.drawSeats(bytes32("b"), 5, 1);
        eq("locked", lockedSeats(), before);
    }

    /// @notice A draw of k looks at 4k + 64 seats, however many there are.
    function test_steps_are_bounded() external {
        moreSeats(8, 199);
        takeSeats(8, 1); // 207 seats
        vault.drawSeats(bytes32("a"), 128, uint40(block.timestamp) + 100);
        vault.drawSeats(bytes32("b"), 64, uint40(block.timestamp) + 100); // 15 are free
        uint256 met = 0;
        for (uint256 i = 0; i < 40; i++) {
            // 68 steps meet one of 15 among 207 with 99.6 %, 15 of 15 hardly ever.
            try vault.drawSeats(keccak256(abi.encode(i)), 15, uint40(block.timestamp) + 100) {
                met++;
                break;
            } catch (bytes memory why) {
                require(bytes4(why) == IStakeVault.NotEnoughSeats.selector, "selector");
            }
        }
        eq("never all of them", met, 0);
        vault.drawSeats(bytes32("c"), 1, 1);
    }

    /// @notice Splitting stake over identities leaves its share of seats as it was: places are drawn, not nodes.
    function test_seats_are_linear_in_stake() external {
        moreSeats(8, 6);
        takeSeats(8, 1);
        uint256 mine = 0;
        for (uint256 i = 0; i < 200; i++) {
            bytes memory committee = draw(keccak256(abi.encode(i)), 7);
            for (uint256 j = 0; j < 7; j++) {
                (uint32 node, address signer) = seatOf(committee, j);
                eq("signer", signer, vm.addr(node));
                if (node == 8) mine++;
            }
            vm.warp(block.timestamp + 100);
        }
        require(mine > 620 && mine < 780, "half of 1400");
    }
}
