// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Disputes over training
/// @notice Replay mode: a trainer signs a Training, the position-bound root of its checkpoints (PositionTree over
/// `segments` + 1 words, word i = digest of weights and optimiser state after i segments; word 0 is the state before the first
/// step). Whoever re-executes and finds a checkpoint different bonds BOND and opens a dispute. It is bisected by
/// sketch: the trainer opens the middle checkpoint and states its sketch, the challenger says whether its own agrees. At
/// one segment the trainer fixes the root of the states after each of its steps (`steps` + 1 words), the challenger draws
/// new rows, and they go on to one step. That step is replayed by a committee that was drawn after the disputed round,
/// and the loser pays: half of its bond to the winner, half burnt. Who is silent at its turn loses.
/// Moves: ⌈log2(high − low)⌉ + ⌈log2(steps)⌉, each one answer and one choice; one step is re-executed.
/// What the committee signs: from the content behind the last agreed state, one step by the task's recipe in float64,
/// rounded as the recipe says, gives the content behind the disputed state within the task's tolerance; each content is
/// what its digest names; and where a sketch was stated for one of them, it is the sketch of that content. Content that
/// cannot be had counts against the trainer. So neither a sketch of other content nor content that hides in the null
/// space of known rows helps: both levels' contents are fixed before the challenger's seed draws the rows.
/// A verdict moves bonds and is kept (`faultOf`); it voids no post: votes of the committee (`replay_mismatch`) do.
/// Assumptions: the token is a plain ERC-20; at least q drawn seats of the judging draw are honest.
/// Invariants: the balance is the sum of free and exiting bonds and of those in open disputes; who trained as signed and
/// answers in time loses nothing; who challenges a wrong checkpoint and answers in time loses nothing.
interface ITrainingDisputes {
    /// @notice What a trainer signs (EIP-712, its node's hot key).
    struct Training {
        uint64 task;
        uint32 round;
        uint32 node;
        uint32 segments;
        uint32 steps; // of each segment
        bytes32 root;
    }

    /// @notice A state that stands in both trees: its digest and its siblings in either, lowest first.
    struct Border {
        uint256 digest;
        bytes32[] inCheckpoints;
        bytes32[] inSteps;
    }

    /// @notice Whose turn it is, and for what.
    enum Turn {
        None,
        Answer, // trainer: the state in the middle
        Choose, // challenger: which half
        Descend, // trainer: the steps of the one segment left
        Reseed, // challenger: rows for these steps
        Judge, // committee
        Over
    }

    enum Outcome {
        Undecided, // not over, or nobody judged in time
        TrainerWon,
        ChallengerWon
    }

    struct Dispute {
        address challenger;
        uint40 deadline; // of the turn, inclusive
        Turn turn;
        Outcome outcome;
        bool inSegment; // low and high count steps of `segment`, else segments
        uint64 task;
        uint32 round;
        uint32 node;
        uint32 segments;
        uint32 steps;
        uint32 segment;
        uint32 low; // last state that both accept
        uint32 high; // first that they do not
        uint96 challengerBond;
        uint96 trainerBond;
        bytes32 training; // struct hash of the Training
        bytes32 root;
        bytes32 stepRoot;
    }

    event BondAdded(uint32 indexed node, uint96 amount, uint96 free);
    event BondLeaving(uint32 indexed node, uint96 amount, uint96 free, uint96 exiting, uint40 exitAt);
    event BondWithdrawn(uint32 indexed node, address indexed to, uint96 amount);
    event DisputeOpened(
        uint64 indexed dispute,
        uint64 indexed task,
        uint32 indexed node,
        address challenger,
        Training training,
        uint32 low,
        uint32 high,
        bytes32 seed,
        uint96 trainerBond,
        Turn turn,
        uint40 deadline
    );
    /// @notice `sketch`: k times int32, big-endian, of the weights, then as many of each array that the optimiser keeps, all
    /// less those of the level's state 0 (so that tolerance is relative to what training moved, and what is small beside
    /// the rest hides nothing); rows by the dispute's latest seed.
    event MiddleStated(uint64 indexed dispute, bool inSegment, uint32 index, uint256 digest, bytes sketch, uint40 deadline);
    event HalfChosen(uint64 indexed dispute, bool inSegment, uint32 low, uint32 high, Turn turn, uint40 deadline);
    event Descended(
        uint64 indexed dispute, uint32 segment, bytes32 stepRoot, uint256 first, uint256 last, uint40 deadline
    );
    event Reseeded(uint64 indexed dispute, bytes32 seed, uint40 deadline);
    /// @notice `turn`: whose silence ended it; Judge with an outcome is a verdict.
    event DisputeClosed(
        uint64 indexed dispute,
        uint64 indexed task,
        uint32 indexed node,
        Turn turn,
        Outcome outcome,
        uint96 toWinner,
        uint96 burnt
    );

