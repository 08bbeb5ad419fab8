// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {SeatDraw} from "./libraries/SeatDraw.sol";

/// @title Stake, seats and identity of nodes
/// @notice Documented in IStakeVault.
contract StakeVault is IStakeVault, EIP712, Multicall {
    using SafeERC20 for IERC20;
    using Checkpoints for Checkpoints.Trace208;

    bytes32 private constant POSSESSION_TYPEHASH = keccak256("Possession(address owner,address signer)");
    /// @dev Where the burnt half of a slash goes: a plain ERC-20 has no burn of its own.
    address private constant BURNT = 0x000000000000000000000000000000000000dEaD;
    /// @dev A freeze that is renewed again and again ends after MAX_FREEZE blocks, and at least OPEN_BLOCKS pass before
    /// the next, so that whoever arms draws for ever cannot keep others from leaving.
    uint64 private constant MAX_FREEZE = 2048;
    uint64 private constant OPEN_BLOCKS = 3;
    /// @dev So that every place in a node's list fits its seats' records.
    uint32 private constant MAX_SEATS = 1 << 24;

    /// @inheritdoc IStakeVault
    uint96 public immutable SEAT_STAKE;
    /// @inheritdoc IStakeVault
    uint96 public immutable MIN_STAKE;
    /// @inheritdoc IStakeVault
    uint40 public immutable UNBONDING_S;
    /// @inheritdoc IStakeVault
    address public immutable token;
    /// @inheritdoc IStakeVault
    address public immutable rounds;
    /// @inheritdoc IStakeVault
    address public immutable disputes;

    /// @dev One slot, as SeatDraw knows it. Its upper 24 bytes are the seat as a committee lists it.
    struct SeatRecord {
        uint24 place; // where _seatsOf[node] lists it
        uint40 lockedUntil;
        address signer; // of the node, which has one for ever
        uint32 node; // 0 = vacant: slashed away during a freeze, when places must not move
    }

    /// @dev One slot: all that a draw reads and writes besides its seats.
    struct Draws {
        uint32 seats; // in _seats, vacant ones too
        uint32 pending; // armed and not drawn
        uint64 frozenUntil; // last frozen block
        uint64 frozenSince;
    }

    /// @inheritdoc IStakeVault
    uint32 public nodeCount;
    Draws private _draws;
    SeatRecord[MAX_SEATS] private _seats; // no length of its own: a draw reads it in _draws
    mapping(uint32 node => Node) private _nodes;
    mapping(uint32 node => uint32[]) private _seatsOf; // indices into _seats; node 0 lists the vacant ones
    mapping(uint32 node => Checkpoints.Trace208) private _stakes;
    mapping(address signer => uint32) private _nodeOfSigner;

    modifier onlyRounds() {
        require(msg.sender == rounds, NotRounds(msg.sender));
        _;
    }

    modifier onlyDisputes() {
        require(msg.sender == disputes, NotDisputes(msg.sender));
        _;
    }

    modifier onlyOwner(uint32 node) {
        require(msg.sender == _existing(node).owner, NotOwner(node, msg.sender));
        _;
    }

    constructor(
        address token_,
        address rounds_,
        address disputes_,
        uint96 seatStake,
        uint96 minStake,
        uint40 unbondingS
    ) EIP712("Credence StakeVault", "1") {
        require(token_ != address(0) && rounds_ != address(0) && disputes_ != address(0), ZeroAddress());
        require(seatStake != 0, ZeroAmount());
        token = token_;
        rounds = rounds_;
        disputes = disputes_;
        SEAT_STAKE = seatStake;
        MIN_STAKE = minStake;
        UNBONDING_S = unbondingS;
    }

    /// @inheritdoc IStakeVault
    function register(address signer, uint96 amount, bytes calldata possession) external returns (uint32 node) {
        require(signer != address(0), ZeroAddress());
        require(amount >= MIN_STAKE, StakeTooLow(amount, MIN_STAKE));
        require(_nodeOfSigner[signer] == 0, SignerTaken(signer, _nodeOfSigner[signer]));
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(POSSESSION_TYPEHASH, msg.sender, signer)));
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, possession);
        require(recovered == signer, BadPossession(signer));

        node = ++nodeCount;
        _nodeOfSigner[signer] = node;
        _nodes[node].owner = msg.sender;
        _nodes[node].signer = signer;
        _setBonded(node, amount);
        emit Registered(node, msg.sender, signer, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStakeVault
    function bond(uint32 node, uint96 amount) external {
        Node storage record = _existing(node);
        require(amount != 0, ZeroAmount());

        uint96 bonded = record.bonded + amount;
        _setBonded(node, bonded);
        emit Bonded(node, amount, bonded);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStakeVault
    function unbond(uint32 node, uint96 amount) external onlyOwner(node) {
        Node storage record = _nodes[node];
        require(amount != 0, ZeroAmount());
        uint256 needed = uint256(amount) + uint256(record.seats) * SEAT_STAKE;
        require(record.bonded >= needed, StakeTooLow(record.bonded, _cap(needed)));

        uint96 bonded = record.bonded - amount;
        record.exiting += amount;
        record.exitAt = uint40(block.timestamp) + UNBONDING_S;
        _setBonded(node, bonded);
        emit Unbonding(node, amount, bonded, record.exiting, record.exitAt);
    }

    /// @inheritdoc IStakeVault
    function withdraw(uint32 node) external onlyOwner(node) {
        Node storage record = _nodes[node];
        uint96 amount = record.exiting;
        require(amount != 0, NothingToWithdraw(node));
        require(block.timestamp >= record.exitAt, ExitTooEarly(uint40(block.timestamp), record.exitAt));

        record.exiting = 0;
        emit Withdrawn(node, record.owner, amount);
        IERC20(token).safeTransfer(record.owner, amount);
    }

    /// @inheritdoc IStakeVault
    function takeSeats(uint32 node, uint32 count) external onlyOwner(node) {
        Node storage record = _nodes[node];
        require(count != 0, ZeroAmount());
        require(!_frozen(), SeatsFrozen(_draws.frozenUntil));
        uint32 seats = record.seats;
        uint256 needed = (uint256(seats) + count) * SEAT_STAKE;
        require(record.bonded >= needed, StakeTooLow(record.bonded, _cap(needed)));

        record.seats = seats + count;
        for (uint32 i = 0; i < count; i++) _addSeat(node);
        emit SeatsChanged(node, seats, seats + count);
    }

    /// @inheritdoc IStakeVault
    function leaveSeats(uint32 node, uint32 count) external onlyOwner(node) {
        Node storage record = _nodes[node];
        require(count != 0, ZeroAmount());
        require(!_frozen(), SeatsFrozen(_draws.frozenUntil));
        uint32 seats = record.seats;
        require(count <= seats, TooManySeats(count, seats));

        record.seats = seats - count;
        uint32[] storage mine = _seatsOf[node];
        uint32 left = count;
        uint40 lockedUntil = 0;
        // Over the caller's own seats only, from the last, passing by those that are locked.
        for (uint256 place = mine.length; place != 0 && left != 0; place--) {
            uint40 until = _seats[mine[place - 1]].lockedUntil;
            if (until <= block.timestamp) {
                _removeSeat(mine[place - 1]);
                left--;
            } else if (until > lockedUntil) {
                lockedUntil = until;
            }
        }
        require(left == 0, SeatLocked(node, lockedUntil));
        emit SeatsChanged(node, seats, seats - count);
    }

    /// @inheritdoc IStakeVault
    function freezeSeats(uint64 untilBlock) external onlyRounds {
        Draws storage draws = _draws;
        (uint256 since, uint256 until, uint256 pending) = (draws.frozenSince, draws.frozenUntil, draws.pending);
        // Block numbers are far from 2^64, and draws pending at once from 2^32.
        unchecked {
            if (block.number > until) {
                // Draws that were armed and never done have expired with the freeze.
                pending = 0;
                if (since == 0 || block.number > until + OPEN_BLOCKS) since = block.number;
            }
            require(untilBlock <= since + MAX_FREEZE, SeatsFrozen(uint64(until + OPEN_BLOCKS)));

            _setDraws(draws.seats, pending + 1, untilBlock > until ? untilBlock : until, since);
        }
    }

    /// @inheritdoc IStakeVault
    function drawSeats(bytes32 seed, uint32 count, uint40 lockUntil)
        external
        onlyRounds
        returns (bytes memory committee)
    {
        uint256 size = _thaw();
        require(size >= count, NotEnoughSeats(count, uint32(size)));
        uint256 first;
        assembly ("memory-safe") {
            first := _seats.slot
        }
        unchecked {
            // Locked and vacant seats are passed by; the bound keeps the cost of a draw in proportion to its seats.
            uint256 steps = 4 * uint256(count) + 64;
            committee = SeatDraw.lockSeats(seed, first, size, count, steps < size ? steps : size, lockUntil);
            if (committee.length != 24 * uint256(count)) revert NotEnoughSeats(count, uint32(committee.length / 24));
        }
    }

    /// @inheritdoc IStakeVault
    function slash(uint32 node, uint96 amount, address reporter) external onlyDisputes returns (uint96 taken) {
        Node storage record = _existing(node);
        uint96 fromExiting = amount < record.exiting ? amount : record.exiting;
        uint96 fromBonded = amount - fromExiting;
        if (fromBonded > record.bonded) fromBonded = record.bonded;
        taken = fromExiting + fromBonded;
        if (taken == 0) return 0; // nothing is left to take, and nothing changes

        record.exiting -= fromExiting;
        if (fromBonded != 0) {
            _setBonded(node, record.bonded - fromBonded);
            _dropUncovered(node, record);
        }
        uint96 reward = taken / 2;
        emit Slashed(node, reporter, fromExiting, fromBonded, taken - reward);
        IERC20(token).safeTransfer(reporter, reward);
        IERC20(token).safeTransfer(BURNT, taken - reward);
    }

    /// @inheritdoc IStakeVault
    function seatCount() external view returns (uint32) {
        return _draws.seats;
    }

    /// @inheritdoc IStakeVault
    function seatAt(uint32 index) external view returns (uint32 node, uint40 lockedUntil) {
        require(index < _draws.seats, NotEnoughSeats(index, _draws.seats));
        return (_seats[index].node, _seats[index].lockedUntil);
    }

    /// @inheritdoc IStakeVault
    function nodeOf(uint32 node) external view returns (Node memory) {
        return _existing(node);
    }

    /// @inheritdoc IStakeVault
    function nodeOfSigner(address signer) external view returns (uint32 node) {
        return _nodeOfSigner[signer];
    }

    /// @inheritdoc IStakeVault
    function stakeAt(uint32 node, uint48 time) external view returns (uint96) {
        return uint96(_stakes[node].upperLookupRecent(time));
    }

    function _existing(uint32 node) private view returns (Node storage record) {
        record = _nodes[node];
        require(record.owner != address(0), UnknownNode(node));
    }

    function _frozen() private view returns (bool) {
        return block.number <= _draws.frozenUntil;
    }

    /// @dev One pending draw's freeze ends; with the last, the freeze. Returns the number of seats: it is in that slot.
    function _thaw() private returns (uint256 seats) {
        Draws storage draws = _draws;
        (uint256 pending, uint256 until) = (draws.pending, draws.frozenUntil);
        seats = draws.seats;
        // A freeze that has run out has taken its draws with it; while one lasts a draw is pending.
        if (block.number <= until) {
            _setDraws(seats, pending - 1, pending == 1 ? block.number - 1 : until, draws.frozenSince);
        }
    }

    /// @dev The slot in one write: the compiler would make three. The caller's values fit their fields.
    function _setDraws(uint256 seats, uint256 pending, uint256 until, uint256 since) private {
        assembly ("memory-safe") {
            sstore(_draws.slot, or(or(seats, shl(32, pending)), or(shl(64, until), shl(128, since))))
        }
    }

    function _cap(uint256 amount) private pure returns (uint96) {
        return amount > type(uint96).max ? type(uint96).max : uint96(amount);
    }

    function _setBonded(uint32 node, uint96 bonded) private {
        _nodes[node].bonded = bonded;
        _stakes[node].push(uint48(block.timestamp), bonded);
    }

    /// @dev A seat is always backed: what a slash uncovers goes, locked or not. At most as many as were slashed for.
    /// During a freeze they become vacant where they stand: if places moved, a slash could steer a draw whose seed is
    /// known. A vacancy only hands the drawn place on to the next.
    function _dropUncovered(uint32 node, Node storage record) private {
        uint32 seats = record.seats;
        uint96 covered = record.bonded / SEAT_STAKE;
        if (covered >= seats) return;
        record.seats = uint32(covered);
        uint32[] storage mine = _seatsOf[node];
        bool frozen = _frozen();
        while (mine.length > covered) {
            uint32 index = mine[mine.length - 1];
            if (frozen) {
                _unlist(index);
                _list(index, 0, type(uint40).max);
            } else {
                _removeSeat(index);
            }
        }
        emit SeatsChanged(node, seats, uint32(covered));
    }

    /// @dev Vacant places are filled first.
    function _addSeat(uint32 node) private {
        uint32[] storage vacant = _seatsOf[0];
        uint32 index;
        if (vacant.length != 0) {
            index = vacant[vacant.length - 1];
            vacant.pop();
        } else {
            index = _draws.seats;
            require(index < MAX_SEATS, TooManySeats(index + 1, MAX_SEATS));
            _draws.seats = index + 1;
        }
        _list(index, node, 0);
    }

    /// @dev The last seat moves into the gap.
    function _removeSeat(uint32 index) private {
        _unlist(index);
        uint32 last = _draws.seats - 1;
        if (index != last) {
            SeatRecord memory moved = _seats[last];
            _seats[index] = moved;
            _seatsOf[moved.node][moved.place] = index;
        }
        delete _seats[last];
        _draws.seats = last;
    }

    function _list(uint32 index, uint32 node, uint40 lockedUntil) private {
        uint32[] storage list = _seatsOf[node];
        // All lists together hold at most MAX_SEATS: the place fits.
        _seats[index] = SeatRecord(uint24(list.length), lockedUntil, _nodes[node].signer, node);
        list.push(index);
    }

    function _unlist(uint32 index) private {
        SeatRecord memory seat = _seats[index];
        uint32[] storage list = _seatsOf[seat.node];
        uint32 moved = list[list.length - 1];
        list[seat.place] = moved;
        _seats[moved].place = seat.place;
        list.pop();
    }
}
