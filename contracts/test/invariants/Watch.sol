// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../../interfaces/IDisputes.sol";
import {IReputationBook} from "../../interfaces/IReputationBook.sol";
import {IRoundBook} from "../../interfaces/IRoundBook.sol";
import {Trees} from "../Trees.sol";
import {Rounds} from "./Rounds.sol";

/// @notice A watcher, who is there at times: proves what is wrong, and tries to prove what is right; asks for data, gets
/// it from honest members always and from corrupt ones where they have it.
abstract contract Watch is Rounds {
    uint256 public asked; // demands whose fee is held
    uint256[MOST_NODES + 1] private _before;

    function isPending(uint64 task) internal view returns (bool) {
        return _posts[task].alive && block.timestamp < _posts[task].closesAt;
    }

    // ---- moves ----

    /// @notice Every proof that the fault allows must hold, and none at all may against an honest post.
    function prosecute(uint8 which, uint8 proof, uint32 index) external {
        uint64 task = pick(which);
        if (!isPending(task)) return;
        RootRound memory all = made(task);
        Fault fault = _posts[task].fault;
        if (fault == Fault.None) {
            accuse(all, proof, index);
        } else if (fault != Fault.Withheld && fault != Fault.Sum) {
            remembered();
            prove(all, fault);
            punished(task, all, 0);
            moves[keccak256(abi.encode("proved", isRoot(task), fault))]++;
        }
    }

    function demand(uint8 which, uint8 kind, uint32 a) external {
        uint64 task = pick(which);
        if (!isPending(task) || _asked[task].open || block.timestamp >= _posts[task].closesAt - 50) return;
        if (!isRoot(task)) kind = 0;
        // Half of the time for what is missing, if something is.
        else if (_posts[task].fault == Fault.Sum && kind > 127) kind = 3;
        else if (_posts[task].fault == Fault.Withheld && kind > 127) kind = 0;
        kind %= 5;
        a %= kind == 0 ? 4 : kind < 3 ? 2 : 16;
        RootRound memory all = made(task);
        bytes32 digest = rounds.reportDigest(all.base.report);
        (address by,) = disputes.demandOf(digest, IDisputes.Kind(kind), a, 0);
        if (by != address(0)) return;
        token.mint(address(this), DEMAND_FEE);
        token.approve(address(disputes), DEMAND_FEE);
        disputes.demand(all.base.report, all.base.signers, all.base.trainerWords, IDisputes.Kind(kind), a, 0);
        _asked[task] = Asked(true, kind, a, uint40(block.timestamp) + 25);
        asked++;
        moves["demand"]++;
    }

    function answer(uint8 which) external {
        answered(pick(which));
    }

    /// @notice Nobody answered. Members of an honest post always do, so that this never meets one.
    function expire(uint8 which) external {
        uint64 task = pick(which);
        Asked memory what = _asked[task];
        if (!what.open || !isPending(task) || block.timestamp <= what.deadline) return;
        require(_posts[task].fault != Fault.None, "honest members answer");
        RootRound memory all = made(task);
        remembered();
        disputes.expire(accused(all.base), IDisputes.Kind(what.kind), what.a, 0);
        closed(task);
        punished(task, all, DEMAND_FEE);
        moves["expire"]++;
    }

    function reclaim(uint8 which) external {
        reclaimed(pick(which));
    }

    // ---- how ----

    /// @dev Where time would pass an honest post's deadline, it is answered first.
    function to(uint256 time) internal override {
        for (uint256 i = 0; i < 3; i++) {
            uint64 task = current[i];
            if (_asked[task].open && _posts[task].fault == Fault.None && time > _asked[task].deadline) answered(task);
        }
        if (time > block.timestamp) vm.warp(time);
    }

    function answered(uint64 task) private {
        Asked memory what = _asked[task];
        if (!what.open || !isPending(task) || block.timestamp > what.deadline) return;
        Fault fault = _posts[task].fault;
        IDisputes.Kind kind = IDisputes.Kind(what.kind);
        if (kind == IDisputes.Kind.Votes && (fault == Fault.Withheld || fault == Fault.LongList)) return;
        if (kind == IDisputes.Kind.TrainerPay && fault == Fault.Sum) return;
        RootRound memory all = made(task);
        if (kind == IDisputes.Kind.Votes) {
            IDisputes.WordProof memory proof = Trees.wordProof(all.voted, 0, 0);
            disputes.answerVotes(all.base.report, what.a, 0, 1, all.base.votes, proof);
        } else if (kind < IDisputes.Kind.TrainerPay) {
            uint256[] memory words = kind == IDisputes.Kind.Scores ? all.next.scores : all.next.reputation;
            IDisputes.WordProof memory proof = Trees.wordProof(words, 1, what.a);
            disputes.answerWord(all.base.report, all.state, kind, what.a, proof);
        } else {
            bool trainers = kind == IDisputes.Kind.TrainerPay;
            uint96[] memory amounts = trainers ? all.next.trainerPay : all.next.verifierPay;
            disputes.answerPay(all.base.report, all.state, kind, what.a, Trees.payProof(amounts, 4, what.a));
        }
        closed(task);
        moves["answer"]++;
    }

    /// @dev The demand's post is void or final, and the fee returns.
    function reclaimed(uint64 task) internal override {
        Asked memory what = _asked[task];
        if (!what.open || isPending(task)) return;
        disputes.reclaim(made(task).base.report, IDisputes.Kind(what.kind), what.a, 0);
        closed(task);
        moves["reclaim"]++;
    }

    function closed(uint64 task) private {
        _asked[task].open = false;
        asked--;
    }

    function prove(RootRound memory all, Fault fault) private {
        if (fault == Fault.Score || fault == Fault.LongList) score(all);
        if (fault == Fault.Step) step(all, 0);
        if (fault == Fault.Points) points(all, 0);
        if (fault == Fault.Pay) pay(all, TRAINER, spoiltLeaf(all));
    }

    function spoiltLeaf(RootRound memory all) private view returns (uint32 slot) {
        Ledger memory honest = step(all.base.report.task, all.base.report.round, all.before, all.next.scores);
        while (honest.trainerPay[slot] == all.next.trainerPay[slot]) slot++;
    }

    /// @dev Any proof against an honest post is refused.
    function accuse(RootRound memory all, uint8 proof, uint32 index) private {
        bool root = isRoot(all.base.report.task);
        bytes memory call = abi.encodeCall(this.tryProof, (all, root ? proof % 4 : 0, index));
        (bool held, bytes memory reason) = address(this).call(call);
        require(!held, "an honest post was proved wrong");
        require(bytes4(reason) == IDisputes.NotAFault.selector, "for being right");
        moves["accuse"]++;
    }

    function tryProof(RootRound memory all, uint8 proof, uint32 index) external {
        require(msg.sender == address(this), "by itself");
        if (proof == 0) score(all);
        if (proof == 1) step(all, index % 2);
        if (proof == 2) pay(all, index % 2 == 0 ? TRAINER : VERIFIER, (index >> 1) % 16);
        if (proof == 3) points(all, index % 2);
    }

    function score(RootRound memory all) private {
        IDisputes.WordProof[] memory votes = new IDisputes.WordProof[](all.base.votes.length);
        for (uint256 i = 0; i < votes.length; i++) votes[i].word = all.voted[0];
        if (all.base.report.mode == 0) {
            disputes.challengeScore(accused(all.base), all.base.words, all.base.votes, 0, votes);
        } else {
            disputes.challengeRootScore(
                accused(all.base), all.state, all.base.votes, 0, Trees.wordProof(all.next.scores, 1, 0), votes
            );
        }
    }

    function step(RootRound memory all, uint32 index) private {
        disputes.challengeStep(
            accused(all.base),
            all.state,
            all.base.parent,
            all.parentState,
            index,
            Trees.wordProof(all.next.scores, 1, index),
            Trees.wordProof(all.before.reputation, 1, index),
            Trees.wordProof(all.next.reputation, 1, index)
        );
    }

    function pay(RootRound memory all, IReputationBook.Role role, uint32 slot) private {
        bool trainers = role == TRAINER;
        disputes.challengePay(
            accused(all.base),
            all.state,
            all.base.parent,
            all.parentState,
            role,
            slot,
            Trees.wordProof(all.next.scores, 1, trainers ? 0 : 1),
            Trees.payProof(trainers ? all.before.trainerPay : all.before.verifierPay, 4, slot),
            Trees.payProof(trainers ? all.next.trainerPay : all.next.verifierPay, 4, slot)
        );
    }

    function points(RootRound memory all, uint32 index) private {
        disputes.challengePoints(accused(all.base), all.state, index, Trees.wordProof(all.next.scores, 1, index));
    }

    // ---- what a proof may take ----

    function remembered() private {
        for (uint32 node = 1; node <= nodes; node++) _before[node] = stakeOf(node);
        _before[0] = token.balanceOf(address(this));
    }

    /// @dev From signers of a corrupt post alone, once a seat; and half of it for the watcher at most.
    function punished(uint64 task, RootRound memory all, uint256 feeBack) private {
        require(_posts[task].fault != Fault.None, "corrupt");
        _posts[task].alive = false;
        voided[task][all.base.report.round] = true;
        uint256 sum = 0;
        for (uint32 node = 1; node <= nodes; node++) {
            uint256 taken = _before[node] - stakeOf(node);
            uint256 most = 0;
            bool signed = false;
            for (uint256 j = 0; j < 4; j++) {
                if (all.base.seats[j].node != node) continue;
                most += SLASH;
                signed = signed || (all.base.signers >> j) & 1 == 1;
            }
            if (!signed) most = 0;
            require(taken <= most, "more than its seats");
            require(taken == most || stakeOf(node) == 0, "or all it had");
            lost[node] += taken;
            sum += taken;
        }
        uint256 gained = token.balanceOf(address(this)) - _before[0] - feeBack;
        require(2 * gained <= sum && 2 * gained + nodes >= sum, "half, rounded down for each");
    }
}
