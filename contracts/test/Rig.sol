// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DevToken} from "../DevToken.sol";
import {ReputationBook} from "../ReputationBook.sol";
import {RoundBook} from "../RoundBook.sol";
import {StakeVault} from "../StakeVault.sol";
import {IReputationBook} from "../interfaces/IReputationBook.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {Vm} from "./Vm.sol";

/// @dev Deploys the committed artifacts: what is tested is what ships, so run scripts/compile.py first.
/// @notice One deployment and the moves that lead to a state under test. Node n has key n; its owner is 0x1000 + n. Seven
/// members (nodes 1..7) with one seat each, q = 5; trainers are nodes 8..10.
contract Rig {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint96 public constant SEAT = 1000e18;
    uint96 public constant LEAST = 10e18;
    uint96 public constant TRAINER_POOL = 90e18;
    uint96 public constant VERIFIER_POOL = 10e18;
    uint96 public constant SLASH = 400e18;
    uint40 public constant UNBONDING = 100_000;
    address public constant SPONSOR = address(0x5505);
    uint32 public constant MEMBERS = 7;
    uint32 public constant TRAINERS = 3;
    IReputationBook.Role internal constant TRAINER = IReputationBook.Role.Trainer;
    IReputationBook.Role internal constant VERIFIER = IReputationBook.Role.Verifier;

    DevToken public token;
    StakeVault public vault;
    ReputationBook public book;
    RoundBook public rounds;

    /// @notice What post and its followers take, apart from the words.
    struct Settlement {
        IRoundBook.Report report;
        IRoundBook.Seat[] seats;
        IRoundBook.Vote[] votes;
        uint256[] trainerWords;
        uint256[] verifierWords;
        uint256 bitmap;
        bytes signatures;
    }

    constructor() {
        token = DevToken(vm.deployCode("contracts/build/DevToken.json"));
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        vault = StakeVault(
            vm.deployCode("contracts/build/StakeVault.json", abi.encode(token, predicted, SEAT, LEAST, UNBONDING))
        );
        book = ReputationBook(vm.deployCode("contracts/build/ReputationBook.json", abi.encode(predicted)));
        rounds = RoundBook(vm.deployCode("contracts/build/RoundBook.json", abi.encode(vault, book)));
        token.mint(SPONSOR, 1e30);
        vm.prank(SPONSOR);
        token.approve(address(rounds), type(uint256).max);
        for (uint32 node = 1; node <= MEMBERS + TRAINERS; node++) register(node, SEAT);
        for (uint32 node = 1; node <= MEMBERS; node++) takeSeats(node, 1);
    }

    function ownerOf(uint256 node) public pure returns (address) {
        return address(uint160(0x1000 + node));
    }

    function signerOf(uint256 node) public pure returns (address) {
        return vm.addr(node);
    }

    function possession(address owner, uint256 key) public view returns (bytes memory) {
        (, string memory name, string memory version, uint256 chainId, address verifier,,) = vault.eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                verifier
            )
        );
        bytes32 body =
            keccak256(abi.encode(keccak256("Possession(address owner,address signer)"), owner, vm.addr(key)));
        return sign(key, keccak256(abi.encodePacked(hex"1901", domain, body)));
    }

    function sign(uint256 key, bytes32 digest) public pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function fund(address owner) public {
        token.mint(owner, 1e27);
        vm.prank(owner);
        token.approve(address(vault), type(uint256).max);
    }

    function register(uint256 key, uint96 amount) public {
        address owner = ownerOf(key);
        fund(owner);
        bytes memory proof = possession(owner, key);
        vm.prank(owner);
        vault.register(vm.addr(key), amount, proof);
    }

    function takeSeats(uint32 node, uint32 count) public {
        vm.prank(ownerOf(node));
        vault.takeSeats(node, count);
    }

    function params() public pure returns (IRoundBook.TaskParams memory) {
        return IRoundBook.TaskParams({
            specDigest: bytes32("spec"),
            genesisModel: bytes32("genesis"),
            probeRoot: bytes32("probes"),
            startsAt: 0,
            commitS: 100,
            revealS: 100,
            postS: 100,
            windowS: 100,
            attemptS: 20,
            rounds: 4,
            seats: 7,
            quorum: 5,
            trainerPool: TRAINER_POOL,
            verifierPool: VERIFIER_POOL,
            slash: SLASH
        });
    }

    /// @notice A task with all nodes joined.
    function createTask() public returns (uint64 task) {
        vm.prank(SPONSOR);
        task = rounds.createTask(params());
        for (uint32 node = 1; node <= MEMBERS; node++) join(task, node, VERIFIER);
        for (uint32 node = MEMBERS + 1; node <= MEMBERS + TRAINERS; node++) join(task, node, TRAINER);
    }

    function join(uint64 task, uint32 node, IReputationBook.Role role) public {
        vm.prank(ownerOf(node));
        rounds.join(task, node, role, "http://node");
    }

    function toPhase(uint64 task, uint32 round, IRoundBook.Phase phase) public {
        vm.warp(rounds.taskOf(task).params.startsAt + (round - 1) * 400 + uint256(phase) * 100);
    }

    /// @notice The shortest list of strings that has mixHash in field 13.
    function header(bytes32 mix) public pure returns (bytes memory) {
        bytes memory fields = new bytes(13);
        for (uint256 i = 0; i < 13; i++) fields[i] = 0x80;
        return abi.encodePacked(uint8(0xc0 + 46), fields, uint8(0xa0), mix);
    }

    function arm(uint64 task, uint32 round, bytes32 mix) public returns (uint64 seedBlock) {
        rounds.armBeacon(task, round);
        seedBlock = rounds.liveOf(task).seedBlock;
        vm.roll(seedBlock + 1);
        vm.setBlockhash(seedBlock, keccak256(header(mix)));
    }

    /// @notice Bring the round to POST, arm and draw. Returns the seats.
    function draw(uint64 task, uint32 round) public returns (IRoundBook.Seat[] memory seats) {
        toPhase(task, round, IRoundBook.Phase.Post);
        bytes32 mix = keccak256(abi.encode("mix", task, round));
        arm(task, round, mix);
        bytes32 seed = keccak256(abi.encode(block.chainid, address(rounds), task, round, mix));
        seats = predict(seed, rounds.taskOf(task).params.seats);
        rounds.drawCommittee(task, round, header(mix));
    }

    /// @notice The draw by plain Fisher-Yates, passing by seats that are locked or vacant.
    function predict(bytes32 seed, uint256 count) public view returns (IRoundBook.Seat[] memory seats) {
        uint256 size = vault.seatCount();
        uint32[] memory places = new uint32[](size);
        for (uint32 i = 0; i < size; i++) places[i] = i;
        seats = new IRoundBook.Seat[](count);
        uint256 drawn = 0;
        for (uint256 i = 0; i < size && drawn < count; i++) {
            uint256 j = i + uint256(keccak256(abi.encode(seed, i))) % (size - i);
            (places[i], places[j]) = (places[j], places[i]);
            (uint32 node, uint40 lockedUntil) = vault.seatAt(places[i]);
            if (lockedUntil > block.timestamp) continue;
            seats[drawn++] = IRoundBook.Seat(node, vault.nodeOf(node).signer);
        }
    }

    /// @notice A settlement of `word` for trainers by votes for `voted`, signed by the seats in `bitmap`.
    function settlement(
        uint64 task,
        uint32 round,
        IRoundBook.Seat[] memory seats,
        uint256 word,
        uint256 voted,
        uint256 bitmap
    ) public view returns (Settlement memory made) {
        made.seats = seats;
        made.votes = new IRoundBook.Vote[](seats.length);
        bytes32 root = keccak256(abi.encodePacked(uint8(0), voted));
        for (uint256 j = 0; j < seats.length; j++) {
            made.votes[j] = IRoundBook.Vote(seats[j].node, bytes32("commitment"), root, bytes32("record"));
        }
        made.trainerWords = new uint256[](1);
        made.trainerWords[0] = word;
        made.verifierWords = new uint256[](1);
        made.verifierWords[0] = lanes(40_000, 7);
        IRoundBook.Live memory live = rounds.liveOf(task);
        made.report = IRoundBook.Report({
            mode: 0,
            task: task,
            round: round,
            seed: live.seed,
            committeeHash: live.committeeHash,
            attempt: 0,
            parent: rounds.taskOf(task).model,
            submissionsRoot: bytes32("submissions"),
            votesHash: 0,
            sketchDigest: bytes32("sketches"),
            wordsHash: 0,
            model: keccak256(abi.encode("model", round)),
            record: bytes32("round record"),
            rewardTotal: TRAINER_POOL + VERIFIER_POOL
        });
        made = resign(made, bitmap);
    }

    /// @notice The same with its hashes and signatures made anew.
    function resign(Settlement memory made, uint256 bitmap) public view returns (Settlement memory) {
        made.report.votesHash = keccak256(abi.encode(made.votes));
        made.report.wordsHash = keccak256(abi.encodePacked(made.trainerWords, made.verifierWords));
        return signOnly(made, bitmap);
    }

    function signOnly(Settlement memory made, uint256 bitmap) public view returns (Settlement memory) {
        made.bitmap = bitmap;
        made.signatures = "";
        bytes32 digest = rounds.reportDigest(made.report);
        for (uint256 j = 0; j < made.seats.length; j++) {
            if ((bitmap >> j) & 1 == 0) continue;
            bool first = true;
            for (uint256 i = 0; i < j; i++) {
                if (made.seats[i].node == made.seats[j].node && (bitmap >> i) & 1 == 1) first = false;
            }
            if (first) made.signatures = abi.encodePacked(made.signatures, sign(made.seats[j].node, digest));
        }
        return made;
    }

    function post(Settlement calldata made) external {
        rounds.post(
            made.report,
            made.seats,
            made.votes,
            made.trainerWords,
            made.verifierWords,
            made.bitmap,
            made.signatures
        );
    }

    function challenge(Settlement calldata made, uint256 bitmap, uint32 index, uint256[] calldata voteWords) external {
        rounds.challengeScore(
            made.report,
            made.seats,
            made.votes,
            made.trainerWords,
            made.verifierWords,
            bitmap,
            index,
            voteWords,
            new bytes32[][](voteWords.length)
        );
    }

    function finalise(Settlement calldata made) external {
        rounds.finalise(made.report.task, made.report, made.trainerWords, made.verifierWords);
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

    /// @notice A word whose first `count` lanes hold `score`.
    function lanes(uint256 score, uint256 count) public pure returns (uint256 word) {
        for (uint256 i = 0; i < count; i++) word |= score << (16 * i);
    }
}
