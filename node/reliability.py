"""Reliability of data sources: who supplied what an answer was made of, scored by the answers it helped.

A source is a node like a trainer, with a slot, stake and a lane. Members ask questions whose answers they know (opened
probes, as in training), and vote on each source one lane of `node.score`; the settled score is the lower median of the
votes, and reputation is stepped by the contracts' own rule. So reliability is in the same books, sources are
drawn by the same 4,096 + reputation, and all of it is audited the same way. Pure integers.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

from ledger import RootLedgerState, lower_median
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.weight import NEWCOMER

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


def draw_sources(reputations: Sequence[int], count: int, *, seed: bytes) -> list[int]:
    """`count` different slots in drawing order, each next one with odds 4,096 + reputation among those left.

    The constant keeps asking newcomers and the fallen now and then. All slots where there are no more than `count`.
    """
    left = list(range(len(reputations)))
    drawn: list[int] = []
    while left and len(drawn) < count:
        ends = list(accumulate(NEWCOMER + reputations[slot] for slot in left))
        ticket = hashlib.sha256(b"credence sources\x00" + seed + len(drawn).to_bytes(4, "big")).digest()
        drawn.append(left.pop(bisect_right(ends, int.from_bytes(ticket, "big") % ends[-1])))
    return drawn


def weigh_answers(answers: Mapping[int, Answer], reputations: Sequence[int]) -> Answer | None:
    """The answer that most reputation stands behind, by slot of its source; ties to the first in the alphabet.

    Who has none is asked, but outvotes nobody who has some: 1 + reputation.
    """
    weight: dict[Answer, int] = {}
    for slot, answer in answers.items():
        weight[answer] = weight.get(answer, 0) + 1 + reputations[slot]
    return min(weight, key=lambda answer: (-weight[answer], answer)) if weight else None
