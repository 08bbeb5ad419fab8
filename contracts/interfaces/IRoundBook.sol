// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./IReputationBook.sol";

/// @title Tasks, rounds and settlement
/// @notice Round r (1-based) of a task starts at startsAt + (r-1)·period and runs by the clock alone, half-open phases:
///   COMMIT [0, commitS)  REVEAL [commitS, +revealS)  POST [.., +postS)  WINDOW [.., +windowS)
/// A post whose window has closed without a proven fault is final: the clock alone makes it so. In words mode somebody
/// then applies its score words (`finalise`), at the latest before the next post; in root mode nothing is left to do.
/// Nothing per round is stored for ever: one hot word, one draw and two records a task, whichever the mode.
/// Assumptions: at least q of the k drawn seats are honest; someone honest watches each window. Invariants: paid out <=
/// pools of final rounds; the latest final round never falls; a node that signed one correct report is never slashed;
/// funding of rounds that are not final returns to the owner.
interface IRoundBook {
    /// @notice What the owner fixes for ever at creation. The order packs it into the fewest storage slots.
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
        uint16 rounds; // at most 4294, so that contribution lanes cannot overflow
        uint8 seats; // k, at most 128
        uint8 quorum; // q, floor(2k/3)+1 or more
        uint8 mode; // 0 = words: scores in storage; 1 = root: flat cost
        uint8 levels; // root: each role has room for 15·2^levels lanes; at most 20. words: 0
        bool contributions; // words: contribution totals are stored; needed where a pool is paid. root: false
        uint96 trainerPool; // wei of the token a final round, shared by trainers
        uint96 verifierPool; // likewise, shared by committee members; at least seats × SEAT_FEE
        uint96 slash; // per seat, on a proven fault; q·slash >= 2·(trainerPool + verifierPool)
    }

    struct Task {
        TaskParams params;
        address owner;
        bool closed; // unspent funding returned
    }

    /// @notice The draw of the current round and the records, as stored; see `finalOf` for what the clock makes of them.
    struct Live {
        uint32 armedRound;
        uint64 seedBlock; // the block, or the ticket of the seed source
        uint32 drawnRound;
        bytes32 drawHash; // the upper 240 bits of keccak256(abi.encode(seed, committeeHash)) of the drawn round
        uint32 postedRound; // latest post that is neither applied (words), succeeded (root) nor void; 0 = none
        bytes32 postedHash; // keccak256(abi.encode(Settled)) of it
        uint32 finalRound; // the one before it
        bytes32 finalHash;
        uint32 voidedRound; // latest round whose post was voided
        uint32 appliedWords; // words of the pending post applied so far, while `finalise` goes on in parts
        uint32 draws; // rounds armed
        uint32 fundedRounds; // rounds paid for; as many may be armed
        uint32 trainerSlots;
        uint32 verifierSlots;
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

    /// @notice What members sign (EIP-712).
    struct Report {
        uint8 mode; // 0 = words, 1 = root
        uint64 task;
        uint32 round;
        bytes32 seed;
        bytes32 committeeHash; // keccak256 of 24 bytes a seat: uint32 node, address signer
        uint32 attempt;
        bytes32 parent; // digest of the model that the round built on
        bytes32 submissionsRoot; // sha-256 of the canonical list of accepted and rejected submissions
        bytes32 votesHash; // keccak256(abi.encode(Vote[])); withheld votes are demanded
        bytes32 sketchDigest; // digest of the agreed sketches
        bytes32 wordsHash; // words: keccak256 of trainer score words, then verifier score words; root: of RootState
        bytes32 model; // digest of the next model
        bytes32 record; // digest of the round record: everything an auditor needs to find
        uint256 rewardTotal; // wei this round pays; words: at most the pools, root: exactly what the totals grow by
    }

    /// @notice All that root mode knows after a round. Trees of words: depth levels + 1, index role << levels | word. Pay
    /// trees, one a role: depth levels + 4, index word << 4 | lane, leaf = wei earned since the task began.
    struct RootState {
        bytes32 scores; // PositionTree root of this round's score words
        bytes32 reputation; // PositionTree root of the reputation words after this round
        bytes32 trainerPay; // SumTree root hash
        bytes32 verifierPay;
        uint256 totals; // sums of the pay trees: trainers' | verifiers' << 128
        uint256 points; // sums of this round's score parts max(0, score - 32768): trainers' | verifiers' << 128
        bytes32 data; // digest of the block in the store with every word and every wei
    }

    /// @notice A post as the book remembers it: by its hash.
    struct Settled {
        bytes32 digest; // EIP-712 digest of the report
        uint256 signers; // bitmap over the drawn seats
        bytes32 model;
        bytes32 state; // wordsHash of the report
        uint32 trainerWords; // words mode: how many of the words are trainers'
    }

    event TaskCreated(uint64 indexed task, address indexed owner, TaskParams params);
    event TaskFunded(uint64 indexed task, address indexed from, uint32 rounds, uint96 amount);
    event TaskClosed(uint64 indexed task, address indexed owner, uint96 refunded, uint96 forfeited);
    event Joined(uint64 indexed task, IReputationBook.Role indexed role, uint32 indexed node, uint32 slot, string endpoint);
    event Committed(uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 commitment);
    event Revealed(
        uint64 indexed task, uint32 indexed round, uint32 indexed node, bytes32 manifest, uint64 length, bytes32 salt
    );
    /// @notice A collector's bundle: `reveals` = false: signed commits, true: signed reveals.
    event Collected(
        uint64 indexed task,
        uint32 indexed round,
        address indexed collector,
        bool reveals,
        bytes32 root,
        uint32 count,
        bytes32 data
    );
    event ProbeOpened(uint64 indexed task, uint32 indexed round, bytes32 key);
    event BeaconArmed(uint64 indexed task, uint32 indexed round, uint64 seedBlock);
    /// @notice `committee`: 24 bytes a seat in drawn order, uint32 node and address signer.
    event CommitteeDrawn(uint64 indexed task, uint32 indexed round, bytes32 seed, bytes committee);
    /// @notice `words`: in words mode the score words, trainers' first; in root mode the seven of RootState.
    event Posted(
        uint64 indexed task,
        uint32 indexed round,
        bytes32 indexed reportDigest,
        Report report,
        uint256 signers,
        uint32 trainerWords,
        uint256[] words
    );
    event Voided(uint64 indexed task, uint32 indexed round, bytes32 indexed reportDigest, address challenger);
    /// @notice Words [from, to) of the final post, trainers' first, were applied to the ReputationBook; the last part has to = the number of words.
    event Finalised(uint64 indexed task, uint32 indexed round, bytes32 model, uint32 from, uint32 to);

    error UnknownTask(uint64 task);
    error BadParams(bytes32 field); // the name of the first field that is out of range, as ASCII
    error NotTaskOwner(uint64 task, address caller);
    error NotNode(uint32 node, address caller);
    error NotDisputes(address caller);
    error NotJoined(uint64 task, IReputationBook.Role role, uint32 node);
    error SlotsFull(uint64 task, IReputationBook.Role role, uint32 capacity);
    error EndpointTooLong(uint256 got, uint256 limit);
    error WrongPhase(uint32 round, uint8 got, uint8 needed); // phases as the enum Phase
    error WrongRound(uint32 got, uint32 current);
    error NotFinalised(uint32 round);
    error NotFunded(uint32 draws, uint32 fundedRounds);
    error BadFunding(uint32 rounds, uint32 limit);
    error AlreadyArmed(uint32 round, uint64 seedBlock);
    error NotArmed(uint32 round);
    error NotDrawn(uint32 round);
    error AlreadyDrawn(uint32 round);
    error SeedBlockPending(uint64 seedBlock, uint64 current);
    error SeedExpired(uint64 seedBlock, uint64 current);
    error BadHeader(bytes32 got, bytes32 expected);
    error StaleReport(uint32 round, uint32 latest);
    error WrongMode(uint8 mode, uint8 needed);
    error WrongDraw(bytes32 got, bytes32 expected); // seed or committee of the report is not the drawn one (drawHash | round)
    error WrongParent(bytes32 got, bytes32 expected);
    error WrongCommittee(bytes32 got, bytes32 expected);
    error WrongLength(bytes32 what, uint256 got, uint256 expected); // exact lengths: words, signatures, lanes past the last slot
    error WrongHash(bytes32 what, bytes32 got, bytes32 expected);
    error AttemptTooEarly(uint32 attempt, uint40 opensAt);
    error RewardTooHigh(uint256 got, uint256 limit);
    error WrongReward(bytes32 what, uint256 got, uint256 expected); // root: totals that the points do not allow
    error NoQuorum(uint256 got, uint256 needed);
    error BadSignature(uint256 seat);
    error NothingPosted(uint64 task);
    error WindowOpen(uint40 until);
    error TaskStarted(uint64 task, uint40 since);
    error TaskRunning(uint64 task);
    error TaskIsClosed(uint64 task);

    enum Phase {
        Commit,
        Reveal,
        Post,
        Window,
        Over
    }

    /// @notice Create a task and pay for its first `fundedRounds` rounds (1..rounds) from the caller.
    function createTask(TaskParams calldata params, uint16 fundedRounds) external returns (uint64 task);

    /// @notice Pay for `rounds` more rounds of a task. Anyone, until it is closed.
    function fundTask(uint64 task, uint16 rounds) external;

    /// @notice Owner, before the start: everything paid in returns.
    function cancelTask(uint64 task) external;

    /// @notice After the last round's window: what no final round has earned goes back to the owner; SEAT_FEE a seat of
    /// every armed round that was not settled is burnt. Anyone may call. In words mode.
    function closeTask(uint64 task) external;

    /// @notice The same in root mode, on the final record. Before the first final round both are zero.
    function closeRootTask(uint64 task, Settled calldata settled, RootState calldata state) external;

    /// @notice Take a slot in a task; `endpoint` is where peers reach the node (may be empty, at most 128 bytes).
    /// The caller is the node's owner or signer.
    function join(uint64 task, uint32 node, IReputationBook.Role role, string calldata endpoint) external;

    /// @notice COMMIT phase. commitment = keccak256(abi.encode(chainid, this, task, round, node, manifest, salt)).
    function commit(uint64 task, uint32 round, uint32 node, bytes32 commitment) external;

    /// @notice REVEAL phase. Opens the commitment; whether it matches is checked by whoever reads the logs.
    function reveal(uint64 task, uint32 round, uint32 node, bytes32 manifest, uint64 length, bytes32 salt) external;

    /// @notice Anyone, at any time: log many trainers' signed commits or reveals at once. Nothing is checked here: commits count
    /// where the block's time lies in the COMMIT phase of the round; reveals in its REVEAL phase, or in POST before the
    /// beacon is armed, even in the transaction that arms it, since nobody knows the seed yet. A leaf counts by its
    /// trainer's signature, so a collector can forge nothing; whoever it leaves out commits or reveals directly.
    /// @param root PositionTree root of the keccak256 of each leaf; `data` the digest of all leaves in the store
    function collect(uint64 task, uint32 round, bool reveals, bytes32 root, uint32 count, bytes32 data) external;

    /// @notice Task owner, POST phase: the key of this round's one-time probe shard.
    function openProbe(uint64 task, uint32 round, bytes32 key) external;

    /// @notice POST phase, anyone, once (again only after the seed expired): fixes the block whose mixHash seeds the round
    /// before that block exists, and freezes the seats.
    function armBeacon(uint64 task, uint32 round) external;

    /// @notice POST phase, anyone: prove the seed and draw the committee. `proof` is the RLP header of the seed block, or
    /// what the seed source asks for. seed = keccak256(abi.encode(chainid, this, task, round, randomness)).
    function drawCommittee(uint64 task, uint32 round, bytes calldata proof) external;

    /// @notice POST phase, anyone, words mode: settle a report signed by seats of weight >= q. Checks run cheapest first.
    /// @param parent the final record (all zero before the first final round)
    /// @param committee 24 bytes a drawn seat, as in CommitteeDrawn
    /// @param words score words, trainers' first: one lane for each slot, nothing behind the last
    /// @param signers bit j = seat j signs; a node signs once and all bits of its seats are set
    /// @param signatures 65 bytes (r, s, v) for each distinct signing node, in order of its first set seat
    function post(
        Report calldata report,
        Settled calldata parent,
        bytes calldata committee,
        uint256[] calldata words,
        uint256 signers,
        bytes calldata signatures
    ) external;

    /// @notice The same in root mode. For each role: no points, no pay; else the total grows by the pool less at most one
    /// wei a slot, so that with every leaf right the points are right.
    /// @param parentState state of the final record (all zero before the first final round)
    function postRoot(
        Report calldata report,
        Settled calldata parent,
        RootState calldata parentState,
        RootState calldata state,
        bytes calldata committee,
        uint256 signers,
        bytes calldata signatures
    ) external;

    /// @notice Disputes only: the pending post was proved wrong. The parent stands and the round is skipped.
    function voidPost(uint64 task, bytes32 reportDigest, address challenger) external;

    /// @notice Words mode, after the window, anyone: apply words [appliedWords, upTo) of the pending post (upTo =
    /// type(uint32).max: all). In parts where one transaction cannot hold them.
    function finalise(uint64 task, Settled calldata settled, uint256[] calldata words, uint32 upTo) external;

    function taskCount() external view returns (uint64);
    function taskOf(uint64 task) external view returns (Task memory);
    function liveOf(uint64 task) external view returns (Live memory);

    /// @notice Pending post (0 = none, or its window has closed), its hash, and when its window closes.
    function pendingOf(uint64 task) external view returns (uint32 round, bytes32 settledHash, uint40 closesAt);

    /// @notice The latest final round by the clock and the hash of its record; 0 before the first.
    function finalOf(uint64 task) external view returns (uint32 round, bytes32 settledHash);

    /// @notice The record before the pending or latest post: what that post built on.
    function parentOf(uint64 task) external view returns (uint32 round, bytes32 settledHash);

    /// @notice Wei a final round pays to a role.
    function poolOf(uint64 task, IReputationBook.Role role) external view returns (uint96);

    /// @notice Mode and levels of a task.
    function modeOf(uint64 task) external view returns (uint8 mode, uint8 levels);

    /// @notice Round, phase and the phase's end by the clock at `time` (0 = now). Round 0 before the start; Over after
    /// the last round.
    function clockAt(uint64 task, uint40 time) external view returns (uint32 round, Phase phase, uint40 endsAt);

    /// @notice The EIP-712 digest that members sign.
    function reportDigest(Report calldata report) external view returns (bytes32);

    /// @notice The state that EIP-712 binds: chain id and this contract, name "Credence", version "1".
    function domainSeparator() external view returns (bytes32);

    /// @notice Wei a drawn seat costs the task's owner where the round is not settled.
    function SEAT_FEE() external view returns (uint96);
    function vault() external view returns (address);
    function reputation() external view returns (address);
    function rewards() external view returns (address);
    function disputes() external view returns (address);
    function token() external view returns (address);

    /// @notice Where seeds come from; zero = headers of this chain's blocks.
    function seedSource() external view returns (address);
}
