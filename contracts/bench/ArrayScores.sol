// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Scores in plain arrays
/// @notice A peer of the gas benchmark, not part of the product: the usual way to batch, one transaction with two arrays,
/// one slot and one event a score. Anyone writes; nothing is verified.
contract ArrayScores {
    event Scored(address indexed node, uint256 score, uint256 reputation);

    error LengthsDiffer(uint256 nodes, uint256 values);

    mapping(address node => uint256) public reputationOf;

    /// @notice Climb by a sixteenth of the distance, fall by a quarter of it.
    function score(address[] calldata nodes, uint256[] calldata values) external {
        require(nodes.length == values.length, LengthsDiffer(nodes.length, values.length));
        for (uint256 i = 0; i < nodes.length; i++) {
            uint256 before = reputationOf[nodes[i]];
            uint256 value = values[i];
            uint256 reputation = value > before ? before + (value - before) / 16 : before - (before - value) / 4;
            reputationOf[nodes[i]] = reputation;
            emit Scored(nodes[i], value, reputation);
        }
    }
}
