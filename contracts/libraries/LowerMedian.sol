// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Lower median of weighted votes
/// @notice The vote at index ⌊(m − 1)/2⌋ of the ascending list in which each non-zero vote stands `weight` times; m is
/// the weight of the non-zero votes. 0 where there is none: zero abstains.
library LowerMedian {
    /// @notice Whether `value` is the lower median. One pass and no sorting: the non-zero votes below it reach at most the
    /// median's place, and together with those equal to it beyond that place.
    function isMedian(uint256 value, uint256[] memory votes, uint256[] memory weights) internal pure returns (bool) {
        uint256 total = 0;
        uint256 below = 0;
        uint256 equal = 0;
        // Unchecked: weights are seats, at most 128 together.
        unchecked {
            for (uint256 i = 0; i < votes.length; i++) {
                uint256 vote = votes[i];
                if (vote == 0) continue;
                uint256 weight = weights[i];
                total += weight;
                if (vote < value) below += weight;
                else if (vote == value) equal += weight;
            }
        }
        if (total == 0) return value == 0;
        uint256 rank = (total - 1) / 2;
        return below <= rank && rank < below + equal;
    }
}
