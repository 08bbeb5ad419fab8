// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract SlashTest is VaultBase {
    address private reporter = address(0xfee);

    function slash(uint32 node, uint96 amount) private returns (uint96) {
        return slash(node, amount, reporter);
    }

    function test_only_disputes() external {
        fails(IStakeVault.NotDisputes.selector, num(address(this))); // rounds
        vault.slash(1, 1, reporter);
        fails(IStakeVault.NotDisputes.selector, num(ownerOf(1)));
        vm.prank(ownerOf(1));
        vault.slash(1, 1, reporter);
    }

    function test_unknown() external {
        fails(IStakeVault.UnknownNode.selector, 99);
        slash(99, 1);
    }

    function test_half_to_the_reporter_half_burnt() external {
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Slashed(8, reporter, 0, 7, 4);
        eq("taken", slash(8, 7), 7);
        eq("reporter", token.balanceOf(reporter), 3);
        eq("burnt", token.balanceOf(BURNT), 4);
        eq("bonded", vault.nodeOf(8).bonded, SEAT - 7);
    }

    function test_exiting_stake_first() external {
        vm.prank(ownerOf(8));
        vault.unbond(8, 10);
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Slashed(8, reporter, 10, 5, 8);
        slash(8, 15);
        eq("exiting", vault.nodeOf(8).exiting, 0);
        eq("bonded", vault.nodeOf(8).bonded, SEAT - 15);
    }

    /// @notice Who left and waits for its stake is still slashed.
    function test_exit_does_not_escape() external {
        vm.startPrank(ownerOf(1));
        vault.leaveSeats(1, 1);
        vault.unbond(1, SEAT);
        vm.stopPrank();
        eq("taken", slash(1, SEAT / 2), SEAT / 2);
        eq("exiting", vault.nodeOf(1).exiting, SEAT / 2);
        eq("capped", slash(1, SEAT), SEAT / 2);
        eq("nothing is left", slash(1, SEAT), 0);
    }

    function test_uncovered_seats_go() external {
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.SeatsChanged(3, 1, 0);
        slash(3, 1);
        eq("all", vault.seatCount(), 6);
        eq("seats", vault.nodeOf(3).seats, 0);
    }

    /// @notice During a freeze places do not move: nobody steers a draw by being slashed.
    function test_places_stand_still_while_frozen() external {
        uint64 until = uint64(block.number) + 5;
        vault.freezeSeats(until);
        slash(3, 1);
        eq("all", vault.seatCount(), 7);
        (uint32 node, uint40 locked) = vault.seatAt(2);
        eq("vacant", node, 0);
        eq("never drawn", locked, type(uint40).max);
        (node,) = vault.seatAt(6);
        eq("the last stays", node, 7);
        fails(IStakeVault.NotEnoughSeats.selector, 7, 4); // the vacancy is fifth in this seed's order
        vault.drawSeats(bytes32("s"), 7, 1);

        vm.roll(until + 1);
        vm.prank(ownerOf(7)); // the last place is freed, the vacancy stays where it is
        vault.leaveSeats(7, 1);
        eq("all", vault.seatCount(), 6);
        takeSeats(8, 1);
        eq("the vacancy is filled first", vault.seatCount(), 6);
        (node,) = vault.seatAt(2);
        eq("filled", node, 8);
        vault.drawSeats(bytes32("s"), 6, 1);
    }

    function test_a_vacancy_moves_like_any_seat() external {
        vault.freezeSeats(uint64(block.number));
        slash(7, 1); // the last place is vacant
        vm.roll(block.number + 1);
        vm.prank(ownerOf(2));
        vault.leaveSeats(2, 1);
        (uint32 node,) = vault.seatAt(1);
        eq("moved", node, 0);
        takeSeats(8, 1);
        (node,) = vault.seatAt(1);
        eq("filled", node, 8);
        eq("all", vault.seatCount(), 6);
    }

    function testFuzz_never_more_than_there_is(uint96 unbonded, uint96 amount) external {
        unbonded = uint96(bound(unbonded, 0, SEAT));
        if (unbonded != 0) {
            vm.prank(ownerOf(9));
            vault.unbond(9, unbonded);
        }
        uint96 taken = slash(9, amount);
        eq("taken", taken, amount < SEAT ? amount : SEAT);
        eq("left", uint256(vault.nodeOf(9).bonded) + vault.nodeOf(9).exiting, SEAT - taken);
        eq("split", token.balanceOf(reporter) + token.balanceOf(BURNT), taken);
        require(token.balanceOf(BURNT) >= token.balanceOf(reporter));
    }
}
