// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRewards} from "../../interfaces/IRewards.sol";
import {Artifact} from "../Artifact.sol";
import {RewardsBase} from "./RewardsBase.sol";

contract EscrowTest is RewardsBase {
    address private constant OWNER = address(0x5505);

    function test_credit_and_refund_by_task() external {
        vm.expectEmit(true, true, true, true);
        emit IRewards.Credited(TASK, 70, 70);
        fund(TASK, 70);
        vm.expectEmit(true, true, true, true);
        emit IRewards.Credited(TASK, 30, 100);
        fund(TASK, 30);
        fund(8, 5);
        eq("balance", rewards.balanceOf(TASK), 100);

        vm.expectEmit(true, true, true, true);
        emit IRewards.Refunded(TASK, OWNER, 60, 40);
        rewards.refund(TASK, OWNER, 60);
        eq("left", rewards.balanceOf(TASK), 40);
        eq("paid out", token.balanceOf(OWNER), 60);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotEnough.selector, TASK, 41, 40));
        rewards.refund(TASK, OWNER, 41); // the other task's five are there, and not touched
        rewards.refund(TASK, OWNER, 40);
        eq("held", token.balanceOf(address(rewards)), 5);
        eq("other task", rewards.balanceOf(8), 5);
    }

    function test_rounds_only() external {
        fund(TASK, 70);
        vm.startPrank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotRounds.selector, STRANGER));
        rewards.credit(TASK, 1);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotRounds.selector, STRANGER));
        rewards.refund(TASK, STRANGER, 1);
        // Nor through a batch, which keeps its sender.
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(IRewards.refund, (TASK, STRANGER, 1));
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotRounds.selector, STRANGER));
        rewards.multicall(calls);
    }

    function test_construction() external {
        eq("token", rewards.token(), address(token));
        eq("rounds", rewards.rounds(), address(this));
        for (uint256 i = 0; i < 4; i++) {
            address[4] memory given = [address(1), address(2), address(3), address(4)];
            given[i] = address(0);
            Artifact.refuses("Rewards", abi.encode(given), abi.encodePacked(IRewards.ZeroAddress.selector));
        }
    }

    function test_a_balance_does_not_wrap() external {
        rewards.credit(TASK, type(uint96).max);
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        rewards.credit(TASK, 1);
    }
}
