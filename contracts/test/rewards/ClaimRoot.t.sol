// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IRewards} from "../../interfaces/IRewards.sol";
import {SumTree} from "../../libraries/SumTree.sol";
import {Trees} from "../Trees.sol";
import {Rise} from "../libraries/Rise.sol";
import {RewardsBase} from "./RewardsBase.sol";

contract ClaimRootTest is RewardsBase {
    uint8 private constant LEVELS = 1; // two words, 32 leaves
    uint32 private constant NODES = 20;

    function setUp() public override {
        super.setUp();
        join(TASK, TRAINER, NODES);
        join(TASK, VERIFIER, 2);
        fund(TASK, 1000e18);
    }

    function amounts(uint256 seed) private pure returns (uint96[] memory made) {
        made = new uint96[](NODES);
        for (uint256 s = 0; s < NODES; s++) made[s] = uint96(uint256(keccak256(abi.encode(seed, s))) % 10e18);
    }

    function test_pays_the_owner_what_is_new() external {
        uint96[] memory due = amounts(1);
        Record memory record = settleTrainers(TASK, 3, LEVELS, due);
        vm.expectEmit(true, true, true, true);
        emit IRewards.Claimed(TASK, TRAINER, 17, ownerOf(17), due[16], due[16]);
        vm.prank(STRANGER); // anyone
        claimAs(record, 17, 17);
        eq("paid", token.balanceOf(ownerOf(17)), due[16]);
        eq("claimed", rewards.claimedOf(TASK, TRAINER, 17), due[16]);
        eq("balance", rewards.balanceOf(TASK), 1000e18 - due[16]);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 17));
        claimAs(record, 17, 17);

        due[16] += 5;
        record = settleTrainers(TASK, 7, LEVELS, due);
        vm.expectEmit(true, true, true, true);
        emit IRewards.Claimed(TASK, TRAINER, 17, ownerOf(17), due[16], 5);
        eq("the rest", claimAs(record, 17, 17), 5);
        // A tree that takes back what was paid has nothing for it, and takes nothing back.
        due[16] -= 9;
        record = settleTrainers(TASK, 8, LEVELS, due);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 17));
        claimAs(record, 17, 17);
    }

    /// @dev `node` claims the leaf of `leafOf`'s slot. All calls but the one under test are made before it.
    function claimAs(Record memory record, uint32 node, uint32 leafOf) private returns (uint96) {
        return claimLeaf(TASK, record, TRAINER, node, indexOf(leafOf - 1));
    }

    function test_verifiers_have_their_own_tree() external {
        uint96[] memory due = amounts(1);
        Record memory record = settleTrainers(TASK, 1, LEVELS, due);
        uint96[] memory theirs = new uint96[](2);
        theirs[1] = 4e18;
        record.leaves = leavesOf(theirs);
        (bytes32 root, uint256 sum,) = Trees.pay(record.leaves, record.depth, 0);
        record.state.verifierPay = root;
        record.state.totals |= sum << 128;
        record.settled = settle(TASK, 1, record.state);
        eq("verifier", claimLeaf(TASK, record, VERIFIER, 2, 1), 4e18);
        refused("pay", root, record.state.trainerPay);
        claimLeaf(TASK, record, TRAINER, 2, 1); // the wrong role
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, VERIFIER, 3));
        claimLeaf(TASK, record, VERIFIER, 3, 1);
    }

    function test_only_from_the_final_record() external {
        Record memory old = settleTrainers(TASK, 1, LEVELS, amounts(1));
        bytes32 oldHash = known[TASK].settled;
        Record memory record = settleTrainers(TASK, 2, LEVELS, amounts(2));
        bytes32 hash = known[TASK].settled;
        refused("settled", oldHash, hash); // an older record
        claimAs(old, 1, 1);
        known[TASK].settled = oldHash; // the newer one pending, or void
        refused("settled", hash, oldHash);
        claimAs(record, 1, 1);
        eq("the final one", claimAs(old, 1, 1), old.leaves[0]);
        known[TASK].settled = 0; // before the first final round
        refused("settled", oldHash, 0);
        claimAs(old, 2, 2);
        known[TASK].settled = oldHash;
        old.state.totals += 1;
        refused("state", keccak256(abi.encode(old.state)), old.settled.state);
        claimAs(old, 2, 2);
        known[TASK].mode = 0;
        vm.expectRevert(abi.encodeWithSelector(IRewards.WrongMode.selector, 0, 1));
        claimAs(old, 2, 2);
    }

    /// @notice A state whose total is not its tree's pays nobody.
    function test_the_total_is_the_trees() external {
        Record memory record = settleTrainers(TASK, 1, LEVELS, amounts(1));
        uint256 sum = record.state.totals;
        record.state.totals = sum + 1;
        record.settled = settle(TASK, 1, record.state);
        refused("total", bytes32(sum), bytes32(sum + 1));
        claimAs(record, 1, 1);
    }

    function test_a_leaf_is_its_slots_alone() external {
        uint96[] memory due = amounts(1);
        Record memory record = settleTrainers(TASK, 1, LEVELS, due);
        IDisputes.PayProof memory leaf = Trees.payProof(record.leaves, record.depth, 0);
        // Another node's proof, at this node's place.
        for (uint32 node = 2; node <= NODES; node++) {
            refusedAt(record, leaf, indexOf(node - 1));
            claimAs(record, node, 1);
        }
        // Another amount.
        leaf.amount += 1;
        refusedAt(record, leaf, 0);
        claimBy(record, leaf);
        // More of it, and as much less beside it.
        leaf.sums[0] -= 1;
        refusedAt(record, leaf, 0);
        claimBy(record, leaf);
    }

    function refusedAt(Record memory record, IDisputes.PayProof memory leaf, uint256 index) private {
        (bytes32 wrong,) = Rise.pay(leaf.amount, index, leaf.sums, leaf.siblings);
        refused("pay", wrong, record.state.trainerPay);
    }

    /// @dev Node 1 claims this leaf.
    function claimBy(Record memory record, IDisputes.PayProof memory leaf) private {
        rewards.claimRoot(
            TASK, TRAINER, 1, record.settled, record.state, leaf.amount, leaf.sums, leaf.siblings
        );
    }

    /// @notice An inner node is no leaf: a proof of another length is refused, whatever it would show.
    function test_a_node_is_no_leaf() external {
        Record memory record = settleTrainers(TASK, 1, LEVELS, amounts(1));
        IDisputes.PayProof memory leaf = Trees.payProof(record.leaves, record.depth, 0);
        IDisputes.PayProof memory pair = IDisputes.PayProof(
            record.leaves[0] + record.leaves[1], new uint96[](4), new bytes32[](4)
        );
        for (uint256 i = 0; i < 4; i++) (pair.sums[i], pair.siblings[i]) = (leaf.sums[i + 1], leaf.siblings[i + 1]);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 4, 5));
        claimBy(record, pair);
        pair.sums = leaf.sums;
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 4, 5));
        claimBy(record, pair);
        (pair.sums, pair.siblings) = (new uint96[](6), leaf.siblings);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 6, 5));
        claimBy(record, pair);
    }

    /// @notice Sums that do not fit 96 bits prove nothing: a total could wrap to the right one.
    function test_overflowing_sums() external {
        Record memory record = settleTrainers(TASK, 1, LEVELS, amounts(1));
        IDisputes.PayProof memory leaf = Trees.payProof(record.leaves, record.depth, 0);
        uint256 total = record.state.totals - leaf.sums[2] + type(uint96).max;
        leaf.sums[2] = type(uint96).max;
        vm.expectRevert(abi.encodeWithSelector(SumTree.SumOverflow.selector, total));
        claimBy(record, leaf);
    }

    /// @notice A record that shifts pay to and fro cannot make a task pay more than it holds.
    function test_never_more_than_the_task_holds() external {
        fund(8, 1000e18);
        uint96[] memory due = new uint96[](2);
        due[0] = 700e18;
        claimAs(settleTrainers(TASK, 1, LEVELS, due), 1, 1);
        (due[0], due[1]) = (0, 700e18);
        Record memory record = settleTrainers(TASK, 2, LEVELS, due);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NotEnough.selector, TASK, 700e18, 300e18));
        claimAs(record, 2, 2);
    }

    /// @notice Over two records, whoever claims when, each node ends with its leaf, and the task with the rest.
    /// forge-config: default.fuzz.runs = 30
    function testFuzz_any_order_pays_the_same(uint256 seed) external {
        uint96[] memory due = amounts(seed);
        Record memory record = settleTrainers(TASK, 1, LEVELS, due);
        for (uint256 i = 0; i < 10; i++) attempt(record, due, uint256(keccak256(abi.encode(seed, i))));
        for (uint256 s = 0; s < NODES; s++) due[s] += uint96(uint256(keccak256(abi.encode(~seed, s))) % 3 * 1e18);
        record = settleTrainers(TASK, 2, LEVELS, due);
        for (uint256 i = 0; i < 10; i++) attempt(record, due, uint256(keccak256(abi.encode(~seed, i))));
        uint256 total = 0;
        for (uint256 i = 0; i < NODES; i++) attempt(record, due, seed % NODES + i);
        for (uint256 s = 0; s < NODES; s++) {
            eq("paid", token.balanceOf(ownerOf(uint32(s + 1))), due[s]);
            total += due[s];
        }
        eq("the tree's total", total, record.state.totals);
        eq("task", rewards.balanceOf(TASK), 1000e18 - total);
        eq("held", token.balanceOf(address(rewards)), 1000e18 - total);
    }

    function attempt(Record memory record, uint96[] memory due, uint256 pick) private {
        uint32 node = uint32(1 + pick % NODES);
        uint256 left = due[node - 1] - rewards.claimedOf(TASK, TRAINER, node);
        if (left == 0) vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, node));
        uint96 got = claimAs(record, node, node);
        if (left != 0) eq("left", got, left);
    }

    /// @notice For one index a root has one amount: no other amount, sums or siblings that a forger might try show it.
    /// forge-config: default.fuzz.runs = 200
    function testFuzz_no_second_leaf(uint256 seed, uint96 amount, uint8 level, uint96 sum, bytes32 sibling) external {
        Record memory record = settleTrainers(TASK, 1, LEVELS, amounts(seed));
        IDisputes.PayProof memory leaf = Trees.payProof(record.leaves, record.depth, 0);
        leaf.amount = amount == record.leaves[0] ? amount ^ 1 : amount;
        fails(record, leaf);
        leaf.sums[level % 5] = sum;
        fails(record, leaf);
        leaf.siblings[level % 5] = sibling;
        fails(record, leaf);
    }

    function fails(Record memory record, IDisputes.PayProof memory leaf) private {
        bytes memory data = abi.encodeCall(
            IRewards.claimRoot,
            (TASK, TRAINER, 1, record.settled, record.state, leaf.amount, leaf.sums, leaf.siblings)
        );
        (bool done, bytes memory why) = address(rewards).call(data);
        require(!done, "paid");
        bytes4 selector = bytes4(why);
        require(selector == IRewards.WrongHash.selector || selector == SumTree.SumOverflow.selector, "why");
    }
}
