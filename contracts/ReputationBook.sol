// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {RepWords} from "./libraries/RepWords.sol";

/// @title Reputation and contribution of nodes, by task and role
/// @notice Documented in IReputationBook.
contract ReputationBook is IReputationBook {
    uint256 private constant UNITS = 1e6;
    /// @dev A score above this carries a contribution part.
    uint256 private constant ACCEPTED = 32_768;
    uint256 private constant CONTRIBUTION_LANES = 8;

    /// @inheritdoc IReputationBook
    address public immutable rounds;

    struct Lanes {
        uint32 count; // slots given
        mapping(uint32 node => uint32) slotPlusOne;
        mapping(uint256 index => uint256) words;
        mapping(uint256 index => uint256) contributions;
    }

    mapping(uint64 task => mapping(Role => Lanes)) private _lanes;

    modifier onlyRounds() {
        require(msg.sender == rounds, NotRounds(msg.sender));
        _;
    }

    constructor(address rounds_) {
        rounds = rounds_;
    }

    /// @inheritdoc IReputationBook
    function openSlot(uint64 task, Role role, uint32 node) external onlyRounds returns (uint32 slot) {
        Lanes storage lanes = _lanes[task][role];
        require(lanes.slotPlusOne[node] == 0, SlotTaken(task, role, node));
        slot = lanes.count;
        lanes.count = slot + 1;
        lanes.slotPlusOne[node] = slot + 1;
        emit SlotOpened(task, role, node, slot);
    }

    /// @inheritdoc IReputationBook
    function step(uint64 task, Role role, uint32 round, uint256[] calldata scoreWords)
        external
        onlyRounds
        returns (uint256 units)
    {
        Lanes storage lanes = _lanes[task][role];
        for (uint256 i = 0; i < scoreWords.length; i++) {
            uint256 before = lanes.words[i];
            uint32 latest = RepWords.stamp(before);
            require(round > latest, StaleRound(round, latest));
            // The stamp holds a round: the RoundBook admits at most 4,294 of them.
            uint256 next = RepWords.step(before, scoreWords[i], uint16(round), role == Role.Trainer);
            lanes.words[i] = next;
            emit WordStepped(task, role, uint32(i), round, scoreWords[i], before, next);
        }
        units = _contribute(task, role, lanes, scoreWords);
    }

    /// @inheritdoc IReputationBook
    function reputationOf(uint64 task, Role role, uint32 node) external view returns (uint16) {
        uint256 slot = slotOf(task, role, node);
        return RepWords.lane(_lanes[task][role].words[slot / RepWords.LANES], slot % RepWords.LANES);
    }

    /// @inheritdoc IReputationBook
    function contributionOf(uint64 task, Role role, uint32 node) external view returns (uint32) {
        uint256 slot = slotOf(task, role, node);
        uint256 word = _lanes[task][role].contributions[slot / CONTRIBUTION_LANES];
        return uint32(word >> (32 * (slot % CONTRIBUTION_LANES)));
    }

    /// @inheritdoc IReputationBook
    function slotOf(uint64 task, Role role, uint32 node) public view returns (uint32 slot) {
        slot = _lanes[task][role].slotPlusOne[node];
        require(slot != 0, NoSlot(task, role, node));
        slot -= 1;
    }

    /// @inheritdoc IReputationBook
    function slotCount(uint64 task, Role role) external view returns (uint32) {
        return _lanes[task][role].count;
    }

    /// @inheritdoc IReputationBook
    function wordAt(uint64 task, Role role, uint32 index) external view returns (uint256) {
        return _lanes[task][role].words[index];
    }

    /// @inheritdoc IReputationBook
    function contributionWordAt(uint64 task, Role role, uint32 index) external view returns (uint256) {
        return _lanes[task][role].contributions[index];
    }

    /// @dev Share UNITS by score part. Rounds down; a word of eight lanes is written once, and only if it changes.
    function _contribute(uint64 task, Role role, Lanes storage lanes, uint256[] calldata scoreWords)
        private
        returns (uint256 units)
    {
        uint256 points = 0;
        for (uint256 i = 0; i < scoreWords.length; i++) {
            uint256 scores = scoreWords[i];
            // Unchecked: shifts stay below 256; parts are 15 bits and there are fewer than 2^32 of them.
            unchecked {
                for (uint256 shift = 0; shift < 240; shift += 16) points += _part(scores >> shift);
            }
        }
        if (points == 0) return 0;

        uint256 index = 0;
        uint256 lane = 0;
        uint256 added = 0; // units for the eight lanes at hand
        for (uint256 i = 0; i < scoreWords.length; i++) {
            uint256 scores = scoreWords[i];
            // Unchecked: as above, and the shares of a round sum to at most UNITS.
            unchecked {
                for (uint256 shift = 0; shift < 240; shift += 16) {
                    uint256 share = _part(scores >> shift) * UNITS / points;
                    units += share;
                    added |= share << (32 * lane);
                    if (++lane == CONTRIBUTION_LANES) {
                        _add(task, role, lanes, index++, added);
                        lane = 0;
                        added = 0;
                    }
                }
            }
        }
        _add(task, role, lanes, index, added);
    }

    /// @dev No lane reaches its neighbour: 4,294 rounds × 1e6 units stay below 2^32.
    function _add(uint64 task, Role role, Lanes storage lanes, uint256 index, uint256 added) private {
        if (added == 0) return;
        uint256 before = lanes.contributions[index];
        lanes.contributions[index] = before + added;
        emit ContributionStepped(task, role, uint32(index), before, before + added);
    }

    /// @dev Contribution part of the score in the low 16 bits.
    function _part(uint256 score) private pure returns (uint256) {
        score &= 0xffff;
        return score > ACCEPTED ? score - ACCEPTED : 0;
    }
}
