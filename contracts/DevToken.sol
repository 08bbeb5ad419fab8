// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Development token
/// @notice For local chains only: anyone may mint. A real deployment names a plain ERC-20 instead.
contract DevToken is ERC20 {
    constructor() ERC20("Credence development token", "CDEV") {}

    /// @notice Create `amount` wei of the token for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
