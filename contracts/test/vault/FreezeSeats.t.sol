// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract FreezeSeatsTest is VaultBase {
    /// @dev A draw of one seat that is free again at once.
    function thaw() private {
        vault.drawSeats(bytes32("seed"), 1, 0);
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
        fails(IStakeVault.NotRounds.selector, num(DISPUTES));
        vm.prank(DISPUTES);
        vault.freezeSeats(1);
    }

    function test_thaws_when_the_last_draw_is_done() external {
        uint64 here = uint64(block.number);
        vault.freezeSeats(here + 10);
        vault.freezeSeats(here + 20);
        require(frozen());
        thaw();
        require(frozen());
        thaw();
        require(!frozen());
        thaw(); // and again does nothing
        require(!frozen());
    }

    /// @notice A draw that is armed for a shorter time does not cut another's short.
    function test_the_longest_freeze_rules() external {
        uint64 here = uint64(block.number);
        vault.freezeSeats(here + 20);
        vault.freezeSeats(here + 10);
        thaw();
        vm.roll(here + 20);
        require(frozen());
        vm.roll(here + 21);
        require(!frozen());
    }

    function test_an_expired_draw_is_forgotten() external {
        uint64 here = uint64(block.number);
        vault.freezeSeats(here + 10);
        vm.roll(here + 11);
        require(!frozen());
        vault.freezeSeats(here + 30);
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
            vault.freezeSeats(until);
            thaw();
            vault.freezeSeats(until);
            here = until + 1;
            vm.roll(here);
        }
        fails(IStakeVault.SeatsFrozen.selector, until + 3);
        vault.freezeSeats(here + 258);
        require(!frozen());
        vm.roll(until + 3);
        fails(IStakeVault.SeatsFrozen.selector, until + 3);
        vault.freezeSeats(until + 3 + 258);
        vm.roll(until + 4);
        vault.freezeSeats(until + 4 + 258);
        require(frozen());
    }
}
