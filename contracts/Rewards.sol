// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IReputationBook} from "./interfaces/IReputationBook.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {IRoundBook} from "./interfaces/IRoundBook.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {RepWords} from "./libraries/RepWords.sol";
import {SumTree} from "./libraries/SumTree.sol";

/// @title Escrow of task funding, and pay
/// @notice Documented in IRewards.
contract Rewards is IRewards, Multicall {
    using SafeERC20 for IERC20;

    uint8 private constant WORDS_MODE = 0;
    uint8 private constant ROOT_MODE = 1;
    uint256 private constant UNITS = 1e6;
    /// @dev The lanes of a word are 16 leaves of a pay tree, the last of them never used.
    uint256 private constant LANE_BITS = 4;

    IReputationBook private immutable REPUTATION;
    IStakeVault private immutable VAULT;
    /// @inheritdoc IRewards
    address public immutable rounds;
    /// @inheritdoc IRewards
    address public immutable token;

    /// @dev One slot: whom a node's pay goes to, noted at its first claim (an owner is the node's for ever), and the total.
    struct Paid {
        address owner;
        uint96 total;
    }

    /// @inheritdoc IRewards
    mapping(uint64 task => uint96) public balanceOf;
    mapping(uint64 task => mapping(IReputationBook.Role => mapping(uint32 node => Paid))) private _paid;
    /// @inheritdoc IRewards
    mapping(uint64 task => mapping(IReputationBook.Role => bytes32)) public notedOf;

    modifier onlyRounds() {
        require(msg.sender == rounds, NotRounds(msg.sender));
        _;
    }

    constructor(address token_, address rounds_, address reputation, address vault) {
        require(token_ != address(0) && rounds_ != address(0), ZeroAddress());
        require(reputation != address(0) && vault != address(0), ZeroAddress());
        token = token_;
        rounds = rounds_;
        REPUTATION = IReputationBook(reputation);
        VAULT = IStakeVault(vault);
    }

    /// @inheritdoc IRewards
    function credit(uint64 task, uint96 amount) external onlyRounds {
        uint96 balance = balanceOf[task] + amount;
        balanceOf[task] = balance;
        emit Credited(task, amount, balance);
    }

    /// @inheritdoc IRewards
    function refund(uint64 task, address to, uint96 amount) external onlyRounds {
        uint96 balance = _take(task, amount);
        emit Refunded(task, to, amount, balance);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc IRewards
    function claim(uint64 task, IReputationBook.Role role, uint32 node) external returns (uint96 amount) {
        _requireMode(task, WORDS_MODE);
        uint256 units = REPUTATION.contributionOf(task, role, node);
        uint256 pool = IRoundBook(rounds).poolOf(task, role);
        Paid memory paid = _paid[task][role][node];

        // Rounded down once, over all units since the task began, so that it pays the same however often it is called. It
        // fits: the RoundBook admits no task whose pools do not.
        amount = uint96(units * pool / UNITS - paid.total * pool / UNITS);
        paid.total = uint96(units);
        _pay(task, role, node, paid, amount);
    }

    /// @inheritdoc IRewards
    function claimRoot(
        uint64 task,
        IReputationBook.Role role,
        uint32 node,
        IRoundBook.Settled calldata settled,
        IRoundBook.RootState calldata state,
        uint96 earned,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) external returns (uint96 amount) {
        uint256 depth = _requireFinal(task, settled, state);
        (bytes32 root, uint256 total) = _rootFrom(task, role, node, earned, depth, sums, siblings);
        bool trainer = role == IReputationBook.Role.Trainer;
        _requireHash("pay", root, trainer ? state.trainerPay : state.verifierPay);
        _requireHash("total", bytes32(total), bytes32(trainer ? uint128(state.totals) : state.totals >> 128));

        amount = _payUpTo(task, role, node, earned);
    }

    /// @inheritdoc IRewards
    function notePay(uint64 task, IRoundBook.Settled calldata settled, IRoundBook.RootState calldata state) external {
        uint256 depth = _requireFinal(task, settled, state);

        notedOf[task][IReputationBook.Role.Trainer] =
            keccak256(abi.encode(state.trainerPay, uint128(state.totals), depth));
        notedOf[task][IReputationBook.Role.Verifier] = keccak256(abi.encode(state.verifierPay, state.totals >> 128, depth));
        emit PayNoted(task, settled.state);
    }

    /// @inheritdoc IRewards
    function claimNoted(
        uint64 task,
        IReputationBook.Role role,
        uint32 node,
        uint96 earned,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) external returns (uint96 amount) {
        (bytes32 root, uint256 total) = _rootFrom(task, role, node, earned, siblings.length, sums, siblings);
        // The depth stands in it, so a proof of another length is refused here.
        _requireHash("noted", keccak256(abi.encode(root, total, siblings.length)), notedOf[task][role]);

        amount = _payUpTo(task, role, node, earned);
    }

    /// @inheritdoc IRewards
    function claimedOf(uint64 task, IReputationBook.Role role, uint32 node) external view returns (uint96) {
        return _paid[task][role][node].total;
    }

    function _requireMode(uint64 task, uint8 needed) private view returns (uint8 levels) {
        uint8 mode;
        (mode, levels) = IRoundBook(rounds).modeOf(task);
        require(mode == needed, WrongMode(mode, needed));
    }

    /// @dev Both are of the final record of a task in root mode. Returns the depth of its pay trees.
    function _requireFinal(uint64 task, IRoundBook.Settled calldata settled, IRoundBook.RootState calldata state)
        private
        view
        returns (uint256 depth)
    {
        depth = _requireMode(task, ROOT_MODE) + LANE_BITS;
        (, bytes32 expected) = IRoundBook(rounds).finalOf(task);
        bytes32 got;
        bytes32 stateHash;
        // Static structs: their encoding is how they lie in calldata, and a hash leaves no room for other values.
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, settled, 160)
            got := keccak256(free, 160)
            calldatacopy(free, state, 224)
            stateHash := keccak256(free, 224)
        }
        _requireHash("settled", got, expected);
        _requireHash("state", stateHash, settled.state);
    }

    /// @dev Root and sum that `earned` makes at the place of the node's slot.
    function _rootFrom(
        uint64 task,
        IReputationBook.Role role,
        uint32 node,
        uint96 earned,
        uint256 depth,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) private view returns (bytes32 root, uint256 total) {
        uint256 slot = REPUTATION.slotOf(task, role, node);
        uint256 index = (slot / RepWords.LANES << LANE_BITS) | slot % RepWords.LANES;
        return SumTree.rootFrom(earned, index, depth, sums, siblings);
    }

    function _payUpTo(uint64 task, IReputationBook.Role role, uint32 node, uint96 earned)
        private
        returns (uint96 amount)
    {
        Paid memory paid = _paid[task][role][node];
        amount = earned > paid.total ? earned - paid.total : 0;
        paid.total = earned;
        _pay(task, role, node, paid, amount);
    }

    /// @dev `paid` with its new total; `amount` is what that adds. Effects before the transfer, which comes last.
    function _pay(uint64 task, IReputationBook.Role role, uint32 node, Paid memory paid, uint96 amount) private {
        require(amount != 0, NothingToClaim(node));
        if (paid.owner == address(0)) paid.owner = VAULT.nodeOf(node).owner;
        _paid[task][role][node] = paid;
        _take(task, amount);
        emit Claimed(task, role, node, paid.owner, paid.total, amount);
        IERC20(token).safeTransfer(paid.owner, amount);
    }

    function _take(uint64 task, uint96 amount) private returns (uint96 balance) {
        balance = balanceOf[task];
        require(amount <= balance, NotEnough(task, amount, balance));
        balance -= amount;
        balanceOf[task] = balance;
    }

    function _requireHash(bytes32 what, bytes32 got, bytes32 expected) private pure {
        require(got == expected, WrongHash(what, got, expected));
    }
}
