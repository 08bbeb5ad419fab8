"""Weights for partial and late participation, by name: FedAU with a cap, FedFix, and anarchic averages.

A rule that makes up for rare participation gives whoever shows up every K rounds K votes, so an attacker with many
identities would rest them. So every factor here is capped, multiplies a weight that stake has bounded already, and is
applied after the norm clip. Nobody is waited for: who is not there has weight 0 in the round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from node.registry import Registry

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


def anarchic_scales(epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) float64: what each update is multiplied by so that it counts by its rate (anarchic averaging, AFA-CD).

    Who arrives has taken `epochs` (n,) >= 1 local ones, at its own choice, from whatever model; its update over its
    own count, times the mean count: equal counts give 1. A count that is understated lengthens the update, which the
    norm clip then cuts. Raises ValueError for a count below 1.
    """
    if not len(epochs) or not (epochs >= 1).all():
        raise ValueError("every arrival has taken at least one epoch")
    return np.asarray(epochs.mean() / epochs, dtype=np.float64)


@dataclass(frozen=True)
class Arrival:
    """Work that has come in: by whom, how many rounds after the one whose model it started from, of how many epochs."""

    node: int
    age: int = 0
    epochs: int = 1


class Participation(Protocol):
    """How arrivals of a round count against one another. What it remembers is public: who arrived when."""

    late: bool
    """Whether work on an earlier round's model is still taken."""

    def factors(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        """(n,) float64 in [1, CAP]: what the weight of each is multiplied by."""
        ...

    def scales(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        """(n,) float64 > 0: what the update of each is multiplied by, before the clip."""
        ...

    def record(self, present: set[int], asked: set[int]) -> None:
        """Close a round: whose work was used, of all that were asked for some."""
        ...


class Uniform:
    """Who is there in time counts once; late work is dropped."""

    late = False

    def factors(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        return np.ones(len(arrivals))

    def scales(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        return np.ones(len(arrivals))

    def record(self, present: set[int], asked: set[int]) -> None:
        return


class Gaps(Uniform):
    """FedAU: by the mean gap between one's participations, capped."""

    def __init__(self) -> None:
        self._gaps = FedAU()

    def factors(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        return self._gaps.factors([arrival.node for arrival in arrivals])

    def record(self, present: set[int], asked: set[int]) -> None:
        self._gaps.record(present, asked)


class Ages(Uniform):
    """FedFix: late work is taken at the next round, and counts once for every round that it took, capped."""

    late = True

    def factors(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        return fedfix(np.array([arrival.age + 1.0 for arrival in arrivals]), 1.0)


class Anarchic(Uniform):
    """Anarchic averaging: any work at any time, of any number of epochs, by its rate."""

    late = True

    def scales(self, arrivals: Sequence[Arrival]) -> NDArray[np.float64]:
        return anarchic_scales(np.array([arrival.epochs for arrival in arrivals], dtype=np.int64))


PARTICIPATIONS: Registry[Callable[[], Participation]] = Registry("participation")
PARTICIPATIONS.register("uniform")(Uniform)
PARTICIPATIONS.register("fedau")(Gaps)
PARTICIPATIONS.register("fedfix")(Ages)
PARTICIPATIONS.register("anarchic")(Anarchic)
