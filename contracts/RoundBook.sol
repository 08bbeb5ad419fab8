// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {HeaderBeacon} from "./libraries/HeaderBeacon.sol";
import {LowerMedian} from "./libraries/LowerMedian.sol";
import {PositionTree} from "./libraries/PositionTree.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {RepWords} from "./libraries/RepWords.sol";

/// @title Tasks, rounds and settlement
/// @notice Documented in IRoundBook.
/// @dev The vault, the reputation book and the token are trusted and call nobody back, so a call to the first two may
/// stand where its answer is needed; tokens move last.
contract RoundBook is IRoundBook, EIP712 {
    using SafeERC20 for IERC20;

    bytes32 private constant REPORT_TYPEHASH = keccak256(
        "Report(uint8 mode,uint64 task,uint32 round,bytes32 seed,bytes32 committeeHash,uint32 attempt,bytes32 parent,"
        "bytes32 submissionsRoot,bytes32 votesHash,bytes32 sketchDigest,bytes32 wordsHash,bytes32 model,bytes32 record,"
        "uint256 rewardTotal)"
    );
    uint8 private constant WORDS_MODE = 0;
    uint256 private constant UNITS = 1e6;
    uint256 private constant MAX_ROUNDS = 4294;
    uint256 private constant MAX_ENDPOINT = 128;
    /// @dev Score of a submission rejected at agreement.
    uint256 private constant REJECTED = 1;
    uint64 private constant BEACON_DELAY = 2;
    uint64 private constant BLOCKHASH_HORIZON = 256;

    IStakeVault private immutable VAULT;
    IReputationBook private immutable REPUTATION;
    IERC20 private immutable TOKEN;

    struct TaskRecord {
        Task task;
        uint96 released; // pools of finalised rounds that somebody earned: never refunded
    }

    /// @dev The first slot is hot: written by arm, draw, post and finalise. Rounds fit 16 bits (MAX_ROUNDS), seats 128.
    /// A void sets `seed` to zero: the round stays drawn, and no report can name a seed that is not there.
    struct LiveRecord {
        uint16 armedRound;
        uint16 drawnRound;
        uint16 postedRound;
        uint40 seedBlock;
        uint40 postedAt;
        uint128 signers; // bitmap of the pending post
        bytes32 seed;
        bytes32 committeeHash;
        bytes32 reportDigest; // kept after finalise, so that no round takes a new slot
        bytes32 voidedDigest;
    }

    /// @inheritdoc IRoundBook
    uint64 public taskCount;
    mapping(uint64 task => TaskRecord) private _tasks;
    mapping(uint64 task => LiveRecord) private _live;
    mapping(uint64 task => mapping(IReputationBook.Role => mapping(uint32 node => uint32))) private _claimed;
    mapping(uint64 task => mapping(uint32 round => mapping(uint32 node => bool))) private _punished;

    constructor(address vault_, address reputation_) EIP712("Credence", "1") {
        VAULT = IStakeVault(vault_);
        REPUTATION = IReputationBook(reputation_);
        TOKEN = IERC20(VAULT.token());
        // The three know one another from their first block, or there is no deployment.
        require(VAULT.rounds() == address(this), BadParams("vault"));
        require(REPUTATION.rounds() == address(this), BadParams("reputation"));
    }

    /// @inheritdoc IRoundBook
    function createTask(TaskParams calldata params) external returns (uint64 task) {
        uint40 startsAt = params.startsAt == 0 ? uint40(block.timestamp) : params.startsAt;
        _checkParams(params, startsAt);
        uint96 escrow = uint96(params.rounds * _pools(params)); // checked to fit

        task = ++taskCount;
        Task storage record = _tasks[task].task;
        record.params = params;
        record.params.startsAt = startsAt;
        record.owner = msg.sender;
        record.model = params.genesisModel;
        record.escrow = escrow;
        emit TaskCreated(task, msg.sender, record.params);
        emit TaskFunded(task, msg.sender, escrow, escrow);
        TOKEN.safeTransferFrom(msg.sender, address(this), escrow);
    }

    /// @inheritdoc IRoundBook
    function closeTask(uint64 task) external {
        Task storage record = _existing(task);
        require(!record.closed, TaskIsClosed(task));
        uint256 end = _startOf(record.params, uint256(record.params.rounds) + 1);
        require(block.timestamp >= end, TaskRunning(task));
        // A post that could not be finalised, because its words outgrew a transaction, does not hold the escrow for ever.
        LiveRecord storage live = _live[task];
        uint16 pending = live.postedRound;
        require(pending == 0 || block.timestamp >= end + _period(record.params), NotFinalised(pending));
        // What finalised rounds have released stays for claims, with the dust of their roundings.
        uint96 refund = uint96(record.params.rounds * _pools(record.params) - _tasks[task].released);

        live.postedRound = 0;
        record.closed = true;
        record.escrow -= refund;
        emit TaskClosed(task, record.owner, refund);
        TOKEN.safeTransfer(record.owner, refund);
    }

    /// @inheritdoc IRoundBook
    function join(uint64 task, uint32 node, IReputationBook.Role role, string calldata endpoint) external {
        Task storage record = _existing(task);
        require(!record.closed, TaskIsClosed(task));
        uint256 length = bytes(endpoint).length;
        require(length <= MAX_ENDPOINT, EndpointTooLong(length, MAX_ENDPOINT));
        // While a report is made and posted the number of slots stands still: otherwise a join could make its words, and
        // the trees of votes that it is checked against, one short.
        (uint32 round, Phase phase,) = _clock(record.params, block.timestamp);
        require(phase != Phase.Post, WrongPhase(round, uint8(phase), uint8(Phase.Window)));
        uint96 bonded = _requireNode(node);
        uint96 least = VAULT.MIN_STAKE();
        require(bonded >= least, IStakeVault.StakeTooLow(bonded, least));

        uint32 slot = REPUTATION.openSlot(task, role, node);
        emit Joined(task, role, node, slot, endpoint);
    }

    /// @inheritdoc IRoundBook
    function commit(uint64 task, uint32 round, uint32 node, bytes32 commitment) external {
        _requirePhase(_existing(task).params, round, Phase.Commit);
        uint16 pending = _live[task].postedRound;
        require(pending == 0, NotFinalised(pending)); // in COMMIT a pending post is of an earlier round
        _requireNode(node);
        _requireJoined(task, IReputationBook.Role.Trainer, node);

        emit Committed(task, round, node, commitment);
    }

    /// @inheritdoc IRoundBook
    function reveal(uint64 task, uint32 round, uint32 node, bytes32 manifest, uint64 length, bytes32 salt) external {
        // No check of the commitment: it is a log, and whoever reads the reveal reads it too.
        _requirePhase(_existing(task).params, round, Phase.Reveal);
        _requireNode(node);

        emit Revealed(task, round, node, manifest, length, salt);
    }

    /// @inheritdoc IRoundBook
    function openProbe(uint64 task, uint32 round, bytes32 key) external {
        Task storage record = _existing(task);
        require(msg.sender == record.owner, NotTaskOwner(task, msg.sender));
        _requirePhase(record.params, round, Phase.Post);

        emit ProbeOpened(task, round, key);
    }

    /// @inheritdoc IRoundBook
    function armBeacon(uint64 task, uint32 round) external {
        _requirePhase(_existing(task).params, round, Phase.Post);
        LiveRecord storage live = _live[task];
        require(live.drawnRound != round, AlreadyDrawn(round));
        require(
            live.armedRound != round || block.number > live.seedBlock + BLOCKHASH_HORIZON,
            AlreadyArmed(round, live.seedBlock)
        );

        uint40 seedBlock = uint40(block.number + BEACON_DELAY);
        live.armedRound = uint16(round);
        live.seedBlock = seedBlock;
        emit BeaconArmed(task, round, seedBlock);
        VAULT.freezeSeats(seedBlock + BLOCKHASH_HORIZON);
    }

    /// @inheritdoc IRoundBook
    function drawCommittee(uint64 task, uint32 round, bytes calldata header) external {
        TaskParams storage params = _existing(task).params;
        _requirePhase(params, round, Phase.Post);
        LiveRecord storage live = _live[task];
        require(live.armedRound == round, NotArmed(round));
        require(live.drawnRound != round, AlreadyDrawn(round));
        uint64 seedBlock = live.seedBlock;
        require(block.number > seedBlock, SeedBlockPending(seedBlock, uint64(block.number)));
        require(block.number <= seedBlock + BLOCKHASH_HORIZON, SeedExpired(seedBlock, uint64(block.number)));
        bytes32 expected = blockhash(seedBlock);
        bytes32 got = keccak256(header);
        require(got == expected, BadHeader(got, expected));

        bytes32 seed = keccak256(abi.encode(block.chainid, address(this), task, round, HeaderBeacon.mixHash(header)));
        // The seats are locked until this round's window closes.
        (uint32[] memory nodes, address[] memory signers) =
            VAULT.drawSeats(seed, params.seats, uint40(_startOf(params, uint256(round) + 1)));
        (Seat[] memory seats, bytes32 committeeHash) = _committee(nodes, signers);
        live.drawnRound = uint16(round);
        live.seed = seed;
        live.committeeHash = committeeHash;
        emit CommitteeDrawn(task, round, seed, seats);
        VAULT.thawSeats();
    }

    /// @inheritdoc IRoundBook
    function post(
        Report calldata report,
        Seat[] calldata committee,
        Vote[] calldata votes,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords,
        uint256 signerBitmap,
        bytes calldata signatures
    ) external {
        TaskParams storage params = _existing(report.task).params;
        LiveRecord storage live = _live[report.task];
        _requireDue(report, params, live);
        _requireWords("trainerWords", report.task, IReputationBook.Role.Trainer, trainerWords);
        _requireWords("verifierWords", report.task, IReputationBook.Role.Verifier, verifierWords);
        require(report.committeeHash == live.committeeHash, WrongCommittee(report.committeeHash, live.committeeHash));
        _requireHashes(report, committee, votes, trainerWords, verifierWords);
        bytes32 digest = reportDigest(report);
        Quorum.check(digest, committee, signerBitmap, signatures, params.quorum);

        live.postedRound = uint16(report.round);
        live.postedAt = uint40(block.timestamp);
        live.signers = uint128(signerBitmap); // at most 128 seats
        live.reportDigest = digest;
        emit Posted(
            report.task, report.round, digest, report, votes, trainerWords, verifierWords, signerBitmap
        );
    }

    /// @inheritdoc IRoundBook
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
    ) external {
        TaskParams storage params = _existing(report.task).params;
        LiveRecord storage live = _live[report.task];
        bytes32 digest = _requirePending(report, live);
        uint256 closed = _startOf(params, uint256(report.round) + 1);
        require(block.timestamp < closed, WindowClosed(uint40(closed)));
        require(
            signerBitmap == live.signers, WrongHash("signers", bytes32(signerBitmap), bytes32(uint256(live.signers)))
        );
        _requireHashes(report, committee, votes, trainerWords, verifierWords);
        require(wordIndex < trainerWords.length, WrongLength("wordIndex", wordIndex, trainerWords.length));
        _requireVoteWords(votes, voteWords, proofs, wordIndex, trainerWords.length);
        require(_isFault(trainerWords[wordIndex], committee, votes, voteWords), NotAFault());

        live.postedRound = 0;
        live.seed = 0; // nothing can be posted in this round any more
        live.voidedDigest = digest;
        emit Voided(report.task, report.round, digest, msg.sender);
        _slashSigners(committee, signerBitmap, params.slash);
    }

    /// @inheritdoc IRoundBook
    function equivocate(Report calldata a, bytes calldata signatureA, Report calldata b, bytes calldata signatureB)
        external
    {
        TaskParams storage params = _existing(a.task).params;
        require(a.task == b.task && a.round == b.round && a.seed == b.seed && a.attempt == b.attempt, NotAFault());
        bytes32 digestA = reportDigest(a);
        bytes32 digestB = reportDigest(b);
        require(digestA != digestB, NotAFault());
        (address signer, ECDSA.RecoverError failureA,) = ECDSA.tryRecoverCalldata(digestA, signatureA);
        require(failureA == ECDSA.RecoverError.NoError, BadSignature(0));
        (address other, ECDSA.RecoverError failureB,) = ECDSA.tryRecoverCalldata(digestB, signatureB);
        require(failureB == ECDSA.RecoverError.NoError, BadSignature(1));
        uint32 node = VAULT.nodeOfSigner(signer);
        require(signer == other && node != 0, NotAFault());
        require(!_punished[a.task][a.round][node], AlreadyPunished(node, a.round));

        _punished[a.task][a.round][node] = true;
        emit Equivocated(a.task, a.round, node, digestA, digestB);
        VAULT.slash(node, params.slash, msg.sender);
    }

    /// @inheritdoc IRoundBook
    function finalise(
        uint64 task,
        Report calldata report,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords
    ) external {
        Task storage record = _existing(task);
        LiveRecord storage live = _live[task];
        uint32 round = live.postedRound;
        require(round != 0, NothingPosted(task));
        uint256 closed = _startOf(record.params, uint256(round) + 1);
        require(block.timestamp >= closed, WindowOpen(uint40(closed)));
        bytes32 digest = reportDigest(report);
        require(digest == live.reportDigest, WrongHash("report", digest, live.reportDigest)); // binds the task too
        _requireWordsHash(report, trainerWords, verifierWords);

        bytes32 modelBefore = record.model;
        record.model = report.model;
        record.finalRound = round;
        record.finalised++;
        live.postedRound = 0;
        // A slot opened since the post lies behind the posted words or under a zero lane: not due.
        uint256 trainerUnits = REPUTATION.step(task, IReputationBook.Role.Trainer, round, trainerWords);
        uint256 verifierUnits = REPUTATION.step(task, IReputationBook.Role.Verifier, round, verifierWords);
        // The pool of a role in which nobody earned is unspent, and returns at the close.
        _tasks[task].released += (trainerUnits == 0 ? 0 : record.params.trainerPool)
            + (verifierUnits == 0 ? 0 : record.params.verifierPool);
        emit Finalised(task, round, modelBefore, report.model, trainerUnits, verifierUnits);
    }

    /// @inheritdoc IRoundBook
    function claim(uint64 task, IReputationBook.Role role, uint32 node) external returns (uint96 amount) {
        Task storage record = _existing(task);
        _requireJoined(task, role, node);
        uint32 units = REPUTATION.contributionOf(task, role, node);
        uint96 pool = role == IReputationBook.Role.Trainer ? record.params.trainerPool : record.params.verifierPool;
        // Rounds down. Fits: the units of all nodes are at most 1e6 a finalised round, whose pools the escrow holds.
        amount = uint96(uint256(units - _claimed[task][role][node]) * pool / UNITS);
        require(amount != 0, NothingToClaim(node));
        address to = VAULT.nodeOf(node).owner;

        _claimed[task][role][node] = units;
        record.escrow -= amount;
        emit Claimed(task, role, node, to, units, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IRoundBook
    function taskOf(uint64 task) external view returns (Task memory) {
        return _existing(task);
    }

    /// @inheritdoc IRoundBook
    function liveOf(uint64 task) external view returns (Live memory) {
        _existing(task);
        LiveRecord storage live = _live[task];
        bool pending = live.postedRound != 0;
        return Live({
            armedRound: live.armedRound,
            seedBlock: live.seedBlock,
            drawnRound: live.drawnRound,
            seed: live.seed,
            committeeHash: live.committeeHash,
            postedRound: live.postedRound,
            postedAt: pending ? live.postedAt : 0,
            reportDigest: pending ? live.reportDigest : bytes32(0),
            voidedDigest: live.voidedDigest
        });
    }

    /// @inheritdoc IRoundBook
    function claimedOf(uint64 task, IReputationBook.Role role, uint32 node) external view returns (uint32 units) {
        return _claimed[task][role][node];
    }

    /// @inheritdoc IRoundBook
    function clockAt(uint64 task, uint40 time) external view returns (uint32 round, Phase phase, uint40 endsAt) {
        return _clock(_existing(task).params, time == 0 ? block.timestamp : time);
    }

    /// @inheritdoc IRoundBook
    function reportDigest(Report calldata report) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REPORT_TYPEHASH, report)));
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
    function token() external view returns (address) {
        return address(TOKEN);
    }

    // ---- the clock: plain uint256, so that no sum can overflow ----

    function _period(TaskParams storage params) private view returns (uint256) {
        return uint256(params.commitS) + params.revealS + params.postS + params.windowS;
    }

    function _startOf(TaskParams storage params, uint256 round) private view returns (uint256) {
        return params.startsAt + (round - 1) * _period(params);
    }

    /// @dev Before the start the round is 0 and its phase Window: nothing may be done but wait for round 1.
    function _clock(TaskParams storage params, uint256 time)
        private
        view
        returns (uint32 round, Phase phase, uint40 endsAt)
    {
        if (time < params.startsAt) return (0, Phase.Window, params.startsAt);
        uint256 index = (time - params.startsAt) / _period(params);
        uint256 rounds = params.rounds;
        if (index >= rounds) return (uint32(rounds), Phase.Over, uint40(_startOf(params, rounds + 1)));
        round = uint32(index + 1);
        uint256 end = _startOf(params, round) + params.commitS;
        if (time < end) return (round, Phase.Commit, uint40(end));
        end += params.revealS;
        if (time < end) return (round, Phase.Reveal, uint40(end));
        end += params.postS;
        if (time < end) return (round, Phase.Post, uint40(end));
        return (round, Phase.Window, uint40(end + params.windowS));
    }

    function _requirePhase(TaskParams storage params, uint32 round, Phase needed) private view {
        (uint32 current, Phase phase,) = _clock(params, block.timestamp);
        require(round == current, WrongRound(round, current));
        require(phase == needed, WrongPhase(round, uint8(phase), uint8(needed)));
    }

    // ---- checks ----

    function _existing(uint64 task) private view returns (Task storage record) {
        record = _tasks[task].task;
        require(record.owner != address(0), UnknownTask(task));
    }

    /// @dev Caller acts for the node. Returns its bonded stake.
    function _requireNode(uint32 node) private view returns (uint96 bonded) {
        IStakeVault.Node memory record = VAULT.nodeOf(node);
        require(msg.sender == record.signer || msg.sender == record.owner, NotNode(node, msg.sender));
        return record.bonded;
    }

    function _requireJoined(uint64 task, IReputationBook.Role role, uint32 node) private view {
        try REPUTATION.slotOf(task, role, node) {}
        catch {
            revert NotJoined(task, role, node);
        }
    }

    function _pools(TaskParams memory params) private pure returns (uint256) {
        return uint256(params.trainerPool) + params.verifierPool;
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
        require(startsAt + rounds * period <= type(uint40).max, BadParams("rounds"));
        uint256 seats = params.seats;
        require(seats != 0 && seats <= Quorum.MAX_SEATS, BadParams("seats"));
        require(params.quorum <= seats && params.quorum >= 2 * seats / 3 + 1, BadParams("quorum"));
        uint256 pools = _pools(params);
        require(rounds * pools <= type(uint96).max, BadParams("trainerPool"));
        // A corrupt quorum stakes at least twice what it could take; a seat backs one draw with all of its stake.
        require(params.quorum * uint256(params.slash) >= 2 * pools, BadParams("slash"));
        require(params.slash <= VAULT.SEAT_STAKE(), BadParams("slash"));
    }

    /// @dev The cheap half of post: what the report says of itself against the clock and the live record.
    function _requireDue(Report calldata report, TaskParams storage params, LiveRecord storage live) private view {
        uint32 round = report.round;
        uint32 pending = live.postedRound;
        uint32 finalRound = _tasks[report.task].task.finalRound;
        require(round > finalRound, StaleReport(round, finalRound));
        require(round > pending, StaleReport(round, pending));
        require(report.mode == WORDS_MODE, WrongMode(report.mode));
        _requirePhase(params, round, Phase.Post);
        require(pending == 0, NotFinalised(pending));
        uint256 opensAt =
            _startOf(params, round) + params.commitS + params.revealS + uint256(report.attempt) * params.attemptS;
        // Saturates in the error only: a turn that lies beyond uint40 never comes.
        require(
            block.timestamp >= opensAt,
            AttemptTooEarly(report.attempt, opensAt > type(uint40).max ? type(uint40).max : uint40(opensAt))
        );
        require(live.drawnRound == round, NotArmed(round));
        bytes32 seed = live.seed;
        require(seed != 0, StaleReport(round, round)); // voided
        require(report.seed == seed, WrongSeed(report.seed, seed));
        bytes32 model = _tasks[report.task].task.model;
        require(report.parent == model, WrongParent(report.parent, model));
        uint256 pools = _pools(params);
        require(report.rewardTotal <= pools, RewardTooHigh(report.rewardTotal, pools));
    }

    /// @dev One lane for each slot in order, nothing behind the last.
    function _requireWords(bytes32 what, uint64 task, IReputationBook.Role role, uint256[] calldata words)
        private
        view
    {
        uint256 slots = REPUTATION.slotCount(task, role);
        require(words.length == RepWords.wordsFor(slots), WrongLength(what, words.length, RepWords.wordsFor(slots)));
        for (uint256 i = 0; i < words.length; i++) {
            uint256 used = slots - RepWords.LANES * i;
            if (used > RepWords.LANES) used = RepWords.LANES;
            require(words[i] >> (16 * used) == 0, WrongLength(what, RepWords.LANES * i + used + 1, slots));
        }
    }

    function _requireHashes(
        Report calldata report,
        Seat[] calldata committee,
        Vote[] calldata votes,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords
    ) private pure {
        bytes32 got = _hashCommittee(committee);
        require(got == report.committeeHash, WrongCommittee(got, report.committeeHash));
        got = keccak256(abi.encode(votes));
        require(got == report.votesHash, WrongHash("votes", got, report.votesHash));
        _requireWordsHash(report, trainerWords, verifierWords);
    }

    function _requireWordsHash(
        Report calldata report,
        uint256[] calldata trainerWords,
        uint256[] calldata verifierWords
    ) private pure {
        bytes32 got = keccak256(abi.encodePacked(trainerWords, verifierWords));
        require(got == report.wordsHash, WrongHash("words", got, report.wordsHash));
    }

    function _requirePending(Report calldata report, LiveRecord storage live) private view returns (bytes32 digest) {
        require(live.postedRound != 0, NothingPosted(report.task));
        digest = reportDigest(report);
        require(digest == live.reportDigest, WrongHash("report", digest, live.reportDigest));
    }

    /// @dev Each vote word is the one that its member's root has at `index`.
    function _requireVoteWords(
        Vote[] calldata votes,
        uint256[] calldata voteWords,
        bytes32[][] calldata proofs,
        uint256 index,
        uint256 count
    ) private pure {
        require(voteWords.length == votes.length, WrongLength("voteWords", voteWords.length, votes.length));
        require(proofs.length == votes.length, WrongLength("proofs", proofs.length, votes.length));
        for (uint256 i = 0; i < votes.length; i++) {
            bytes32 root = PositionTree.rootFrom(voteWords[i], index, count, proofs[i]);
            require(root == votes[i].root, WrongHash("root", root, votes[i].root));
        }
    }

    // ---- committee and faults ----

    function _committee(uint32[] memory nodes, address[] memory signers)
        private
        pure
        returns (Seat[] memory seats, bytes32 hash)
    {
        uint256 count = nodes.length;
        seats = new Seat[](count);
        bytes memory packed = _packed(count);
        for (uint256 j = 0; j < count; j++) {
            seats[j] = Seat(nodes[j], signers[j]);
            _pack(packed, j, nodes[j], signers[j]);
        }
        hash = _hashPacked(packed, count);
    }

    function _hashCommittee(Seat[] calldata committee) private pure returns (bytes32) {
        uint256 count = committee.length;
        bytes memory packed = _packed(count);
        for (uint256 j = 0; j < count; j++) {
            _pack(packed, j, committee[j].node, committee[j].signer);
        }
        return _hashPacked(packed, count);
    }

    /// @dev Room for `count` seats of 24 bytes, and for the 8 bytes by which the last write runs over.
    function _packed(uint256 count) private pure returns (bytes memory) {
        return new bytes(24 * count + 8);
    }

    /// @dev Seat j as (uint32 node, address signer) at 24·j, in ascending order of j: a write of 32 bytes clears the
    /// first 8 of the next seat.
    function _pack(bytes memory packed, uint256 j, uint32 node, address signer) private pure {
        uint256 seat = (uint256(node) << 224) | (uint256(uint160(signer)) << 64);
        assembly ("memory-safe") {
            mstore(add(add(packed, 32), mul(j, 24)), seat)
        }
    }

    function _hashPacked(bytes memory packed, uint256 count) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(add(packed, 32), mul(count, 24))
        }
    }

    /// @dev Whether some lane of the posted word is neither the lower median over seats of its votes nor REJECTED. A node's
    /// vote counts once for each seat it holds; votes of strangers and second votes count nothing.
    function _isFault(
        uint256 scores,
        Seat[] calldata committee,
        Vote[] calldata votes,
        uint256[] calldata voteWords
    ) private pure returns (bool) {
        uint256[] memory weights = new uint256[](votes.length);
        for (uint256 j = 0; j < committee.length; j++) {
            for (uint256 i = 0; i < votes.length; i++) {
                if (votes[i].node != committee[j].node) continue;
                weights[i]++;
                break;
            }
        }
        uint256[] memory lane = new uint256[](votes.length);
        for (uint256 l = 0; l < RepWords.LANES; l++) {
            uint256 posted = RepWords.lane(scores, l);
            if (posted == REJECTED) continue;
            for (uint256 i = 0; i < votes.length; i++) lane[i] = RepWords.lane(voteWords[i], l);
            if (LowerMedian.select(lane, weights) != posted) return true;
        }
        return false;
    }

    /// @dev Once for each signing node, `amount` for each of its seats; all of a signing node's bits are set.
    function _slashSigners(Seat[] calldata committee, uint256 bitmap, uint96 amount) private {
        uint256 left = bitmap;
        for (uint256 j = 0; j < committee.length; j++) {
            if ((left >> j) & 1 == 0) continue;
            uint32 node = committee[j].node;
            uint256 total = 0;
            for (uint256 i = j; i < committee.length; i++) {
                if (committee[i].node != node) continue;
                left &= ~(uint256(1) << i);
                total += amount;
            }
            VAULT.slash(node, total > type(uint96).max ? type(uint96).max : uint96(total), msg.sender);
        }
    }
}
