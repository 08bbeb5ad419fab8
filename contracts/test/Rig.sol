// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {Stage} from "./Stage.sol";
import {Trees} from "./Trees.sol";

/// @notice Settlements in words mode: made, signed, posted, challenged and finalised. What was posted is known by its hash,
/// so that the next round finds the record that it builds on.
abstract contract Rig is Stage {
    /// @notice What post and its followers take.
    struct Settlement {
        IRoundBook.Report report;
        IRoundBook.Settled parent;
        IRoundBook.Seat[] seats;
        bytes committee;
        IRoundBook.Vote[] votes;
        uint256[] words; // trainers' first
        uint32 trainerWords;
        uint256 signers;
        bytes signatures;
    }

    mapping(bytes32 hash => IRoundBook.Settled) private _known;

    /// @notice A settlement of `word` for trainers by votes for `voted`, signed by the seats in `signers`.
    function settlement(
        uint64 task,
        uint32 round,
        IRoundBook.Seat[] memory seats,
        uint256 word,
        uint256 voted,
        uint256 signers
    ) public view returns (Settlement memory made) {
        made = blank(task, round, seats);
        vote(made, Trees.leaf(voted));
        made.words = new uint256[](2);
        (made.words[0], made.words[1]) = (word, lanes(40_000, 7));
        made.trainerWords = 1;
        made.report.rewardTotal = TRAINER_POOL + VERIFIER_POOL;
        return resign(made, signers);
    }

    /// @notice Everything that does not depend on the scores.
    function blank(uint64 task, uint32 round, IRoundBook.Seat[] memory seats)
        public
        view
        returns (Settlement memory made)
    {
        made.seats = seats;
        made.committee = packed(seats);
        (, bytes32 latest) = rounds.finalOf(task);
        made.parent = _known[latest];
        made.report = IRoundBook.Report({
            mode: rounds.taskOf(task).params.mode,
            task: task,
            round: round,
            seed: seedOf(task, round),
            committeeHash: keccak256(made.committee),
            attempt: 0,
            parent: latest == 0 ? bytes32("genesis") : made.parent.model,
            submissionsRoot: bytes32("submissions"),
            votesHash: 0,
            sketchDigest: bytes32("sketches"),
            wordsHash: 0,
            model: keccak256(abi.encode("model", round)),
            record: bytes32("round record"),
            rewardTotal: 0
        });
    }

    /// @notice One vote a seat, all with the same tree.
    function vote(Settlement memory made, bytes32 root) internal pure {
        made.votes = new IRoundBook.Vote[](made.seats.length);
        for (uint256 j = 0; j < made.seats.length; j++) {
            made.votes[j] = IRoundBook.Vote(made.seats[j].node, bytes32("commitment"), root, bytes32("record"));
        }
    }

    /// @notice The same with its hashes and signatures made anew.
    function resign(Settlement memory made, uint256 signers) public view returns (Settlement memory) {
        made.report.votesHash = keccak256(abi.encode(made.votes));
        made.report.wordsHash = keccak256(abi.encodePacked(made.words));
        return signOnly(made, signers);
    }

    function signOnly(Settlement memory made, uint256 signers) public view returns (Settlement memory) {
        made.signers = signers;
        made.signatures = signatures(made.seats, rounds.reportDigest(made.report), signers);
        return made;
    }

    /// @notice One signature a node, in the order of its first set seat.
    function signatures(IRoundBook.Seat[] memory seats, bytes32 digest, uint256 signers)
        public
        pure
        returns (bytes memory all)
    {
        for (uint256 j = 0; j < seats.length; j++) {
            if ((signers >> j) & 1 == 0) continue;
            bool first = true;
            for (uint256 i = 0; i < j; i++) {
                if (seats[i].node == seats[j].node && (signers >> i) & 1 == 1) first = false;
            }
            if (first) all = abi.encodePacked(all, sign(seats[j].node, digest));
        }
    }

    /// @notice As the book remembers it.
    function settled(Settlement memory made) public view returns (IRoundBook.Settled memory) {
        return IRoundBook.Settled(
            rounds.reportDigest(made.report),
            made.signers,
            made.report.model,
            made.report.wordsHash,
            made.trainerWords
        );
    }

    function hashOf(Settlement memory made) public view returns (bytes32) {
        return keccak256(abi.encode(settled(made)));
    }

    function remember(Settlement memory made) internal {
        _known[hashOf(made)] = settled(made);
    }

    function known(bytes32 hash) internal view returns (IRoundBook.Settled memory) {
        return _known[hash];
    }

    function accused(Settlement memory made) public pure returns (IDisputes.Accused memory) {
        return IDisputes.Accused(made.report, made.signers, made.trainerWords, made.committee);
    }

    function post(Settlement calldata made) external {
        rounds.post(made.report, made.parent, made.committee, made.words, made.signers, made.signatures);
        remember(made);
    }

    /// @notice With one word a vote tree, and so no siblings.
    function challenge(Settlement calldata made, uint32 index, uint256[] calldata voteWords) external {
        disputes.challengeScore(accused(made), made.words, made.votes, index, bare(voteWords));
    }

    function bare(uint256[] memory words) public pure returns (IDisputes.WordProof[] memory proofs) {
        proofs = new IDisputes.WordProof[](words.length);
        for (uint256 i = 0; i < words.length; i++) proofs[i].word = words[i];
    }

    function finalise(Settlement calldata made) external {
        finaliseTo(made, type(uint32).max);
    }

    function finaliseTo(Settlement calldata made, uint32 upTo) public {
        rounds.finalise(made.report.task, settled(made), made.words, upTo);
    }

    /// @notice Draw and post one honest round; all trainers score the same.
    function posted(uint64 task, uint32 round) public returns (Settlement memory made) {
        IRoundBook.Seat[] memory seats = draw(task, round);
        made = settlement(task, round, seats, lanes(40_000, 3), lanes(40_000, 3), 0x1f);
        this.post(made);
    }

    /// @notice The same, finalised.
    function finalised(uint64 task, uint32 round) public returns (Settlement memory made) {
        made = posted(task, round);
        toPhase(task, round + 1, IRoundBook.Phase.Commit);
        this.finalise(made);
    }
}
