"""Canonical encodings of what members sign and what the RoundBook checks: commitments, hashes, EIP-712
digest, draw.

Pure functions of integers and bytes: the same input gives the same bytes on every machine. Mirrors
`IRoundBook.sol` and `SeatDraw.sol`; the vectors in `tests/vectors` are shared with the Solidity tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from eth_abi.abi import encode
from eth_utils.address import to_canonical_address, to_checksum_address

from ledger.errors import BadArgument
from ledger.hashing import keccak
from ledger.types import Report, RootState, Seat, Settled, Vote

REPORT_TYPE = (
    "Report(uint8 mode,uint64 task,uint32 round,bytes32 seed,bytes32 committeeHash,uint32 attempt,"
    "bytes32 parent,bytes32 submissionsRoot,bytes32 votesHash,bytes32 sketchDigest,bytes32 wordsHash,"
    "bytes32 model,bytes32 record,uint256 rewardTotal)"
)
_REPORT_TYPES = tuple(field.split(" ")[0] for field in REPORT_TYPE[len("Report(") : -1].split(","))
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
OBSERVATION_TYPE = "Observation(uint64 task,uint32 round,bytes32 seed,uint32 node,bytes32 commitment)"
_REPORT_TYPEHASH = keccak(REPORT_TYPE.encode())
_OBSERVATION_TYPEHASH = keccak(OBSERVATION_TYPE.encode())
_DOMAIN_TYPEHASH = keccak(_DOMAIN_TYPE.encode())
_SETTLED_TYPES = ("bytes32", "uint256", "bytes32", "bytes32", "uint32")
_STATE_TYPES = ("bytes32", "bytes32", "bytes32", "bytes32", "uint256", "uint256", "bytes32")
SIGNATURE_LENGTH = 65
SEAT_LENGTH = 24


def update_commitment(
    *,
    chain_id: int,
    book: str,
    task: int,
    round: int,
    node: int,
    manifest: bytes,
    salt: bytes,
) -> bytes:
    """A trainer's commitment to its manifest digest: 32 bytes, bound to identity and round, hidden by the
    salt."""
    types = ("uint256", "address", "uint64", "uint32", "uint32", "bytes32", "bytes32")
    return keccak(encode(types, (chain_id, book, task, round, node, _digest(manifest), _digest(salt))))


def observation_commitment(
    *,
    chain_id: int,
    book: str,
    task: int,
    round: int,
    seed: bytes,
    node: int,
    root: bytes,
    record: bytes,
    salt: bytes,
) -> bytes:
    """A member's commitment to its vote words' root and its observation record's digest: 32 bytes."""
    types = ("uint256", "address", "uint64", "uint32", "bytes32", "uint32", "bytes32", "bytes32", "bytes32")
    digests = (_digest(root), _digest(record), _digest(salt))
    return keccak(encode(types, (chain_id, book, task, round, _digest(seed), node, *digests)))


def pack_committee(seats: Sequence[Seat]) -> bytes:
    """The drawn seats in drawn order as they travel: 24 bytes a seat, 4 of the node and 20 of its hot key."""
    return b"".join(seat.node.to_bytes(4, "big") + to_canonical_address(seat.signer) for seat in seats)


def unpack_committee(packed: bytes) -> list[Seat]:
    """The seats in a packed committee. Raises `BadArgument` where it is not whole seats."""
    if len(packed) % SEAT_LENGTH:
        raise BadArgument(f"a committee has {len(packed)} bytes", hint=f"{SEAT_LENGTH} are needed for each seat")
    seats = (packed[at : at + SEAT_LENGTH] for at in range(0, len(packed), SEAT_LENGTH))
    return [Seat(int.from_bytes(seat[:4], "big"), str(to_checksum_address(seat[4:]))) for seat in seats]


def committee_hash(seats: Sequence[Seat]) -> bytes:
    """Hash of the drawn seats in drawn order, as a report binds it."""
    return keccak(pack_committee(seats))


def votes_hash(votes: Sequence[Vote]) -> bytes:
    """keccak256(abi.encode(Vote[])), in the order given."""
    rows = [(vote.node, vote.commitment, vote.root, vote.record) for vote in votes]
    return keccak(encode(("(uint32,bytes32,bytes32,bytes32)[]",), (rows,)))


def words_hash(trainer_words: Sequence[int], verifier_words: Sequence[int]) -> bytes:
    """Hash of a round's score words, trainers first, 32 bytes big-endian each."""
    return keccak(b"".join(word.to_bytes(32, "big") for word in (*trainer_words, *verifier_words)))


def domain_separator(*, name: str, version: str, chain_id: int, verifying_contract: str) -> bytes:
    """EIP-712 domain separator."""
    types = ("bytes32", "bytes32", "bytes32", "uint256", "address")
    values = (_DOMAIN_TYPEHASH, keccak(name.encode()), keccak(version.encode()), chain_id, verifying_contract)
    return keccak(encode(types, values))


def typed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """keccak256(0x1901 ‖ domain separator ‖ struct hash): what a key signs."""
    return keccak(b"\x19\x01" + separator + struct_hash)


def _book_domain(chain_id: int, book: str) -> bytes:
    return domain_separator(name="Credence", version="1", chain_id=chain_id, verifying_contract=book)


