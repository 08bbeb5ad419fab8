// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DevToken} from "../DevToken.sol";
import {ReputationBook} from "../ReputationBook.sol";
import {RoundBook} from "../RoundBook.sol";
import {StakeVault} from "../StakeVault.sol";
import {IReputationBook} from "../interfaces/IReputationBook.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {Rig} from "./Rig.sol";
import {Vm} from "./Vm.sol";

/// @notice A fresh rig for each test, and equality.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    IReputationBook.Role internal constant TRAINER = IReputationBook.Role.Trainer;
    IReputationBook.Role internal constant VERIFIER = IReputationBook.Role.Verifier;
    uint96 internal constant SEAT = 1000e18;
    uint96 internal constant LEAST = 10e18;
    uint96 internal constant SLASH = 400e18;
    address internal constant SPONSOR = address(0x5505);
    address internal constant BURNT = 0x000000000000000000000000000000000000dEaD;
    uint256 internal constant ALL = 0x1f;

    Rig internal rig;
    DevToken internal token;
    StakeVault internal vault;
    ReputationBook internal book;
    RoundBook internal rounds;

    error NotEqual(string what, uint256 got, uint256 expected);

    function setUp() public virtual {
        rig = Rig(vm.deployCode("Rig.sol:Rig"));
        token = rig.token();
        vault = rig.vault();
        book = rig.book();
        rounds = rig.rounds();
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

    /// @dev The next call reverts with this selector and one or two arguments, ABI-encoded.
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