    error BadTraining(bytes32 field); // the first field of the Training, or of the range, that is out of range
    error BadTrainingSignature(uint32 node);
    error NotDisputable(uint64 task, uint32 round, uint32 current, uint8 phase); // only from REVEAL to the window's end
    error AlreadyFaulty(bytes32 training);
    error UnknownDispute(uint64 dispute);
    error WrongTurn(uint64 dispute, uint8 turn, uint8 needed); // turns as the enum Turn
    error NotParty(uint64 dispute, address caller);
    error TurnOver(uint64 dispute, uint40 deadline);
    error TurnOpen(uint64 dispute, uint40 deadline);
    error WrongState(uint256 index, bytes32 got, bytes32 expected); // roots
    error WrongSketchLength(uint256 got, uint256 limit); // a positive multiple of 32
    error NotLaterDraw(uint32 drawn, uint32 disputed);

    /// @notice Add to a node's bond. Anyone may pay.
    function bond(uint32 node, uint96 amount) external;

    /// @notice Node's owner: start to take out `amount`; restarts the delay for all of what is leaving.
    function unbond(uint32 node, uint96 amount) external;

    /// @notice Node's owner: take what has left, once the delay is over.
    function withdraw(uint32 node) external;

    /// @notice Anyone, from REVEAL to the end of the round's window: say that checkpoint `high` does not follow from
    /// checkpoint `low`, which the challenger accepts. Takes BOND from the caller and locks up to BOND of the trainer's; a
    /// bond that other disputes have emptied keeps nobody from opening one more.
    /// @param seed of the rows that the trainer sketches with; any value, chosen after the Training was signed
    function open(Training calldata training, bytes calldata signature, uint32 low, uint32 high, bytes32 seed)
        external
        returns (uint64 dispute);

    /// @notice Trainer: the state at low + ⌊(high − low) / 2⌋, proved against the tree of the level, and its sketch.
    function answer(uint64 dispute, uint256 digest, bytes32[] calldata siblings, bytes calldata sketch) external;

    /// @notice Challenger: `agrees` = the middle is right, so the fault lies behind it.
    function choose(uint64 dispute, bool agrees) external;

    /// @notice Trainer: fix the states of the one segment left. Its first and last are the segment's checkpoints.
    function descend(uint64 dispute, bytes32 stepRoot, Border calldata first, Border calldata last) external;

    /// @notice Challenger: rows for the steps, drawn after their states were fixed.
    function reseed(uint64 dispute, bytes32 seed) external;

    /// @notice Anyone, after the deadline: who was to move has lost. Where the committee was, both bonds return.
    function timeout(uint64 dispute) external;

    /// @notice Anyone: the verdict over the one step left, signed (EIP-712 Verdict(uint64 dispute,bytes32 state,bool
    /// trainerRight)) by seats of weight >= q of the task's latest draw. That draw is of a later round than the disputed
    /// one, so that who captured the one has not captured the other; only when the task is over may it be the same.
    /// @param drawSeed seed of that draw; `committee`, `signers`, `signatures` as in IRoundBook.post
    function resolve(
        uint64 dispute,
        bool trainerRight,
        bytes32 drawSeed,
        bytes calldata committee,
        uint256 signers,
        bytes calldata signatures
    ) external;

    function disputeOf(uint64 dispute) external view returns (Dispute memory);
    function disputeCount() external view returns (uint64);

    /// @notice Free and leaving bond of a node, and when the latter may be withdrawn (seconds).
    function bondOf(uint32 node) external view returns (uint96 free, uint96 exiting, uint40 exitAt);

    /// @notice The dispute that a Training (its struct hash) lost; 0 = none.
    function faultOf(bytes32 training) external view returns (uint64 dispute);

    /// @notice The EIP-712 digest that a trainer signs.
    function trainingDigest(Training calldata training) external view returns (bytes32);

    /// @notice The EIP-712 digest that members sign; `state` in it is keccak256(abi.encode(training, inSegment, segment,
    /// low, stepRoot)) of the dispute, so that a verdict fits one step.
    function verdictDigest(uint64 dispute, bool trainerRight) external view returns (bytes32);

    function BOND() external view returns (uint96);
    function MOVE_S() external view returns (uint40);
    function VERDICT_S() external view returns (uint40);
    function UNBONDING_S() external view returns (uint40);
    function rounds() external view returns (address);
    function vault() external view returns (address);
    function token() external view returns (address);
}
