// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {PositionTree} from "./libraries/PositionTree.sol";
import {RepWords} from "./libraries/RepWords.sol";

/// @title Reputation and contribution of nodes, by task and role
/// @notice Documented in IReputationBook.
contract ReputationBook is IReputationBook {
    uint256 private constant UNITS = 1e6;
    uint256 private constant CONTRIBUTION_LANES = 8;
    uint8 private constant ROOT_MODE = 1;

    /// @inheritdoc IReputationBook
    address public immutable rounds;

    /// @dev The lists have no length of their own and are one run of slots each, so that a step needs no hash a word.
    struct Lanes {
        uint32 count; // slots given
        mapping(uint32 node => uint32) slotPlusOne;
        uint256[1 << 32] words;
        uint256[1 << 32] contributions;
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
    function step(
        uint64 task,
        uint32 round,
        uint256[] calldata words,
        uint256 trainerWords,
        uint256 from,
        uint256 to,
        bool contributions
    ) external onlyRounds returns (bool trainersEarned, bool verifiersEarned) {
        // No check of from <= to <= words.length: the RoundBook's own count of what it has applied.
        for (uint256 i = 0; i < 2; i++) {
            bool trainers = i == 0; // who alone decay
            uint256[] calldata scores = trainers ? words[:trainerWords] : words[trainerWords:];
            Lanes storage lanes = _lanes[task][Role(i)];
            uint256 first = trainers ? _min(from, trainerWords) : from - _min(from, trainerWords);
            uint256 end = trainers ? _min(to, trainerWords) : to - _min(to, trainerWords);
            _step(lanes, scores, first, end, round, trainers);
            bool earned = _earned(lanes, scores, first, end, contributions);
            if (trainers) trainersEarned = earned;
            else verifiersEarned = earned;
        }
    }

    /// @inheritdoc IReputationBook
    function materialise(
        uint64 task,
        Role role,
        uint32 index,
        uint256 word,
        IRoundBook.Settled calldata settled,
        IRoundBook.RootState calldata state,
        bytes32[] calldata siblings
    ) external {
        (uint8 mode, uint8 levels) = IRoundBook(rounds).modeOf(task);
        require(mode == ROOT_MODE, WrongMode(mode, ROOT_MODE));
        (, bytes32 hash) = IRoundBook(rounds).finalOf(task);
        _requireHash("settled", keccak256(abi.encode(settled)), hash);
        _requireHash("state", keccak256(abi.encode(state)), settled.state);
        // Or a trainer's index could reach into the verifiers' half.
        require(index >> levels == 0, PositionTree.BadIndex(index, 1 << levels));
        uint256 place = (uint256(role) << levels) | index;
        _requireHash(
            "reputation", PositionTree.rootFrom(word, place, 2 << levels, siblings), state.reputation
        );
        uint256[1 << 32] storage words = _lanes[task][role].words;
        // Every word is stepped in every final round, so its own stamp tells how late it is.
        (uint32 round, uint32 latest) = (RepWords.stamp(word), RepWords.stamp(words[index]));
        require(round > latest, StaleRound(round, latest));

        words[index] = word;
        emit Materialised(task, role, index, round, word);
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

    /// @dev Reputation words [first, end) of a role. A word's stamp holds a round: the RoundBook admits at most 4,294.
    function _step(Lanes storage lanes, uint256[] calldata scores, uint256 first, uint256 end, uint256 round, bool decays)
        private
    {
        uint256[1 << 32] storage words = lanes.words;
        uint256 place;
        uint256 source;
        assembly ("memory-safe") {
            place := add(words.slot, first)
            source := add(scores.offset, shl(5, first))
        }
        // Unchecked: counts words of calldata, and a list starts at a hash.
        unchecked {
            for (uint256 stop = place + (end - first); place < stop; place++) {
                uint256 before;
                uint256 score;
                assembly ("memory-safe") {
                    before := sload(place)
                    score := calldataload(source)
                }
                require(before >> 240 < round, StaleRound(uint32(round), RepWords.stamp(before)));
                uint256 next = RepWords.step(before, score, uint16(round), decays);
                assembly ("memory-safe") {
                    sstore(place, next)
                }
                source += 32;
            }
        }
    }

    /// @dev Whether anybody of a role earned; if so, and totals are kept, lanes of score words [first, end) get their units.
    function _earned(Lanes storage lanes, uint256[] calldata scores, uint256 first, uint256 end, bool contributions)
        private
        returns (bool)
    {
        if (!contributions) return RepWords.anyPart(scores);
        uint256 points = RepWords.points(scores);
        if (points == 0) return false;
        _contribute(lanes, scores, first, end, points);
        return true;
    }

    /// @dev Share UNITS by score part, rounded down, and add the shares to the totals of words [first, end). A score word's
    /// 15 lanes do not fill whole words of eight, so what is left over goes in front of the next's; at the edges a word is
    /// shared by two calls. No lane reaches its neighbour: 4,294 rounds × 1e6 units stay below 2^32.
    function _contribute(Lanes storage lanes, uint256[] calldata scores, uint256 first, uint256 end, uint256 points)
        private
    {
        uint256[1 << 32] storage totals = lanes.contributions;
        uint256 place;
        uint256 source;
        // Unchecked: words and lanes of calldata, bits of a word.
        unchecked {
            uint256 rate = RepWords.rateOf(UNITS, points);
            uint256 lane = first * RepWords.LANES;
            uint256 filled = lane % CONTRIBUTION_LANES * 32; // bits of the word at hand
            assembly ("memory-safe") {
                place := add(totals.slot, div(lane, CONTRIBUTION_LANES))
                source := add(scores.offset, shl(5, first))
            }
            uint256 added = 0; // to the word at hand
            for (uint256 stop = source + 32 * (end - first); source < stop; source += 32) {
                uint256 parts;
                assembly ("memory-safe") {
                    parts := calldataload(source)
                }
                parts = RepWords.parts(parts);
                uint256 units = RepWords.shares(parts & type(uint128).max, rate); // of the first eight
                _add(place++, added | (units << filled));
                added = units >> (256 - filled);
                units = RepWords.shares(parts >> 128, rate); // of the other seven
                added |= units << filled;
                if (filled == 0) {
                    filled = 224;
                } else {
                    _add(place++, added);
                    added = units >> (256 - filled);
                    filled -= 32;
                }
            }
            _add(place, added);
        }
    }

    function _add(uint256 place, uint256 added) private {
        if (added == 0) return;
        assembly ("memory-safe") {
            sstore(place, add(sload(place), added))
        }
    }

    function _requireHash(bytes32 what, bytes32 got, bytes32 expected) private pure {
        require(got == expected, WrongHash(what, got, expected));
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
