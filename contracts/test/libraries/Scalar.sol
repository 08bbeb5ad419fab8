// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice The rules of RepWords told lane by lane, as the interface has them. Nothing here is shared with the product.
library Scalar {
    function lane(uint256 word, uint256 index) internal pure returns (uint256) {
        return (word >> (16 * index)) & 0xffff;
    }

    function step(uint256 rep, uint256 score, bool decays) internal pure returns (uint256) {
        if (score == 0) return decays ? rep - (rep >> 6) : rep;
        if (score == 1) return rep - ((rep + 3) >> 2);
        if (score > rep) return rep + ((score - rep) >> 4);
        return rep - ((rep - score) >> 2);
    }

    function part(uint256 score) internal pure returns (uint256) {
        return score > 32_768 ? score - 32_768 : 0;
    }

    function points(uint256[] memory words) internal pure returns (uint256 sum) {
        for (uint256 s = 0; s < 15 * words.length; s++) sum += part(lane(words[s / 15], s % 15));
    }

    /// @notice Units of a slot's lane, where all of a role's words are `words`.
    function share(uint256[] memory words, uint256 slot, uint256 total) internal pure returns (uint256) {
        return total == 0 || slot >= 15 * words.length ? 0 : part(lane(words[slot / 15], slot % 15)) * 1e6 / total;
    }
}
