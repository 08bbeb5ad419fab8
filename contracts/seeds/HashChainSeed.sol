// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISeedSource} from "../interfaces/ISeedSource.sol";

/// @title Seeds from operators' hash chains and this chain's block hashes
/// @notice For chains whose headers hold no usable randomness. At deployment each operator commits to the tip of a
/// chain of values, value(i - 1) = keccak256(value(i)). Ticket t stands for every operator's value t and for a block
/// that does not exist yet when the ticket is given: number(t) = keccak256(each operator's value t, hash of the block).
///   An operator knows its values beforehand; whoever makes blocks knows and can choose the hash, before any value is
/// published. So a number is chosen or foreseen only by all operators together, and by them only together with the
/// block makers, or where the block's hash can be foreseen. Each of them alone can prevent a number that it does not
/// like (an operator keeps its value back, having seen the others'; block makers keep a value out): the ticket then
/// expires, everyone sees it, and the next is drawn anew.
/// Assumptions: not all operators collude with the block makers; an operator sends a value only when the ticket's block
/// can no longer be replaced, and uses a chain of values once, in one deployment; where there is but one operator, it
/// cannot foresee a block's hash. Invariants: a value belongs to one ticket, revealed or not; a ticket is given before
/// its block exists; no value is taken before its ticket's block is past.
contract HashChainSeed is ISeedSource {
    event TicketGiven(uint64 indexed ticket, uint64 seedBlock);
    event ValueRevealed(uint64 indexed ticket, uint256 indexed operator, bytes32 value);

    error ZeroAddress();
    error BadChains(uint256 operators, uint32 length);
    error BadTiming(uint64 delay, uint64 window);
    error NotRounds(address caller);
    error ChainExhausted(uint64 length);
    error UnknownTicket(uint64 ticket);
    error UnknownOperator(uint256 operator);
    error NothingToReveal(uint64 revealed);
    error WrongValue(uint256 operator, bytes32 value);
    error RevealTooEarly(uint64 ticket, uint64 fromBlock);
    error NoBlockHash(uint64 seedBlock);

    /// @notice One operator's chain of values.
    struct Chain {
        bytes32 value; // revealed last; at first the tip
        uint64 revealed; // the ticket that it belongs to
    }

    /// @dev The opcode reaches so many blocks back.
    uint64 private constant HORIZON = 256;
    /// @dev Tickets have different blocks, so that fewer than these live at a time.
    uint64 private constant KEPT = 512;
    uint256 private constant MOST_OPERATORS = 16;

    /// @notice Who takes tickets: were it everybody, anybody could use the chains up.
    address public immutable rounds;
    /// @notice Tickets in all.
    uint64 public immutable LENGTH;
    /// @notice Blocks from a ticket to its block.
    uint64 public immutable DELAY;
    /// @notice Blocks after the ticket's block in which the values must be revealed and the number used.
    uint64 public immutable WINDOW;

    /// @notice The ticket given last.
    uint64 public given;
    uint64 private _lastBlock; // of that ticket
    Chain[] private _chains;
    uint64[KEPT] private _blocks; // of ticket t at t mod KEPT: 128 slots for ever

    /// @param tips one an operator; each chain has `length` values
    constructor(address rounds_, bytes32[] memory tips, uint32 length, uint64 delay, uint64 window) {
        require(rounds_ != address(0), ZeroAddress());
        require(tips.length != 0 && tips.length <= MOST_OPERATORS && length != 0, BadChains(tips.length, length));
        bool timely = delay != 0 && delay <= HORIZON && window != 0 && window <= HORIZON;
        require(timely, BadTiming(delay, window));
        rounds = rounds_;
        LENGTH = length;
        DELAY = delay;
        WINDOW = window;
        for (uint256 i = 0; i < tips.length; i++) _chains.push(Chain(tips[i], 0));
    }

    /// @inheritdoc ISeedSource
    /// @dev One ticket serves all who ask before its block. From that block on its number may be foreseen by somebody,
    /// so the next ticket has the next values, whether these were revealed or not: who holds a value back until it
    /// has expired must not see it drawn again under another block's hash.
    function ticket() external returns (uint64) {
        require(msg.sender == rounds, NotRounds(msg.sender));
        uint64 last = given;
        if (last != 0 && block.number < _lastBlock) return last;
        require(last < LENGTH, ChainExhausted(LENGTH));

        uint64 next = last + 1;
        uint64 seedBlock = uint64(block.number) + DELAY;
        given = next;
        _lastBlock = seedBlock;
        _blocks[next % KEPT] = seedBlock;
        emit TicketGiven(next, seedBlock);
        return next;
    }

    /// @notice Publish an operator's value for a ticket whose block is past, and with it those of all tickets before.
    /// Anyone who knows it. A ticket that has expired stays so, but its values are still taken.
    function reveal(uint256 operator, bytes32 value) external {
        require(operator < _chains.length, UnknownOperator(operator));
        Chain storage chain = _chains[operator];
        (bytes32 known, uint64 from, uint64 last) = (chain.value, chain.revealed, given);
        require(from < last, NothingToReveal(from));
        // Down the chain to the value known: no further than to tickets that were given.
        bytes32 reached = _before(value);
        uint64 to = from + 1;
        for (; reached != known && to < last; to++) reached = _before(reached);
        require(reached == known, WrongValue(operator, value));
        // Every ticket but the last had its block when the last was given, or before.
        uint64 fromBlock = (to == last ? _lastBlock : _lastBlock - DELAY) + 1;
        require(block.number >= fromBlock, RevealTooEarly(to, fromBlock));

        chain.value = value;
        chain.revealed = to;
        emit ValueRevealed(to, operator, value);
    }

    /// @inheritdoc ISeedSource
    function frozenUntil(uint64 ticket_) public view returns (uint64 untilBlock) {
        return seedBlockOf(ticket_) + WINDOW;
    }

    /// @inheritdoc ISeedSource
    function expired(uint64 ticket_) public view returns (bool) {
        return block.number > frozenUntil(ticket_);
    }

    /// @inheritdoc ISeedSource
    /// @dev Takes no proof: what is proved was proved by `reveal`.
    function randomness(uint64 ticket_, bytes calldata proof) external view returns (bytes32) {
        require(proof.length == 0, BadSeedProof(ticket_));
        uint64 seedBlock = seedBlockOf(ticket_);
        require(block.number <= seedBlock + WINDOW, TicketExpired(ticket_));
        uint256 operators = _chains.length;
        bytes32[] memory parts = new bytes32[](operators + 1);
        for (uint256 i = 0; i < operators; i++) {
            (bytes32 value, uint64 last) = (_chains[i].value, _chains[i].revealed);
            require(ticket_ <= last, TicketPending(ticket_)); // where it is revealed, its block is past
            for (; last > ticket_; last--) value = _before(value);
            parts[i] = value;
        }
        bytes32 hash = blockhash(seedBlock);
        // Without it the operators alone would know the number: better none.
        require(hash != 0, NoBlockHash(seedBlock));
        parts[operators] = hash;
        return keccak256(abi.encodePacked(parts));
    }

    /// @notice The block whose hash goes into a ticket's number; 0 where the ticket is long over.
    function seedBlockOf(uint64 ticket_) public view returns (uint64) {
        uint64 last = given;
        require(ticket_ != 0 && ticket_ <= last, UnknownTicket(ticket_));
        return last - ticket_ < KEPT ? _blocks[ticket_ % KEPT] : 0;
    }

    /// @notice An operator's latest value and the ticket it belongs to. Later tickets that have expired were withheld.
    function chainOf(uint256 operator) external view returns (Chain memory) {
        require(operator < _chains.length, UnknownOperator(operator));
        return _chains[operator];
    }

    function operatorCount() external view returns (uint256) {
        return _chains.length;
    }

    function _before(bytes32 later) private pure returns (bytes32) {
        return keccak256(abi.encode(later));
    }
}
