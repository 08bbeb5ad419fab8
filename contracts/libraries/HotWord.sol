// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one word that a task's rounds go on writing
/// @notice Fields at fixed bits, so that a call reads and writes them together, once. Rounds fit 16 bits (4,294 at most).
library HotWord {
    // Each constant: where the field starts | its width << 8.
    uint256 internal constant ARMED = 0 | (16 << 8);
    // 16 bits are free.
    uint256 internal constant POSTED = 32 | (16 << 8); // neither applied, succeeded nor void
    uint256 internal constant FINAL = 48 | (16 << 8); // round of the record before it
    uint256 internal constant VOIDED = 64 | (16 << 8);
    uint256 internal constant DRAWS = 80 | (16 << 8); // rounds armed
    uint256 internal constant FUNDED = 96 | (16 << 8); // rounds paid for
    uint256 internal constant TRAINER_PAID = 112 | (16 << 8); // words: finalised rounds in which a trainer earned
    uint256 internal constant VERIFIER_PAID = 128 | (16 << 8); // words: likewise; root: rounds that became final
    uint256 internal constant SEED_BLOCK = 144 | (40 << 8); // or ticket
    uint256 internal constant TRAINER_SLOTS = 184 | (24 << 8);
    uint256 internal constant VERIFIER_SLOTS = 208 | (24 << 8);
    uint256 internal constant APPLIED = 232 | (16 << 8); // words of the pending post
    uint256 internal constant SECOND = 248 | (8 << 8); // 1: the final record is the second, the pending one the first

    /// @notice A field of the word.
    function get(uint256 hot, uint256 field) internal pure returns (uint256) {
        unchecked {
            return (hot >> (field & 0xff)) & ((1 << (field >> 8)) - 1);
        }
    }

    /// @notice The word with one field replaced. The caller's bounds keep `value` inside the field; what would not fit is cut
    /// off, so that no field can reach another.
    function set(uint256 hot, uint256 field, uint256 value) internal pure returns (uint256) {
        unchecked {
            uint256 mask = (1 << (field >> 8)) - 1;
            return (hot & ~(mask << (field & 0xff))) | ((value & mask) << (field & 0xff));
        }
    }
}
