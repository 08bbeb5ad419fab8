"""The defences of a matrix: every aggregation rule alone, every weighting with a plain mean, and the product's own.

A rule alone is what its paper publishes: equal weights, no admission, no clip. `default` is what a settled round does
(`node.verify`, `node.round.settle`) with the default configuration, at the matrix's f.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.admission import later_duplicates, pointing_away
from node.aggregate import AGGREGATORS, Aggregator, cosine_to_others
from node.config import SimulationConfig
from node.data import FloatArray
from node.defence import robust_step
from node.errors import TooFewUpdates
from node.registry import Registry
from node.spec import TaskSpec
from node.weight import WEIGHTINGS, Weighting

DEFAULT = "default"
UNDEFENDED = "mean"
CHAINS = ("nnm+trimmed_mean", "nnm+geometric_median", "nnm+multi_krum", "bucketing+geometric_median", "arc+mean")
"""Steps before a rule that the literature recommends together."""


@dataclass(frozen=True)
class Defence:
    """How a server turns the updates of a round into a step. `whole` adds admission and clip to weights and rule."""

    weighting: Weighting
    rule: Aggregator
    whole: bool = False


DEFENCES: Registry[Defence] = Registry("defence")


def _enter_all() -> None:
    equal, average = WEIGHTINGS.get("uniform"), AGGREGATORS.get("mean")
    for name in AGGREGATORS:
        DEFENCES.register(name)(Defence(equal, AGGREGATORS.get(name)))
    # In a committee everyone knows every history, so SybilWall's weights are FoolsGold's: one row for both.
    for name in ("foolsgold", "clusters"):
        DEFENCES.register(name)(Defence(WEIGHTINGS.get(name), average))
    chosen = SimulationConfig()
    product = Defence(WEIGHTINGS.get(chosen.weighting), AGGREGATORS.get(chosen.aggregator), whole=True)
    DEFENCES.register(DEFAULT)(product)


_enter_all()


def defence_of(name: str) -> Defence:
    """The defence called `name`; a chain of steps before a rule (`nnm+krum`) is that rule alone. Raises UnknownName."""
    if "+" in name:
        return Defence(WEIGHTINGS.get("uniform"), AGGREGATORS.get(name))
    return DEFENCES.get(name)


class Server:
    """A defence at work: it remembers the sum of each trainer's updates. All trainers hold equal stakes."""

    def __init__(self, defence: Defence, *, f: float) -> None:
        self.defence, self.f = defence, f
        self.gradient: FloatArray | None = (
            None  # (d,) of the probe loss at the model: what tells whether a row is of use
        )
        self._sums: FloatArray | None = None

    def step(self, updates: FloatArray) -> FloatArray:
        """(d,) float32 for `updates` (n, d) float32 in order of commitment; zeros when the round would be skipped.

        Changes nothing, so that an attacker may try it out. Rows that are not finite are not let in.
        """
        present = np.asarray(np.isfinite(updates).all(axis=1), dtype=bool)
        if self.defence.whole:
            present = _admitted(updates, present, self.gradient)
        if not present.any():
            return np.zeros(updates.shape[1], dtype=np.float32)
        chosen, weights = updates[present], np.full(int(present.sum()), 1 / present.sum())
        history = self._with(updates)[present]
        try:
            if self.defence.whole:
                return robust_step(
                    chosen, weights, weighting=self.defence.weighting, rule=self.defence.rule, f=self.f, history=history
                )
            return self.defence.rule(chosen, self.defence.weighting.shares(chosen, weights, history=history), f=self.f)
        except TooFewUpdates:
            return np.zeros(updates.shape[1], dtype=np.float32)

    def remember(self, updates: FloatArray) -> None:
        """Add a finished round's updates to the histories."""
        self._sums = self._with(updates)

    def _with(self, updates: FloatArray) -> FloatArray:
        finite = np.where(np.isfinite(updates), updates, np.float32(0))
        return finite if self._sums is None else self._sums + finite


def _admitted(updates: FloatArray, present: NDArray[np.bool_], gradient: FloatArray | None) -> NDArray[np.bool_]:
    admitted = present.copy()
    rows = np.flatnonzero(present)
    late = later_duplicates(list(updates[rows]), tau=float(TaskSpec.duplicate_tau))
    rows = rows[~late]
    # To first order: the round itself shares out utilities by Shapley values of the same loss.
    gains = None if gradient is None else -(updates[rows].astype(np.float64) @ gradient.astype(np.float64))
    equal = np.full(len(rows), 1 / len(rows))
    cosines = cosine_to_others(updates[rows], equal)
    away = pointing_away(cosines, equal, gains, margin=float(TaskSpec.cosine_margin))
    admitted[:] = False
    admitted[rows[~away]] = True
    return admitted
