// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Reputation words
/// @notice 15 lanes of uint16, lane l at bits 16·l, and the round of the last step at bits 240. Pure: the on-chain write,
/// a client's prediction and a fraud proof are this one function. No lane can change another: each is read, stepped
/// inside [0, 65535] and put back at its own bits.
library RepWords {
    uint256 internal constant LANES = 15;
    uint256 private constant LANE_MASK = 0xffff;

    /// @notice One round for 15 lanes. Score 0 = not due (falls by ⌊rep/64⌋ where `decays`), 1 = failed (falls by ⌈rep/4⌉),
    /// s >= 2: rises by ⌊(s − rep)/16⌋ when above, falls by ⌊(rep − s)/4⌋ when below. The scores' top 16 bits are ignored.
    function step(uint256 word, uint256 scores, uint16 round, bool decays) internal pure returns (uint256 next) {
        next = uint256(round) << 240;
        // Unchecked: shifts stay below 256, and a lane is 16 bits, moved towards another 16-bit value.
        unchecked {
            for (uint256 shift = 0; shift < 240; shift += 16) {
                uint256 rep = (word >> shift) & LANE_MASK;
                uint256 score = (scores >> shift) & LANE_MASK;
                if (score > rep && score > 1) rep += (score - rep) >> 4;
                else if (score > 1) rep -= (rep - score) >> 2;
                else if (score == 1) rep -= (rep + 3) >> 2;
                else if (decays) rep -= rep >> 6;
                next |= rep << shift;
            }
        }
    }

    /// @notice The lane of a slot in its word.
    function lane(uint256 word, uint256 index) internal pure returns (uint16) {
        return uint16(word >> (16 * index));
    }

    /// @notice The round of the word's last step.
    function stamp(uint256 word) internal pure returns (uint16) {
        return uint16(word >> 240);
    }

    /// @notice Words that `slots` lanes fill.
    function wordsFor(uint256 slots) internal pure returns (uint256) {
        return (slots + LANES - 1) / LANES;
    }
}
