// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook, IRoundBook} from "../Base.sol";
import {IDisputes} from "../../interfaces/IDisputes.sol";
import {RootRig} from "../RootRig.sol";

/// @notice From the sponsor to the nodes' owners: every wei is somewhere, in both modes.
contract MoneyTest is Base {
    function test_words() external {
        uint64 task = rig.createTask();
        for (uint32 round = 1; round <= 4; round++) rig.finalised(task, round);
        uint256 paid = 0;
        for (uint32 node = 1; node <= 7; node++) paid += rewards.claim(task, VERIFIER, node);
        for (uint32 node = 8; node <= 10; node++) paid += rewards.claim(task, TRAINER, node);
        eq("conserved", paid + rewards.balanceOf(task), 400e18);
        eq("there", token.balanceOf(address(rewards)), rewards.balanceOf(task));
        // At most one unit of 1e-6 of a pool for each slot and round.
        require(rewards.balanceOf(task) <= 4 * (3 * 90e12 + 7 * 10e12));
    }

    function test_root() external {
        uint64 task = rig.createRootTask();
        RootRig.RootRound memory made;
        for (uint32 round = 1; round <= 4; round++) made = rig.rootPosted(task, round);
        uint256 paid = claim(made, task, TRAINER, 8); // of three final rounds: the fourth is pending
        eq("three", paid, 3 * (uint256(90e18) / 3));
        rig.toPhase(task, 5, IRoundBook.Phase.Commit);
        for (uint32 node = 1; node <= 7; node++) paid += claim(made, task, VERIFIER, node);
        for (uint32 node = 8; node <= 10; node++) paid += claim(made, task, TRAINER, node);
        eq("conserved", paid + rewards.balanceOf(task), 400e18);
        eq("all that was owed", paid, uint128(made.state.totals) + (made.state.totals >> 128));
        rounds.closeRootTask(task, rig.settled(made.base), made.state);
        eq("the dust returns", token.balanceOf(address(rewards)), 0);
    }

    /// @dev Against the latest final record: `made` itself, or what it built on.
    function claim(RootRig.RootRound memory made, uint64 task, IReputationBook.Role role, uint32 node)
        private
        returns (uint96)
    {
        (uint32 round,) = rounds.finalOf(task);
        bool own = round == made.base.report.round;
        uint256 slot = role == TRAINER ? node - 8 : node - 1;
        IDisputes.PayProof memory proof = rig.payProof(made, own ? made.next : made.before, role, slot);
        return rewards.claimRoot(
            task,
            role,
            node,
            own ? rig.settled(made.base) : made.base.parent,
            own ? made.state : made.parentState,
            proof.amount,
            proof.sums,
            proof.siblings
        );
    }
}
