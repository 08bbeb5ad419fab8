// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Lower median of weighted votes
/// @notice The vote at index ⌊(m − 1)/2⌋ of the ascending list in which each non-zero vote stands `weight` times; m is
/// the weight of the non-zero votes. 0 where there is none: zero abstains.
library LowerMedian {
    /// @dev Selection by repeated minimum: no more passes than distinct votes, each over one committee.
    function select(uint256[] memory votes, uint256[] memory weights) internal pure returns (uint256 median) {
        uint256 total = 0;
        for (uint256 i = 0; i < votes.length; i++) {
            if (votes[i] != 0) total += weights[i];
        }
        if (total == 0) return 0;
        uint256 rank = (total - 1) / 2;
        uint256 below = 0;
        while (below <= rank) {
            uint256 least = type(uint256).max;
            uint256 leastWeight = 0;
            for (uint256 i = 0; i < votes.length; i++) {
                uint256 vote = votes[i];
                if (vote <= median || vote > least || weights[i] == 0) continue;
                if (vote < least) (least, leastWeight) = (vote, 0);
                leastWeight += weights[i];
            }
            median = least;
            below += leastWeight;
        }
    }
}
