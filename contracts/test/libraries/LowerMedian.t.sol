// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LowerMedian} from "../../libraries/LowerMedian.sol";

contract LowerMedianTest {
    /// @notice Of all values that were voted, and of those around them, the one at its place in the sorted list is it.
    function testFuzz_against_sorting(uint16[9] memory raw, uint8[9] memory counts, uint16 among) external pure {
        uint256[] memory votes = new uint256[](9);
        uint256[] memory weights = new uint256[](9);
        uint256[] memory all = new uint256[](27);
        uint256 n = 0;
        for (uint256 i = 0; i < 9; i++) {
            votes[i] = uint256(raw[i]) % (uint256(among) + 1); // few values: many ties, some abstain
            weights[i] = counts[i] % 4;
            for (uint256 w = 0; w < weights[i] && votes[i] != 0; w++) all[n++] = votes[i];
        }
        for (uint256 i = 1; i < n; i++) {
            for (uint256 j = i; j != 0 && all[j] < all[j - 1]; j--) (all[j], all[j - 1]) = (all[j - 1], all[j]);
        }
        uint256 median = n == 0 ? 0 : all[(n - 1) / 2];
        require(LowerMedian.isMedian(median, votes, weights), "it");
        require(LowerMedian.isMedian(0, votes, weights) == (n == 0), "zero");
        for (uint256 i = 0; i < 9; i++) {
            for (uint256 near = votes[i] == 0 ? 0 : votes[i] - 1; near <= votes[i] + 1; near++) {
                require(LowerMedian.isMedian(near, votes, weights) == (near == median), "another");
            }
        }
    }
}
