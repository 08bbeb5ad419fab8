// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IRewards} from "../../interfaces/IRewards.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IToken} from "../Deployed.sol";
import {Trees} from "../Trees.sol";
import {Neighbours} from "../book/Neighbours.sol";

/// @dev With the batches that the artifact offers beside its interface.
interface IBatchRewards is IRewards {
    function multicall(bytes[] calldata calls) external returns (bytes[] memory);
}

/// @notice Rewards and a ReputationBook, deployed from their committed artifacts: the test is their RoundBook and the vault.
/// Node n has owner 0x1000 + n.
abstract contract RewardsBase is Neighbours {
    uint64 internal constant TASK = 9;
    uint96 internal constant POOL = 90e18;

    IToken internal token;
    IReputationBook internal book;
    IBatchRewards internal rewards;

    function setUp() public virtual {
        token = IToken(vm.deployCode("contracts/build/DevToken.json"));
        book = IReputationBook(vm.deployCode("contracts/build/ReputationBook.json", abi.encode(address(this))));
        rewards = IBatchRewards(
            vm.deployCode("contracts/build/Rewards.json", abi.encode(token, address(this), book, address(this)))
        );
    }

    /// @dev As the RoundBook does it.
    function fund(uint64 task, uint96 amount) internal {
        rewards.credit(task, amount);
        token.mint(address(rewards), amount);
    }

    /// @dev Nodes 1..count take slots 0..count-1.
    function join(uint64 task, IReputationBook.Role role, uint32 count) internal {
        for (uint32 node = 1; node <= count; node++) book.openSlot(task, role, node);
    }

    /// @dev A final record of root mode whose trainers' pay tree has `amounts` at slots 0.. .
    struct Record {
        IRoundBook.Settled settled;
        IRoundBook.RootState state;
        uint96[] leaves; // by index in the tree
        uint256 depth;
    }

    function settleTrainers(uint64 task, uint32 round, uint8 levels, uint96[] memory amounts)
        internal
        returns (Record memory record)
    {
        record.depth = levels + 4;
        record.leaves = leavesOf(amounts);
        (record.state.trainerPay, record.state.totals,) = Trees.pay(record.leaves, record.depth, 0);
        record.state.data = keccak256(abi.encode(task, round));
        record.settled = settle(task, round, record.state);
        known[task].levels = levels;
    }

    /// @dev Slot s at index (s / 15) << 4 | s % 15: every sixteenth leaf is never used.
    function leavesOf(uint96[] memory amounts) internal pure returns (uint96[] memory leaves) {
        leaves = new uint96[]((amounts.length + 14) / 15 * 16);
        for (uint256 slot = 0; slot < amounts.length; slot++) leaves[indexOf(slot)] = amounts[slot];
    }

    function indexOf(uint256 slot) internal pure returns (uint256) {
        return (slot / 15) * 16 + slot % 15;
    }

    /// @dev The leaf of any index, claimed by any node.
    function claimLeaf(uint64 task, Record memory record, IReputationBook.Role role, uint32 node, uint256 index)
        internal
        returns (uint96)
    {
        IDisputes.PayProof memory leaf = Trees.payProof(record.leaves, record.depth, index);
        return rewards.claimRoot(
            task, role, node, record.settled, record.state, leaf.amount, leaf.sums, leaf.siblings
        );
    }

    function refused(bytes32 what, bytes32 got, bytes32 expected) internal {
        vm.expectRevert(abi.encodeWithSelector(IRewards.WrongHash.selector, what, got, expected));
    }
}
