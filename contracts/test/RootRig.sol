// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IReputationBook} from "../interfaces/IReputationBook.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {Rig, Stage} from "./Rig.sol";
import {Trees} from "./Trees.sol";
import {Scalar} from "./libraries/Scalar.sol";

/// @notice Settlements in root mode, with every word and wei behind their roots. `next` may be spoilt and `restate`d to make
/// a corrupt post that its signers agree on.
contract RootRig is Rig {
    /// @notice All that a post's data block holds.
    struct Ledger {
        uint256[] scores; // role << levels | word
        uint256[] reputation;
        uint96[] trainerPay; // word << 4 | lane
        uint96[] verifierPay;
    }

    struct RootRound {
        Settlement base;
        IRoundBook.RootState parentState;
        IRoundBook.RootState state;
        Ledger before;
        Ledger next;
        uint256[] voted; // each voter's tree: a word for each of the trainers'
    }

    mapping(bytes32 hash => IRoundBook.RootState) private _states;
    mapping(bytes32 hash => Ledger) private _ledgers;

    /// @param seeds the source of seeds; zero = headers of blocks
    constructor(address seeds) Stage(seeds) {}

    function levelsOf(uint64 task) public view returns (uint256 levels) {
        (, levels) = rounds.modeOf(task);
    }

    /// @notice An honest round of these scores; votes for `voted`.
    function rootRound(
        uint64 task,
        uint32 round,
        IRoundBook.Seat[] memory seats,
        uint256[] memory scores,
        uint256[] memory voted,
        uint256 signers
    ) public view returns (RootRound memory made) {
        made.base = blank(task, round, seats);
        made.voted = voted;
        made.base.trainerWords = (rounds.liveOf(task).trainerSlots + 14) / 15;
        vote(made.base, Trees.rootOf(voted, Trees.depthOf(made.base.trainerWords)));
        (, bytes32 latest) = rounds.finalOf(task);
        made.parentState = _states[latest];
        made.before = latest == 0 ? empty(levelsOf(task)) : _ledgers[latest];
        made.next = step(task, round, made.before, scores);
        return restate(made, signers);
    }

    function empty(uint256 levels) public pure returns (Ledger memory) {
        return Ledger(
            new uint256[](2 << levels), new uint256[](2 << levels), new uint96[](16 << levels), new uint96[](16 << levels)
        );
    }

    /// @notice What follows from the scores: the scalar model of a whole round.
    function step(uint64 task, uint32 round, Ledger memory before, uint256[] memory scores)
        public
        view
        returns (Ledger memory next)
    {
        uint256 levels = levelsOf(task);
        next = empty(levels);
        for (uint256 i = 0; i < 2 << levels; i++) {
            next.scores[i] = i < scores.length ? scores[i] : 0;
            next.reputation[i] = stepWord(before.reputation[i], next.scores[i], round, i >> levels == 0);
        }
        earn(next.trainerPay, before.trainerPay, next.scores, 0, rounds.poolOf(task, TRAINER));
        earn(next.verifierPay, before.verifierPay, next.scores, 1 << levels, rounds.poolOf(task, VERIFIER));
    }

    function stepWord(uint256 word, uint256 scores, uint32 round, bool decays) public pure returns (uint256 next) {
        next = uint256(round) << 240;
        for (uint256 i = 0; i < 15; i++) {
            next |= Scalar.step(Scalar.lane(word, i), Scalar.lane(scores, i), decays) << (16 * i);
        }
    }

    function earn(uint96[] memory next, uint96[] memory before, uint256[] memory scores, uint256 base, uint256 pool)
        private
        pure
    {
        uint256 points = pointsOf(scores, base);
        for (uint256 slot = 0; slot < before.length; slot++) {
            next[slot] = before[slot];
            if (points != 0) next[slot] += uint96(pool * partOf(scores[base + slot / 16], slot % 16) / points);
        }
    }

    /// @notice Parts of one role's half of the scores.
    function pointsOf(uint256[] memory scores, uint256 base) public pure returns (uint256 points) {
        for (uint256 i = 0; i < scores.length / 2; i++) {
            for (uint256 lane = 0; lane < 15; lane++) points += partOf(scores[base + i], lane);
        }
    }

    function partOf(uint256 word, uint256 lane) public pure returns (uint256) {
        return lane == 15 ? 0 : Scalar.part(Scalar.lane(word, lane));
    }

    /// @notice The state of `next` as it stands, and a report of it signed by `signers`.
    function restate(RootRound memory made, uint256 signers) public view returns (RootRound memory) {
        uint256 levels = levelsOf(made.base.report.task);
        Ledger memory next = made.next;
        uint256 trainers;
        uint256 verifiers;
        made.state.scores = Trees.rootOf(next.scores, levels + 1);
        made.state.reputation = Trees.rootOf(next.reputation, levels + 1);
        (made.state.trainerPay, trainers,) = Trees.pay(next.trainerPay, levels + 4, 0);
        (made.state.verifierPay, verifiers,) = Trees.pay(next.verifierPay, levels + 4, 0);
        made.state.totals = trainers | (verifiers << 128);
        made.state.points = pointsOf(next.scores, 0) | (pointsOf(next.scores, 1 << levels) << 128);
        made.state.data = keccak256(abi.encode(next));
        return resignRoot(made, signers);
    }

    /// @notice The state as it stands, with hashes, reward total and signatures made anew.
    function resignRoot(RootRound memory made, uint256 signers) public view returns (RootRound memory) {
        made.base.words = stateWords(made.state);
        uint256 sum = uint128(made.state.totals) + (made.state.totals >> 128);
        uint256 before = uint128(made.parentState.totals) + (made.parentState.totals >> 128);
        made.base.report.rewardTotal = sum < before ? 0 : sum - before;
        made.base = resign(made.base, signers);
        return made;
    }

    function stateWords(IRoundBook.RootState memory state) public pure returns (uint256[] memory words) {
        words = new uint256[](7);
        (words[0], words[1]) = (uint256(state.scores), uint256(state.reputation));
        (words[2], words[3]) = (uint256(state.trainerPay), uint256(state.verifierPay));
        (words[4], words[5], words[6]) = (state.totals, state.points, uint256(state.data));
    }

    // ---- proofs ----

    function scoreProof(RootRound memory made, uint256 index) public view returns (IDisputes.WordProof memory) {
        return Trees.wordProof(made.next.scores, levelsOf(made.base.report.task) + 1, index);
    }

    function beforeProof(RootRound memory made, uint256 index) public view returns (IDisputes.WordProof memory) {
        return Trees.wordProof(made.before.reputation, levelsOf(made.base.report.task) + 1, index);
    }

    function nextProof(RootRound memory made, uint256 index) public view returns (IDisputes.WordProof memory) {
        return Trees.wordProof(made.next.reputation, levelsOf(made.base.report.task) + 1, index);
    }

    function payProof(RootRound memory made, Ledger memory of_, IReputationBook.Role role, uint256 slot)
        public
        view
        returns (IDisputes.PayProof memory)
    {
        uint96[] memory amounts = role == TRAINER ? of_.trainerPay : of_.verifierPay;
        return Trees.payProof(amounts, levelsOf(made.base.report.task) + 4, slot);
    }

    /// @notice The word at `index` of every vote; all voters have the same tree.
    function voteProofs(RootRound memory made, uint256 index) public pure returns (IDisputes.WordProof[] memory all) {
        all = new IDisputes.WordProof[](made.base.votes.length);
        IDisputes.WordProof memory one = Trees.wordProof(made.voted, Trees.depthOf(made.base.trainerWords), index);
        for (uint256 i = 0; i < all.length; i++) all[i] = one;
    }

    // ---- moves ----

    function postRoot(RootRound calldata made) external {
        rounds.postRoot(
            made.base.report,
            made.base.parent,
            made.parentState,
            made.state,
            made.base.committee,
            made.base.signers,
            made.base.signatures
        );
        keep(made);
    }

    function keep(RootRound memory made) internal {
        bytes32 hash = hashOf(made.base);
        remember(made.base);
        _states[hash] = made.state;
        _ledgers[hash] = made.next;
    }

    /// @notice What stands behind the record that is final now.
    function finalLedger(uint64 task)
        public
        view
        returns (IRoundBook.Settled memory record, IRoundBook.RootState memory state, Ledger memory ledger)
    {
        (, bytes32 latest) = rounds.finalOf(task);
        return (known(latest), _states[latest], _ledgers[latest]);
    }

    function challengeRootScore(RootRound calldata made, uint32 index) external {
        disputes.challengeRootScore(
            accused(made.base),
            made.state,
            made.base.votes,
            index,
            scoreProof(made, index),
            index < made.base.trainerWords ? voteProofs(made, index) : new IDisputes.WordProof[](0)
        );
    }

    function challengeStep(RootRound calldata made, uint32 index) external {
        disputes.challengeStep(
            accused(made.base),
            made.state,
            made.base.parent,
            made.parentState,
            index,
            scoreProof(made, index),
            beforeProof(made, index),
            nextProof(made, index)
        );
    }

    function challengePay(RootRound calldata made, IReputationBook.Role role, uint32 slot) external {
        uint256 base = role == TRAINER ? 0 : 1 << levelsOf(made.base.report.task);
        disputes.challengePay(
            accused(made.base),
            made.state,
            made.base.parent,
            made.parentState,
            role,
            slot,
            scoreProof(made, base + slot / 16),
            payProof(made, made.before, role, slot),
            payProof(made, made.next, role, slot)
        );
    }

    function challengePoints(RootRound calldata made, uint32 index) external {
        disputes.challengePoints(accused(made.base), made.state, index, scoreProof(made, index));
    }

    // ---- whole rounds ----

    /// @notice Scores by which all trainers and all members earn alike, in a task of one level.
    function fairScores() public pure returns (uint256[] memory scores) {
        scores = new uint256[](4);
        (scores[0], scores[2]) = (lanes(40_000, 3), lanes(40_000, 7));
    }

    /// @notice Draw and make an honest round; not posted.
    function rootMade(uint64 task, uint32 round) public returns (RootRound memory made) {
        uint256[] memory voted = new uint256[](1);
        voted[0] = lanes(40_000, 3);
        made = rootRound(task, round, draw(task, round), fairScores(), voted, 0x1f);
    }

    function rootPosted(uint64 task, uint32 round) public returns (RootRound memory made) {
        made = rootMade(task, round);
        this.postRoot(made);
    }
}
