// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRewards} from "../../interfaces/IRewards.sol";
import {SumTree} from "../../libraries/SumTree.sol";
import {Trees} from "../Trees.sol";
import {Rise} from "../libraries/Rise.sol";
import {RewardsBase} from "./RewardsBase.sol";

contract ClaimNotedTest is RewardsBase {
    uint8 private constant LEVELS = 1; // two words, 32 leaves
    uint96[] private due;
    Record private record;

    function setUp() public override {
        super.setUp();
        join(TASK, TRAINER, 20);
        join(TASK, VERIFIER, 1);
        fund(TASK, 1000e18);
        for (uint256 s = 0; s < 20; s++) due.push(uint96(1e18 + s));
        record = settleTrainers(TASK, 3, LEVELS, due);
    }

    function note() private {
        rewards.notePay(TASK, record.settled, record.state);
    }

    function claim(IReputationBook.Role role, uint32 node, IDisputes.PayProof memory leaf) private returns (uint96) {
        return rewards.claimNoted(TASK, role, node, leaf.amount, leaf.sums, leaf.siblings);
    }

    function leafOf(uint32 node) private view returns (IDisputes.PayProof memory) {
        return Trees.payProof(record.leaves, record.depth, indexOf(node - 1));
    }

    function noted(bytes32 root, uint256 total, uint256 depth) private pure returns (bytes32) {
        return keccak256(abi.encode(root, total, depth));
    }

    function test_pays_what_claim_root_pays() external {
        vm.expectEmit(true, true, true, true);
        emit IRewards.PayNoted(TASK, record.settled.state);
        vm.prank(STRANGER); // anyone
        note();
        bytes32 expected = noted(record.state.trainerPay, record.state.totals, 5);
        require(rewards.notedOf(TASK, TRAINER) == expected, "trainers");
        require(rewards.notedOf(TASK, VERIFIER) == noted(0, 0, 5), "verifiers");
        vm.expectEmit(true, true, true, true);
        emit IRewards.Claimed(TASK, TRAINER, 17, ownerOf(17), due[16], due[16]);
        vm.prank(STRANGER);
        eq("amount", claim(TRAINER, 17, leafOf(17)), due[16]);
        eq("paid", token.balanceOf(ownerOf(17)), due[16]);
        eq("balance", rewards.balanceOf(TASK), 1000e18 - due[16]);
        // Both ways count the same.
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 17));
        claimLeaf(TASK, record, TRAINER, 17, indexOf(16));
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingToClaim.selector, 17));
        claim(TRAINER, 17, leafOf(17));
    }

    /// @notice A noted tree stays good when later records become final, and gives way to the next noted one.
    function test_stands_until_the_next() external {
        note();
        IDisputes.PayProof memory older = leafOf(2);
        due[1] += 5;
        record = settleTrainers(TASK, 4, LEVELS, due);
        eq("of the noted", claim(TRAINER, 2, older), 1e18 + 1);
        IDisputes.PayProof memory newer = leafOf(2);
        note();
        eq("of the next", claim(TRAINER, 2, newer), 5);
        (bytes32 root, uint256 total) = Rise.pay(older.amount, 1, older.sums, older.siblings);
        refused(
            "noted", noted(root, total, 5), noted(record.state.trainerPay, record.state.totals, 5)
        );
        claim(TRAINER, 2, older);
    }

    function test_notes_only_the_final_record() external {
        bytes32 hash = known[TASK].settled;
        known[TASK].settled = bytes32("another"); // an older one, a pending or void one
        refused("settled", hash, bytes32("another"));
        note();
        known[TASK].settled = 0; // before the first final round
        refused("settled", hash, 0);
        note();
        known[TASK].settled = hash;
        record.state.totals += 1;
        refused("state", keccak256(abi.encode(record.state)), record.settled.state);
        note();
        known[TASK].mode = 0;
        vm.expectRevert(abi.encodeWithSelector(IRewards.WrongMode.selector, 0, 1));
        note();
    }

    function test_refusals() external {
        IDisputes.PayProof memory leaf = leafOf(2);
        bytes32 tree = noted(record.state.trainerPay, record.state.totals, 5);
        refused("noted", tree, 0); // nothing noted yet
        claim(TRAINER, 2, leaf);
        note();
        vm.expectRevert(abi.encodeWithSelector(IReputationBook.NoSlot.selector, TASK, VERIFIER, 2));
        claim(VERIFIER, 2, leaf);
        (bytes32 root, uint256 total) = Rise.pay(leaf.amount, 0, leaf.sums, leaf.siblings);
        refused("noted", noted(root, total, 5), noted(0, 0, 5)); // the wrong role
        claim(VERIFIER, 1, leaf);
        refused("noted", noted(root, total, 5), tree); // another node's leaf
        claim(TRAINER, 1, leaf);
        leaf.amount += 1;
        (root, total) = Rise.pay(leaf.amount, 1, leaf.sums, leaf.siblings);
        refused("noted", noted(root, total, 5), tree); // another amount
        claim(TRAINER, 2, leaf);
        leaf.sums = new uint96[](4);
        vm.expectRevert(abi.encodeWithSelector(SumTree.BadProofLength.selector, 4, 5));
        claim(TRAINER, 2, leaf);
    }

    /// @notice The node above a pair, shown as a leaf by a proof one shorter: another hash, and another depth.
    function test_a_node_is_no_leaf() external {
        note();
        IDisputes.PayProof memory leaf = leafOf(1);
        IDisputes.PayProof memory pair =
            IDisputes.PayProof(due[0] + due[1], new uint96[](4), new bytes32[](4));
        for (uint256 i = 0; i < 4; i++) (pair.sums[i], pair.siblings[i]) = (leaf.sums[i + 1], leaf.siblings[i + 1]);
        (bytes32 root, uint256 total) = Rise.pay(pair.amount, 0, pair.sums, pair.siblings);
        eq("the same sum", total, record.state.totals);
        refused(
            "noted", noted(root, total, 4), noted(record.state.trainerPay, record.state.totals, 5)
        );
        claim(TRAINER, 1, pair);
    }

    function test_a_batch_notes_and_claims() external {
        bytes[] memory calls = new bytes[](21);
        calls[0] = abi.encodeCall(IRewards.notePay, (TASK, record.settled, record.state));
        for (uint32 node = 1; node <= 20; node++) {
            IDisputes.PayProof memory leaf = leafOf(node);
            calls[node] =
                abi.encodeCall(IRewards.claimNoted, (TASK, TRAINER, node, leaf.amount, leaf.sums, leaf.siblings));
        }
        rewards.multicall(calls);
        eq("task", rewards.balanceOf(TASK), 1000e18 - record.state.totals);
        eq("held", token.balanceOf(address(rewards)), 1000e18 - record.state.totals);
    }
}
