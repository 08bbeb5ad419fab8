// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IStakeVault, VaultBase} from "./VaultBase.sol";

contract RegisterTest is VaultBase {
    address private owner = address(0xabc);
    uint256 private constant KEY = 77;

    function setUp() public override {
        super.setUp();
        fund(owner);
    }

    function test_register() external {
        bytes memory proof = possession(owner, KEY);
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Registered(11, owner, vm.addr(KEY), LEAST);
        vm.prank(owner);
        eq("id", vault.register(vm.addr(KEY), LEAST, proof), 11);
        IStakeVault.Node memory node = vault.nodeOf(11);
        eq("owner", node.owner, owner);
        eq("signer", node.signer, vm.addr(KEY));
        eq("bonded", node.bonded, LEAST);
        eq("count", vault.nodeCount(), 11);
        eq("by signer", vault.nodeOfSigner(vm.addr(KEY)), 11);
        eq("balance", token.balanceOf(address(vault)), 10 * uint256(SEAT) + LEAST);
    }

    function test_refusals() external {
        bytes memory proof = possession(owner, KEY);
        vm.startPrank(owner);
        fails(IStakeVault.ZeroAddress.selector);
        vault.register(address(0), LEAST, proof);
        fails(IStakeVault.StakeTooLow.selector, LEAST - 1, LEAST);
        vault.register(vm.addr(KEY), LEAST - 1, proof);
        fails(IStakeVault.SignerTaken.selector, num(vm.addr(3)), 3);
        vault.register(vm.addr(3), LEAST, proof);
        fails(IStakeVault.BadPossession.selector, num(vm.addr(78)));
        vault.register(vm.addr(78), LEAST, proof);
        fails(IStakeVault.BadPossession.selector, num(vm.addr(KEY)));
        vault.register(vm.addr(KEY), LEAST, "");
    }

    /// @notice Nobody occupies another's key: the proof names the owner.
    function test_proof_of_another_owner_is_refused() external {
        bytes memory proof = possession(owner, KEY);
        address thief = address(0xbad);
        fund(thief);
        fails(IStakeVault.BadPossession.selector, num(vm.addr(KEY)));
        vm.prank(thief);
        vault.register(vm.addr(KEY), LEAST, proof);
    }

    function test_proof_for_another_chain_is_refused() external {
        bytes memory proof = possession(owner, KEY);
        vm.chainId(99);
        fails(IStakeVault.BadPossession.selector, num(vm.addr(KEY)));
        vm.prank(owner);
        vault.register(vm.addr(KEY), LEAST, proof);
    }
}
