// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./IReputationBook.sol";

/// @title Tasks, rounds and settlement
/// @notice Round r (1-based) of a task starts at startsAt + (r-1)·period and runs by the clock alone, half-open phases:
///   COMMIT [0, commitS)  REVEAL [commitS, +revealS)  POST [.., +postS)  WINDOW [.., +windowS)
/// `finalise` opens when the window has closed. Commits of a round are refused while an earlier post is not final.
/// Nothing per round is stored for ever: one live record and one pending post a task. Assumptions: at least q of the k
/// drawn seats are honest; someone honest watches each window. Invariants: paid out <= pools of finalised rounds; the
/// latest final round never falls; a node that signed one correct report is never slashed; escrow of unfinalised rounds
/// returns to the owner.
interface IRoundBook {
    /// @notice What the owner fixes for ever at creation.
    struct TaskParams {
        bytes32 specDigest; // sha-256 of the canonical task spec in the store
        bytes32 genesisModel; // digest of the initial model; the parent of the first round
        bytes32 probeRoot; // sha-256 of the canonical list of one-time probe shards
        uint40 startsAt; // seconds; 0 = the time of creation
        uint32 commitS;
        uint32 revealS;
        uint32 postS;
        uint32 windowS;
        uint32 attemptS; // each proposer's turn within POST
        uint32 rounds; // at most 4294, so that contribution lanes cannot overflow
        uint16 seats; // k
        uint16 quorum; // q, floor(2k/3)+1 or more
        uint96 trainerPool; // wei of the token a finalised round, shared by trainers
        uint96 verifierPool; // likewise, shared by committee members
        uint96 slash; // per signer, on a proven fault; q·slash >= 2·(trainerPool + verifierPool)
    }

    struct Task {
        TaskParams params;
        address owner;
        bool closed; // unspent escrow returned
        uint32 finalRound; // latest finalised round, 0 = none
        uint32 finalised; // how many rounds were finalised
        bytes32 model; // latest final model digest
        uint96 escrow; // still held for this task: unfinalised pools and unclaimed rewards
    }

    /// @notice The draw of the current round and the post that waits for its window, if any.
    struct Live {
        uint32 armedRound;
        uint64 seedBlock;
        uint32 drawnRound;
        bytes32 seed;
        bytes32 committeeHash; // keccak256(abi.encodePacked of (uint32 node, address signer) per seat)
        uint32 postedRound; // 0 = no pending post
        uint40 postedAt;
        bytes32 reportDigest; // EIP-712 digest of the pending report
        bytes32 voidedDigest; // last report voided by a proof
    }

    struct Seat {
        uint32 node;
        address signer;
    }

    /// @notice One member's revealed observation: what it committed to and the root of its vote words.
    struct Vote {
        uint32 node;
        bytes32 commitment; // keccak256(abi.encode(chainid, book, task, round, seed, node, root, record, salt))
        bytes32 root; // position-bound Merkle root of the vote words (PositionTree)
        bytes32 record; // digest of the observation record in the store
    }

    struct Report {
        uint8 mode; // 0 = words
        uint64 task;
        uint32 round;
        bytes32 seed;
        bytes32 committeeHash;
        uint32 attempt;
        bytes32 parent; // digest of the model that the round built on
        bytes32 submissionsRoot; // sha-256 of the canonical list of accepted and rejected submissions
        bytes32 votesHash; // keccak256(abi.encode(Vote[]))
        bytes32 sketchDigest; // digest of the agreed sketches
        bytes32 wordsHash; // keccak256(abi.encodePacked(trainer score words, verifier score words))
        bytes32 model; // digest of the next model
        bytes32 record; // digest of the round record: everything an auditor needs to find
        uint256 rewardTotal; // wei this round pays at most; 0..trainerPool+verifierPool
    }

