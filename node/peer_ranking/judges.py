"""Judges of answers: what each compares, how capable it has shown itself, and whether it may judge at all. Integers.

Capability comes from hidden calibration items alone, comparisons whose better answer is known and which look like any
other. Agreement with the consensus never counts: a judge would be rated by what it helped to decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import comb

from ledger.report import draw_order

TOP = 65_535
"""Reputation of a judge that is always right; a coin has half."""
MEMORY = 62_259  # alpha in 1/65,536: 0.95
DOUBT = 20  # a coin passes the entry test in one case of this many at most


def assign(seed: bytes, authored: Sequence[int], candidates: int, *, each: int) -> list[list[tuple[int, int]]]:
    """The pairs (a, b) that each judge compares, `each` of them or all that there are, from the beacon.

    `authored[k]` is the candidate that judge k submitted, -1 for none: nobody judges its own answer. Which of a pair
    stands first is random too, as judges favour a side.
    """
    pairs = [(a, b) for a in range(candidates) for b in range(a + 1, candidates)]
    dealt = []
    for judge, own in enumerate(authored):
        mine = hashlib.sha256(b"credence judge\x00" + seed + judge.to_bytes(8, "big")).digest()
        open_to = [pair for pair in pairs if own not in pair]
        chosen = [open_to[k] for k in draw_order(mine, len(open_to), min(each, len(open_to)))]
        sides = int.from_bytes(hashlib.sha256(b"sides\x00" + mine).digest(), "big")
        dealt.append([(b, a) if sides >> (k % 256) & 1 else (a, b) for k, (a, b) in enumerate(chosen)])
    return dealt


def is_capable(right: int, total: int) -> bool:
    """Proof of capability: whether `right` of `total` calibration items is more than a coin gets in 19 of 20 tries."""
    if not 0 <= right <= total:
        raise ValueError(f"{right} of {total} items right")
    return DOUBT * sum(comb(total, k) for k in range(right, total + 1)) <= 1 << total


def next_reputation(reputation: int, right: int, total: int, *, memory: int = MEMORY) -> int:
    """R' = alpha R + (1 - alpha) accuracy, 0..65,535, rounded down; R itself where nothing was calibrated."""
    if not (0 <= reputation <= TOP and 0 <= right <= total and 0 <= memory <= 65_536):
        raise ValueError(f"reputation {reputation}, {right} of {total} right, memory {memory}")
    if total == 0:
        return reputation
    return (memory * reputation * total + (65_536 - memory) * TOP * right) // (65_536 * total)


def capability(reputation: int) -> int:
    """The weight of a judge's comparison, 0..65,535: nothing for a coin or worse, 2R - 1 above it."""
    return max(0, 2 * reputation - TOP)
