// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRoundBook} from "./IRoundBook.sol";

/// @title Reputation and contribution of nodes, by task and role
/// @notice A reputation word is 15 lanes of uint16 (lane i at bits 16·i) and a uint16 round stamp at bits 240. A
/// contribution word is 8 lanes of uint32. Lanes are keyed by (task, role, slot); slot s is lane s mod 15 of word s/15.
/// Only the RoundBook writes, and only from final settlements; in root mode anyone brings a word here by proof.
/// Invariants: one lane never changes another; every lane equals the scalar model; a word's stamp never falls.
interface IReputationBook {
    enum Role {
        Trainer,
        Verifier
    }

    event SlotOpened(uint64 indexed task, Role indexed role, uint32 indexed node, uint32 slot);
    event Materialised(uint64 indexed task, Role indexed role, uint32 index, uint32 round, uint256 word);

    error NotRounds(address caller);
    error SlotTaken(uint64 task, Role role, uint32 node);
    error NoSlot(uint64 task, Role role, uint32 node);
    error StaleRound(uint32 got, uint32 latest);
    error WrongMode(uint8 mode, uint8 needed);
    error WrongHash(bytes32 what, bytes32 got, bytes32 expected);

    /// @notice Rounds only: give `node` the next slot of (task, role).
    function openSlot(uint64 task, Role role, uint32 node) external returns (uint32 slot);

    /// @notice Rounds only: apply score words [from, to) of one round, trainers' words first. No event of its own: the
    /// RoundBook's Finalised of the same call says which words, and what each lane became follows from them, as the log of
    /// the post has them, and the pure step function. Word i of a role steps lanes 15i..15i+14: score 0 =
    /// not due (trainer: reputation falls by 1/64, verifier: unchanged), 1 = due and failed (falls by a quarter, rounded
    /// so that it reaches 0), >= 2 = accepted: rises by (score - rep)/16 when above, falls by (rep - score)/4 when below.
    /// Contribution units of lane l: floor(part_l × 1e6 / Σ part over all of the role's words), part = max(0, score −
    /// 32768).
    /// @param words all score words of the round: `trainerWords` words of trainers, then those of verifiers
    /// @param contributions whether contribution totals are kept
    /// @return trainersEarned whether any trainer has a part; verifiersEarned likewise
    function step(
        uint64 task,
        uint32 round,
        uint256[] calldata words,
        uint256 trainerWords,
        uint256 from,
        uint256 to,
        bool contributions
    ) external returns (bool trainersEarned, bool verifiersEarned);

    /// @notice Root mode: store a reputation word of the final record, so that contracts can read its lanes. Anyone; a
    /// stored word of the same or a later round stays.
    /// @param siblings PositionTree siblings of the word at index role << levels | index, lowest first
    function materialise(
        uint64 task,
        Role role,
        uint32 index,
        uint256 word,
        IRoundBook.Settled calldata settled,
        IRoundBook.RootState calldata state,
        bytes32[] calldata siblings
    ) external;

    /// @notice Reputation of a node, 0..65535. Reverts with NoSlot where it never joined. In root mode: as last brought here.
    function reputationOf(uint64 task, Role role, uint32 node) external view returns (uint16);

    /// @notice Contribution units of a node, summed over finalised rounds (1e6 a round are shared by a role). Words mode.
    function contributionOf(uint64 task, Role role, uint32 node) external view returns (uint32);

    function slotOf(uint64 task, Role role, uint32 node) external view returns (uint32 slot);
    function slotCount(uint64 task, Role role) external view returns (uint32);
    function wordAt(uint64 task, Role role, uint32 index) external view returns (uint256);
    function contributionWordAt(uint64 task, Role role, uint32 index) external view returns (uint256);
    function rounds() external view returns (address);
}