def report_digest(report: Report, *, chain_id: int, book: str) -> bytes:
    """The EIP-712 digest of a report, as `IRoundBook.reportDigest` gives it."""
    struct_hash = keccak(encode(("bytes32", *_REPORT_TYPES), (_REPORT_TYPEHASH, *astuple(report))))
    return typed_digest(_book_domain(chain_id, book), struct_hash)


def observation_digest(
    *, chain_id: int, book: str, task: int, round: int, seed: bytes, node: int, commitment: bytes
) -> bytes:
    """What a member signs with its observation commitment (EIP-712): two of one round and seed are a fault."""
    types = ("bytes32", "uint64", "uint32", "bytes32", "uint32", "bytes32")
    values = (_OBSERVATION_TYPEHASH, task, round, _digest(seed), node, _digest(commitment))
    return typed_digest(_book_domain(chain_id, book), keccak(encode(types, values)))


def settled_of(report: Report, signers: int, trainer_words: int, *, chain_id: int, book: str) -> Settled:
    """A post as the RoundBook remembers it; `trainer_words` as its `Posted` log says."""
    digest = report_digest(report, chain_id=chain_id, book=book)
    return Settled(digest, signers, report.model, report.words_hash, trainer_words)


def settled_hash(settled: Settled) -> bytes:
    """What the RoundBook stores of a post: keccak256(abi.encode(Settled))."""
    return keccak(encode(_SETTLED_TYPES, astuple(settled)))


def state_words(state: RootState) -> list[int]:
    """The seven words of a root state, as `Posted` logs them."""
    return [value if isinstance(value, int) else int.from_bytes(value, "big") for value in astuple(state)]


def state_of(words: Sequence[int]) -> RootState:
    """The root state in the words of a root post. Raises `BadArgument` unless there are seven."""
    if len(words) != len(_STATE_TYPES):
        raise BadArgument(f"{len(words)} words are no root state", hint="pass the words of a root post")
    s, r, t, v, totals, points, data = (int(word) for word in words)
    scores, reputation, trainer_pay, verifier_pay, digest = (n.to_bytes(32, "big") for n in (s, r, t, v, data))
    return RootState(scores, reputation, trainer_pay, verifier_pay, totals, points, digest)


def state_hash(state: RootState) -> bytes:
    """keccak256(abi.encode(RootState)): the `words_hash` of a root report."""
    return keccak(encode(_STATE_TYPES, astuple(state)))


def seed_of(chain_id: int, book: str, task: int, round: int, mix_hash: bytes) -> bytes:
    """A round's seed from the mixHash of its seed block."""
    types = ("uint256", "address", "uint64", "uint32", "bytes32")
    return keccak(encode(types, (chain_id, book, task, round, _digest(mix_hash))))


def assemble_signatures(committee: Sequence[Seat], signatures: Mapping[int, bytes]) -> tuple[int, bytes]:
    """The bitmap and the concatenated signatures that `post` takes, from one 65-byte signature a node.

    All seats of a signing node are set; a signature stands in the order of its node's first seat. Raises
    `BadArgument` on a signature of the wrong length or of a node that has no seat.
    """
    bitmap, parts, placed = 0, [], set()
    for position, seat in enumerate(committee):
        signature = signatures.get(seat.node)
        if signature is None:
            continue
        if len(signature) != SIGNATURE_LENGTH:
            raise BadArgument(f"the signature of node {seat.node} has {len(signature)} bytes", hint="65 are needed")
        bitmap |= 1 << position
        if seat.node not in placed:
            placed.add(seat.node)
            parts.append(signature)
    if strangers := sorted(set(signatures) - placed):
        raise BadArgument(f"nodes {strangers} signed and have no seat", hint="pass signatures of members only")
    return bitmap, b"".join(parts)


def draw_steps(size: int, k: int) -> int:
    """How many places a draw of `k` of `size` looks at before it gives up."""
    return min(size, 4 * k + 64)


def draw_order(seed: bytes, size: int, steps: int) -> list[int]:
    """The first `steps` positions of the seeded partial Fisher-Yates shuffle of 0..size-1."""
    moved: dict[int, int] = {}
    order = []
    for i in range(steps):
        j = i + int.from_bytes(keccak(seed + i.to_bytes(32, "big")), "big") % (size - i)
        order.append(moved.get(j, j))
        moved[j] = moved.get(i, i)
    return order


def expected_draw(seed: bytes, seats: Sequence[tuple[int, str, bool]], k: int) -> list[Seat]:
    """The committee that the vault draws from `seats` (node, signer, locked) in index order; locked ones are
    passed by.

    Raises `BadArgument` where fewer than `k` can be drawn (the contract reverts with NotEnoughSeats).
    """
    drawn: list[Seat] = []
    for position in draw_order(_digest(seed), len(seats), draw_steps(len(seats), k)):
        node, signer, locked = seats[position]
        if len(drawn) < k and not locked:
            drawn.append(Seat(node, signer))
    if len(drawn) < k:
        raise BadArgument(f"{k} seats wanted, {len(drawn)} can be drawn", hint="more verifiers must take seats")
    return drawn


def _digest(value: bytes) -> bytes:
    if len(value) != 32:
        raise BadArgument(f"a digest has {len(value)} bytes", hint="32 are needed")
    return value
