"""Weights for partial and late participation: FedAU with a cap, FedFix, and anarchic averages. Arrays in, arrays out.

A rule that makes up for rare participation gives whoever shows up every K rounds K votes, so an attacker with many
identities would rest them. So every factor here is capped, multiplies a weight that stake has bounded already, and is
applied after the norm clip. Nobody is waited for: who is not there has weight 0 in the round.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray

CAP = 4.0
"""The most that rare participation can multiply a weight by."""
CUT = 50
"""A silent run of so many rounds counts as one gap of that length (FedAU's K)."""


@dataclass
class FedAU:
    """How often each node participates, learnt on the way: its mean gap so far (Wang and Ji 2024, algorithm 2).

    `cap` bounds the factor; without it the estimate is unbiased, with it a Sybil that rests gains at most `cap` times
    what its stake is worth.
    """

    cap: float = CAP
    cut: int = CUT
    _silent: dict[int, int] = field(default_factory=dict)
    _gaps: dict[int, tuple[int, int]] = field(default_factory=dict)  # node -> (number, sum) of recorded gaps

    def factors(self, nodes: list[int]) -> NDArray[np.float64]:
        """(n,) float64 in [1, cap] for `nodes`: the mean gap of each up to now, 1 before the first record."""
        means = [total / count for count, total in (self._gaps.get(node, (1, 1)) for node in nodes)]
        return np.clip(np.array(means, dtype=np.float64), 1.0, self.cap)

    def record(self, present: set[int], known: set[int]) -> None:
        """Close a round: who of all `known` nodes was `present`. Call after `factors` of the round were used."""
        for node in sorted(known):
            silent = self._silent.get(node, 0) + 1
            if node in present or silent == self.cut:
                count, total = self._gaps.get(node, (0, 0))
                self._gaps[node] = (count + 1, total + silent)
                silent = 0
            self._silent[node] = silent


def fedfix(trained_s: NDArray[np.float64], period_s: float, *, cap: float = CAP) -> NDArray[np.float64]:
    """(n,) float64: d_i = ceil(tau_i / period), for work that took tau_i seconds (Fraboni et al. 2023, FedFix), capped.

    A node that needs three periods takes part in every third aggregation and weighs three times then. Raises
    ValueError for a period or a time that is not positive.
    """
    if not (period_s > 0 and (trained_s > 0).all()):
        raise ValueError("a period and training times are positive")
    return np.minimum(np.ceil(trained_s / period_s), cap)


def anarchic_step(arrived: FloatArray, steps: NDArray[np.int64]) -> FloatArray:
    """(d,) float32: the mean over arrivals of each one's update per local step (anarchic federated averaging, AFA-CD).

    `arrived` (m, d) float32, whatever model they started from; `steps` (m,) >= 1 local steps each took, at its own
    choice. Scaled by the mean number of steps, so that equal counts give the plain mean. Raises ValueError for a count
    below 1.
    """
    if len(arrived) != len(steps) or not len(steps) or not (steps >= 1).all():
        raise ValueError("every arrival has taken at least one step")
    rates = arrived.astype(np.float64) / steps[:, None]
    return np.asarray(rates.mean(axis=0) * steps.mean(), dtype=np.float32)
