"""Merkle tree bound to position, over 256-bit words. Mirrors `contracts/libraries/PositionTree.sol`.

leaf = keccak256(0x00 ‖ word), node = keccak256(0x01 ‖ left ‖ right). The depth is the smallest d with 2^d >=
count, missing leaves are the zero word, and bit i of the index says on which side level i lies.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

from ledger.errors import BadArgument


def _leaf(word: int) -> bytes:
    return keccak(b"\0" + word.to_bytes(32, "big"))


def _parent(left: bytes, right: bytes) -> bytes:
    return keccak(b"\1" + left + right)


def depth_of(count: int) -> int:
    """Levels above the leaves of a tree of `count` words (1 and 0 words: 0)."""
    return max(0, count - 1).bit_length()


def _levels(words: Sequence[int]) -> list[list[bytes]]:
    """Every level, leaves first, each padded on the right with the root of an all-zero subtree where
    needed."""
    level = [_leaf(word) for word in words] or [_leaf(0)]
    levels, empty = [level], _leaf(0)
    for _ in range(depth_of(len(words))):
        if len(level) % 2:
            level.append(empty)
        level = [_parent(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        empty = _parent(empty, empty)
        levels.append(level)
    return levels


def tree_root(words: Sequence[int]) -> bytes:
    """Root of the tree over `words` (each 0..2^256-1); an empty list counts as one zero word."""
    return _levels(words)[-1][0]


def tree_proof(words: Sequence[int], index: int) -> list[bytes]:
    """Siblings of `words[index]`, lowest first. Raises `BadArgument` where the index is outside."""
    if not 0 <= index < len(words):
        raise BadArgument(f"index {index} is outside a tree of {len(words)} words", hint="count words, not lanes")
    return [level[(index >> height) ^ 1] for height, level in enumerate(_levels(words)[:-1])]


def verify(word: int, index: int, count: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `word` stands at `index` of the tree of `count` words with this root."""
    if not 0 <= index < count or len(proof) != depth_of(count):
        return False
    node = _leaf(word)
    for level, sibling in enumerate(proof):
        node = _parent(node, sibling) if (index >> level) & 1 == 0 else _parent(sibling, node)
    return node == root
