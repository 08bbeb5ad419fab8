// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IStakeVault} from "../Base.sol";

contract FreezeSeatsTest is Base {
    function freeze(uint64 until) private {
        vm.prank(address(rounds));
        vault.freezeSeats(until);
    }

    function thaw() private {
        vm.prank(address(rounds));
        vault.thawSeats();
    }

    function frozen() private returns (bool) {
        vm.prank(ownerOf(8));
        try vault.takeSeats(8, 1) {
            vm.prank(ownerOf(8));
            vault.leaveSeats(8, 1);
            return false;
        } catch {
            return true;
        }
    }

    function test_only_rounds() external {
        fails(IStakeVault.NotRounds.selector, num(address(this)));
        vault.freezeSeats(1);
        fails(IStakeVault.NotRounds.selector, num(address(this)));
        vault.thawSeats();
    }

    function test_thaws_when_the_last_draw_is_done() external {
        uint64 here = uint64(block.number);
        freeze(here + 10);
        freeze(here + 20);
        require(frozen());
        thaw();
        require(frozen());
        thaw();
        require(!frozen());
        thaw(); // and again does nothing
        require(!frozen());
    }

    function test_an_expired_draw_is_forgotten() external {
        uint64 here = uint64(block.number);
        freeze(here + 10);
        vm.roll(here + 11);
        require(!frozen());
        freeze(here + 30);
        thaw();
        require(!frozen());
    }

    /// @notice Whoever arms draws for ever must let the others out for three blocks in two thousand.
    function test_no_freeze_for_ever() external {
        uint64 start = uint64(block.number);
        uint64 here = start;
        uint64 until;
        while (here + 258 <= start + 2048) {
            until = here + 258;
            freeze(until);
            thaw();
            freeze(until);
            here = until + 1;
            vm.roll(here);
        }
        fails(IStakeVault.SeatsFrozen.selector, until + 3);
        vm.prank(address(rounds));
        vault.freezeSeats(here + 258);
        require(!frozen());
        vm.roll(until + 3);
        fails(IStakeVault.SeatsFrozen.selector, until + 3);
        vm.prank(address(rounds));
        vault.freezeSeats(until + 3 + 258);
        vm.roll(until + 4);
        freeze(until + 4 + 258);
        require(frozen());
    }
}
