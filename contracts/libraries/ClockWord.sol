// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook} from "../interfaces/IRoundBook.sol";

/// @title The clock of a task, from the one slot that holds it
/// @notice startsAt u40, then commitS, revealS, postS, windowS, attemptS u32 each, rounds u16, seats, quorum, mode, levels
/// u8 each, contributions: the order of IRoundBook.TaskParams from startsAt on, which Solidity packs from the low end.
/// @dev Unchecked throughout: a round number has at most 32 bits and a period 34, so nothing here reaches 2^80.
library ClockWord {
    /// @dev Slots of TaskParams before this one: three digests.
    uint256 private constant SLOT = 3;

    /// @notice The word of a task's parameters in storage.
    function load(IRoundBook.TaskParams storage params) internal view returns (uint256 clock) {
        assembly ("memory-safe") {
            clock := sload(add(params.slot, SLOT))
        }
    }

    function startsAt(uint256 clock) internal pure returns (uint256) {
        return uint40(clock);
    }

    function commitS(uint256 clock) internal pure returns (uint256) {
        return uint32(clock >> 40);
    }

    function revealS(uint256 clock) internal pure returns (uint256) {
        return uint32(clock >> 72);
    }

    function postS(uint256 clock) internal pure returns (uint256) {
        return uint32(clock >> 104);
    }

    function windowS(uint256 clock) internal pure returns (uint256) {
        return uint32(clock >> 136);
    }

    function attemptS(uint256 clock) internal pure returns (uint256) {
        return uint32(clock >> 168);
    }

    function rounds(uint256 clock) internal pure returns (uint256) {
        return uint16(clock >> 200);
    }

    function seats(uint256 clock) internal pure returns (uint256) {
        return uint8(clock >> 216);
    }

    function quorum(uint256 clock) internal pure returns (uint256) {
        return uint8(clock >> 224);
    }

    function mode(uint256 clock) internal pure returns (uint256) {
        return uint8(clock >> 232);
    }

    function levels(uint256 clock) internal pure returns (uint256) {
        return uint8(clock >> 240);
    }

    function contributions(uint256 clock) internal pure returns (bool) {
        return clock >> 248 != 0;
    }

    /// @notice Length of a round in seconds.
    function period(uint256 clock) internal pure returns (uint256) {
        unchecked {
            return commitS(clock) + revealS(clock) + postS(clock) + windowS(clock);
        }
    }

    /// @notice When round `round` (1 or more) starts.
    function startOf(uint256 clock, uint256 round) internal pure returns (uint256) {
        unchecked {
            return startsAt(clock) + (round - 1) * period(clock);
        }
    }

    /// @notice Round, phase and the phase's end at `time`. Before the start the round is 0 and its phase Window: nothing may
    /// be done but wait for round 1.
    function at(uint256 clock, uint256 time)
        internal
        pure
        returns (uint256 round, IRoundBook.Phase phase, uint256 endsAt)
    {
        unchecked {
            endsAt = startsAt(clock);
            if (time < endsAt) return (0, IRoundBook.Phase.Window, endsAt);
            uint256 length = period(clock);
            uint256 index = (time - endsAt) / length;
            if (index >= rounds(clock)) {
                return (rounds(clock), IRoundBook.Phase.Over, endsAt + rounds(clock) * length);
            }
            round = index + 1;
            endsAt += index * length + commitS(clock);
            if (time < endsAt) return (round, IRoundBook.Phase.Commit, endsAt);
            endsAt += revealS(clock);
            if (time < endsAt) return (round, IRoundBook.Phase.Reveal, endsAt);
            endsAt += postS(clock);
            if (time < endsAt) return (round, IRoundBook.Phase.Post, endsAt);
            return (round, IRoundBook.Phase.Window, endsAt + windowS(clock));
        }
    }
}
