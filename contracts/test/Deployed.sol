// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";

/// @dev What the artifacts offer beside their documented interfaces. The tests know no sources of contracts, so that they
/// do not compile what they do not deploy.
interface IToken is IERC20 {
    function mint(address to, uint256 amount) external;
}

interface IVault is IStakeVault, IERC5267 {}

interface IRounds is IRoundBook, IERC5267 {
    function multicall(bytes[] calldata calls) external returns (bytes[] memory);
}
