// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IDisputes} from "./interfaces/IDisputes.sol";
import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {LowerMedian} from "./libraries/LowerMedian.sol";
import {PositionTree} from "./libraries/PositionTree.sol";
import {Quorum} from "./libraries/Quorum.sol";
import {RepWords} from "./libraries/RepWords.sol";
import {SumTree} from "./libraries/SumTree.sol";

/// @title Proofs of fault
/// @notice Documented in IDisputes.
/// @dev The RoundBook, the vault and the token are trusted and call nobody back. A proof reads what the RoundBook keeps as
/// a hash, so every input is bound to the post before any of it is judged; then the post is voided, and tokens move last.
contract Disputes is IDisputes {
    using SafeERC20 for IERC20;

    bytes32 private constant OBSERVATION_TYPEHASH =
        keccak256("Observation(uint64 task,uint32 round,bytes32 seed,uint32 node,bytes32 commitment)");
    uint8 private constant WORDS_MODE = 0;
    uint8 private constant ROOT_MODE = 1;
    /// @dev Score of a submission rejected at agreement.
    uint256 private constant REJECTED = 1;
    /// @dev Lanes a word takes in a pay tree; the last one is unused.
    uint256 private constant PAY_LANES = 16;
    uint256 private constant SIGNED_TWO_REPORTS = 1;
    uint256 private constant SIGNED_TWO_OBSERVATIONS = 2;

    IRoundBook private immutable ROUNDS;
    IStakeVault private immutable VAULT;
    IERC20 private immutable TOKEN;
    /// @inheritdoc IDisputes
    uint96 public immutable DEMAND_FEE;

    struct Demand {
        address by;
        uint40 deadline; // 0 = answered, expired or reclaimed
        uint32 trainerWords; // of the post: the size of the voters' trees
    }

    mapping(bytes32 id => Demand) private _demands;
    mapping(uint64 task => mapping(uint32 round => mapping(uint32 node => uint256 faults))) private _punished;

    constructor(address rounds_, address vault_, uint96 demandFee) {
        ROUNDS = IRoundBook(rounds_);
        VAULT = IStakeVault(vault_);
        TOKEN = IERC20(VAULT.token());
        DEMAND_FEE = demandFee;
        // A vault that takes slashes from elsewhere would leave every fault without a price.
        require(VAULT.disputes() == address(this) && VAULT.rounds() == rounds_, IRoundBook.BadParams("vault"));
    }

    // ---- faults of a pending post ----

    /// @inheritdoc IDisputes
    function challengeScore(
        Accused calldata accused,
        uint256[] calldata words,
        IRoundBook.Vote[] calldata votes,
        uint32 index,
        WordProof[] calldata voteWords
    ) external {
        bytes32 digest = _requireAccused(accused, WORDS_MODE);
        _requireHash("words", keccak256(abi.encodePacked(words)), accused.report.wordsHash);
        require(index < accused.trainerWords, BadIndex("word", index, accused.trainerWords));
        require(_isWrongScore(accused, words[index], votes, index, voteWords), NotAFault());

        _condemn(accused, digest);
    }

    /// @inheritdoc IDisputes
    function challengeRootScore(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        IRoundBook.Vote[] calldata votes,
        uint32 index,
        WordProof calldata score,
        WordProof[] calldata voteWords
    ) external {
        bytes32 digest = _requireAccused(accused, ROOT_MODE);
        uint256 levels = _requireState(accused.report, state);
        require(index < 1 << levels, BadIndex("word", index, 1 << levels));
        _requireWord("score", score, index, levels, state.scores);
        require(_isWrongScore(accused, score.word, votes, index, voteWords), NotAFault());

        _condemn(accused, digest);
    }

    /// @inheritdoc IDisputes
    function challengeStep(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        IRoundBook.Settled calldata parent,
        IRoundBook.RootState calldata parentState,
        uint32 index,
        WordProof calldata score,
        WordProof calldata before,
        WordProof calldata next
    ) external {
        bytes32 digest = _requireAccused(accused, ROOT_MODE);
        uint256 levels = _requireState(accused.report, state);
        bool genesis = _requireParent(accused.report.task, parent, parentState);
        require(index < 2 << levels, BadIndex("word", index, 2 << levels));
        _requireWord("score", score, index, levels, state.scores);
        _requireWord("before", before, index, levels, genesis ? _emptyWords(levels + 1) : parentState.reputation);
        _requireWord("next", next, index, levels, state.reputation);
        // Rounds fit 16 bits: a task has at most 4,294.
        bool decays = index >> levels == uint256(IReputationBook.Role.Trainer);
        require(
            next.word != RepWords.step(before.word, score.word, uint16(accused.report.round), decays), NotAFault()
        );

        _condemn(accused, digest);
    }

    /// @inheritdoc IDisputes
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
    ) external {
        bytes32 digest = _requireAccused(accused, ROOT_MODE);
        uint256 levels = _requireState(accused.report, state);
        bool genesis = _requireParent(accused.report.task, parent, parentState);
        require(slot < PAY_LANES << levels, BadIndex("leaf", slot, PAY_LANES << levels));
        _requireWord("score", score, (uint256(role) << levels) | (slot / PAY_LANES), levels, state.scores);
        bytes32 root = genesis ? _emptyPay(levels + 4) : _payOf(parentState, role);
        _requireLeaf("before", before, slot, levels, root, _half(parentState.totals, role));
        _requireLeaf("next", next, slot, levels, _payOf(state, role), _half(state.totals, role));
        uint256 points = _half(state.points, role);
        uint256 earned = 0;
        // Rounds down. Where nobody has points nobody is paid. Lane 15 is no lane: it has no part.
        uint256 part = RepWords.lane(RepWords.parts(score.word), slot % PAY_LANES);
        if (points != 0) earned = uint256(ROUNDS.poolOf(accused.report.task, role)) * part / points;
        require(next.amount != before.amount + earned, NotAFault());

        _condemn(accused, digest);
    }

    /// @inheritdoc IDisputes
    function challengePoints(
        Accused calldata accused,
        IRoundBook.RootState calldata state,
        uint32 index,
        WordProof calldata score
    ) external {
        bytes32 digest = _requireAccused(accused, ROOT_MODE);
        uint256 levels = _requireState(accused.report, state);
        require(index < 2 << levels, BadIndex("word", index, 2 << levels));
        _requireWord("score", score, index, levels, state.scores);
        require(_half(state.points, IReputationBook.Role(index >> levels)) == 0, NotAFault());
        require(RepWords.parts(score.word) != 0, NotAFault());

        _condemn(accused, digest);
    }

    // ---- one member, two signatures ----

    /// @inheritdoc IDisputes
    function equivocate(
        IRoundBook.Report calldata a,
        bytes calldata signatureA,
        IRoundBook.Report calldata b,
        bytes calldata signatureB
    ) external {
        require(a.task == b.task && a.round == b.round && a.seed == b.seed && a.attempt == b.attempt, NotAFault());
        bytes32 digestA = ROUNDS.reportDigest(a);
        bytes32 digestB = ROUNDS.reportDigest(b);
        address signer = _requireSameSigner(digestA, signatureA, digestB, signatureB);
        uint32 node = VAULT.nodeOfSigner(signer);
        require(node != 0, NotAFault());

        _punish(a.task, a.round, node, SIGNED_TWO_REPORTS, digestA, digestB);
    }

    /// @inheritdoc IDisputes
    function equivocateObservation(
        uint64 task,
        uint32 round,
        bytes32 seed,
        uint32 node,
        bytes32 commitmentA,
        bytes calldata signatureA,
        bytes32 commitmentB,
        bytes calldata signatureB
    ) external {
        bytes32 digestA = observationDigest(task, round, seed, node, commitmentA);
        bytes32 digestB = observationDigest(task, round, seed, node, commitmentB);
        address signer = _requireSameSigner(digestA, signatureA, digestB, signatureB);
        require(signer == VAULT.nodeOf(node).signer, NotAFault());

        _punish(task, round, node, SIGNED_TWO_OBSERVATIONS, digestA, digestB);
    }

    // ---- withheld data ----

    /// @inheritdoc IDisputes
    function demand(
        IRoundBook.Report calldata report,
        uint256 signers,
        uint32 trainerWords,
        Kind kind,
        uint32 a,
        uint32 b
    ) external {
        (bytes32 digest, uint40 closesAt) = _requirePending(report, signers, trainerWords);
        IRoundBook.TaskParams memory params = ROUNDS.taskOf(report.task).params;
        if (kind == Kind.Votes) {
            require(a < params.seats, BadIndex("vote", a, params.seats)); // no longer list is answered
            require(b < trainerWords, BadIndex("word", b, trainerWords));
        } else {
            require(report.mode == ROOT_MODE, WrongMode(report.mode, ROOT_MODE));
            uint256 limit = (_isWord(kind) ? 2 : PAY_LANES) << params.levels;
            require(a < limit, BadIndex(_isWord(kind) ? bytes32("word") : bytes32("leaf"), a, limit));
            require(b == 0, BadIndex("b", b, 1));
        }
        // Half of the window to demand, a quarter to answer, a quarter to expire.
        uint40 since = closesAt - params.windowS / 2;
        require(block.timestamp < since, TooLate(since));
        bytes32 id = _idOf(digest, kind, a, b);
        require(_demands[id].by == address(0), AlreadyDemanded(id));

        _demands[id] = Demand(msg.sender, uint40(block.timestamp) + params.windowS / 4, trainerWords);
        emit Demanded(report.task, report.round, digest, kind, a, b, msg.sender);
        TOKEN.safeTransferFrom(msg.sender, address(this), DEMAND_FEE);
    }

    /// @inheritdoc IDisputes
    function answerVotes(
        IRoundBook.Report calldata report,
        uint32 a,
        uint32 b,
        uint32 trainerWordCount,
        IRoundBook.Vote[] calldata votes,
        WordProof calldata proof
    ) external {
        (bytes32 id, bytes32 digest) = _requireDemanded(report, Kind.Votes, a, b);
        uint32 count = _demands[id].trainerWords;
        require(trainerWordCount == count, WrongLength("trainerWords", trainerWordCount, count));
        _requireHash("votes", keccak256(abi.encode(votes)), report.votesHash);
        uint256 seats = ROUNDS.taskOf(report.task).params.seats;
        require(votes.length <= seats, WrongLength("votes", votes.length, seats));
        if (a < votes.length) {
            _requireHash("vote", PositionTree.rootFrom(proof.word, b, count, proof.siblings), votes[a].root);
        } else {
            require(proof.word == 0, WrongHash("vote", bytes32(proof.word), 0));
        }

        _answer(report, id, digest, Kind.Votes, a, b, proof.word, votes);
    }

    /// @inheritdoc IDisputes
    function answerWord(
        IRoundBook.Report calldata report,
        IRoundBook.RootState calldata state,
        Kind kind,
        uint32 index,
        WordProof calldata proof
    ) external {
        require(_isWord(kind), BadIndex("kind", uint256(kind), uint256(Kind.TrainerPay)));
        (bytes32 id, bytes32 digest) = _requireDemanded(report, kind, index, 0);
        uint256 levels = _requireState(report, state);
        _requireWord("word", proof, index, levels, kind == Kind.Scores ? state.scores : state.reputation);

        _answer(report, id, digest, kind, index, 0, proof.word, new IRoundBook.Vote[](0));
    }

    /// @inheritdoc IDisputes
    function answerPay(
        IRoundBook.Report calldata report,
        IRoundBook.RootState calldata state,
        Kind kind,
        uint32 index,
        PayProof calldata proof
    ) external {
        require(kind >= Kind.TrainerPay, BadIndex("kind", uint256(kind), uint256(Kind.TrainerPay)));
        (bytes32 id, bytes32 digest) = _requireDemanded(report, kind, index, 0);
        uint256 levels = _requireState(report, state);
        IReputationBook.Role role =
            kind == Kind.TrainerPay ? IReputationBook.Role.Trainer : IReputationBook.Role.Verifier;
        _requireLeaf("leaf", proof, index, levels, _payOf(state, role), _half(state.totals, role));

        _answer(report, id, digest, kind, index, 0, proof.amount, new IRoundBook.Vote[](0));
    }

    /// @inheritdoc IDisputes
    function expire(Accused calldata accused, Kind kind, uint32 a, uint32 b) external {
        bytes32 digest = _requireAccused(accused, accused.report.mode);
        bytes32 id = _idOf(digest, kind, a, b);
        Demand memory due = _demands[id];
        require(due.deadline != 0, NotDemanded(id));
        require(block.timestamp > due.deadline, AnswerDue(due.deadline));

        _demands[id].deadline = 0;
        emit Expired(accused.report.task, accused.report.round, digest, kind, a, b);
        _condemn(accused, digest);
        TOKEN.safeTransfer(due.by, DEMAND_FEE);
    }

    /// @inheritdoc IDisputes
    function reclaim(IRoundBook.Report calldata report, Kind kind, uint32 a, uint32 b) external {
        bytes32 digest = ROUNDS.reportDigest(report);
        bytes32 id = _idOf(digest, kind, a, b);
        Demand memory due = _demands[id];
        require(due.deadline != 0, NotDemanded(id));
        (uint32 round,, uint40 closesAt) = ROUNDS.pendingOf(report.task);
        require(round != report.round, AnswerDue(closesAt));

        _demands[id].deadline = 0;
        emit Reclaimed(report.task, report.round, digest, kind, a, b);
        TOKEN.safeTransfer(due.by, DEMAND_FEE);
    }

    // ---- views ----

    /// @inheritdoc IDisputes
    function demandOf(bytes32 reportDigest, Kind kind, uint32 a, uint32 b)
        external
        view
        returns (address by, uint40 deadline)
    {
        Demand memory found = _demands[_idOf(reportDigest, kind, a, b)];
        return (found.by, found.deadline);
    }

    /// @inheritdoc IDisputes
    function observationDigest(uint64 task, uint32 round, bytes32 seed, uint32 node, bytes32 commitment)
        public
        view
        returns (bytes32)
    {
        bytes32 body = keccak256(abi.encode(OBSERVATION_TYPEHASH, task, round, seed, node, commitment));
        return MessageHashUtils.toTypedDataHash(ROUNDS.domainSeparator(), body);
    }

    /// @inheritdoc IDisputes
    function rounds() external view returns (address) {
        return address(ROUNDS);
    }

    /// @inheritdoc IDisputes
    function vault() external view returns (address) {
        return address(VAULT);
    }

    // ---- what binds inputs to the post ----

    function _requireHash(bytes32 what, bytes32 got, bytes32 expected) private pure {
        require(got == expected, WrongHash(what, got, expected));
    }

    /// @dev The RoundBook keeps one hash of a post. It names no pending post once the window has closed.
    function _requirePending(IRoundBook.Report calldata report, uint256 signers, uint32 trainerWords)
        private
        view
        returns (bytes32 digest, uint40 closesAt)
    {
        uint32 round;
        bytes32 expected;
        (round, expected, closesAt) = ROUNDS.pendingOf(report.task);
        require(round != 0 && round == report.round, NotPending(report.task, report.round));
        digest = ROUNDS.reportDigest(report);
        bytes32 got =
            keccak256(abi.encode(IRoundBook.Settled(digest, signers, report.model, report.wordsHash, trainerWords)));
        require(got == expected, NotPending(report.task, report.round));
    }

    function _requireAccused(Accused calldata accused, uint8 mode) private view returns (bytes32 digest) {
        require(accused.report.mode == mode, WrongMode(accused.report.mode, mode));
        (digest,) = _requirePending(accused.report, accused.signers, accused.trainerWords);
        _requireHash("committee", keccak256(accused.committee), accused.report.committeeHash);
    }

    function _requireState(IRoundBook.Report calldata report, IRoundBook.RootState calldata state)
        private
        view
        returns (uint256 levels)
    {
        _requireHash("state", keccak256(abi.encode(state)), report.wordsHash);
        (, levels) = ROUNDS.modeOf(report.task);
    }

    /// @dev What the post built on; all zero before the first final round.
    function _requireParent(
        uint64 task,
        IRoundBook.Settled calldata parent,
        IRoundBook.RootState calldata parentState
    ) private view returns (bool genesis) {
        (uint32 round, bytes32 expected) = ROUNDS.parentOf(task);
        genesis = round == 0;
        IRoundBook.Settled memory none;
        IRoundBook.RootState memory nothing;
        _requireHash("parent", keccak256(abi.encode(parent)), genesis ? keccak256(abi.encode(none)) : expected);
        _requireHash(
            "parentState",
            keccak256(abi.encode(parentState)),
            genesis ? keccak256(abi.encode(nothing)) : parent.state
        );
    }

    /// @dev The word at `index` of a tree of both roles' words.
    function _requireWord(bytes32 what, WordProof calldata proof, uint256 index, uint256 levels, bytes32 root)
        private
        pure
    {
        _requireHash(what, PositionTree.rootFrom(proof.word, index, 2 << levels, proof.siblings), root);
    }

    /// @dev The leaf at `index` of a role's pay tree. Its total is bound too: a lying sum would misstate what is owed.
    function _requireLeaf(
        bytes32 what,
        PayProof calldata proof,
        uint256 index,
        uint256 levels,
        bytes32 root,
        uint256 total
    ) private pure {
        (bytes32 got, uint256 sum) =
            SumTree.rootFrom(proof.amount, index, levels + 4, proof.sums, proof.siblings);
        _requireHash(what, got, root);
        _requireHash("total", bytes32(sum), bytes32(total));
    }

    function _payOf(IRoundBook.RootState calldata state, IReputationBook.Role role) private pure returns (bytes32) {
        return role == IReputationBook.Role.Trainer ? state.trainerPay : state.verifierPay;
    }

    /// @dev Trainers' low half of `both`, or verifiers' high half.
    function _half(uint256 both, IReputationBook.Role role) private pure returns (uint256) {
        return role == IReputationBook.Role.Trainer ? uint128(both) : both >> 128;
    }

    /// @dev Root of a tree of zero words.
    function _emptyWords(uint256 depth) private pure returns (bytes32 root) {
        root = keccak256(abi.encodePacked(uint8(0), uint256(0)));
        for (uint256 level = 0; level < depth; level++) root = keccak256(abi.encodePacked(uint8(1), root, root));
    }

    /// @dev Root of a pay tree that owes nobody.
    function _emptyPay(uint256 depth) private pure returns (bytes32 root) {
        root = keccak256(abi.encodePacked(uint8(2), uint96(0)));
        for (uint256 level = 0; level < depth; level++) {
            root = keccak256(abi.encodePacked(uint8(3), root, uint96(0), root, uint96(0)));
        }
    }

    // ---- what is judged ----

    /// @dev Whether some lane of the posted word is neither the lower median over seats of its votes nor REJECTED. A node's
    /// vote counts once for each seat it holds; votes of strangers and second votes count nothing. Behind the trainers'
    /// last word there are no votes. More votes than seats are wrong in themselves: no transaction might hold them all.
    function _isWrongScore(
        Accused calldata accused,
        uint256 scores,
        IRoundBook.Vote[] calldata votes,
        uint256 index,
        WordProof[] calldata voteWords
    ) private pure returns (bool) {
        _requireHash("votes", keccak256(abi.encode(votes)), accused.report.votesHash);
        if (votes.length > accused.committee.length / Quorum.SEAT_LENGTH) return true;
        uint256 count = index < accused.trainerWords ? votes.length : 0;
        require(voteWords.length == count, WrongLength("voteWords", voteWords.length, count));
        for (uint256 i = 0; i < count; i++) {
            WordProof calldata proof = voteWords[i];
            _requireHash(
                "vote",
                PositionTree.rootFrom(proof.word, index, accused.trainerWords, proof.siblings),
                votes[i].root
            );
        }
        uint256[] memory weights = _weights(accused.committee, votes, count);
        uint256[] memory lane = new uint256[](count);
        for (uint256 l = 0; l < RepWords.LANES; l++) {
            uint256 posted = RepWords.lane(scores, l);
            if (posted == REJECTED) continue;
            for (uint256 i = 0; i < count; i++) lane[i] = RepWords.lane(voteWords[i].word, l);
            if (!LowerMedian.isMedian(posted, lane, weights)) return true;
        }
        return false;
    }

    /// @dev Seats of each voter, counted for its first vote.
    function _weights(bytes calldata committee, IRoundBook.Vote[] calldata votes, uint256 count)
        private
        pure
        returns (uint256[] memory weights)
    {
        weights = new uint256[](count);
        uint256 seats = committee.length / Quorum.SEAT_LENGTH;
        for (uint256 j = 0; j < seats; j++) {
            (uint256 node,) = Quorum.seatAt(committee, j);
            for (uint256 i = 0; i < count; i++) {
                if (votes[i].node != node) continue;
                weights[i]++;
                break;
            }
        }
    }

    // ---- what follows ----

    function _condemn(Accused calldata accused, bytes32 digest) private {
        uint64 task = accused.report.task;
        ROUNDS.voidPost(task, digest, msg.sender);
        _slashSigners(accused.committee, accused.signers, ROUNDS.taskOf(task).params.slash);
    }

    /// @dev Once for each signing node, `amount` for each of its seats, whether its bit is set or not: a signature stands for
    /// its node. A vacant seat has no node, and nobody signs for it.
    function _slashSigners(bytes calldata committee, uint256 signers, uint256 amount) private {
        uint256 seats = committee.length / Quorum.SEAT_LENGTH;
        for (uint256 j = 0; j < seats; j++) {
            if ((signers >> j) & 1 == 0) continue;
            (uint256 node,) = Quorum.seatAt(committee, j);
            if (node == 0) continue;
            uint256 total = 0;
            for (uint256 i = 0; i < seats; i++) {
                (uint256 other,) = Quorum.seatAt(committee, i);
                if (other != node) continue;
                signers &= ~(uint256(1) << i);
                total += amount;
            }
            VAULT.slash(uint32(node), total > type(uint96).max ? type(uint96).max : uint96(total), msg.sender);
        }
    }

    function _requireSameSigner(
        bytes32 digestA,
        bytes calldata signatureA,
        bytes32 digestB,
        bytes calldata signatureB
    ) private pure returns (address signer) {
        require(digestA != digestB, NotAFault());
        ECDSA.RecoverError failure;
        (signer, failure,) = ECDSA.tryRecoverCalldata(digestA, signatureA);
        require(failure == ECDSA.RecoverError.NoError, BadSignature(0));
        address other;
        (other, failure,) = ECDSA.tryRecoverCalldata(digestB, signatureB);
        require(failure == ECDSA.RecoverError.NoError, BadSignature(1));
        require(signer == other, NotAFault());
    }

    function _punish(uint64 task, uint32 round, uint32 node, uint256 fault, bytes32 digestA, bytes32 digestB)
        private
    {
        uint256 faults = _punished[task][round][node];
        require(faults & fault == 0, AlreadyPunished(node, round));
        uint96 amount = ROUNDS.taskOf(task).params.slash;

        _punished[task][round][node] = faults | fault;
        emit Equivocated(task, round, node, digestA, digestB);
        VAULT.slash(node, amount, msg.sender);
    }

    function _isWord(Kind kind) private pure returns (bool) {
        return kind == Kind.Scores || kind == Kind.Reputation;
    }

    function _idOf(bytes32 digest, Kind kind, uint32 a, uint32 b) private pure returns (bytes32) {
        return keccak256(abi.encode(digest, kind, a, b));
    }

    /// @dev The demanded post is still pending, since a round has no second post, and the answer is in time.
    function _requireDemanded(IRoundBook.Report calldata report, Kind kind, uint32 a, uint32 b)
        private
        view
        returns (bytes32 id, bytes32 digest)
    {
        digest = ROUNDS.reportDigest(report);
        id = _idOf(digest, kind, a, b);
        uint40 deadline = _demands[id].deadline;
        require(deadline != 0, NotDemanded(id));
        require(block.timestamp <= deadline, TooLate(deadline));
        (uint32 round,,) = ROUNDS.pendingOf(report.task);
        require(round == report.round, NotPending(report.task, report.round));
    }

    function _answer(
        IRoundBook.Report calldata report,
        bytes32 id,
        bytes32 digest,
        Kind kind,
        uint32 a,
        uint32 b,
        uint256 value,
        IRoundBook.Vote[] memory votes
    ) private {
        _demands[id].deadline = 0;
        emit Answered(report.task, report.round, digest, kind, a, b, value, votes);
        TOKEN.safeTransfer(msg.sender, DEMAND_FEE);
    }
}
