// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IReputationBook} from "../interfaces/IReputationBook.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {IRounds, IToken, IVault} from "./Deployed.sol";
import {RootRig} from "./RootRig.sol";
import {Vm} from "./Vm.sol";

/// @notice A fresh rig for each test, and equality.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    IReputationBook.Role internal constant TRAINER = IReputationBook.Role.Trainer;
    IReputationBook.Role internal constant VERIFIER = IReputationBook.Role.Verifier;
    uint96 internal constant SEAT = 1000e18;
    uint96 internal constant LEAST = 10e18;
    uint96 internal constant SLASH = 400e18;
    uint96 internal constant SEAT_FEE = 1e17;
    uint96 internal constant DEMAND_FEE = 3e18;
    uint96 internal constant POOLS = 100e18;
    uint32 internal constant END = type(uint32).max;
    address internal constant SPONSOR = address(0x5505);
    address internal constant BURNT = 0x000000000000000000000000000000000000dEaD;
    uint256 internal constant ALL = 0x1f;

    RootRig internal rig;
    IToken internal token;
    IVault internal vault;
    IReputationBook internal book;
    IRewards internal rewards;
    IDisputes internal disputes;
    IRounds internal rounds;

    error NotEqual(string what, uint256 got, uint256 expected);

    function setUp() public virtual {
        adopt(RootRig(vm.deployCode("RootRig.sol:RootRig", abi.encode(address(0)))));
    }

    function adopt(RootRig from) internal {
        rig = from;
        (token, vault, book) = (rig.token(), rig.vault(), rig.book());
        (rewards, disputes, rounds) = (rig.rewards(), rig.disputes(), rig.rounds());
    }

    function eq(string memory what, uint256 got, uint256 expected) internal pure {
        require(got == expected, NotEqual(what, got, expected));
    }

    function eq(string memory what, bytes32 got, bytes32 expected) internal pure {
        eq(what, uint256(got), uint256(expected));
    }

    function eq(string memory what, address got, address expected) internal pure {
        eq(what, uint160(got), uint160(expected));
    }

    /// @dev The next call reverts with this selector and up to three arguments of 32 bytes.
    function fails(bytes4 selector) internal {
        vm.expectRevert(abi.encodePacked(selector));
    }

    function fails(bytes4 selector, uint256 a) internal {
        vm.expectRevert(abi.encodePacked(selector, a));
    }

    function fails(bytes4 selector, uint256 a, uint256 b) internal {
        vm.expectRevert(abi.encodePacked(selector, a, b));
    }

    function fails(bytes4 selector, uint256 a, uint256 b, uint256 c) internal {
        vm.expectRevert(abi.encodePacked(selector, a, b, c));
    }

    /// @dev The same for errors that name what is wrong.
    function failsFor(bytes4 selector, bytes32 what, uint256 got, uint256 expected) internal {
        vm.expectRevert(abi.encodePacked(selector, what, got, expected));
    }

    function failsHash(bytes4 selector, bytes32 what, bytes32 got, bytes32 expected) internal {
        vm.expectRevert(abi.encodePacked(selector, what, got, expected));
    }

    function failsHash(bytes4 selector, bytes32 got, bytes32 expected) internal {
        vm.expectRevert(abi.encodePacked(selector, got, expected));
    }

    /// @dev Inside, unlike the rig's: these may stand between an expectation and its call.
    function ownerOf(uint256 node) internal pure returns (address) {
        return address(uint160(0x1000 + node));
    }

    function same(uint256 word, uint256 count) internal pure returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i = 0; i < count; i++) words[i] = word;
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function num(address account) internal pure returns (uint256) {
        return uint160(account);
    }
}
