"""A collector's bundle: many nodes' signed commits or reveals behind one log, pure.

A leaf is opaque here (the node that signs it says what is in it). The bundle goes to the store under the digest
that the log names; the log's root is the position-bound tree over keccak256 of each leaf, in bundle order, so that
anyone proves that a leaf was, or was not, at its place.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ledger.errors import BadArgument
from ledger.hashing import keccak
from ledger.tree import PositionTree
from ledger.tree import verify as _verify_word
from ledger.types import Event, TaskParams

MAX_LEAVES = 2**17
MAX_LEAF_BYTES = 4_096
_MAGIC = b"credence leaves\1"
_COUNT = struct.Struct(">I")


def leaf_word(leaf: bytes) -> int:
    """The word of a leaf in the bundle's tree: its keccak256."""
    return int.from_bytes(keccak(leaf), "big")


@dataclass(frozen=True)
class Bundle:
    """Leaves in order. `root`, `count` and `data` (SHA-256 of the bytes) are what `collect` logs."""

    leaves: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Raises `BadArgument` on no leaf, too many, or one that is empty or too long."""
        if not 0 < len(self.leaves) <= MAX_LEAVES:
            raise BadArgument(f"a bundle of {len(self.leaves)} leaves", hint=f"1 to {MAX_LEAVES} are possible")
        for position, leaf in enumerate(self.leaves):
            if not 0 < len(leaf) <= MAX_LEAF_BYTES:
                raise BadArgument(f"leaf {position} has {len(leaf)} bytes", hint=f"1 to {MAX_LEAF_BYTES} are possible")

    @property
    def count(self) -> int:
        """How many leaves there are."""
        return len(self.leaves)

    @cached_property
    def _tree(self) -> PositionTree:
        return PositionTree([leaf_word(leaf) for leaf in self.leaves])

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes: a header with the count, then each leaf behind its length."""
        parts = [_MAGIC, _COUNT.pack(len(self.leaves))]
        for leaf in self.leaves:
            parts += [_COUNT.pack(len(leaf)), leaf]
        return b"".join(parts)

    @property
    def root(self) -> bytes:
        """Root of the tree over the leaves' hashes."""
        return self._tree.root

    @property
    def data(self) -> bytes:
        """Digest of the canonical bytes: where the bundle is in the store."""
        return hashlib.sha256(self.encoded).digest()

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Siblings of a leaf, lowest first. Raises `BadArgument` outside."""
        if not 0 <= index < len(self.leaves):
            raise BadArgument(f"leaf {index} is outside a bundle of {len(self.leaves)}", hint="indices start at 0")
        return self._tree.siblings(index)


def decode_bundle(data: bytes, *, root: bytes | None = None, count: int | None = None) -> Bundle:
    """The bundle in `data`, checked against what the log says where that is given. Raises `BadArgument` on bytes
    that are not exactly what `Bundle.encoded` gives; checks every length before it takes memory."""
    at = len(_MAGIC) + _COUNT.size
    if len(data) < at or not data.startswith(_MAGIC):
        raise BadArgument("these bytes are no bundle", hint="fetch the block that the collector's log names")
    (said,) = _COUNT.unpack(data[len(_MAGIC) : at])
    if said > MAX_LEAVES or len(data) < at + said * (_COUNT.size + 1):
        raise BadArgument(f"a bundle of {said} leaves in {len(data)} bytes", hint="the data are cut")
    leaves = []
    for _ in range(said):
        if len(data) < at + _COUNT.size:
            raise BadArgument("a bundle ends inside a length", hint="the data are cut")
        (length,) = _COUNT.unpack(data[at : at + _COUNT.size])
        at += _COUNT.size
        if length > MAX_LEAF_BYTES or len(data) < at + length:
            raise BadArgument(f"a leaf of {length} bytes at {at}", hint="the data are cut, or no bundle")
        leaves.append(data[at : at + length])
        at += length
    if at != len(data):
        raise BadArgument(f"{len(data) - at} bytes follow the last leaf", hint="the data are padded")
    bundle = Bundle(tuple(leaves))
    if (root is not None and bundle.root != root) or (count is not None and bundle.count != count):
        raise BadArgument("the bundle is not the one that was logged", hint="another collector may have the leaves")
    return bundle


def verify_leaf(leaf: bytes, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` stands at `index` of the logged bundle of `count` leaves with this root."""
    return _verify_word(leaf_word(leaf), index, count, proof, root)


def bundle_counts(params: TaskParams, event: Event, *, time: int, armed: Event | None) -> bool:
    """Whether a `Collected` log came in time: the contract takes it at any time and leaves that to its readers.

    `params` as the chain has them, `time` of the log's block (seconds), `armed` the round's first `BeaconArmed`.
    Commits count in the COMMIT phase of their round; reveals in its REVEAL phase, or in POST before the beacon is
    armed or in the very transaction that arms it, since nobody knows the seed yet.
    """
    since = time - params.starts_at - (int(event.args["round"]) - 1) * params.period
    if not event.args["reveals"]:
        return 0 <= since < params.commit_s
    posts = params.commit_s + params.reveal_s
    if params.commit_s <= since < posts:
        return True
    unarmed = (
        armed is None
        or event.tx_hash == armed.tx_hash
        or (event.block_number, event.log_index) < (armed.block_number, armed.log_index)
    )
    return posts <= since < posts + params.post_s and unarmed
