// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

/// @notice Whoever runs many nodes sets them up in few transactions, and gains no right by it.
contract MulticallTest is VaultBase {
    address private owner = address(0xabc);

    function registration(uint256 key) private view returns (bytes memory) {
        return abi.encodeCall(IStakeVault.register, (vm.addr(key), SEAT, possession(owner, key)));
    }

    function test_registers_two_nodes_with_seats() external {
        fund(owner);
        bytes[] memory calls = new bytes[](4);
        calls[0] = registration(77);
        calls[1] = registration(78);
        calls[2] = abi.encodeCall(IStakeVault.takeSeats, (11, 1));
        calls[3] = abi.encodeCall(IStakeVault.takeSeats, (12, 1));
        vm.prank(owner);
        bytes[] memory results = vault.multicall(calls);
        for (uint32 i = 0; i < 2; i++) {
            eq("id", abi.decode(results[i], (uint32)), 11 + i);
            IStakeVault.Node memory node = vault.nodeOf(11 + i);
            eq("owner", node.owner, owner);
            eq("signer", node.signer, vm.addr(77 + i));
            eq("bonded", node.bonded, SEAT);
            eq("seats", node.seats, 1);
        }
        eq("all seats", vault.seatCount(), 9);
        eq("balance", token.balanceOf(address(vault)), 12 * uint256(SEAT));
    }

    function test_one_bad_call_undoes_all() external {
        fund(owner);
        bytes[] memory calls = new bytes[](2);
        calls[0] = registration(77);
        calls[1] = registration(77);
        fails(IStakeVault.SignerTaken.selector, num(vm.addr(77)), 11);
        vm.prank(owner);
        vault.multicall(calls);
        eq("nobody", vault.nodeOfSigner(vm.addr(77)), 0);
        eq("count", vault.nodeCount(), 10);
    }

    function test_gives_no_rights() external {
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(IStakeVault.slash, (1, SEAT, owner));
        fails(IStakeVault.NotDisputes.selector, num(owner));
        vm.prank(owner);
        vault.multicall(calls);
        calls[0] = abi.encodeCall(IStakeVault.drawSeats, (bytes32("seed"), 1, 1));
        fails(IStakeVault.NotRounds.selector, num(owner));
        vm.prank(owner);
        vault.multicall(calls);
        calls[0] = abi.encodeCall(IStakeVault.leaveSeats, (1, 1));
        fails(IStakeVault.NotOwner.selector, 1, num(owner));
        vm.prank(owner);
        vault.multicall(calls);
    }
}
