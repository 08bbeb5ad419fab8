// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IDisputes} from "./interfaces/IDisputes.sol";
import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {ISeedSource} from "./interfaces/ISeedSource.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ClockWord} from "./libraries/ClockWord.sol";
import {HeaderBeacon} from "./libraries/HeaderBeacon.sol";
import {HotWord} from "./libraries/HotWord.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {RepWords} from "./libraries/RepWords.sol";

/// @title Tasks, rounds and settlement
/// @notice Documented in IRoundBook.
/// @dev The contracts named at construction and the token are trusted and call nobody back, so a call to them may stand
/// where its answer is needed; tokens move last. Multicall batches calls of one sender; nothing here is payable.
contract RoundBook is IRoundBook, EIP712, Multicall {
    using SafeERC20 for IERC20;
    using ClockWord for uint256;
    using HotWord for uint256;

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint8 mode,uint64 task,uint32 round,bytes32 seed,bytes32 committeeHash,uint32 attempt,bytes32 parent,"
        "bytes32 submissionsRoot,bytes32 votesHash,bytes32 sketchDigest,bytes32 wordsHash,bytes32 model,bytes32 record,"
        "uint256 rewardTotal)"
    );
    uint8 private constant WORDS_MODE = 0;
    uint8 private constant ROOT_MODE = 1;
    uint256 private constant MAX_ROUNDS = 4294;
    uint256 private constant MAX_LEVELS = 20;
    /// @dev Levels of words mode, which has no tree: 15,360 lanes a role. A proof of fault carries all words of both roles,
    /// and fits a transaction (2^24 gas) with the largest committee to slash; with twice as many it would not.
    uint256 private constant WORDS_LEVELS = 10;
    uint256 private constant MAX_ENDPOINT = 128;
    uint256 private constant STATE_WORDS = 7; // of RootState
    uint64 private constant BEACON_DELAY = 2;
    uint64 private constant BLOCKHASH_HORIZON = 256;
    /// @dev Where a forfeited seat fee goes: a plain ERC-20 has no burn of its own.
    address private constant BURNT = 0x000000000000000000000000000000000000dEaD;

    IStakeVault private immutable VAULT;
    IReputationBook private immutable REPUTATION;
    IRewards private immutable REWARDS;
    ISeedSource private immutable SEEDS;
    IERC20 private immutable TOKEN;
    /// @inheritdoc IRoundBook
    address public immutable disputes;
    /// @inheritdoc IRoundBook
    uint96 public immutable SEAT_FEE;

    struct TaskRecord {
        TaskParams params;
        address owner;
        bool closed;
        uint256 hot; // HotWord
        bytes32 draw; // the latest, as _drawOf makes it, in one slot for all rounds
        bytes32[2] records; // hashes of Settled: the final and the pending one, in turns
    }

    /// @inheritdoc IRoundBook
    uint64 public taskCount;
    mapping(uint64 task => TaskRecord) private _tasks;

    constructor(
        address vault_,
        address reputation_,
        address rewards_,
        address disputes_,
        address seedSource_,
        uint96 seatFee
    ) EIP712("Credence", "1") {
        VAULT = IStakeVault(vault_);
        REPUTATION = IReputationBook(reputation_);
        REWARDS = IRewards(rewards_);
        SEEDS = ISeedSource(seedSource_);
        TOKEN = IERC20(VAULT.token());
        disputes = disputes_;
        SEAT_FEE = seatFee;
        // All know one another from their first block, or there is no deployment.
        require(VAULT.rounds() == address(this) && VAULT.disputes() == disputes_, BadParams("vault"));
        require(REPUTATION.rounds() == address(this), BadParams("reputation"));
        require(REWARDS.rounds() == address(this) && REWARDS.token() == address(TOKEN), BadParams("rewards"));
        require(IDisputes(disputes_).rounds() == address(this), BadParams("disputes"));
    }

    // ---- what an owner does ----

    /// @inheritdoc IRoundBook
    function createTask(TaskParams calldata params, uint16 fundedRounds) external returns (uint64 task) {
        uint40 startsAt = params.startsAt == 0 ? uint40(block.timestamp) : params.startsAt;
        _checkParams(params, startsAt);
        require(fundedRounds != 0, BadFunding(fundedRounds, params.rounds));

        task = ++taskCount;
        TaskRecord storage record = _tasks[task];
        record.params = params;
        record.params.startsAt = startsAt;
        record.owner = msg.sender;
        emit TaskCreated(task, msg.sender, record.params);
        _fund(task, record, fundedRounds);
    }

    /// @inheritdoc IRoundBook
    function fundTask(uint64 task, uint16 rounds) external {
        TaskRecord storage record = _open(task);
        require(rounds != 0, BadFunding(rounds, record.params.rounds));
        _fund(task, record, rounds);
    }

    /// @inheritdoc IRoundBook
    function cancelTask(uint64 task) external {
        TaskRecord storage record = _open(task);
        require(msg.sender == record.owner, NotTaskOwner(task, msg.sender));
        uint256 startsAt = ClockWord.load(record.params).startsAt();
        require(block.timestamp < startsAt, TaskStarted(task, uint40(startsAt)));
        _close(task, record, record.hot.get(HotWord.FUNDED) * _pools(record.params), 0);
    }

    /// @inheritdoc IRoundBook
    function closeTask(uint64 task) external {
        TaskRecord storage record = _ended(task, WORDS_MODE);
        uint256 hot = record.hot;
        // Applying it is always possible, in parts, so nobody's earned pay is ever dropped.
        uint256 pending = hot.get(HotWord.POSTED);
        require(pending == 0, NotFinalised(uint32(pending)));
        // What finalised rounds have released stays for claims, with the dust of their roundings.
        uint256 released = hot.get(HotWord.TRAINER_PAID) * record.params.trainerPool
            + hot.get(HotWord.VERIFIER_PAID) * record.params.verifierPool;
        _settleUp(task, record, released, hot.get(HotWord.VERIFIER_PAID));
    }

    /// @inheritdoc IRoundBook
    function closeRootTask(uint64 task, Settled calldata settled, RootState calldata state) external {
        TaskRecord storage record = _ended(task, ROOT_MODE);
        uint256 hot = record.hot;
        uint256 pending = hot.get(HotWord.POSTED); // final: every window has closed
        (uint256 round, bytes32 hash) = _finalRecord(record, hot, true);
        uint256 totals = 0;
        if (round != 0) {
            _requireSettled(settled, hash);
            _requireState(state, settled.state);
            totals = state.totals;
        }
        _settleUp(
            task, record, uint128(totals) + (totals >> 128), hot.get(HotWord.VERIFIER_PAID) + (pending == 0 ? 0 : 1)
        );
    }

    /// @inheritdoc IRoundBook
    function openProbe(uint64 task, uint32 round, bytes32 key) external {
        TaskRecord storage record = _existing(task);
        require(msg.sender == record.owner, NotTaskOwner(task, msg.sender));
        _requirePhase(ClockWord.load(record.params), round, Phase.Post);

        emit ProbeOpened(task, round, key);
    }

    // ---- what nodes do ----

    /// @inheritdoc IRoundBook
    function join(uint64 task, uint32 node, IReputationBook.Role role, string calldata endpoint) external {
        TaskRecord storage record = _open(task);
        uint256 length = bytes(endpoint).length;
        require(length <= MAX_ENDPOINT, EndpointTooLong(length, MAX_ENDPOINT));
        // While a report is made and posted the number of slots stands still: otherwise a join could make its words, and
        // the trees of votes that it is checked against, one short.
        uint256 clock = ClockWord.load(record.params);
        (uint256 round, Phase phase,) = clock.at(block.timestamp);
        require(phase != Phase.Post, WrongPhase(uint32(round), uint8(phase), uint8(Phase.Window)));
        uint96 bonded = _requireNode(node);
        uint96 least = VAULT.MIN_STAKE();
        require(bonded >= least, IStakeVault.StakeTooLow(bonded, least));
        uint256 capacity = RepWords.LANES << (clock.mode() == ROOT_MODE ? clock.levels() : WORDS_LEVELS);

        uint32 slot = REPUTATION.openSlot(task, role, node);
        require(slot < capacity, SlotsFull(task, role, uint32(capacity)));
        record.hot = record.hot.set(
            role == IReputationBook.Role.Trainer ? HotWord.TRAINER_SLOTS : HotWord.VERIFIER_SLOTS, uint256(slot) + 1
        );
        emit Joined(task, role, node, slot, endpoint);
    }

    /// @inheritdoc IRoundBook
    function commit(uint64 task, uint32 round, uint32 node, bytes32 commitment) external {
        _requirePhase(_clockOf(task, _tasks[task]), round, Phase.Commit);
        _requireNode(node);
        try REPUTATION.slotOf(task, IReputationBook.Role.Trainer, node) {}
        catch {
            revert NotJoined(task, IReputationBook.Role.Trainer, node);
        }

        emit Committed(task, round, node, commitment);
    }

    /// @inheritdoc IRoundBook
    function reveal(uint64 task, uint32 round, uint32 node, bytes32 manifest, uint64 length, bytes32 salt) external {
        // No check of the commitment: it is a log, and whoever reads the reveal reads it too.
        _requirePhase(_clockOf(task, _tasks[task]), round, Phase.Reveal);
        _requireNode(node);

        emit Revealed(task, round, node, manifest, length, salt);
    }

    /// @inheritdoc IRoundBook
    function collect(uint64 task, uint32 round, bool reveals, bytes32 root, uint32 count, bytes32 data) external {
        // No check of the phase, which would cost more than the log: the time of its block says whether a bundle counts.
        emit Collected(task, round, msg.sender, reveals, root, count, data);
    }

    /// @inheritdoc IRoundBook
    function armBeacon(uint64 task, uint32 round) external {
        TaskRecord storage record = _tasks[task];
        _requirePhase(_clockOf(task, record), round, Phase.Post);
        uint256 hot = record.hot;
        uint64 seedBlock = uint64(hot.get(HotWord.SEED_BLOCK));
        if (hot.get(HotWord.ARMED) == round) {
            require(uint16(uint256(record.draw)) != round, AlreadyDrawn(round));
            require(_seedExpired(seedBlock), AlreadyArmed(round, seedBlock));
        } else {
            uint256 draws = hot.get(HotWord.DRAWS);
            uint256 funded = hot.get(HotWord.FUNDED);
            require(draws < funded, NotFunded(uint32(draws), uint32(funded)));
            hot = hot.set(HotWord.DRAWS, draws + 1).set(HotWord.ARMED, round);
        }

        uint64 frozenUntil;
        if (address(SEEDS) == address(0)) {
            seedBlock = uint64(block.number) + BEACON_DELAY;
            frozenUntil = seedBlock + BLOCKHASH_HORIZON;
        } else {
            seedBlock = SEEDS.ticket();
            require(seedBlock <= type(uint40).max, AlreadyArmed(round, seedBlock));
            frozenUntil = SEEDS.frozenUntil(seedBlock);
        }
        record.hot = hot.set(HotWord.SEED_BLOCK, seedBlock);
        emit BeaconArmed(task, round, seedBlock);
        VAULT.freezeSeats(frozenUntil);
    }

    /// @inheritdoc IRoundBook
    function drawCommittee(uint64 task, uint32 round, bytes calldata proof) external {
        TaskRecord storage record = _tasks[task];
        uint256 clock = _clockOf(task, record);
        _requirePhase(clock, round, Phase.Post);
        uint256 hot = record.hot;
        require(hot.get(HotWord.ARMED) == round, NotArmed(round));
        require(uint16(uint256(record.draw)) != round, AlreadyDrawn(round));
        bytes32 random = _randomness(uint64(hot.get(HotWord.SEED_BLOCK)), proof);

        bytes32 seed = keccak256(abi.encode(block.chainid, address(this), task, round, random));
        // The seats are locked until this round's window closes. The vault calls nobody back.
        bytes memory committee =
            VAULT.drawSeats(seed, uint32(clock.seats()), uint40(clock.startOf(uint256(round) + 1)));
        record.draw = _drawOf(seed, keccak256(committee), round);
        emit CommitteeDrawn(task, round, seed, committee);
    }

    // ---- settlement ----

    /// @inheritdoc IRoundBook
    function post(
        Report calldata report,
        Settled calldata parent,
        bytes calldata committee,
        uint256[] calldata words,
        uint256 signers,
        bytes calldata signatures
    ) external {
        TaskRecord storage record = _tasks[report.task];
        uint256 clock = _clockOf(report.task, record);
        uint256 hot = record.hot;
        _requireDue(report, parent, record, clock, hot, WORDS_MODE);
        uint256 trainerWords = _requireWords(hot, words);
        bytes32 got = _hashWords(words);
        require(got == report.wordsHash, WrongHash("words", got, report.wordsHash));
        uint256 pools = _pools(record.params);
        require(report.rewardTotal <= pools, RewardTooHigh(report.rewardTotal, pools));

        bytes32 digest = _requireQuorum(report, clock.quorum(), committee, signers, signatures);
        _remember(record, hot, report, digest, signers, trainerWords);
        uint256 place;
        assembly ("memory-safe") {
            place := words.offset
        }
        _emitPosted(report, digest, signers, trainerWords, place, words.length);
    }

    /// @inheritdoc IRoundBook
    function postRoot(
        Report calldata report,
        Settled calldata parent,
        RootState calldata parentState,
        RootState calldata state,
        bytes calldata committee,
        uint256 signers,
        bytes calldata signatures
    ) external {
        TaskRecord storage record = _tasks[report.task];
        uint256 hot = record.hot;
        uint256 quorum;
        {
            uint256 clock = _clockOf(report.task, record);
            quorum = clock.quorum();
            uint256 before = 0;
            if (_requireDue(report, parent, record, clock, hot, ROOT_MODE) != 0) {
                _requireState(parentState, parent.state);
                before = parentState.totals;
            }
            _requireState(state, report.wordsHash);
            _requireTotals(report, record.params, hot, before, state);
        }
        bytes32 digest = _requireQuorum(report, quorum, committee, signers, signatures);
        uint256 trainerWords = RepWords.wordsFor(hot.get(HotWord.TRAINER_SLOTS));
        if (hot.get(HotWord.POSTED) != 0) {
            // The post before this one became final by the clock.
            hot = _promote(hot).set(HotWord.VERIFIER_PAID, hot.get(HotWord.VERIFIER_PAID) + 1);
        }
        _remember(record, hot, report, digest, signers, trainerWords);
        _emitPosted(report, digest, signers, trainerWords, _placeOf(state), STATE_WORDS);
    }

    /// @inheritdoc IRoundBook
    function voidPost(uint64 task, bytes32 reportDigest_, address challenger) external {
        require(msg.sender == disputes, NotDisputes(msg.sender));
        TaskRecord storage record = _tasks[task];
        uint256 hot = record.hot;
        uint256 round = hot.get(HotWord.POSTED);
        require(round != 0, NothingPosted(task));

        record.hot = hot.set(HotWord.POSTED, 0).set(HotWord.VOIDED, round);
        emit Voided(task, uint32(round), reportDigest_, challenger);
    }

    /// @inheritdoc IRoundBook
    function finalise(uint64 task, Settled calldata settled, uint256[] calldata words, uint32 upTo) external {
        TaskRecord storage record = _tasks[task];
        uint256 clock = _clockOf(task, record);
        uint256 hot = record.hot;
        require(clock.mode() == WORDS_MODE, WrongMode(uint8(clock.mode()), WORDS_MODE));
        uint256 round = hot.get(HotWord.POSTED);
        require(round != 0, NothingPosted(task));
        uint256 closed = clock.startOf(round + 1);
        require(block.timestamp >= closed, WindowOpen(uint40(closed)));
        _requireSettled(settled, record.records[1 - hot.get(HotWord.SECOND)]);
        bytes32 got = _hashWords(words);
        require(got == settled.state, WrongHash("words", got, settled.state));
        uint256 from = hot.get(HotWord.APPLIED);
        uint256 to = upTo > words.length ? words.length : upTo;
        require(to > from || words.length == 0, WrongLength("upTo", to, from + 1));

        (bool trainersEarned, bool verifiersEarned) = REPUTATION.step(
            task, uint32(round), words, settled.trainerWords, from, to, clock.contributions()
        );
        if (to == words.length) {
            hot = _promote(hot).set(HotWord.POSTED, 0).set(HotWord.APPLIED, 0);
            // The pool of a role in which nobody earned is unspent, and returns at the close.
            if (trainersEarned) hot = hot.set(HotWord.TRAINER_PAID, hot.get(HotWord.TRAINER_PAID) + 1);
            if (verifiersEarned) hot = hot.set(HotWord.VERIFIER_PAID, hot.get(HotWord.VERIFIER_PAID) + 1);
        } else {
            hot = hot.set(HotWord.APPLIED, to);
        }
        record.hot = hot;
        emit Finalised(task, uint32(round), settled.model, uint32(from), uint32(to));
    }

    // ---- views ----

    /// @inheritdoc IRoundBook
    function taskOf(uint64 task) external view returns (Task memory) {
        TaskRecord storage record = _existing(task);
        return Task(record.params, record.owner, record.closed);
    }

    /// @inheritdoc IRoundBook
    function liveOf(uint64 task) external view returns (Live memory live) {
        TaskRecord storage record = _existing(task);
        uint256 hot = record.hot;
        uint256 second = hot.get(HotWord.SECOND);
        live.armedRound = uint32(hot.get(HotWord.ARMED));
        live.seedBlock = uint64(hot.get(HotWord.SEED_BLOCK));
        live.drawnRound = uint16(uint256(record.draw));
        live.drawHash = (record.draw >> 16) << 16;
        live.postedRound = uint32(hot.get(HotWord.POSTED));
        live.postedHash = live.postedRound == 0 ? bytes32(0) : record.records[1 - second];
        live.finalRound = uint32(hot.get(HotWord.FINAL));
        live.finalHash = live.finalRound == 0 ? bytes32(0) : record.records[second];
        live.voidedRound = uint32(hot.get(HotWord.VOIDED));
        live.appliedWords = uint32(hot.get(HotWord.APPLIED));
        live.draws = uint32(hot.get(HotWord.DRAWS));
        live.fundedRounds = uint32(hot.get(HotWord.FUNDED));
        live.trainerSlots = uint32(hot.get(HotWord.TRAINER_SLOTS));
        live.verifierSlots = uint32(hot.get(HotWord.VERIFIER_SLOTS));
    }

    /// @inheritdoc IRoundBook
    function pendingOf(uint64 task) external view returns (uint32 round, bytes32 settledHash, uint40 closesAt) {
        TaskRecord storage record = _existing(task);
        uint256 hot = record.hot;
        round = uint32(hot.get(HotWord.POSTED));
        if (round == 0) return (0, 0, 0);
        closesAt = uint40(ClockWord.load(record.params).startOf(uint256(round) + 1));
        if (block.timestamp >= closesAt) return (0, 0, 0);
        settledHash = record.records[1 - hot.get(HotWord.SECOND)];
    }

    /// @inheritdoc IRoundBook
    function finalOf(uint64 task) external view returns (uint32 round, bytes32 settledHash) {
        TaskRecord storage record = _existing(task);
        uint256 hot = record.hot;
        uint256 pending = hot.get(HotWord.POSTED);
        bool closed = pending != 0 && block.timestamp >= ClockWord.load(record.params).startOf(pending + 1);
        (uint256 found, bytes32 hash) = _finalRecord(record, hot, closed);
        return (uint32(found), hash);
    }

    /// @inheritdoc IRoundBook
    function parentOf(uint64 task) external view returns (uint32 round, bytes32 settledHash) {
        TaskRecord storage record = _existing(task);
        (uint256 found, bytes32 hash) = _finalRecord(record, record.hot, false);
        return (uint32(found), hash);
    }

    /// @inheritdoc IRoundBook
    function poolOf(uint64 task, IReputationBook.Role role) external view returns (uint96) {
        TaskParams storage params = _existing(task).params;
        return role == IReputationBook.Role.Trainer ? params.trainerPool : params.verifierPool;
    }

    /// @inheritdoc IRoundBook
    function modeOf(uint64 task) external view returns (uint8 mode, uint8 levels) {
        uint256 clock = _clockOf(task, _tasks[task]);
        return (uint8(clock.mode()), uint8(clock.levels()));
    }

    /// @inheritdoc IRoundBook
    function clockAt(uint64 task, uint40 time) external view returns (uint32 round, Phase phase, uint40 endsAt) {
        (uint256 found, Phase current, uint256 end) =
            _clockOf(task, _tasks[task]).at(time == 0 ? block.timestamp : time);
        return (uint32(found), current, uint40(end));
    }

    /// @inheritdoc IRoundBook
    function reportDigest(Report calldata report) public view returns (bytes32) {
        bytes32 hash;
        bytes32 typehash = REPORT_TYPEHASH;
        // 14 words of calldata behind the type hash; their ranges were checked when the call was decoded.
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(at, typehash)
            calldatacopy(add(at, 32), report, 448)
            hash := keccak256(at, 480)
        }
        return _hashTypedDataV4(hash);
    }

    /// @inheritdoc IRoundBook
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IRoundBook
    function vault() external view returns (address) {
        return address(VAULT);
    }

    /// @inheritdoc IRoundBook
    function reputation() external view returns (address) {
        return address(REPUTATION);
    }

    /// @inheritdoc IRoundBook
    function rewards() external view returns (address) {
        return address(REWARDS);
    }

    /// @inheritdoc IRoundBook
    function token() external view returns (address) {
        return address(TOKEN);
    }

    /// @inheritdoc IRoundBook
    function seedSource() external view returns (address) {
        return address(SEEDS);
    }

    // ---- the clock ----

    /// @dev The clock of a task. Every task has a commit phase.
    function _clockOf(uint64 task, TaskRecord storage record) private view returns (uint256 clock) {
        clock = ClockWord.load(record.params);
        require(clock.commitS() != 0, UnknownTask(task));
    }

    function _requirePhase(uint256 clock, uint32 round, Phase needed) private view {
        (uint256 current, Phase phase,) = clock.at(block.timestamp);
        require(round == current, WrongRound(round, uint32(current)));
        require(phase == needed, WrongPhase(round, uint8(phase), uint8(needed)));
    }

    // ---- seeds ----

    function _seedExpired(uint64 seedBlock) private view returns (bool) {
        if (address(SEEDS) != address(0)) return SEEDS.expired(seedBlock);
        return block.number > seedBlock + BLOCKHASH_HORIZON;
    }

    function _randomness(uint64 seedBlock, bytes calldata proof) private view returns (bytes32) {
        if (address(SEEDS) != address(0)) return SEEDS.randomness(seedBlock, proof);
        require(block.number > seedBlock, SeedBlockPending(seedBlock, uint64(block.number)));
        require(block.number <= seedBlock + BLOCKHASH_HORIZON, SeedExpired(seedBlock, uint64(block.number)));
        bytes32 expected = blockhash(seedBlock);
        bytes32 got = keccak256(proof);
        require(got == expected, BadHeader(got, expected));
        return HeaderBeacon.mixHash(proof);
    }

    // ---- tasks and money ----

    function _existing(uint64 task) private view returns (TaskRecord storage record) {
        record = _tasks[task];
        _clockOf(task, record);
    }

    function _open(uint64 task) private view returns (TaskRecord storage record) {
        record = _existing(task);
        require(!record.closed, TaskIsClosed(task));
    }

    function _ended(uint64 task, uint8 mode) private view returns (TaskRecord storage record) {
        record = _open(task);
        uint256 clock = ClockWord.load(record.params);
        require(clock.mode() == mode, WrongMode(uint8(clock.mode()), mode));
        require(block.timestamp >= clock.startOf(clock.rounds() + 1), TaskRunning(task));
    }

    function _pools(TaskParams storage params) private view returns (uint256) {
        return uint256(params.trainerPool) + params.verifierPool;
    }

    function _fund(uint64 task, TaskRecord storage record, uint16 rounds) private {
        uint256 hot = record.hot;
        uint256 funded = hot.get(HotWord.FUNDED) + rounds;
        require(
            funded <= record.params.rounds,
            BadFunding(rounds, record.params.rounds - uint32(hot.get(HotWord.FUNDED)))
        );
        uint96 amount = uint96(rounds * _pools(record.params)); // checked to fit at creation

        record.hot = hot.set(HotWord.FUNDED, funded);
        emit TaskFunded(task, msg.sender, rounds, amount);
        REWARDS.credit(task, amount);
        TOKEN.safeTransferFrom(msg.sender, address(REWARDS), amount);
    }

    /// @dev `released` stays for claims; each draw beyond the `settled` ones forfeits its seat fees, which the pools of its
    /// own funded round hold.
    function _settleUp(uint64 task, TaskRecord storage record, uint256 released, uint256 settled) private {
        uint256 forfeited = (record.hot.get(HotWord.DRAWS) - settled) * record.params.seats * SEAT_FEE;
        uint256 free = record.hot.get(HotWord.FUNDED) * _pools(record.params) - released;
        _close(task, record, free - forfeited, forfeited);
    }

    function _close(uint64 task, TaskRecord storage record, uint256 refund, uint256 forfeited) private {
        record.closed = true;
        emit TaskClosed(task, record.owner, uint96(refund), uint96(forfeited));
        if (refund != 0) REWARDS.refund(task, record.owner, uint96(refund));
        if (forfeited != 0) REWARDS.refund(task, BURNT, uint96(forfeited));
    }

    function _checkParams(TaskParams calldata params, uint256 startsAt) private view {
        require(startsAt >= block.timestamp, BadParams("startsAt"));
        require(params.commitS != 0, BadParams("commitS"));
        require(params.revealS != 0, BadParams("revealS"));
        require(params.postS != 0, BadParams("postS"));
        require(params.windowS != 0, BadParams("windowS"));
        // A fault of the round must find the stake still there.
        uint256 period = uint256(params.commitS) + params.revealS + params.postS + params.windowS;
        require(VAULT.UNBONDING_S() > 2 * period, BadParams("period"));
        require(params.attemptS != 0, BadParams("attemptS"));
        uint256 rounds = params.rounds;
        require(rounds != 0 && rounds <= MAX_ROUNDS, BadParams("rounds"));
        require(startsAt + (rounds + 2) * period <= type(uint40).max, BadParams("rounds"));
        uint256 seats = params.seats;
        require(seats != 0 && seats <= Quorum.MAX_SEATS, BadParams("seats"));
        require(params.quorum <= seats && params.quorum >= 2 * seats / 3 + 1, BadParams("quorum"));
        require(params.mode <= ROOT_MODE, BadParams("mode"));
        require(params.mode == ROOT_MODE ? params.levels <= MAX_LEVELS : params.levels == 0, BadParams("levels"));
        uint256 pools = uint256(params.trainerPool) + params.verifierPool;
        require(rounds * pools <= type(uint96).max, BadParams("trainerPool"));
        require(params.verifierPool >= seats * SEAT_FEE, BadParams("verifierPool"));
        // Words mode pays by contribution totals; root mode has its pay trees.
        bool pays = params.mode == ROOT_MODE ? !params.contributions : params.contributions || pools == 0;
        require(pays, BadParams("contributions"));
        // A corrupt quorum stakes at least twice what it could take; a seat backs one draw with all of its stake.
        require(params.quorum * uint256(params.slash) >= 2 * pools, BadParams("slash"));
        require(params.slash <= VAULT.SEAT_STAKE(), BadParams("slash"));
    }

    /// @dev Caller acts for the node. Returns its bonded stake.
    function _requireNode(uint32 node) private view returns (uint96 bonded) {
        IStakeVault.Node memory record = VAULT.nodeOf(node);
        require(msg.sender == record.signer || msg.sender == record.owner, NotNode(node, msg.sender));
        return record.bonded;
    }

    // ---- reports ----

    /// @dev What a report says of itself against the clock, the draw and the model that stands. Cheapest first.
    function _requireDue(
        Report calldata report,
        Settled calldata parent,
        TaskRecord storage record,
        uint256 clock,
        uint256 hot,
        uint8 mode
    ) private view returns (uint256 parentRound) {
        uint32 round = report.round;
        uint256 pending = hot.get(HotWord.POSTED);
        uint256 latest = pending == 0 ? hot.get(HotWord.FINAL) : pending;
        require(round > latest, StaleReport(round, uint32(latest)));
        require(round != hot.get(HotWord.VOIDED), StaleReport(round, round));
        require(report.mode == mode && clock.mode() == mode, WrongMode(report.mode, uint8(clock.mode())));
        _requirePhase(clock, round, Phase.Post);
        // Words mode: the earlier post is final, but its words are not applied.
        require(mode == ROOT_MODE || pending == 0, NotFinalised(uint32(pending)));
        uint256 opensAt;
        // Unchecked: sums of terms below 2^80.
        unchecked {
            opensAt = clock.startOf(round) + clock.commitS() + clock.revealS() + report.attempt * clock.attemptS();
        }
        // Saturates in the error only: a turn that lies beyond uint40 never comes.
        require(
            block.timestamp >= opensAt,
            AttemptTooEarly(report.attempt, opensAt > type(uint40).max ? type(uint40).max : uint40(opensAt))
        );
        bytes32 drawn = record.draw;
        require(uint16(uint256(drawn)) == round, NotDrawn(round));
        bytes32 draw = _drawOf(report.seed, report.committeeHash, round);
        require(draw == drawn, WrongDraw(draw, drawn));

        bytes32 hash;
        (parentRound, hash) = _finalRecord(record, hot, true);
        bytes32 model;
        if (parentRound == 0) {
            model = record.params.genesisModel;
        } else {
            _requireSettled(parent, hash);
            model = parent.model;
        }
        require(report.parent == model, WrongParent(report.parent, model));
    }

    /// @dev One word for a draw: 240 bits of a hash and the round.
    function _drawOf(bytes32 seed, bytes32 committeeHash, uint256 round) private pure returns (bytes32) {
        bytes32 hash;
        assembly ("memory-safe") {
            mstore(0x00, seed)
            mstore(0x20, committeeHash)
            hash := keccak256(0x00, 0x40)
        }
        return ((hash >> 16) << 16) | bytes32(round);
    }

    /// @dev Round and hash of the final record; `promoted`: the pending post, if there is one, is final.
    function _finalRecord(TaskRecord storage record, uint256 hot, bool promoted)
        private
        view
        returns (uint256 round, bytes32 hash)
    {
        uint256 pending = hot.get(HotWord.POSTED);
        uint256 second = hot.get(HotWord.SECOND);
        if (promoted && pending != 0) return (pending, record.records[1 - second]);
        round = hot.get(HotWord.FINAL);
        if (round != 0) hash = record.records[second];
    }

    /// @dev The pending post becomes the final record.
    function _promote(uint256 hot) private pure returns (uint256) {
        return hot.set(HotWord.FINAL, hot.get(HotWord.POSTED)).set(HotWord.SECOND, 1 - hot.get(HotWord.SECOND));
    }

    function _remember(
        TaskRecord storage record,
        uint256 hot,
        Report calldata report,
        bytes32 digest,
        uint256 signers,
        uint256 trainerWords
    ) private {
        record.hot = hot.set(HotWord.POSTED, report.round);
        bytes32 model = report.model;
        bytes32 state = report.wordsHash;
        bytes32 hash;
        // keccak256(abi.encode(Settled(...))); the free memory stays free.
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(at, digest)
            mstore(add(at, 0x20), signers)
            mstore(add(at, 0x40), model)
            mstore(add(at, 0x60), state)
            mstore(add(at, 0x80), trainerWords)
            hash := keccak256(at, 0xa0)
        }
        record.records[hot.get(HotWord.SECOND) ^ 1] = hash;
    }

    /// @dev Posted, its `words` at `place` in calldata. By hand, as the encoder would check every field of the report once
    /// more: `_requireDue` and the decoder of the call have.
    function _emitPosted(
        Report calldata report,
        bytes32 digest,
        uint256 signers,
        uint256 trainerWords,
        uint256 place,
        uint256 count
    ) private {
        bytes32 topic = Posted.selector;
        uint256 task = report.task;
        uint256 round = report.round;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, report, 448)
            mstore(add(data, 448), signers)
            mstore(add(data, 480), trainerWords)
            mstore(add(data, 512), 544) // where the list starts
            mstore(add(data, 544), count)
            calldatacopy(add(data, 576), place, shl(5, count))
            log4(data, add(576, shl(5, count)), topic, task, round, digest)
        }
    }

    function _requireSettled(Settled calldata settled, bytes32 expected) private pure {
        // Raw words of calldata: what is remembered is the hash of clean ones, so bits behind a field match nothing.
        bytes32 got;
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, settled, 160)
            got := keccak256(at, 160)
        }
        require(got == expected, WrongHash("settled", got, expected));
    }

    /// @dev Where a state stands in calldata.
    function _placeOf(RootState calldata state) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := state
        }
    }

    function _requireState(RootState calldata state, bytes32 expected) private pure {
        bytes32 got;
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, state, 224)
            got := keccak256(at, 224)
        }
        require(got == expected, WrongHash("state", got, expected));
    }

    function _requireQuorum(
        Report calldata report,
        uint256 quorum,
        bytes calldata committee,
        uint256 signers,
        bytes calldata signatures
    ) private view returns (bytes32 digest) {
        bytes32 got = keccak256(committee);
        require(got == report.committeeHash, WrongCommittee(got, report.committeeHash));
        digest = reportDigest(report);
        Quorum.check(digest, committee, signers, signatures, quorum);
    }

    /// @dev One lane for each slot in order, nothing behind the last of a role. Returns the number of trainers' words.
    function _requireWords(uint256 hot, uint256[] calldata words) private pure returns (uint256 trainerWords) {
        uint256 trainers = hot.get(HotWord.TRAINER_SLOTS);
        uint256 verifiers = hot.get(HotWord.VERIFIER_SLOTS);
        trainerWords = RepWords.wordsFor(trainers);
        uint256 count = trainerWords + RepWords.wordsFor(verifiers);
        require(words.length == count, WrongLength("words", words.length, count));
        uint256 tops = 0;
        assembly ("memory-safe") {
            let end := add(words.offset, mul(count, 32))
            for { let at := words.offset } lt(at, end) { at := add(at, 32) } { tops := or(tops, calldataload(at)) }
        }
        require(tops >> 240 == 0, WrongLength("trainerWords", RepWords.LANES + 1, RepWords.LANES));
        if (trainers != 0) _requireLast("trainerWords", words[trainerWords - 1], trainers);
        if (verifiers != 0) _requireLast("verifierWords", words[count - 1], verifiers);
    }

    function _requireLast(bytes32 what, uint256 word, uint256 slots) private pure {
        uint256 used = (slots - 1) % RepWords.LANES + 1;
        require(word >> (16 * used) == 0, WrongLength(what, slots + 1, slots));
    }

    function _hashWords(uint256[] calldata words) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            let size := mul(words.length, 32)
            calldatacopy(at, words.offset, size)
            hash := keccak256(at, size)
        }
    }

    /// @dev Root mode: each role's total grows by its pool, less dust, or not at all where nobody has points.
    function _requireTotals(
        Report calldata report,
        TaskParams storage params,
        uint256 hot,
        uint256 before,
        RootState calldata state
    ) private view {
        uint96 trainerPool = params.trainerPool;
        uint96 verifierPool = params.verifierPool;
        uint256 paid = _paid(
            "trainers",
            uint128(before),
            uint128(state.totals),
            uint128(state.points),
            trainerPool,
            hot.get(HotWord.TRAINER_SLOTS)
        )
            + _paid(
                "verifiers",
                before >> 128,
                state.totals >> 128,
                state.points >> 128,
                verifierPool,
                hot.get(HotWord.VERIFIER_SLOTS)
            );
        require(report.rewardTotal == paid, WrongReward("rewardTotal", report.rewardTotal, paid));
    }

    function _paid(bytes32 role, uint256 before, uint256 total, uint256 points, uint256 pool, uint256 slots)
        private
        pure
        returns (uint256 paid)
    {
        // Unchecked: totals have 128 bits, and slots 24.
        unchecked {
            require(total >= before, WrongReward(role, total, before));
            paid = total - before;
            uint256 limit = points == 0 ? 0 : pool;
            require(paid <= limit && paid + slots >= limit, WrongReward(role, paid, limit));
        }
    }
}
