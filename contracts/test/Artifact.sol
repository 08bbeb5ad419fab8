// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "./Vm.sol";

/// @notice Creation of a committed artifact that is meant to fail. `new` would create what the test was compiled with, and a
/// failing `deployCode` hides the reason.
library Artifact {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Created(string name);
    error OtherReason(bytes got, bytes expected);

    /// @notice The constructor of contracts/build/`name`.json, which reverts with `reason`.
    /// @dev Not by expectRevert: where a creation succeeds, that makes the creation fail, which nobody would look at.
    function refuses(string memory name, bytes memory arguments, bytes memory reason) internal {
        bytes memory code =
            abi.encodePacked(vm.getCode(string.concat("contracts/build/", name, ".json")), arguments);
        address made;
        bytes memory got;
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            got := mload(64)
            mstore(got, returndatasize())
            returndatacopy(add(got, 32), 0, returndatasize())
            mstore(64, add(add(got, 32), and(add(returndatasize(), 31), not(31))))
        }
        require(made == address(0), Created(name));
        require(keccak256(got) == keccak256(reason), OtherReason(got, reason));
    }
}
