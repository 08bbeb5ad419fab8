// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Base, IReputationBook, IRoundBook} from "../Base.sol";
import {Rig} from "../Rig.sol";
import {RootRig} from "../RootRig.sol";
import {IDisputes} from "../../interfaces/IDisputes.sol";

/// @dev Of PositionTree and SumTree, which have the first in common.
interface ITreeErrors {
    error BadProofLength(uint256 got, uint256 expected);
    error SumOverflow(uint256 total);
}

/// @notice What every proof against a post has in common: what it must do where it holds, and what it is bound to.
abstract contract DisputeBase is Base {
    uint64 internal task;
    uint256 internal constant SEVEN = 0x7f;
    IRoundBook.RootState internal noState;
    IRoundBook.Settled internal noRecord;
    uint256[8] private _stakes;

    /// @dev Before the proof, with every node's stake as it is.
    function expectVoid(Rig.Settlement memory made) internal {
        expectVoidBy(address(rig), made);
    }

    function expectVoidBy(address caller, Rig.Settlement memory made) internal {
        for (uint32 node = 1; node <= 7; node++) _stakes[node] = vault.nodeOf(node).bonded;
        bytes32 digest = rounds.reportDigest(made.report);
        vm.expectEmit(true, true, true, true);
        emit IRoundBook.Voided(made.report.task, made.report.round, digest, caller);
    }

    /// @dev Signers 0..4 of seven seats paid once a seat, half of it to the caller and half burnt; nobody else paid.
    function checkVoid(Rig.Settlement memory made) internal view {
        eq("void", rounds.liveOf(made.report.task).voidedRound, made.report.round);
        (uint32 pending,,) = rounds.pendingOf(made.report.task);
        eq("nothing pending", pending, 0);
        for (uint256 j = 0; j < 7; j++) {
            uint32 node = made.seats[j].node;
            eq("slashed", _stakes[node] - vault.nodeOf(node).bonded, (made.signers >> j) & 1 == 1 ? SLASH : 0);
        }
        eq("reporter", token.balanceOf(address(rig)), 5 * uint256(SLASH) / 2);
        eq("burnt", token.balanceOf(BURNT), 5 * uint256(SLASH) / 2);
        for (uint32 node = 8; node <= 10; node++) eq("trainer", vault.nodeOf(node).bonded, SEAT);
    }

    function vote(uint32 node, uint256 word) internal pure returns (IRoundBook.Vote memory) {
        return IRoundBook.Vote(node, "c", keccak256(abi.encodePacked(uint8(0), word)), "r");
    }

    function wrongHash(bytes32 what, bytes32 got, bytes32 expected) internal {
        failsHash(IDisputes.WrongHash.selector, what, got, expected);
    }

    function notPending(uint64 of_, uint32 round) internal {
        fails(IDisputes.NotPending.selector, of_, round);
    }
}