    event TaskCreated(uint64 indexed task, address indexed owner, TaskParams params);
    event TaskFunded(uint64 indexed task, address indexed from, uint96 amount, uint96 escrow);
    event TaskClosed(uint64 indexed task, address indexed owner, uint96 refunded);
    event Joined(uint64 indexed task, IReputationBook.Role indexed role, uint32 indexed node, uint32 slot, string endpoint);
    event Committed(uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 commitment);
    event Revealed(
        uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 manifest, uint64 length, bytes32 salt
    );
    event ProbeOpened(uint64 indexed task, uint32 indexed round, bytes32 key);
    event BeaconArmed(uint64 indexed task, uint32 indexed round, uint64 seedBlock);
    event CommitteeDrawn(uint64 indexed task, uint32 indexed round, bytes32 seed, Seat[] seats);
    event Posted(
        uint64 indexed task,
        uint32 indexed round,
        bytes32 indexed reportDigest,
        Report report,
        Vote[] votes,
        uint256[] trainerWords,
        uint256[] verifierWords,
        uint256 signerBitmap
    );
    event Voided(uint64 indexed task, uint32 indexed round, bytes32 indexed reportDigest, address challenger);
    event Equivocated(uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 digestA, bytes32 digestB);
    event Finalised(
        uint64 indexed task,
        uint32 indexed round,
        bytes32 modelBefore,
        bytes32 model,
        uint256 trainerUnits,
        uint256 verifierUnits
    );
    event Claimed(
        uint64 indexed task, IReputationBook.Role indexed role, uint32 indexed node, address to, uint32 units, uint96 amount
    );

    error UnknownTask(uint64 task);
    error BadParams(bytes32 field); // the name of the first field that is out of range, as ASCII
    error NotTaskOwner(uint64 task, address caller);
    error NotNode(uint32 node, address caller);
    error NotJoined(uint64 task, IReputationBook.Role role, uint32 node);
    error EndpointTooLong(uint256 got, uint256 limit);
    error WrongPhase(uint32 round, uint8 got, uint8 needed); // phases as the enum Phase
    error WrongRound(uint32 got, uint32 current);
    error NotFinalised(uint32 round);
    error AlreadyArmed(uint32 round, uint64 seedBlock);
    error NotArmed(uint32 round);
    error AlreadyDrawn(uint32 round);
    error SeedBlockPending(uint64 seedBlock, uint64 current);
    error SeedExpired(uint64 seedBlock, uint64 current);
    error BadHeader(bytes32 got, bytes32 expected);
    error StaleReport(uint32 round, uint32 latest);
    error WrongMode(uint8 mode);
    error WrongSeed(bytes32 got, bytes32 expected);
    error WrongParent(bytes32 got, bytes32 expected);
    error WrongCommittee(bytes32 got, bytes32 expected);
    error WrongLength(bytes32 what, uint256 got, uint256 expected); // exact lengths: words, signatures, lanes past the last slot
    error WrongHash(bytes32 what, bytes32 got, bytes32 expected);
    error AttemptTooEarly(uint32 attempt, uint40 opensAt);
    error RewardTooHigh(uint256 got, uint256 limit);
    error NoQuorum(uint256 got, uint256 needed);
    error BadSignature(uint256 seat);
    error NothingPosted(uint64 task);
    error WindowOpen(uint40 until);
    error WindowClosed(uint40 since);
    error NotAFault();
    error AlreadyPunished(uint32 node, uint32 round);
    error NothingToClaim(uint32 node);
    error TaskRunning(uint64 task);
    error TaskIsClosed(uint64 task);

    enum Phase {
        Commit,
        Reveal,
        Post,
        Window,
        Over
    }

    /// @notice Create a task and fund `rounds` × (trainerPool + verifierPool) from the caller.
    function createTask(TaskParams calldata params) external returns (uint64 task);

    /// @notice After the last round's window: unspent pools go back to the owner. Anyone may call.
    function closeTask(uint64 task) external;

    /// @notice Take a slot in a task; `endpoint` is where peers reach the node (may be empty, at most 128 bytes).
    /// The caller is the node's owner or signer.
    function join(uint64 task, uint32 node, IReputationBook.Role role, string calldata endpoint) external;

