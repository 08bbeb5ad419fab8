// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./IReputationBook.sol";
import {IRoundBook} from "./IRoundBook.sol";

/// @title Proofs of fault
/// @notice Every objective fault of a settlement can be proved here by anyone, from the report, the trees that it signs
/// and nothing else. A proof against a pending post voids it, slashes every signer (once for each of its seats) and pays
/// the caller half of what is taken. Data that is withheld is demanded; unanswered, the post dies the same way.
/// A report must hash at most one vote a drawn seat: a longer list is a fault in itself, and answers no demand, since no
/// transaction might hold it.
/// Invariant: a node that signed one correct report, and one observation, is never slashed.
/// A demand is possible until half of the window has passed and must be answered within a quarter of the window, so
/// that a quarter is left to expire it.
interface IDisputes {
    /// @notice What can be demanded. `a` and `b` of a demand: Votes: vote and word of its tree; Scores, Reputation: index
    /// in the tree of words; TrainerPay, VerifierPay: index in the pay tree. `b` is 0 but for Votes.
    enum Kind {
        Votes,
        Scores,
        Reputation,
        TrainerPay,
        VerifierPay
    }

    /// @notice The accused post: its report, who signed it, and the drawn seats (24 bytes each).
    struct Accused {
        IRoundBook.Report report;
        uint256 signers;
        uint32 trainerWords;
        bytes committee;
    }

    /// @notice A word and its PositionTree siblings, lowest first.
    struct WordProof {
        uint256 word;
        bytes32[] siblings;
    }

    /// @notice A leaf of a pay tree and its siblings, lowest first.
    struct PayProof {
        uint96 amount;
        uint96[] sums;
        bytes32[] siblings;
    }

    event Equivocated(uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 digestA, bytes32 digestB);
    event Demanded(
        uint64 indexed task, uint32 indexed round, bytes32 indexed reportDigest, Kind kind, uint32 a, uint32 b, address by
    );
    /// @notice `value`: the word, the leaf, or 0 where the list has no such vote; `votes` for Kind.Votes.
    event Answered(
        uint64 indexed task,
        uint32 indexed round,
        bytes32 indexed reportDigest,
        Kind kind,
        uint32 a,
        uint32 b,
        uint256 value,
        IRoundBook.Vote[] votes
    );
    event Expired(uint64 indexed task, uint32 indexed round, bytes32 indexed reportDigest, Kind kind, uint32 a, uint32 b);
    event Reclaimed(
        uint64 indexed task, uint32 indexed round, bytes32 indexed reportDigest, Kind kind, uint32 a, uint32 b
    );

    error NotPending(uint64 task, uint32 round); // no such post, or its window has closed
    error NotAFault();
    error AlreadyPunished(uint32 node, uint32 round);
    error WrongMode(uint8 mode, uint8 needed);
    error WrongHash(bytes32 what, bytes32 got, bytes32 expected);
    error WrongLength(bytes32 what, uint256 got, uint256 expected);
    error BadSignature(uint256 which);
    error BadIndex(bytes32 what, uint256 got, uint256 limit);
    error TooLate(uint40 since);
    error AlreadyDemanded(bytes32 id);
    error NotDemanded(bytes32 id);
    error AnswerDue(uint40 until);

    /// @notice Words mode: a trainer's lane of word `index` is neither the lower median over seats of its non-zero votes (0
    /// where there is none) nor 1 (rejected at agreement by the sketch rule, which this proof does not judge).
    /// @param words all posted score words
    /// @param votes the list that the report hashes; `voteWords` one word of each, in order
    function challengeScore(
        Accused calldata accused,
        uint256[] calldata words,
        IRoundBook.Vote[] calldata votes,
        uint32 index,
        WordProof[] calldata voteWords
    ) external;

    /// @notice Root mode: the same against the tree of scores. Behind the trainers' last word (as many as at the post) there
    /// are no votes and `voteWords` is empty, so that every lane but 0 and 1 is a fault.
    function challengeRootScore(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        IRoundBook.Vote[] calldata votes,
        uint32 index,
        WordProof calldata score,
        WordProof[] calldata voteWords
    ) external;

