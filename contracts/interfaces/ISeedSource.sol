// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Where a chain's unpredictable numbers come from
/// @notice For chains whose block headers hold no usable randomness. A ticket names a number that nobody knows yet when it
/// is given; later anyone proves that number. One source a deployment, for ever.
interface ISeedSource {
    error TicketPending(uint64 ticket);
    error TicketExpired(uint64 ticket);
    error BadSeedProof(uint64 ticket);

    /// @notice What `armBeacon` fixes: the ticket of the next number that nobody knows yet; below 2^40. The source may
    /// note that it was given, and may give it to its `rounds` alone.
    function ticket() external returns (uint64);

    /// @notice The last block up to and including which seats stay frozen for this ticket.
    function frozenUntil(uint64 ticket_) external view returns (uint64 untilBlock);

    /// @notice Whether the number can no longer be proved, so that the round may be armed again.
    function expired(uint64 ticket_) external view returns (bool);

    /// @notice The number of a ticket. Reverts with TicketPending, TicketExpired or BadSeedProof.
    function randomness(uint64 ticket_, bytes calldata proof) external view returns (bytes32);
}