    /// @notice COMMIT phase. commitment = keccak256(abi.encode(chainid, this, task, round, node, manifest, salt)).
    function commit(uint64 task, uint32 round, uint32 node, bytes32 commitment) external;

    /// @notice REVEAL phase. Opens the commitment; whether it matches is checked by whoever reads the logs.
    function reveal(uint64 task, uint32 round, uint32 node, bytes32 manifest, uint64 length, bytes32 salt) external;

    /// @notice Task owner, POST phase: the key of this round's one-time probe shard.
    function openProbe(uint64 task, uint32 round, bytes32 key) external;

    /// @notice POST phase, anyone, once (again only after the seed block left the 256-block horizon): fixes the block
    /// whose mixHash seeds the round before that block exists, and freezes the seats.
    function armBeacon(uint64 task, uint32 round) external;

    /// @notice POST phase, anyone: prove the seed block by its RLP header and draw the committee.
    /// seed = keccak256(abi.encode(chainid, this, task, round, mixHash)).
    function drawCommittee(uint64 task, uint32 round, bytes calldata header) external;

    /// @notice POST phase, anyone: settle a report signed by seats of weight >= q. Checks run cheapest first.
    /// @param signerBitmap bit j = seat j of `committee` signs; a node signs once and all bits of its seats are set
    /// @param signatures 65 bytes (r, s, v) for each distinct signing node, in order of its first set seat
    function post(
        Report calldata report,
        Seat[] calldata committee,
        Vote[] calldata votes,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords,
        uint256 signerBitmap,
        bytes calldata signatures
    ) external;

    /// @notice WINDOW (from the post on), anyone: prove that one trainer score word is not what the signed votes say. A lane is a
    /// fault when the lower median over seats of its non-zero votes (0 where there is none) differs from the posted
    /// score, unless the posted score is 1 (rejected at agreement by the sketch rule, which this proof does not judge).
    /// Voids the post, slashes every signer, pays the caller.
    /// @param voteWords one vote word for each vote, in order; `proofs` their PositionTree proofs
    function challengeScore(
        Report calldata report,
        Seat[] calldata committee,
        Vote[] calldata votes,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords,
        uint256 signerBitmap,
        uint32 wordIndex,
        uint256[] calldata voteWords,
        bytes32[][] calldata proofs
    ) external;

    /// @notice Anyone, any time while the stake is there: two different reports signed by one member with equal
    /// (task, round, seed, attempt). Slashes it once a round.
    function equivocate(Report calldata a, bytes calldata signatureA, Report calldata b, bytes calldata signatureB)
        external;

    /// @notice After the window, anyone: apply the posted words, adopt the model, release the pools.
    function finalise(
        uint64 task,
        Report calldata report,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords
    ) external;

    /// @notice Pay a node's owner what its finalised contribution has earned and not yet been paid. Anyone may call.
    function claim(uint64 task, IReputationBook.Role role, uint32 node) external returns (uint96 amount);

    function taskCount() external view returns (uint64);
    function taskOf(uint64 task) external view returns (Task memory);
    function liveOf(uint64 task) external view returns (Live memory);
    function claimedOf(uint64 task, IReputationBook.Role role, uint32 node) external view returns (uint32 units);

    /// @notice Round, phase and the phase's end by the clock at `time` (0 = now). Round 0 before the start; Over after
    /// the last round.
    function clockAt(uint64 task, uint40 time) external view returns (uint32 round, Phase phase, uint40 endsAt);

    /// @notice The EIP-712 digest that members sign.
    function reportDigest(Report calldata report) external view returns (bytes32);

    /// @notice The state that EIP-712 binds: chain id and this contract, name "Credence", version "1".
    function domainSeparator() external view returns (bytes32);

    function vault() external view returns (address);
    function reputation() external view returns (address);
    function token() external view returns (address);
}
