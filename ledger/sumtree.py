"""Merkle-sum tree of pay: its root carries the exact total. Mirrors `contracts/libraries/SumTree.sol`.

leaf = keccak256(0x02 ‖ uint96 amount) with sum = amount; node = keccak256(0x03 ‖ left hash ‖ uint96 left sum ‖
right hash ‖ uint96 right sum), sum = left + right. The depth is fixed, missing leaves are amount 0, and bit i of
the index says on which side level i lies. Every sum fits 96 bits, so no proof can hide an overflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.errors import BadArgument
from ledger.hashing import keccak
from ledger.tree import MAX_DEPTH
from ledger.types import PayProof

MAX_SUM = 2**96 - 1
_SUM_BYTES = 12
Amounts = Sequence[int] | Mapping[int, int]


def _leaf(amount: int) -> bytes:
    """Hash and sum of a leaf as 44 bytes, the form that a parent hashes."""
    packed = amount.to_bytes(_SUM_BYTES, "big")
    return keccak(b"\2" + packed) + packed


def _parent(left: bytes, right: bytes) -> bytes:
    total = int.from_bytes(left[32:], "big") + int.from_bytes(right[32:], "big")
    return keccak(b"\3" + left + right) + total.to_bytes(_SUM_BYTES, "big")


class SumTree:
    """A built tree: hash and sum of its root, and any number of proofs. 131,072 leaves take about a second."""

    def __init__(self, amounts: Amounts, depth: int) -> None:
        """`amounts` in wei, a sequence or a mapping from index. Raises `BadArgument` on a negative amount, an index
        outside the depth, or a total above 96 bits."""
        given = amounts.items() if isinstance(amounts, Mapping) else enumerate(amounts)
        self._amounts = {index: amount for index, amount in given if amount}
        self.depth = depth
        size = max(self._amounts, default=-1) + 1
        if not 0 <= depth <= MAX_DEPTH or size > 1 << depth or min(self._amounts, default=0) < 0:
            raise BadArgument(f"{size} amounts do not fit a tree of depth {depth}", hint="check levels and slots")
        if min(self._amounts.values(), default=0) < 0 or sum(self._amounts.values()) > MAX_SUM:
            raise BadArgument("an amount is negative, or the total does not fit 96 bits", hint="amounts are wei")
        level = {index: _leaf(amount) for index, amount in self._amounts.items()}
        empty = _leaf(0)
        self._levels: list[tuple[dict[int, bytes], bytes]] = [(level, empty)]
        for _ in range(depth):
            get = level.get
            level = {
                i: _parent(get(2 * i, empty), get(2 * i + 1, empty)) for i in sorted({index >> 1 for index in level})
            }
            empty = _parent(empty, empty)
            self._levels.append((level, empty))

    def _top(self) -> bytes:
        level, empty = self._levels[-1]
        return level.get(0, empty)

    @property
    def root(self) -> bytes:
        """The root's hash."""
        return self._top()[:32]

    @property
    def total(self) -> int:
        """The root's sum in wei."""
        return int.from_bytes(self._top()[32:], "big")

    def proof(self, index: int) -> PayProof:
        """The leaf at `index` with its siblings. Raises `BadArgument` where the index is outside."""
        if not 0 <= index < 1 << self.depth:
            raise BadArgument(
                f"index {index} is outside a tree of depth {self.depth}", hint="index is word << 4 | lane"
            )
        nodes = [level.get((index >> height) ^ 1, empty) for height, (level, empty) in enumerate(self._levels[:-1])]
        return PayProof(
            amount=self._amounts.get(index, 0),
            sums=tuple(int.from_bytes(node[32:], "big") for node in nodes),
            siblings=tuple(node[:32] for node in nodes),
        )


def verify(index: int, depth: int, proof: PayProof, *, root: bytes, total: int) -> bool:
    """Whether `proof.amount` stands at `index` of the tree with this root and total."""
    if not 0 <= index < 1 << depth or not len(proof.sums) == len(proof.siblings) == depth:
        return False
    if not all(0 <= value <= MAX_SUM for value in (proof.amount, *proof.sums)):
        return False
    node, running = _leaf(proof.amount), proof.amount
    for level, (value, sibling) in enumerate(zip(proof.sums, proof.siblings, strict=True)):
        running += value
        if running > MAX_SUM or len(sibling) != 32:
            return False
        other = sibling + value.to_bytes(_SUM_BYTES, "big")
        node = _parent(node, other) if (index >> level) & 1 == 0 else _parent(other, node)
    return node[:32] == root and running == total
