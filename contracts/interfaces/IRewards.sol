// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IReputationBook} from "./IReputationBook.sol";
import {IRoundBook} from "./IRoundBook.sol";

/// @title Escrow of task funding, and pay
/// @notice Holds what owners paid in until nodes or owners take it out. Pay is cumulative: one claim covers all final
/// rounds since the last. Invariants: the token balance is the sum of `balanceOf`; a task never pays out more than was
/// paid in for it; paid to a node <= what final rounds have earned it.
interface IRewards {
    event Credited(uint64 indexed task, uint96 amount, uint96 balance);
    event Refunded(uint64 indexed task, address indexed to, uint96 amount, uint96 balance);
    /// @notice `total`: what the node has been paid for so far: contribution units (words) or wei (root).
    event Claimed(
        uint64 indexed task, IReputationBook.Role indexed role, uint32 indexed node, address to, uint96 total, uint96 amount
    );

    /// @notice The pay trees of `state` were noted; claims may be made against them for ever.
    event PayNoted(uint64 indexed task, bytes32 state);

    error NotRounds(address caller);
    error ZeroAddress();
    error WrongMode(uint8 mode, uint8 needed);
    error WrongHash(bytes32 what, bytes32 got, bytes32 expected);
    error NothingToClaim(uint32 node);
    error NotEnough(uint64 task, uint96 wanted, uint96 balance);

    /// @notice Rounds only: `amount` has been moved here for `task`.
    function credit(uint64 task, uint96 amount) external;

    /// @notice Rounds only: pay out what a task does not need.
    function refund(uint64 task, address to, uint96 amount) external;

    /// @notice Words mode: pay a node's owner what its contribution units have earned. Anyone may call. Rounds down; the
    /// dust stays in the task. Reverts with NoSlot where the node never joined.
    function claim(uint64 task, IReputationBook.Role role, uint32 node) external returns (uint96 amount);

    /// @notice Root mode: pay a node's owner by proof against the final record.
    /// @param earned the node's leaf: wei since the task began
    /// @param sums sibling sums of the proof, lowest first; `siblings` their hashes
    function claimRoot(
        uint64 task,
        IReputationBook.Role role,
        uint32 node,
        IRoundBook.Settled calldata settled,
        IRoundBook.RootState calldata state,
        uint96 earned,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) external returns (uint96 amount);

    /// @notice Root mode, anyone: note the pay trees of the final record, so that each of the claims that follow need not show
    /// it again. They stand until others are noted: what a final record has earned a node stays earned.
    function notePay(uint64 task, IRoundBook.Settled calldata settled, IRoundBook.RootState calldata state) external;

    /// @notice Root mode: pay a node's owner by proof against the noted tree of its role; a fifth cheaper than `claimRoot`.
    function claimNoted(
        uint64 task,
        IReputationBook.Role role,
        uint32 node,
        uint96 earned,
        uint96[] calldata sums,
        bytes32[] calldata siblings
    ) external returns (uint96 amount);

    /// @notice The noted tree of a role: keccak256(abi.encode(root hash, root sum, depth)); 0 = none yet.
    function notedOf(uint64 task, IReputationBook.Role role) external view returns (bytes32);

    /// @notice Wei held for a task.
    function balanceOf(uint64 task) external view returns (uint96);

    /// @notice What a node has been paid for: units (words) or wei (root).
    function claimedOf(uint64 task, IReputationBook.Role role, uint32 node) external view returns (uint96);

    function rounds() external view returns (address);
    function token() external view returns (address);
}
