// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {StakeVault} from "../../StakeVault.sol";
import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract DeployTest is VaultBase {
    function test_what_is_fixed() external view {
        eq("token", vault.token(), address(token));
        eq("rounds", vault.rounds(), address(this));
        eq("disputes", vault.disputes(), DISPUTES);
        eq("seat", vault.SEAT_STAKE(), SEAT);
        eq("least", vault.MIN_STAKE(), LEAST);
        eq("unbonding", vault.UNBONDING_S(), UNBONDING);
    }

    /// @dev `new`, for a failing `deployCode` hides the reason.
    function test_refusals() external {
        fails(IStakeVault.ZeroAddress.selector);
        new StakeVault(address(0), address(1), address(2), SEAT, LEAST, UNBONDING);
        fails(IStakeVault.ZeroAddress.selector);
        new StakeVault(address(token), address(0), address(2), SEAT, LEAST, UNBONDING);
        fails(IStakeVault.ZeroAddress.selector);
        new StakeVault(address(token), address(1), address(0), SEAT, LEAST, UNBONDING);
        fails(IStakeVault.ZeroAmount.selector);
        new StakeVault(address(token), address(1), address(2), 0, LEAST, UNBONDING);
    }
}
