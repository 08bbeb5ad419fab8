// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title One transaction for each score
/// @notice A peer of the gas benchmark, not part of the product: what a contract costs that keeps the same moving
/// average as ReputationBook without any batching. Anyone writes; nothing is verified.
contract SingleScore {
    event Scored(address indexed node, uint256 score, uint256 reputation);

    mapping(address node => uint256) public reputationOf;

    /// @notice Climb by a sixteenth of the distance, fall by a quarter of it.
    function score(address node, uint256 value) external {
        uint256 before = reputationOf[node];
        uint256 reputation = value > before ? before + (value - before) / 16 : before - (before - value) / 4;
        reputationOf[node] = reputation;
        emit Scored(node, value, reputation);
    }
}
