"""Reliability of data sources: who supplied what an answer was made of, scored by the answers it helped.

A source is a node like a trainer, with a slot, stake and a lane. Members ask questions whose answers they know (opened
probes, as in training), and vote on each source one lane of `node.score`; the settled score is the lower median of the
votes, and reputation is stepped by the contracts' own rule. So reliability is in the same books, sources are
drawn by the same weight, stake x (4,096 + reputation), and all of it is audited the same way. Pure integers.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from ledger import RootLedgerState, lower_median
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED

MAX_PART = 32_767

Answer = TypeVar("Answer", bound=str)


def source_vote(right: int, wrong: int) -> int:
    """A member's lane for a source: nothing asked 0; no better than wrong 1; else 32,768 + its lead's share of 32,767.

    >>> source_vote(3, 1) - ACCEPTED_BASE
    16383
    """
    if right < 0 or wrong < 0:
        raise ValueError(f"{right} right and {wrong} wrong answers")
    if right + wrong == 0:
        return NOT_DUE
    return ACCEPTED_BASE + MAX_PART * (right - wrong) // (right + wrong) if right > wrong else REJECTED


def settle_sources(
    state: RootLedgerState, votes: Sequence[Sequence[int]], *, round_: int, pool: int = 0
) -> RootLedgerState:
    """The books after a round: each slot's score is the lower median of the members' `votes` (one row a seat).

    `pool` wei is shared as trainers' pay is. Raises BadArgument where rows do not fit the state's slots or round.
    """
    scores = [lower_median([row[slot] for row in votes]) for slot in range(len(votes[0]))]
    return state.step((scores, [NOT_DUE] * len(state.pay[1])), round=round_, pools=(pool, 0))


def draw_sources(weights: Sequence[int], count: int, *, seed: bytes) -> list[int]:
    """`count` different slots in drawing order, each next one with odds by weight among those left.

    Weights are `node.weight.stake`'s, whose 4,096 keeps asking newcomers and the fallen now and then; a weight of 0 is
    never drawn. All that have weight where they are no more than `count`.
    """
    left = [slot for slot, weight in enumerate(weights) if weight > 0]
    drawn: list[int] = []
    while left and len(drawn) < count:
        ends = list(accumulate(weights[slot] for slot in left))
        ticket = hashlib.sha256(b"credence sources\x00" + seed + len(drawn).to_bytes(4, "big")).digest()
        drawn.append(left.pop(bisect_right(ends, int.from_bytes(ticket, "big") % ends[-1])))
    return drawn


def voices(stakes: Sequence[int], reputations: Sequence[int]) -> list[int]:
    """What each source's answer weighs, by slot: stake x (1 + reputation, of which a quarter of the best suffices).

    Reliable sources count alike, so that they correct one another's slips; who has no reputation outvotes nobody who
    has. Additive under a split of stake.
    """
    enough = max(reputations, default=0) // 4
    return [wei * (1 + min(reputation, enough)) for wei, reputation in zip(stakes, reputations, strict=True)]


def weigh_answers(answers: Mapping[int, Answer], voices: Sequence[int]) -> Answer | None:
    """The answer that most weight stands behind, `answers` by slot of its source; ties to the first in the alphabet."""
    weight: dict[Answer, int] = {}
    for slot, answer in answers.items():
        weight[answer] = weight.get(answer, 0) + voices[slot]
    return min(weight, key=lambda answer: (-weight[answer], answer)) if weight else None
