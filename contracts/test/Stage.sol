// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IDisputes} from "../interfaces/IDisputes.sol";
import {IReputationBook} from "../interfaces/IReputationBook.sol";
import {IRewards} from "../interfaces/IRewards.sol";
import {IRoundBook} from "../interfaces/IRoundBook.sol";
import {IRounds, IToken, IVault} from "./Deployed.sol";
import {Vm} from "./Vm.sol";

/// @dev Deploys the committed artifacts: what is tested is what ships, so run scripts/compile.py first.
/// @notice One deployment, its nodes and tasks, and the way to a drawn committee. Node n has key n; its owner is 0x1000 + n.
/// Seven members (nodes 1..7) with one seat each, q = 5; trainers are nodes 8..10.
abstract contract Stage {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint96 public constant SEAT = 1000e18;
    uint96 public constant LEAST = 10e18;
    uint96 public constant TRAINER_POOL = 90e18;
    uint96 public constant VERIFIER_POOL = 10e18;
    uint96 public constant SLASH = 400e18;
    uint96 public constant SEAT_FEE = 1e17;
    uint96 public constant DEMAND_FEE = 3e18;
    uint40 public constant UNBONDING = 100_000;
    address public constant SPONSOR = address(0x5505);
    uint32 public constant MEMBERS = 7;
    uint32 public constant TRAINERS = 3;
    IReputationBook.Role internal constant TRAINER = IReputationBook.Role.Trainer;
    IReputationBook.Role internal constant VERIFIER = IReputationBook.Role.Verifier;

    IToken public token;
    IVault public vault;
    IReputationBook public book;
    IRewards public rewards;
    IDisputes public disputes;
    IRounds public rounds;

    constructor(address seeds) {
        deploy(seeds);
        token.mint(SPONSOR, 1e30);
        vm.prank(SPONSOR);
        token.approve(address(rounds), type(uint256).max);
        for (uint32 node = 1; node <= MEMBERS + TRAINERS; node++) register(node, SEAT);
        for (uint32 node = 1; node <= MEMBERS; node++) takeSeats(node, 1);
    }

    /// @dev In the order of every deployment: two addresses are known before they exist.
    function deploy(address seeds) private {
        uint256 nonce = vm.getNonce(address(this));
        address disputesAt = vm.computeCreateAddress(address(this), nonce + 4);
        address roundsAt = vm.computeCreateAddress(address(this), nonce + 5);
        token = IToken(vm.deployCode("contracts/build/DevToken.json"));
        vault = IVault(made("StakeVault", abi.encode(token, roundsAt, disputesAt, SEAT, LEAST, UNBONDING)));
        book = IReputationBook(made("ReputationBook", abi.encode(roundsAt)));
        rewards = IRewards(made("Rewards", abi.encode(token, roundsAt, book, vault)));
        disputes = IDisputes(made("Disputes", abi.encode(roundsAt, vault, DEMAND_FEE)));
        rounds = IRounds(made("RoundBook", abi.encode(vault, book, rewards, disputes, seeds, SEAT_FEE)));
    }

    function made(string memory name, bytes memory arguments) private returns (address) {
        return vm.deployCode(string.concat("contracts/build/", name, ".json"), arguments);
    }

    // ---- nodes ----

    function ownerOf(uint256 node) public pure returns (address) {
        return address(uint160(0x1000 + node));
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

    function register(uint256 key, uint96 amount) public virtual {
        address owner = ownerOf(key);
        token.mint(owner, 1e27);
        vm.prank(owner);
        token.approve(address(vault), type(uint256).max);
        bytes memory proof = possession(owner, key);
        vm.prank(owner);
        vault.register(vm.addr(key), amount, proof);
    }

    function takeSeats(uint32 node, uint32 count) public {
        vm.prank(ownerOf(node));
        vault.takeSeats(node, count);
    }

    /// @notice Stake for `count` more seats, and take them.
    function moreSeats(uint32 node, uint32 count) external {
        vm.prank(ownerOf(node));
        vault.bond(node, count * SEAT);
        takeSeats(node, count);
    }

    // ---- tasks ----

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
            mode: 0,
            levels: 0,
            contributions: true,
            trainerPool: TRAINER_POOL,
            verifierPool: VERIFIER_POOL,
            slash: SLASH
        });
    }

    function rootParams() public pure returns (IRoundBook.TaskParams memory wanted) {
        wanted = params();
        (wanted.mode, wanted.levels, wanted.contributions) = (1, 1, false);
    }

    /// @notice A task in words mode, paid for, with all nodes joined.
    function createTask() public returns (uint64 task) {
        return create(params());
    }

    function createRootTask() public returns (uint64 task) {
        return create(rootParams());
    }

    function create(IRoundBook.TaskParams memory wanted) public returns (uint64 task) {
        vm.prank(SPONSOR);
        task = rounds.createTask(wanted, wanted.rounds);
        for (uint32 node = 1; node <= MEMBERS; node++) join(task, node, VERIFIER);
        for (uint32 node = MEMBERS + 1; node <= MEMBERS + TRAINERS; node++) join(task, node, TRAINER);
    }

    function join(uint64 task, uint32 node, IReputationBook.Role role) public {
        vm.prank(ownerOf(node));
        rounds.join(task, node, role, "http://node");
    }

    // ---- the clock and the draw ----

    /// @notice The first second of a phase; all four last equally long.
    function toPhase(uint64 task, uint32 round, IRoundBook.Phase phase) public {
        IRoundBook.TaskParams memory of_ = rounds.taskOf(task).params;
        vm.warp(of_.startsAt + (round - 1) * 4 * uint256(of_.commitS) + uint256(phase) * of_.commitS);
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

    function mixOf(uint64 task, uint32 round) public pure returns (bytes32) {
        return keccak256(abi.encode("mix", task, round));
    }

    function seedOf(uint64 task, uint32 round) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(rounds), task, round, mixOf(task, round)));
    }

    /// @notice Bring the round to POST, arm and draw. Returns the seats.
    function draw(uint64 task, uint32 round) public returns (IRoundBook.Seat[] memory seats) {
        toPhase(task, round, IRoundBook.Phase.Post);
        arm(task, round, mixOf(task, round));
        seats = predict(seedOf(task, round), rounds.taskOf(task).params.seats);
        rounds.drawCommittee(task, round, header(mixOf(task, round)));
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

    function packed(IRoundBook.Seat[] memory seats) public pure returns (bytes memory all) {
        for (uint256 j = 0; j < seats.length; j++) all = abi.encodePacked(all, seats[j].node, seats[j].signer);
    }

    /// @notice A word whose first `count` lanes hold `score`.
    function lanes(uint256 score, uint256 count) public pure returns (uint256 word) {
        for (uint256 i = 0; i < count; i++) word |= score << (16 * i);
    }
}
