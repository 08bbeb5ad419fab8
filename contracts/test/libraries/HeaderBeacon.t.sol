// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {HeaderBeacon} from "../../libraries/HeaderBeacon.sol";

contract HeaderBeaconTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 private constant MIX = keccak256("mix");
    bytes private constant THIRTEEN = hex"80808080808080808080808080";

    function mixHash(bytes calldata header) external pure returns (bytes32) {
        return HeaderBeacon.mixHash(header);
    }

    function refuses(bytes memory header, uint256 offset) private {
        vm.expectRevert(abi.encodeWithSelector(HeaderBeacon.MalformedHeader.selector, offset));
        this.mixHash(header);
    }

    function test_reads() external view {
        require(this.mixHash(abi.encodePacked(hex"ee", THIRTEEN, hex"a0", MIX)) == MIX, "short list");
        // 13 + 33 + 3 + 65,535 bytes
        bytes memory header =
            abi.encodePacked(hex"fa010030", THIRTEEN, hex"a0", MIX, hex"b9ffff", new bytes(65_535));
        require(this.mixHash(header) == MIX, "three bytes of length");
    }

    function test_refusals() external {
        refuses("", 0);
        refuses(hex"80", 0); // no list
        refuses(abi.encodePacked(hex"ee", THIRTEEN, hex"a0", MIX, hex"00"), 0); // a byte behind the list
        refuses(abi.encodePacked(hex"ef", THIRTEEN, hex"a0", MIX), 0); // the list runs over the end
        refuses(abi.encodePacked(hex"f82e", THIRTEEN, hex"a0", MIX), 0); // long form of a short list
        refuses(abi.encodePacked(hex"f9002e", THIRTEEN, hex"a0", MIX), 0); // leading zero
        refuses(hex"fb00000001", 0); // four bytes of length
        refuses(hex"fa01", 0);
        refuses(abi.encodePacked(hex"ee", hex"c0808080808080808080808080", hex"a0", MIX), 1); // a list inside
        refuses(abi.encodePacked(hex"ed", THIRTEEN, hex"9f", bytes31(MIX)), 14); // 31 bytes
        refuses(abi.encodePacked(hex"cd", THIRTEEN), 14); // too few fields
        refuses(hex"c180", 14); // it ends within its fields
        refuses(abi.encodePacked(hex"ee", hex"bb00000001", new bytes(41)), 1); // four bytes of length in a field
    }

    function testFuzz_never_reads_outside(bytes calldata noise) external view {
        try this.mixHash(noise) {} catch (bytes memory reason) {
            require(bytes4(reason) == HeaderBeacon.MalformedHeader.selector, "no other failure");
        }
    }
}
