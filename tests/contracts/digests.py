"""Twenty thousand cases of each pure function, folded into one hash, for Solidity to reach by itself.

Both sides draw case i from the same source, keccak256(seed ‖ 8·i + j), so only a seed and the last hashes are kept, in
tests/vectors/digests.json. `contracts/test/libraries/Differential.t.sol` says the same in Solidity, case by case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from eth_utils.crypto import keccak as portable_keccak

from tests.contracts import model

CASES = 20_000
SEED = portable_keccak(b"credence differential")
LOW_BITS = sum(1 << (16 * lane) for lane in range(16))  # bit 0 of each lane
WORD = 2**256


def _quickest() -> Any:
    """700,000 hashes: the C extension where there is one."""
    try:
        fast = import_module("sha3").keccak_256
    except ImportError:
        return portable_keccak
    return (lambda data: fast(data).digest()) if fast(b"").digest() == portable_keccak(b"") else portable_keccak


_keccak = _quickest()


def _draws(case: int, count: int) -> list[int]:
    return [int.from_bytes(_keccak(SEED + (8 * case + j).to_bytes(32, "big")), "big") for j in range(count)]


def _fold(results: Iterator[Sequence[int]]) -> str:
    """Each case's results are hashed behind what went before."""
    digest = bytes(32)
    for values in results:
        digest = _keccak(digest + b"".join(value.to_bytes(32, "big") for value in values))
    return "0x" + digest.hex()


def _steps() -> Iterator[Sequence[int]]:
    """A word after one round, of a trainer and of a verifier: reputations and scores anywhere, low, high and alike."""
    for case in range(CASES):
        word, scores, flips = _draws(case, 3)
        if case & 1:
            scores &= LOW_BITS * 3
        if case & 2:
            word |= LOW_BITS * 0xFF80
        if case & 4:
            word &= LOW_BITS * 0x7F
        if case % 16 == 8:
            scores = word ^ (flips & LOW_BITS)
        round_ = 1 + case % 4294
        yield [model.step_word(word, scores, round_, trainer=trainer) for trainer in (True, False)]


def _shares() -> Iterator[Sequence[int]]:
    """Units of the 15 lanes of a word where the role has its points and up to 2^30 more."""
    for case in range(CASES):
        scores, more = _draws(case, 2)
        if case % 4 == 0:
            scores &= LOW_BITS * 0x8003
        parts = [max(0, lane - model.ACCEPTED) for lane in model.unpack(scores)]
        total = sum(parts) + (more % 2**30 if case & 1 else 0)
        units = [part * model.UNITS // total if total else 0 for part in parts]
        yield model.contribution_words(units)


def _medians() -> Iterator[Sequence[int]]:
    """Votes of 1..31 seats' nodes with weights of 0..3: all different, or many alike, or most abstaining."""
    for case in range(CASES):
        head, *lanes = _draws(case, 4)
        mask = (0xFFFF, 0x3, 0xF, 0x1)[case % 4]
        votes = [lane & mask for word in lanes for lane in model.unpack(word)][: 1 + head % 31]
        weights = [(head >> (64 + 2 * seat)) & 3 for seat in range(len(votes))]
        yield [model.lower_median([vote for vote, weight in zip(votes, weights, strict=True) for _ in range(weight)])]


def _words() -> Iterator[Sequence[int]]:
    """Roots of PositionTree from a word, its index and siblings, in trees of 1..4096 words."""
    for case in range(CASES):
        head, word, base = _draws(case, 3)
        count = 1 + (head & ((2 << ((head >> 248) % 12)) - 1))
        index = (head >> 64) % count
        siblings = [base * (2 * level + 1) % WORD for level in range((count - 1).bit_length())]
        yield [model.word_root(word, index, siblings)]


def _sums() -> Iterator[Sequence[int]]:
    """Roots of SumTree and their sums from an amount, its index, sums and siblings, in trees of depth 0..12."""
    for case in range(CASES):
        head, amount, base, sums_base = _draws(case, 4)
        depth = (head >> 248) % 13
        siblings = [base * (2 * level + 1) % WORD for level in range(depth)]
        sums = [sums_base * (2 * level + 1) % 2**88 for level in range(depth)]
        yield model.sum_root(amount % 2**88, head % 2**depth, sums, siblings)


@cache
def make_digests() -> dict[str, Any]:
    return {
        "seed": "0x" + SEED.hex(),
        "cases": CASES,
        "steps": _fold(_steps()),
        "shares": _fold(_shares()),
        "medians": _fold(_medians()),
        "words": _fold(_words()),
        "sums": _fold(_sums()),
    }
