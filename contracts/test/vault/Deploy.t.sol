// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Artifact} from "../Artifact.sol";
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

    function test_refusals() external {
        refuses(address(0), address(1), address(2), SEAT, IStakeVault.ZeroAddress.selector);
        refuses(address(token), address(0), address(2), SEAT, IStakeVault.ZeroAddress.selector);
        refuses(address(token), address(1), address(0), SEAT, IStakeVault.ZeroAddress.selector);
        refuses(address(token), address(1), address(2), 0, IStakeVault.ZeroAmount.selector);
    }

    function refuses(address token_, address rounds, address disputes, uint96 seat, bytes4 why) private {
        bytes memory arguments = abi.encode(token_, rounds, disputes, seat, LEAST, UNBONDING);
        Artifact.refuses("StakeVault", arguments, abi.encodePacked(why));
    }
}
