// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRewards} from "../../interfaces/IRewards.sol";
import {RewardsBase} from "./RewardsBase.sol";

contract ClaimTest is RewardsBase {
    uint32 private constant NODES = 20;

    function setUp() public override {
        super.setUp();
        join(TASK, TRAINER, NODES);
        join(TASK, VERIFIER, 2);
        known[TASK].pools = [POOL, uint96(10e18)];
        fund(TASK, 5 * (POOL + 10e18));
    }

    /// @dev A final round: score words of 20 trainers, then one of verifiers.
    function settled(uint64 task, uint32 round, uint256[] memory made) private {
        book.step(task, round, made, made.length - 1, 0, made.length, true);
    }

    function words(uint256 seed) private pure returns (uint256[] memory made) {
        made = new uint256[](3);
        made[0] = (uint256(keccak256(abi.encode(seed, 0))) >> 16) | lanes(0x8001, 15);
        made[1] = uint256(keccak256(abi.encode(seed, 1))) & lanes(0xffff, 5);
        made[2] = lanes(40_000, 2);
    }

    function test_pays_the_owner() external {
        uint256[] memory made = same(0, 3);
        made[0] = 32_769 | 32_769 << 32 | 32_769 << 48; // slots 0, 2, 3
        made[2] = lanes(40_000, 2);
        settled(TASK, 1, made);
        vm.expectEmit(true, true, true, true);
        emit IRewards.Claimed(TASK, TRAINER, 3, ownerOf(3), 333_333, 333_333 * POOL / 1e6);
        vm.prank(STRANGER); // anyone
        eq("amount", rewards.claim(TASK, TRAINER, 3), 333_333 * POOL / 1e6);
        eq("paid", token.balanceOf(ownerOf(3)), 333_333 * POOL / 1e6);
        eq("balance", rewards.balanceOf(TASK), token.balanceOf(address(rewards)));
        eq("claimed", rewards.claimedOf(TASK, TRAINER, 3), 333_333);
        eq("as verifier", rewards.claimedOf(TASK, VERIFIER, 3), 0);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 3));
        rewards.claim(TASK, TRAINER, 3);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 2));
        rewards.claim(TASK, TRAINER, 2);

        eq("verifier", rewards.claim(TASK, VERIFIER, 1), 5e18);
        settled(TASK, 2, made);
        eq("verifier's second", rewards.claim(TASK, VERIFIER, 1), 5e18);
        eq("other verifier's both", rewards.claim(TASK, VERIFIER, 2), 10e18);
        eq("trainer's second", rewards.claim(TASK, TRAINER, 3), 333_333 * POOL / 1e6);
    }

    function test_refusals() external {
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, VERIFIER, 3));
        rewards.claim(TASK, VERIFIER, 3);
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, 8, TRAINER, 1));
        rewards.claim(8, TRAINER, 1);
        settled(TASK, 1, words(1));
        known[TASK].mode = 1;
        vm.expectRevert(abi.encodeWithSelector(IRewards.WrongMode.selector, 1, 0));
        rewards.claim(TASK, TRAINER, 1);
    }

    /// @notice What a task holds bounds what it pays, whatever its book says; others' funding is not touched.
    function test_never_more_than_the_task_holds() external {
        fund(8, 1000e18);
        settled(TASK, 1, words(1));
        rewards.refund(TASK, STRANGER, rewards.balanceOf(TASK) - 1e18);
        uint96 wanted = uint96(uint256(book.contributionOf(TASK, TRAINER, 1)) * POOL / 1e6);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotEnough.selector, TASK, wanted, 1e18));
        rewards.claim(TASK, TRAINER, 1);
    }

    /// @notice A pool so small that a unit is worth nothing yet leaves the units for later.
    function test_units_below_a_wei_are_kept() external {
        known[TASK].pools[0] = 1;
        uint256[] memory made = words(1);
        settled(TASK, 1, made);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 1));
        rewards.claim(TASK, TRAINER, 1);
        for (uint32 round = 2; round < 60; round++) settled(TASK, round, made);
        uint256 units = book.contributionOf(TASK, TRAINER, 1);
        require(units >= 1e6, "the test's words");
        eq("amount", rewards.claim(TASK, TRAINER, 1), units / 1e6);
        eq("claimed", rewards.claimedOf(TASK, TRAINER, 1), units);
    }

    /// @notice Whenever, how often and in whichever order nodes claim, each ends with ⌊units · pool / 10^6⌋, and what is left
    /// of a pool is less than a unit's worth and a wei a node and round.
    /// forge-config: default.fuzz.runs = 100
    function testFuzz_any_order_pays_the_same(uint256 seed, uint96 pool, uint8 finals) external {
        pool = uint96(bound(pool, 1, 1e24));
        uint32 count = uint32(bound(finals, 1, 4));
        known[TASK].pools[0] = pool;
        fund(TASK, pool * count);
        uint256 before = rewards.balanceOf(TASK);
        for (uint32 round = 1; round <= count; round++) {
            settled(TASK, round, words(uint256(keccak256(abi.encode(seed, "words", round)))));
            for (uint256 i = 0; i < 12; i++) {
                attempt(uint32(1 + uint256(keccak256(abi.encode(seed, round, i))) % NODES));
            }
        }
        uint256 first = seed % NODES; // then all, from any of them on
        for (uint256 i = 0; i < NODES; i++) attempt(uint32(1 + (first + i) % NODES));
        uint256 total = 0;
        uint256 units = 0;
        for (uint32 node = 1; node <= NODES; node++) {
            uint256 mine = book.contributionOf(TASK, TRAINER, node);
            eq("paid", token.balanceOf(ownerOf(node)), mine * pool / 1e6);
            total += mine * pool / 1e6;
            units += mine;
        }
        eq("task", rewards.balanceOf(TASK), before - total);
        eq("held", token.balanceOf(address(rewards)), before - total);
        require(total <= uint256(pool) * count, "more than the pools");
        require(units > 1e6 * count - uint256(NODES) * count, "units lost");
        require(total + NODES > units * pool / 1e6, "wei lost");
    }

    function attempt(uint32 node) private {
        uint256 due = uint256(book.contributionOf(TASK, TRAINER, node)) * known[TASK].pools[0] / 1e6;
        due -= uint256(rewards.claimedOf(TASK, TRAINER, node)) * known[TASK].pools[0] / 1e6;
        if (due == 0) vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, node));
        uint96 got = rewards.claim(TASK, TRAINER, node);
        if (due != 0) eq("due", got, due);
    }

    /// @notice Two identities that share one's score part earn no more than it did.
    /// forge-config: default.fuzz.runs = 100
    function testFuzz_a_split_identity_earns_no_more(uint16 whole, uint16 cut, uint16[8] memory others) external {
        whole = uint16(bound(whole, 0, 32_767));
        cut = uint16(bound(cut, 0, whole));
        uint256[] memory one = same(0, 3);
        for (uint256 i = 0; i < 8; i++) one[0] |= uint256(others[i]) << (16 * (i + 2));
        uint256[] memory two = same(0, 3);
        two[0] = one[0] | (32_768 + uint256(cut)) | (32_768 + uint256(whole) - cut) << 16;
        one[0] |= 32_768 + uint256(whole);
        join(1, TRAINER, 2);
        join(2, TRAINER, 2);
        for (uint64 task = 1; task <= 2; task++) {
            known[task].pools[0] = POOL;
            fund(task, POOL);
            settled(task, 1, task == 1 ? one : two);
        }
        uint256 alone = claimed(1, 1);
        uint256 split = claimed(2, 1) + claimed(2, 2);
        require(split <= alone, "more");
        require(split + 2 * uint256(POOL) / 1e6 + 2 >= alone, "much less");
    }

    function claimed(uint64 task, uint32 node) private returns (uint256) {
        if (book.contributionOf(task, TRAINER, node) == 0) return 0;
        return rewards.claim(task, TRAINER, node);
    }

    function test_a_batch_of_claims() external {
        settled(TASK, 1, words(1));
        bytes[] memory calls = new bytes[](NODES);
        uint256 due = 0;
        for (uint32 node = 1; node <= NODES; node++) {
            due += uint256(book.contributionOf(TASK, TRAINER, node)) * POOL / 1e6;
            calls[node - 1] = abi.encodeCall(IRewards.claim, (TASK, TRAINER, node));
        }
        uint256 before = rewards.balanceOf(TASK);
        // Who has nothing to claim stops the whole batch.
        uint32 poor = 0;
        for (uint32 node = 1; node <= NODES && poor == 0; node++) {
            if (book.contributionOf(TASK, TRAINER, node) == 0) poor = node;
        }
        require(poor != 0, "the test's words");
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, poor));
        rewards.multicall(calls);
        uint256 kept = 0;
        for (uint32 node = 1; node <= NODES; node++) {
            if (book.contributionOf(TASK, TRAINER, node) != 0) calls[kept++] = calls[node - 1];
        }
        assembly {
            mstore(calls, kept)
        }
        rewards.multicall(calls);
        eq("task", rewards.balanceOf(TASK), before - due);
    }
}