    /// @notice Root mode: reputation word `index` (role << levels | word) is not the parent's word stepped by the scores.
    /// Before the first final round `parent` and `parentState` are all zero, and so is every word (and pay leaf) before.
    function challengeStep(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        IRoundBook.Settled calldata parent,
        IRoundBook.RootState calldata parentState,
        uint32 index,
        WordProof calldata score,
        WordProof calldata before,
        WordProof calldata next
    ) external;

    /// @notice Root mode: leaf `slot` of a role's pay tree is not the parent's leaf plus ⌊pool · part / points⌋.
    function challengePay(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        IRoundBook.Settled calldata parent,
        IRoundBook.RootState calldata parentState,
        IReputationBook.Role role,
        uint32 slot,
        WordProof calldata score,
        PayProof calldata before,
        PayProof calldata next
    ) external;

    /// @notice Root mode: the state says that nobody of the role of word `index` earned, and a lane of that word did.
    function challengePoints(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        uint32 index,
        WordProof calldata score
    ) external;

    /// @notice Any time while the stake is there: two different reports signed by one member with equal (task, round,
    /// seed, attempt). Slashes it once a round (and once more for two observations: another fault).
    function equivocate(
        IRoundBook.Report calldata a,
        bytes calldata signatureA,
        IRoundBook.Report calldata b,
        bytes calldata signatureB
    ) external;

    /// @notice Any time: two different observation commitments signed by one member for one (task, round, seed). Slashes
    /// it once a round. Signed: EIP-712 Observation(uint64 task,uint32 round,bytes32 seed,uint32 node,bytes32 commitment)
    /// in the RoundBook's domain.
    function equivocateObservation(
        uint64 task,
        uint32 round,
        bytes32 seed,
        uint32 node,
        bytes32 commitmentA,
        bytes calldata signatureA,
        bytes32 commitmentB,
        bytes calldata signatureB
    ) external;

    /// @notice Ask for withheld data of a pending post. DEMAND_FEE is taken from the caller; the answerer gets it. Once for
    /// each datum.
    function demand(IRoundBook.Report calldata report, uint256 signers, uint32 trainerWords, Kind kind, uint32 a, uint32 b)
        external;

    /// @notice Answer a demand for votes: the list, and the word of vote `a` (0 and no siblings where the list is shorter).
    /// @param trainerWordCount words of the voters' trees (words mode: as posted; root mode: of the slots at the post)
    function answerVotes(
        IRoundBook.Report calldata report,
        uint32 a,
        uint32 b,
        uint32 trainerWordCount,
        IRoundBook.Vote[] calldata votes,
        WordProof calldata proof
    ) external;

    /// @notice Answer a demand for a score or reputation word.
    function answerWord(
        IRoundBook.Report calldata report,
        IRoundBook.RootState calldata state,
        Kind kind,
        uint32 index,
        WordProof calldata proof
    ) external;

    /// @notice Answer a demand for a pay leaf.
    function answerPay(
        IRoundBook.Report calldata report,
        IRoundBook.RootState calldata state,
        Kind kind,
        uint32 index,
        PayProof calldata proof
    ) external;

    /// @notice The deadline passed without an answer: the post is void, its signers pay, the demander's fee returns.
    function expire(Accused calldata accused, Kind kind, uint32 a, uint32 b) external;

    /// @notice The demander's fee returns, without an answer: the post was voided by another proof, or its window has
    /// closed and nobody expired the demand. Anyone may call, the fee goes to the demander.
    function reclaim(IRoundBook.Report calldata report, Kind kind, uint32 a, uint32 b) external;

    /// @notice Who demanded and until when (inclusive) an answer is due; by 0 = never demanded, deadline 0 = answered,
    /// expired or reclaimed.
    function demandOf(bytes32 reportDigest, Kind kind, uint32 a, uint32 b) external view returns (address by, uint40 deadline);

    /// @notice The EIP-712 digest of an observation commitment.
    function observationDigest(uint64 task, uint32 round, bytes32 seed, uint32 node, bytes32 commitment)
        external
        view
        returns (bytes32);

    function DEMAND_FEE() external view returns (uint96);
    function rounds() external view returns (address);
    function vault() external view returns (address);
}
