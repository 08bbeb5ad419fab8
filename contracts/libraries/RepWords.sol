// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Score and reputation words
/// @notice 15 lanes of uint16, lane l at bits 16·l, and the round of the last step at bits 240. Pure: the on-chain write,
/// a client's prediction and a fraud proof are this one function.
/// @dev All lanes are stepped at once. No lane reaches its neighbour: every sum and difference below is one that no
/// lane can carry or borrow out of (each line says why), and what a shift brings in from above is masked off. That each
/// lane equals the scalar rule is proved for all inputs in test/symbolic.
library RepWords {
    uint256 internal constant LANES = 15;
    uint256 private constant LANE_MASK = 0xffff;
    /// @dev The same bits of each of 16 lanes.
    uint256 private constant ONE = type(uint256).max / LANE_MASK; // bit 0
    uint256 private constant TOP = ONE << 15;
    uint256 private constant REST = ONE * 0x7fff; // all but the top bit
    uint256 private constant UP = ONE * 0x0fff; // what is left of a lane shifted by 4
    uint256 private constant DOWN = ONE * 0x3fff; // by 2
    uint256 private constant DECAY = ONE * 0x03ff; // by 6
    /// @dev Bits of the 15 lanes, and what stays when lanes are taken in pairs.
    uint256 private constant ALL_LANES = type(uint256).max >> 16;
    uint256 private constant PAIRS = type(uint256).max / 0xffffffff * LANE_MASK;
    /// @dev The same bits of both halves of a word; a share of less than 2^20.
    uint256 private constant HALVES = 1 | (1 << 128);
    uint256 private constant SHARE_MASK = 0xfffff;
    uint256 private constant RATE_BITS = 60; // behind a rate's point

    /// @notice One round for 15 lanes. Score 0 = not due (falls by ⌊rep/64⌋ where `decays`), 1 = failed (falls by ⌈rep/4⌉),
    /// s >= 2: rises by ⌊(s − rep)/16⌋ when above, falls by ⌊(rep − s)/4⌋ when below. The scores' top 16 bits are ignored.
    function step(uint256 word, uint256 scores, uint16 round, bool decays) internal pure returns (uint256 next) {
        uint256 decay;
        assembly ("memory-safe") {
            decay := decays // 0 or 1
        }
        unchecked {
            // Lanes with score <= rep, at bit 0: the top bits decide where they differ, else whether the rest of the rep,
            // with a top bit lent to it, loses that bit when the rest of the score is taken away.
            uint256 rest = scores & REST;
            uint256 lent = (word | TOP) - rest;
            uint256 falls = ((((word ^ scores) | (lent ^ scores)) ^ scores) >> 15) & ONE;

            // At bit 15, others beside: TOP - rest keeps its top bit where rest is 0; with 1 added, where rest is 0 or 1.
            uint256 low = TOP - rest;
            uint256 idle = low & ~scores; // score 0
            uint256 failed = ((low + ONE) & ~scores) ^ idle; // score 1

            // max(0, rep - score), then max(0, score - rep), and the reps with score 0, where the first is the whole rep.
            uint256 mask = falls * LANE_MASK;
            uint256 down = (word & mask) - (scores & mask);
            uint256 up = down + scores - word;
            uint256 notDue = word & (((idle >> 15) & ONE) * LANE_MASK);

            // ⌈rep/4⌉ is ⌊(rep - 1)/4⌋ + 1 unless rep is 0, and then score 1 is above it.
            next = word + ((up >> 4) & UP) - (((down - notDue) >> 2) & DOWN) - ((failed >> 15) & falls)
                - ((notDue >> 6) & (decay * DECAY));
            next = (next & ALL_LANES) | (uint256(round) << 240);
        }
    }

    /// @notice max(0, score − 32768) of each lane, in its place. The top 16 bits are ignored.
    function parts(uint256 scores) internal pure returns (uint256) {
        // Unchecked: a lane with its top bit set, less 1, is the mask of its rest; the others are 0 less 0.
        unchecked {
            uint256 tops = scores & (TOP & ALL_LANES);
            return scores & (tops - (tops >> 15));
        }
    }

    /// @notice Sum of the parts of all lanes of all words.
    function points(uint256[] calldata words) internal pure returns (uint256 sum) {
        uint256 source;
        assembly ("memory-safe") {
            source := words.offset
        }
        // Unchecked: 15 parts of 15 bits a word. Taken in pairs they are eight 32-bit digits, and a number is its digit
        // sum modulo the base less 1: exact, as the sum is far below it.
        unchecked {
            for (uint256 end = source + 32 * words.length; source < end; source += 32) {
                uint256 some;
                assembly ("memory-safe") {
                    some := calldataload(source)
                }
                some = parts(some);
                sum += ((some & PAIRS) + ((some >> 16) & PAIRS)) % 0xffffffff;
            }
        }
    }

    /// @notice Whether any lane has a part.
    function anyPart(uint256[] calldata words) internal pure returns (bool) {
        for (uint256 i = 0; i < words.length; i++) {
            if (parts(words[i]) != 0) return true;
        }
        return false;
    }

    /// @notice Just above `amount` / `total` parts, as `shares` takes it: amount < 2^20, total < 2^45.
    function rateOf(uint256 amount, uint256 total) internal pure returns (uint256) {
        return (amount << RATE_BITS) / total + 1;
    }

    /// @notice ⌊part × amount / total⌋ of eight parts, lanes of 16 bits with nothing above, as eight lanes of 32 bits.
    /// @dev part × rate is above part × amount / total by less than 2^15 / 2^60, and that is less than 1 / total, the least
    /// that a fraction can lack to the next integer: so the floor is the same.
    function shares(uint256 eight, uint256 rate) internal pure returns (uint256 units) {
        // Unchecked: a part is at most the total, so that a product has 20 + RATE_BITS = 80 bits. Lanes l and l + 4 are
        // multiplied at once, one in each half, and the highest starts at bit 48 of it.
        unchecked {
            uint256 two = eight | (eight << 64);
            units = (((two & HALVES * LANE_MASK) * rate) >> RATE_BITS) & HALVES * SHARE_MASK;
            units |= (((two & (HALVES * LANE_MASK << 16)) * rate) >> (RATE_BITS - 16)) & (HALVES * SHARE_MASK << 32);
            units |= (((two & (HALVES * LANE_MASK << 32)) * rate) >> (RATE_BITS - 32)) & (HALVES * SHARE_MASK << 64);
            units |= (((two & (HALVES * LANE_MASK << 48)) * rate) >> (RATE_BITS - 48)) & (HALVES * SHARE_MASK << 96);
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
