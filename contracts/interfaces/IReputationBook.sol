// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Reputation and contribution of nodes, by task and role
/// @notice A reputation word is 15 lanes of uint16 (lane i at bits 16·i) and a uint16 round stamp at bits 240. A
/// contribution word is 8 lanes of uint32. Lanes are keyed by (task, role, slot); slot s is lane s mod 15 of word s/15.
/// Only the RoundBook writes, and only from finalised settlements. Invariants: one lane never changes another; every
/// lane equals the scalar model; a word's stamp never falls.
interface IReputationBook {
    enum Role {
        Trainer,
        Verifier
    }

    event SlotOpened(uint64 indexed task, Role indexed role, uint32 indexed node, uint32 slot);
    event WordStepped(
        uint64 indexed task, Role indexed role, uint32 index, uint32 round, uint256 scores, uint256 before, uint256 next
    );
    event ContributionStepped(uint64 indexed task, Role indexed role, uint32 index, uint256 before, uint256 next);

    error NotRounds(address caller);
    error SlotTaken(uint64 task, Role role, uint32 node);
    error NoSlot(uint64 task, Role role, uint32 node);
    error StaleRound(uint32 got, uint32 latest);

    /// @notice Rounds only: give `node` the next slot of (task, role).
    function openSlot(uint64 task, Role role, uint32 node) external returns (uint32 slot);

    /// @notice Rounds only: apply one round's score words of a role. Word i steps lanes 15i..15i+14: score 0 = not due
    /// (trainer: reputation falls by 1/64, verifier: unchanged), 1 = due and failed (falls by a quarter, rounded so that
    /// it reaches 0), >= 2 = accepted: rises by (score - rep)/16 when above, falls by (rep - score)/4 when below.
    /// Contribution units of lane l: floor(part_l × 1e6 / Σ part), part = max(0, score − 32768).
    /// @return units the sum of units given, at most 1e6
    function step(uint64 task, Role role, uint32 round, uint256[] calldata scoreWords) external returns (uint256 units);

    /// @notice Reputation of a node, 0..65535. Reverts with NoSlot where it never joined.
    function reputationOf(uint64 task, Role role, uint32 node) external view returns (uint16);

    /// @notice Contribution units of a node, summed over finalised rounds (1e6 a round are shared by a role).
    function contributionOf(uint64 task, Role role, uint32 node) external view returns (uint32);

    function slotOf(uint64 task, Role role, uint32 node) external view returns (uint32 slot);
    function slotCount(uint64 task, Role role) external view returns (uint32);
    function wordAt(uint64 task, Role role, uint32 index) external view returns (uint256);
    function contributionWordAt(uint64 task, Role role, uint32 index) external view returns (uint256);
    function rounds() external view returns (address);
}
