// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingDisputes} from "./interfaces/ITrainingDisputes.sol";
import {PositionTree} from "./libraries/PositionTree.sol";
import {Quorum} from "./libraries/Quorum.sol";

/// @title Disputes over training
/// @notice Documented in ITrainingDisputes.
/// @dev RoundBook, vault and token are trusted and call nobody back; tokens move last. Every turn names its deadline anew.
contract TrainingDisputes is ITrainingDisputes, EIP712 {
    using SafeERC20 for IERC20;

    bytes32 private constant TRAINING_TYPEHASH =
        keccak256("Training(uint64 task,uint32 round,uint32 node,uint32 segments,uint32 steps,bytes32 root)");
    bytes32 private constant VERDICT_TYPEHASH = keccak256("Verdict(uint64 dispute,bytes32 state,bool trainerRight)");
    /// @dev Rows come in eights of int32.
    uint256 private constant SKETCH_UNIT = 32;
    uint256 private constant MAX_SKETCH_LENGTH = 2048;
    /// @dev A plain ERC-20 has no burn of its own.
    address private constant BURNT = 0x000000000000000000000000000000000000dEaD;

    IRoundBook private immutable ROUNDS;
    IStakeVault private immutable VAULT;
    IERC20 private immutable TOKEN;
    /// @inheritdoc ITrainingDisputes
    uint96 public immutable BOND;
    /// @inheritdoc ITrainingDisputes
    uint40 public immutable MOVE_S;
    /// @inheritdoc ITrainingDisputes
    uint40 public immutable VERDICT_S;
    /// @inheritdoc ITrainingDisputes
    uint40 public immutable UNBONDING_S;

    struct Bond {
        uint96 free;
        uint96 exiting; // still locked by a dispute, and before the free part
        uint40 exitAt;
    }

    /// @inheritdoc ITrainingDisputes
    uint64 public disputeCount;
    mapping(uint64 dispute => Dispute) private _disputes;
    mapping(uint32 node => Bond) private _bonds;
    mapping(bytes32 training => uint64 dispute) private _faults;

    constructor(address rounds_, uint96 bond_, uint40 moveS, uint40 verdictS, uint40 unbondingS)
        EIP712("Credence TrainingDisputes", "1")
    {
        require(bond_ != 0, IStakeVault.ZeroAmount());
        require(moveS != 0 && verdictS != 0, IRoundBook.BadParams("deadlines"));
        ROUNDS = IRoundBook(rounds_);
        VAULT = IStakeVault(ROUNDS.vault());
        TOKEN = IERC20(ROUNDS.token());
        BOND = bond_;
        MOVE_S = moveS;
        VERDICT_S = verdictS;
        UNBONDING_S = unbondingS;
    }

    // ---- bonds ----

    /// @inheritdoc ITrainingDisputes
    function bond(uint32 node, uint96 amount) external {
        VAULT.nodeOf(node); // reverts for a node that is none
        require(amount != 0, IStakeVault.ZeroAmount());

        uint96 free = _bonds[node].free + amount;
        _bonds[node].free = free;
        emit BondAdded(node, amount, free);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc ITrainingDisputes
    function unbond(uint32 node, uint96 amount) external {
        Bond storage record = _bonds[node];
        _requireOwner(node);
        require(amount != 0, IStakeVault.ZeroAmount());
        require(amount <= record.free, IStakeVault.StakeTooLow(record.free, amount));

        record.free -= amount;
        record.exiting += amount;
        record.exitAt = uint40(block.timestamp) + UNBONDING_S;
        emit BondLeaving(node, amount, record.free, record.exiting, record.exitAt);
    }

    /// @inheritdoc ITrainingDisputes
    function withdraw(uint32 node) external {
        Bond storage record = _bonds[node];
        _requireOwner(node);
        uint96 amount = record.exiting;
        require(amount != 0, IStakeVault.NothingToWithdraw(node));
        require(
            block.timestamp >= record.exitAt, IStakeVault.ExitTooEarly(uint40(block.timestamp), record.exitAt)
        );

        record.exiting = 0;
        emit BondWithdrawn(node, msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    // ---- the game ----

    /// @inheritdoc ITrainingDisputes
    function open(Training calldata training, bytes calldata signature, uint32 low, uint32 high, bytes32 seed)
        external
        returns (uint64 dispute)
    {
        // So that the number of states fits an index.
        require(training.segments != 0 && training.segments != type(uint32).max, BadTraining("segments"));
        require(training.steps != 0 && training.steps != type(uint32).max, BadTraining("steps"));
        require(low < high && high <= training.segments, BadTraining("range"));
        bytes32 hash = _trainingHash(training);
        require(_faults[hash] == 0, AlreadyFaulty(hash));
        _requireDisputable(training.task, training.round);
        (address recovered,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(hash), signature);
        require(recovered == VAULT.nodeOf(training.node).signer, BadTrainingSignature(training.node));

        dispute = ++disputeCount;
        Dispute storage game = _disputes[dispute];
        game.challenger = msg.sender;
        (game.task, game.round, game.node) = (training.task, training.round, training.node);
        (game.segments, game.steps, game.root) = (training.segments, training.steps, training.root);
        (game.low, game.high, game.training) = (low, high, hash);
        game.challengerBond = BOND;
        game.trainerBond = _lock(training.node);
        _next(game, _turnAfter(game));
        emit DisputeOpened(
            dispute, game.task, game.node, msg.sender, training, low, high, seed, game.trainerBond, game.turn, game.deadline
        );
        TOKEN.safeTransferFrom(msg.sender, address(this), BOND);
    }

    /// @inheritdoc ITrainingDisputes
    function answer(uint64 dispute, uint256 digest, bytes32[] calldata siblings, bytes calldata sketch) external {
        Dispute storage game = _requireTurn(dispute, Turn.Answer);
        _requireTrainer(dispute, game.node);
        require(
            sketch.length != 0 && sketch.length % SKETCH_UNIT == 0 && sketch.length <= MAX_SKETCH_LENGTH,
            WrongSketchLength(sketch.length, MAX_SKETCH_LENGTH)
        );
        uint32 index = _middle(game);
        (bytes32 root, uint256 last) =
            game.inSegment ? (game.stepRoot, game.steps) : (game.root, game.segments);
        _requireState(digest, index, last + 1, siblings, root);

        _next(game, Turn.Choose);
        emit MiddleStated(dispute, game.inSegment, index, digest, sketch, game.deadline);
    }

    /// @inheritdoc ITrainingDisputes
    function choose(uint64 dispute, bool agrees) external {
        Dispute storage game = _requireTurn(dispute, Turn.Choose);
        require(msg.sender == game.challenger, NotParty(dispute, msg.sender));

        if (agrees) game.low = _middle(game);
        else game.high = _middle(game);
        _next(game, _turnAfter(game));
        emit HalfChosen(dispute, game.inSegment, game.low, game.high, game.turn, game.deadline);
    }

    /// @inheritdoc ITrainingDisputes
    function descend(uint64 dispute, bytes32 stepRoot, Border calldata first, Border calldata last) external {
        Dispute storage game = _requireTurn(dispute, Turn.Descend);
        _requireTrainer(dispute, game.node);
        uint32 segment = game.low;
        (uint256 steps, uint256 checkpoints) = (uint256(game.steps), uint256(game.segments) + 1);
        _requireState(first.digest, segment, checkpoints, first.inCheckpoints, game.root);
        _requireState(first.digest, 0, steps + 1, first.inSteps, stepRoot);
        _requireState(last.digest, segment + 1, checkpoints, last.inCheckpoints, game.root);
        _requireState(last.digest, steps, steps + 1, last.inSteps, stepRoot);

        (game.inSegment, game.segment, game.stepRoot) = (true, segment, stepRoot);
        (game.low, game.high) = (0, game.steps);
        _next(game, Turn.Reseed);
        emit Descended(dispute, segment, stepRoot, first.digest, last.digest, game.deadline);
    }

    /// @inheritdoc ITrainingDisputes
    function reseed(uint64 dispute, bytes32 seed) external {
        Dispute storage game = _requireTurn(dispute, Turn.Reseed);
        require(msg.sender == game.challenger, NotParty(dispute, msg.sender));

        _next(game, Turn.Answer);
        emit Reseeded(dispute, seed, game.deadline);
    }

    /// @inheritdoc ITrainingDisputes
    function timeout(uint64 dispute) external {
        Dispute storage game = _existing(dispute);
        Turn turn = game.turn;
        require(turn != Turn.Over, WrongTurn(dispute, uint8(turn), uint8(Turn.Judge)));
        require(block.timestamp > game.deadline, TurnOpen(dispute, game.deadline));

        Outcome outcome = Outcome.TrainerWon;
        if (turn == Turn.Answer || turn == Turn.Descend) outcome = Outcome.ChallengerWon;
        else if (turn == Turn.Judge) outcome = Outcome.Undecided;
        _close(dispute, game, outcome);
    }

    /// @inheritdoc ITrainingDisputes
    function resolve(
        uint64 dispute,
        bool trainerRight,
        bytes32 drawSeed,
        bytes calldata committee,
        uint256 signers,
        bytes calldata signatures
    ) external {
        Dispute storage game = _requireTurn(dispute, Turn.Judge);
        _requireDraw(game.task, game.round, drawSeed, committee);
        uint256 quorum = ROUNDS.taskOf(game.task).params.quorum;
        Quorum.check(_verdictDigest(dispute, game, trainerRight), committee, signers, signatures, quorum);

        _close(dispute, game, trainerRight ? Outcome.TrainerWon : Outcome.ChallengerWon);
    }

    // ---- views ----

    /// @inheritdoc ITrainingDisputes
    function disputeOf(uint64 dispute) external view returns (Dispute memory) {
        return _existing(dispute);
    }

    /// @inheritdoc ITrainingDisputes
    function bondOf(uint32 node) external view returns (uint96 free, uint96 exiting, uint40 exitAt) {
        Bond storage record = _bonds[node];
        return (record.free, record.exiting, record.exitAt);
    }

    /// @inheritdoc ITrainingDisputes
    function faultOf(bytes32 training) external view returns (uint64 dispute) {
        return _faults[training];
    }

    /// @inheritdoc ITrainingDisputes
    function trainingDigest(Training calldata training) external view returns (bytes32) {
        return _hashTypedDataV4(_trainingHash(training));
    }

    /// @inheritdoc ITrainingDisputes
    function verdictDigest(uint64 dispute, bool trainerRight) external view returns (bytes32) {
        return _verdictDigest(dispute, _existing(dispute), trainerRight);
    }

    /// @inheritdoc ITrainingDisputes
    function rounds() external view returns (address) {
        return address(ROUNDS);
    }

    /// @inheritdoc ITrainingDisputes
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc ITrainingDisputes
    function token() external view returns (address) {
        return address(TOKEN);
    }

    // ---- what the turns have in common ----

    function _existing(uint64 dispute) private view returns (Dispute storage game) {
        game = _disputes[dispute];
        require(game.turn != Turn.None, UnknownDispute(dispute));
    }

    function _requireTurn(uint64 dispute, Turn needed) private view returns (Dispute storage game) {
        game = _existing(dispute);
        require(game.turn == needed, WrongTurn(dispute, uint8(game.turn), uint8(needed)));
        require(block.timestamp <= game.deadline, TurnOver(dispute, game.deadline));
    }

    function _requireOwner(uint32 node) private view {
        require(msg.sender == VAULT.nodeOf(node).owner, IStakeVault.NotOwner(node, msg.sender));
    }

    function _requireTrainer(uint64 dispute, uint32 node) private view {
        IStakeVault.Node memory of_ = VAULT.nodeOf(node);
        require(msg.sender == of_.signer || msg.sender == of_.owner, NotParty(dispute, msg.sender));
    }

    function _requireDisputable(uint64 task, uint32 round) private view {
        (uint32 current, IRoundBook.Phase phase,) = ROUNDS.clockAt(task, 0);
        bool open_ = current == round && phase != IRoundBook.Phase.Commit && phase != IRoundBook.Phase.Over;
        require(open_ && round != 0, NotDisputable(task, round, current, uint8(phase)));
    }

    function _requireState(uint256 digest, uint256 index, uint256 count, bytes32[] calldata siblings, bytes32 root)
        private
        pure
    {
        bytes32 got = PositionTree.rootFrom(digest, index, count, siblings);
        require(got == root, WrongState(index, got, root));
    }

    /// @dev The draw is known by a part of its hash only; so are seed and seats that the caller brings.
    function _requireDraw(uint64 task, uint32 disputed, bytes32 drawSeed, bytes calldata committee) private view {
        IRoundBook.Live memory live = ROUNDS.liveOf(task);
        bytes32 draw = (keccak256(abi.encode(drawSeed, keccak256(committee))) >> 16) << 16;
        require(draw == live.drawHash, IRoundBook.WrongDraw(draw, live.drawHash));
        if (live.drawnRound > disputed) return;
        (, IRoundBook.Phase phase,) = ROUNDS.clockAt(task, 0);
        require(phase == IRoundBook.Phase.Over, NotLaterDraw(live.drawnRound, disputed));
    }

    function _trainingHash(Training calldata training) private pure returns (bytes32) {
        return keccak256(abi.encode(TRAINING_TYPEHASH, training));
    }

    function _verdictDigest(uint64 dispute, Dispute storage game, bool trainerRight) private view returns (bytes32) {
        bytes32 state = keccak256(abi.encode(game.training, game.inSegment, game.segment, game.low, game.stepRoot));
        return _hashTypedDataV4(keccak256(abi.encode(VERDICT_TYPEHASH, dispute, state, trainerRight)));
    }

    function _middle(Dispute storage game) private view returns (uint32) {
        return game.low + (game.high - game.low) / 2;
    }

    /// @dev A segment of one step needs no steps of its own.
    function _turnAfter(Dispute storage game) private view returns (Turn) {
        if (game.high - game.low > 1) return Turn.Answer;
        return game.inSegment || game.steps == 1 ? Turn.Judge : Turn.Descend;
    }

    function _next(Dispute storage game, Turn turn) private {
        game.turn = turn;
        game.deadline = uint40(block.timestamp) + (turn == Turn.Judge ? VERDICT_S : MOVE_S);
    }

    /// @dev Up to BOND of a node, what is leaving first.
    function _lock(uint32 node) private returns (uint96 locked) {
        Bond storage record = _bonds[node];
        uint96 fromExiting = record.exiting < BOND ? record.exiting : BOND;
        uint96 fromFree = BOND - fromExiting;
        if (fromFree > record.free) fromFree = record.free;
        record.exiting -= fromExiting;
        record.free -= fromFree;
        return fromExiting + fromFree;
    }

    function _close(uint64 dispute, Dispute storage game, Outcome outcome) private {
        Turn turn = game.turn;
        (uint96 staked, uint96 locked) = (game.challengerBond, game.trainerBond);
        (game.turn, game.outcome, game.challengerBond, game.trainerBond) = (Turn.Over, outcome, 0, 0);
        // What the trainer keeps is free again, also what was leaving: it may ask anew.
        (uint96 back, uint96 lost) = (0, 0);
        if (outcome == Outcome.ChallengerWon) {
            lost = locked;
            back = staked + lost / 2;
            if (_faults[game.training] == 0) _faults[game.training] = dispute;
        } else if (outcome == Outcome.TrainerWon) {
            lost = staked;
            _bonds[game.node].free += locked + lost / 2;
        } else {
            back = staked;
            _bonds[game.node].free += locked;
        }
        uint96 burnt = lost - lost / 2;
        emit DisputeClosed(dispute, game.task, game.node, turn, outcome, lost / 2, burnt);
        if (back != 0) TOKEN.safeTransfer(game.challenger, back);
        if (burnt != 0) TOKEN.safeTransfer(BURNT, burnt);
    }
}
