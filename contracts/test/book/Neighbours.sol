// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {IStakeVault} from "../../interfaces/IStakeVault.sol";
import {Vm} from "../Vm.sol";

/// @notice Cheat codes that only these tests use.
interface GasVm {
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function cool(address account) external;
    function lastCallGas() external view returns (Gas memory gas);
}

/// @notice The test stands where the RoundBook and the vault do: what the contracts under test ask them, with values to set.
abstract contract Neighbours {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    GasVm internal constant gasVm = GasVm(address(vm));
    IReputationBook.Role internal constant TRAINER = IReputationBook.Role.Trainer;
    IReputationBook.Role internal constant VERIFIER = IReputationBook.Role.Verifier;
    address internal constant STRANGER = address(0x57);

    struct Known {
        uint8 mode;
        uint8 levels;
        uint32 round; // of the final record
        bytes32 settled;
        uint96[2] pools;
    }

    mapping(uint64 task => Known) internal known;

    error NotEqual(string what, uint256 got, uint256 expected);

    function modeOf(uint64 task) external view returns (uint8, uint8) {
        return (known[task].mode, known[task].levels);
    }

    function finalOf(uint64 task) external view returns (uint32, bytes32) {
        return (known[task].round, known[task].settled);
    }

    function poolOf(uint64 task, IReputationBook.Role role) external view returns (uint96) {
        return known[task].pools[uint256(role)];
    }

    function nodeOf(uint32 node) external pure returns (IStakeVault.Node memory record) {
        record.owner = ownerOf(node);
    }

    function ownerOf(uint32 node) internal pure returns (address) {
        return address(uint160(0x1000 + node));
    }

    /// @dev The record of `state` becomes the final one of a task in root mode.
    function settle(uint64 task, uint32 round, IRoundBook.RootState memory state)
        internal
        returns (IRoundBook.Settled memory settled)
    {
        settled.digest = keccak256(abi.encode("digest", task, round));
        settled.signers = 0x1f;
        settled.model = keccak256(abi.encode("model", task, round));
        settled.state = keccak256(abi.encode(state));
        settled.trainerWords = 3;
        known[task].mode = 1;
        known[task].round = round;
        known[task].settled = keccak256(abi.encode(settled));
    }

    function same(uint256 word, uint256 count) internal pure returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i = 0; i < count; i++) words[i] = word;
    }

    /// @dev The same score in the first `count` lanes.
    function lanes(uint256 score, uint256 count) internal pure returns (uint256 word) {
        for (uint256 i = 0; i < count; i++) word |= score << (16 * i);
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function eq(string memory what, uint256 got, uint256 expected) internal pure {
        require(got == expected, NotEqual(what, got, expected));
    }

    function eq(string memory what, address got, address expected) internal pure {
        eq(what, uint160(got), uint160(expected));
    }

    function atMost(string memory what, uint256 got, uint256 limit) internal pure {
        require(got <= limit, NotEqual(what, got, limit));
    }
}
