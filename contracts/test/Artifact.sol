// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Vm.sol";

/// @notice Creation of a committed artifact that is meant to fail. `new` would create what the test was compiled with, and a
/// failing `deployCode` hides the reason.
library Artifact {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice The constructor of contracts/build/`name`.json, which reverts with `reason`.
    function refuses(string memory name, bytes memory arguments, bytes memory reason) internal {
        bytes memory code =
            abi.encodePacked(vm.getCode(string.concat("contracts/build/", name, ".json")), arguments);
        vm.expectRevert(reason);
        assembly ("memory-safe") {
            pop(create(0, add(code, 32), mload(code)))
        }
    }
}
