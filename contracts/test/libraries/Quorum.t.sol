// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../Vm.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {Quorum} from "../../libraries/Quorum.sol";

contract QuorumTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 private constant DIGEST = keccak256("report");

    function check(bytes calldata seats, uint256 bitmap, bytes calldata signatures, uint256 needed) external view {
        Quorum.check(DIGEST, seats, bitmap, signatures, needed);
    }

    function pack(IRoundBook.Seat[] memory seats) private pure returns (bytes memory packed) {
        for (uint256 j = 0; j < seats.length; j++) {
            packed = abi.encodePacked(packed, seats[j].node, seats[j].signer);
        }
    }

    function sign(uint256 key) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, DIGEST);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Seats of up to `kinds` nodes; the node's id is its key.
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

    /// @notice Nodes that sign pass with their set seats as weight, a node's only signature in the place of its first; a seat
    /// that is left out takes its weight away; a signature too few or bytes too many do not pass.
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
        this.check(pack(seats), bitmap, signatures, weight);
        require(!passes(seats, bitmap, signatures, weight + 1), "too light");
        require(!passes(seats, bitmap, abi.encodePacked(signatures, uint8(0)), weight), "garbage appended");
        if (last < size) {
            uint256 fewer = bitmap & ~(uint256(1) << last);
            this.check(pack(seats), fewer, signatures, weight - 1);
            require(!passes(seats, fewer, signatures, weight), "a seat left out counts");
        }
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
        try this.check(pack(seats), bitmap, signatures, needed) {
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
        this.check(pack(seats), 3, twice, 2);
        seats[1].signer = address(0);
        bytes memory zero = abi.encodePacked(sign(1), new bytes(65));
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadSignature.selector, 1));
        this.check(pack(seats), 3, zero, 2);
    }

    function test_full_committee_of_128() external view {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](128);
        bytes memory signatures;
        for (uint256 j = 0; j < 128; j++) {
            seats[j] = IRoundBook.Seat(uint32(j + 1), vm.addr(j + 1));
            signatures = abi.encodePacked(signatures, sign(j + 1));
        }
        this.check(pack(seats), type(uint128).max, signatures, 128);
    }

    /// @notice Keys that share their last two bytes are told apart, wherever they sit.
    function test_keys_that_look_alike() external {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](3);
        seats[0] = IRoundBook.Seat(1, vm.addr(1));
        seats[1] = IRoundBook.Seat(2, address(uint160(vm.addr(1)) ^ (1 << 80)));
        seats[2] = IRoundBook.Seat(1, vm.addr(1));
        this.check(pack(seats), 5, sign(1), 2);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadSignature.selector, 1));
        this.check(pack(seats), 7, abi.encodePacked(sign(1), sign(1)), 3);
    }

    function test_another_form_of_a_signature() external {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](1);
        seats[0] = IRoundBook.Seat(1, vm.addr(1));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(1, DIGEST);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes[4] memory forms = [
            abi.encodePacked(r, order - uint256(s), v == 27 ? uint8(28) : uint8(27)), // high s
            abi.encodePacked(r, s, v - 27), // v as 0 or 1
            abi.encodePacked(r, s, v + 4), // an Ethereum-like offset
            abi.encodePacked(bytes32(0), s, v)
        ];
        for (uint256 i = 0; i < forms.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(IRoundBook.BadSignature.selector, 0));
            this.check(pack(seats), 1, forms[i], 1);
        }
        this.check(pack(seats), 1, abi.encodePacked(r, s, v), 1);
    }

    function test_lengths() external {
        IRoundBook.Seat[] memory seats = new IRoundBook.Seat[](2);
        seats[0] = IRoundBook.Seat(1, vm.addr(1));
        seats[1] = IRoundBook.Seat(2, vm.addr(2));
        bytes memory packed = pack(seats);
        bytes memory one = sign(1);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.WrongLength.selector, bytes32("signatures"), 65, 130));
        this.check(packed, 3, one, 2);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.WrongLength.selector, bytes32("signatures"), 66, 65));
        this.check(packed, 1, abi.encodePacked(one, uint8(0)), 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.WrongLength.selector, bytes32("signers"), 4, 2));
        this.check(packed, 4, one, 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.NoQuorum.selector, 1, 2));
        this.check(packed, 1, one, 2);
        vm.expectRevert(abi.encodeWithSelector(IRoundBook.WrongLength.selector, bytes32("committee"), 129, 128));
        this.check(new bytes(24 * 129), 1, one, 1);
    }
}
