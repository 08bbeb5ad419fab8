// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Stake, seats and identity of nodes
/// @notice Holds every node's bond. Knows nothing of scores. Assumptions: the token is a plain ERC-20 (no fee on
/// transfer, no rebasing); `rounds` may freeze and draw seats, `disputes` may slash, nobody else. Invariants: the token balance
/// is at least the sum of bonded and exiting stake; nobody but the owner (by unbonding) or a proven fault lowers a
/// stake; exit is always possible once `UNBONDING_S` has passed.
interface IStakeVault {
    /// @notice One registered node. Ids are dense, start at 1 and are never reused.
    struct Node {
        address owner; // cold key: receives withdrawals and rewards
        address signer; // hot key: signs reports and sends commits
        uint96 bonded; // counts for weight and seats
        uint96 exiting; // unbonding, still slashable, slashed first
        uint40 exitAt; // seconds; when `exiting` may be withdrawn
        uint32 seats; // seats held, each backed by SEAT_STAKE of `bonded`
    }

    event Registered(uint32 indexed node, address indexed owner, address indexed signer, uint96 bonded);
    event Bonded(uint32 indexed node, uint96 amount, uint96 bonded);
    event Unbonding(uint32 indexed node, uint96 amount, uint96 bonded, uint96 exiting, uint40 exitAt);
    event Withdrawn(uint32 indexed node, address indexed to, uint96 amount);
    event SeatsChanged(uint32 indexed node, uint32 seatsBefore, uint32 seatsAfter);
    event Slashed(uint32 indexed node, address indexed reporter, uint96 fromExiting, uint96 fromBonded, uint96 burnt);

    error ZeroAddress();
    error ZeroAmount();
    error UnknownNode(uint32 node);
    error NotOwner(uint32 node, address caller);
    error NotRounds(address caller);
    error NotDisputes(address caller);
    error SignerTaken(address signer, uint32 node);
    error BadPossession(address signer);
    error StakeTooLow(uint96 got, uint96 needed);
    error SeatsFrozen(uint64 untilBlock);
    error SeatLocked(uint32 node, uint40 untilTime);
    error TooManySeats(uint32 got, uint32 held);
    error ExitTooEarly(uint40 nowTime, uint40 exitAt);
    error NothingToWithdraw(uint32 node);
    error NotEnoughSeats(uint32 wanted, uint32 available);

    /// @notice Register a node: the caller becomes the owner and bonds `amount`.
    /// @param signer hot key; `possession` is its EIP-712 signature of Possession(address owner,address signer), so
    /// that nobody occupies another's key. One signer belongs to one node for ever.
    function register(address signer, uint96 amount, bytes calldata possession) external returns (uint32 node);

    /// @notice Add stake to a node. Anyone may pay.
    function bond(uint32 node, uint96 amount) external;

    /// @notice Start to take out `amount`; restarts the delay for all exiting stake. Seats must stay covered.
    function unbond(uint32 node, uint96 amount) external;

    /// @notice Pay all exiting stake to the owner once the delay is over.
    function withdraw(uint32 node) external;

    /// @notice Put `count` equal seats in the draw, each backed by SEAT_STAKE.
    function takeSeats(uint32 node, uint32 count) external;

    /// @notice Take `count` seats out of the draw (locked seats stay until their window closes).
    function leaveSeats(uint32 node, uint32 count) external;

    /// @notice Rounds only: no seat may be taken or left up to and including block `untilBlock`.
    function freezeSeats(uint64 untilBlock) external;

    /// @notice Rounds only: draw `count` unlocked seats by `seed` without replacement, lock them, and end one pending draw's
    /// freeze; the freeze ends when no other draw is pending.
    /// @return committee 24 bytes a drawn seat in drawn order (a node may appear more than once): uint32 node, 0 where the
    /// seat is vacant, and its hot key's address
    function drawSeats(bytes32 seed, uint32 count, uint40 lockUntil) external returns (bytes memory committee);

    /// @notice Disputes only: take up to `amount` from a node, exiting stake first; half to `reporter`, half burnt.
    function slash(uint32 node, uint96 amount, address reporter) external returns (uint96 taken);

    function SEAT_STAKE() external view returns (uint96);
    function MIN_STAKE() external view returns (uint96);
    function UNBONDING_S() external view returns (uint40);
    function token() external view returns (address);
    function rounds() external view returns (address);
    function disputes() external view returns (address);
    function nodeCount() external view returns (uint32);
    function seatCount() external view returns (uint32);
    function seatAt(uint32 index) external view returns (uint32 node, uint40 lockedUntil);
    function nodeOf(uint32 node) external view returns (Node memory);
    function nodeOfSigner(address signer) external view returns (uint32 node);

    /// @notice Bonded stake of a node at a past or present time (seconds): the snapshot that weights use.
    function stakeAt(uint32 node, uint48 time) external view returns (uint96);
}
