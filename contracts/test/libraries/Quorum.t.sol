// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {Quorum} from "../../libraries/Quorum.sol";

contract QuorumTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 private constant DIGEST = keccak256("report");

    function check(IRoundBook.Seat[] calldata seats, uint256 bitmap, bytes calldata signatures, uint256 needed)
        external
        pure
    {
        Quorum.check(DIGEST, seats, bitmap, signatures, needed);
    }

    function sign(uint256 key) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, DIGEST);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Seats of up to `kinds` nodes; the node's id is its key. Ids collide in the table modulo 256.
    function committee(uint256 seed, uint256 size, uint256 kinds)
        private
        pure
        returns (IRoundBook.Seat[] memory seats)
    {
        seats = new IRoundBook.Seat[](size);
        for (uint256 j = 0; j < size; j++) {
            uint256 kind = uint256(keccak256(abi.encode(seed, j))) % kinds;
            uint32 node = uint32(1 + 256 * kind);
            seats[j] = IRoundBook.Seat(node, vm.addr(node));
        }
    }

    /// @notice Whole nodes that sign pass with their seats as weight; a node half in, a seat too few or a signature too
    /// few does not.
    function testFuzz_whole_nodes(uint256 seed, uint8 size_, uint8 kinds, uint16 who) external view {
        uint256 size = 1 + size_ % 20;
        IRoundBook.Seat[] memory seats = committee(seed, size, 1 + kinds % 8);
        uint256 bitmap = 0;
        uint256 weight = 0;
        uint256 last = size;
        bytes memory signatures;
        for (uint256 j = 0; j < size; j++) {
            if ((who >> ((seats[j].node - 1) / 256)) & 1 == 0) continue;
            bool first = true;
            for (uint256 i = 0; i < j; i++) if (seats[i].node == seats[j].node) first = false;
            if (first) signatures = abi.encodePacked(signatures, sign(seats[j].node));
            if (!first) last = j;
            bitmap |= 1 << j;
            weight++;
        }
        require(Quorum.weight(bitmap) == weight, "weight");
        this.check(seats, bitmap, signatures, weight);
        require(!passes(seats, bitmap, signatures, weight + 1), "too light");
        require(!passes(seats, bitmap, abi.encodePacked(signatures, uint8(0)), weight), "garbage appended");
        if (last < size) require(!passes(seats, bitmap & ~(uint256(1) << last), signatures, 0), "half a node");
        if (bitmap != 0) {
            assembly ("memory-safe") {
                mstore(signatures, sub(mload(signatures), 65))
            }
            require(!passes(seats, bitmap, signatures, weight), "one too few");
        }
    }

    function passes(IRoundBook.Seat[] memory seats, uint256 bitmap, bytes memory signatures, uint256 needed)
        private
        view
        returns (bool)
    {
        try this.check(seats, bitmap, signatures, needed) {
            return true;
        } catch {
            return false;
        }
    }

    /// @notice One signature does not count twice, and a seat without a signer cannot be signed for.
    function test_same_signature_twice() external {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](2);
        seats[0] = IRoundBook.Seat(1, vm.addr(1));
        seats[1] = IRoundBook.Seat(2, vm.addr(2));
        bytes memory twice = abi.encodePacked(sign(1), sign(1));
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadSignature.selector, 1));
        this.check(seats, 3, twice, 2);
        seats[1].signer = address(0);
        bytes memory zero = abi.encodePacked(sign(1), new bytes(65));
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadSignature.selector, 1));
        this.check(seats, 3, zero, 2);
    }

    function test_full_committee_of_128() external view {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](128);
        bytes memory signatures;
        for (uint256 j = 0; j < 128; j++) {
            seats[j] = IRoundBook.Seat(uint32(j + 1), vm.addr(j + 1));
            signatures = abi.encodePacked(signatures, sign(j + 1));
        }
        this.check(seats, type(uint128).max, signatures, 128);
    }
}
