"""Merkle tree bound to position, over 256-bit words. Mirrors `contracts/libraries/PositionTree.sol`.

leaf = keccak256(0x00 ‖ word), node = keccak256(0x01 ‖ left ‖ right). The depth is the smallest d with 2^d >=
count, or given; missing leaves are the zero word, and bit i of the index says on which side level i lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.errors import BadArgument
from ledger.hashing import keccak
from ledger.types import WordProof

MAX_DEPTH = 40
Words = Sequence[int] | Mapping[int, int]


def _leaf(word: int) -> bytes:
    return keccak(b"\0" + word.to_bytes(32, "big"))


def _parent(left: bytes, right: bytes) -> bytes:
    return keccak(b"\1" + left + right)


def depth_of(count: int) -> int:
    """Levels above the leaves of a tree of `count` words (1 and 0 words: 0)."""
    return max(0, count - 1).bit_length()


class PositionTree:
    """A built tree: one root and any number of proofs. Work and memory grow with the words that are there.

    `words` is a sequence, or a mapping from index to word where most are zero. `depth` None fits the sequence.
    """

    def __init__(self, words: Words, depth: int | None = None, *, fill: int = 0) -> None:
        """`fill` is the word of missing leaves. Raises `BadArgument` where a word lies outside the depth."""
        self._words = dict(words) if isinstance(words, Mapping) else dict(enumerate(words))
        count = max(self._words, default=-1) + 1
        self.depth = depth_of(count) if depth is None else depth
        if not 0 <= self.depth <= MAX_DEPTH or count > 1 << self.depth or min(self._words, default=0) < 0:
            raise BadArgument(f"{count} words do not fit a tree of depth {self.depth}", hint="check levels and slots")
        level = {index: _leaf(word) for index, word in self._words.items()}
        self._fill = fill
        empty = _leaf(fill)
        self._levels: list[tuple[dict[int, bytes], bytes]] = [(level, empty)]
        for _ in range(self.depth):
            get = level.get
            level = {
                i: _parent(get(2 * i, empty), get(2 * i + 1, empty))
                for i in sorted({index >> 1 for index in level})  # sorted: neighbours are near in memory
            }
            empty = _parent(empty, empty)
            self._levels.append((level, empty))

    @property
    def root(self) -> bytes:
        """The root; that of a tree of missing leaves where there is no word."""
        level, empty = self._levels[-1]
        return level.get(0, empty)

    def siblings(self, index: int) -> tuple[bytes, ...]:
        """Siblings of the leaf at `index`, lowest first. Raises `BadArgument` where the index is outside."""
        if not 0 <= index < 1 << self.depth:
            raise BadArgument(f"index {index} is outside a tree of depth {self.depth}", hint="count words, not lanes")
        found = []
        for height, (level, empty) in enumerate(self._levels[:-1]):
            found.append(level.get((index >> height) ^ 1, empty))
        return tuple(found)

    def proof(self, index: int) -> WordProof:
        """The word at `index` (that of missing leaves where none is there) with its siblings."""
        siblings = self.siblings(index)
        return WordProof(self._words.get(index, self._fill), siblings)


def tree_root(words: Words, *, depth: int | None = None) -> bytes:
    """Root of the tree over `words` (each 0..2^256-1); an empty list counts as one zero word."""
    return PositionTree(words, depth).root


def tree_proof(words: Words, index: int, *, depth: int | None = None) -> list[bytes]:
    """Siblings of word `index`, lowest first. Raises `BadArgument` where the index is outside."""
    if depth is None and not 0 <= index < len(words):
        raise BadArgument(f"index {index} is outside a tree of {len(words)} words", hint="count words, not lanes")
    return list(PositionTree(words, depth).siblings(index))


def verify(word: int, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `word` stands at `index` of the tree of `count` words (1 << depth for a fixed depth) with this
    root."""
    if not 0 <= index < count or len(proof) != depth_of(count):
        return False
    node = _leaf(word)
    for level, sibling in enumerate(proof):
        node = _parent(node, sibling) if (index >> level) & 1 == 0 else _parent(sibling, node)
    return node == root
