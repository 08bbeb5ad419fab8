"""From judges' comparisons to a ranking of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.peer_ranking.bradley_terry import UNIT, strengths

IntMatrix = NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """One judge's preference between two candidates."""

    judge: int
    winner: int
    loser: int


def wins_of(
    comparisons: Sequence[Comparison], authored: Sequence[int], weights: Sequence[int], candidates: int
) -> tuple[IntMatrix, IntMatrix]:
    """(n, n) weighted wins Q16 and sums of squared weights Q32; entry (i, j) is for i over j.

    Equal answers are one candidate. Who submitted an answer has thereby preferred it to every other, once and with its
    own `weights` entry (0..65,536, by judge); `authored` is as in `assign`. Raises ValueError where a judge compares
    its own answer, or a candidate with itself.
    """
    wins, squares = (np.zeros((candidates, candidates), dtype=np.int64) for _ in range(2))
    if any(not 0 <= weight <= UNIT for weight in weights):
        raise ValueError(f"weights are 0..{UNIT}")
    for seen in comparisons:
        if seen.winner == seen.loser or authored[seen.judge] in (seen.winner, seen.loser):
            raise ValueError(f"judge {seen.judge} cannot compare candidates {seen.winner} and {seen.loser}")
        wins[seen.winner, seen.loser] += weights[seen.judge]
        squares[seen.winner, seen.loser] += weights[seen.judge] ** 2
    for own, weight in zip(authored, weights, strict=True):
        if own >= 0:
            others = np.arange(candidates) != own
            wins[own, others] += weight
            squares[own, others] += weight**2
    return wins, squares


def rank_answers(
    comparisons: Sequence[Comparison], authored: Sequence[int], weights: Sequence[int], candidates: int
) -> list[int]:
    """Candidates, strongest first; ties to the lower number."""
    found = strengths(wins_of(comparisons, authored, weights, candidates)[0])
    return [int(candidate) for candidate in np.argsort(-found, kind="stable")]
