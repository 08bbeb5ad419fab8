"""The game whose players share the utility of a round: near-duplicate updates are one player, coalitions are models.

The coalition model is base + sum over S of (w_i / w_N) Delta_i, with the denominator of the full set N: renormalising
over S would pay noisy clones 1.6 to 1.75 times an honest share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset, FloatArray
from node.model import Evaluator, flatten, layout_of, unflatten
from node.registry import Registry

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """Where a measure may stop early; part of the task.

    `skip`: a round that moves the probe loss by no more than this many nats is valued by first order alone.
    `truncate`: share of the round's gain within which a permutation has nothing left to tell; also the share of the
    mean first-order value below which a player is not sampled. `cluster`: relative L2 distance of near-duplicates.
    """

    skip: float = 0.0
    truncate: float = 0.0
    cluster: float = 0.0


class Game:
    """One round as a cooperative game of `len(shares)` players; counts what it costs.

    `updates` (n, d) float32 in the order of `flatten`, `weights` (n,) >= 0 not all zero. Rows within
    `thresholds.cluster` of a heavier one, or of an earlier one as heavy, join its player. A player weighs as much as
    its heaviest row, so that an identical second update adds nothing; its update is the weighted mean of its rows.
    `seed` is the beacon, from which permutations are drawn. Raises ValueError where arrays do not fit.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        base: Mapping[str, FloatArray],
        updates: FloatArray,
        weights: Values,
        data: Dataset,
        *,
        seed: bytes = bytes(32),
        thresholds: Thresholds | None = None,
    ) -> None:
        if updates.ndim != 2 or weights.shape != (len(updates),):
            raise ValueError(f"updates {updates.shape} and weights {weights.shape} do not belong together")
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            raise ValueError("weights must be finite, none negative and not all zero")
        self.seed, self.thresholds = seed, thresholds or Thresholds()
        self._evaluator, self._data, self._parameters, self._layout = evaluator, data, base, layout_of(base)
        self.base = flatten(base).astype(np.float64)
        self._weights = weights
        self.players = clusters(updates, weights, tolerance=self.thresholds.cluster)
        heaviest = np.array([weights[rows].max() for rows in self.players])
        self.shares: Values = heaviest / heaviest.sum()
        self._updates = [_joint(updates[rows], weights[rows]) for rows in self.players]
        self.evaluations = 0

    def step(self, player: int) -> Values:
        """(d,) float64: what a player adds to any coalition's model, (w_i / w_N) Delta_i."""
        step: Values = self.shares[player] * self._updates[player].astype(np.float64)
        return step

    def model(self, players: Iterable[int]) -> Values:
        """(d,) float64 coalition model."""
        vector = self.base.copy()
        for player in players:
            vector += self.step(player)
        return vector

    def utility(self, model: Values) -> float:
        """-L of a model on the probe data, in nats; one evaluation. Not finite for a wild model."""
        self.evaluations += 1
        return -self._evaluator.loss(unflatten(model.astype(np.float32), self._layout), self._data)

    def slopes(self) -> tuple[float, Values]:
        """U of nobody, and each player's first-order value -<grad L(base), step_i>: one pass, one evaluation."""
        self.evaluations += 1
        loss, gradient = self._evaluator.loss_and_gradient(self._parameters, self._data)
        return -loss, np.array([-float(gradient @ self.step(player)) for player in range(len(self.players))])

    def spread(self, values: Values) -> Values:
        """(n,) float64: players' values divided among their rows by weight."""
        rows = np.zeros(len(self._weights), dtype=np.float64)
        for members, value in zip(self.players, values, strict=True):
            total = self._weights[members].sum()
            rows[members] = value * (self._weights[members] / total if total else 0.0)
        return rows


Utility = Callable[[Game], Values]
"""(game) -> (n,) float64 by row of its updates, best highest."""

UTILITIES: Registry[Utility] = Registry("utility")


def clusters(updates: FloatArray, weights: Values, *, tolerance: float) -> list[NDArray[np.int64]]:
    """Rows of near-duplicates, by leader: the heaviest rows lead, earlier ones first, and take what lies within
    `tolerance` x the larger norm of them (L2).

    Nobody can chain strangers together, as distance counts from the leader. One Gram matrix: n^2 d.
    """
    wide = updates.astype(np.float64)
    gram = wide @ wide.T
    norms = np.diagonal(gram)
    near = norms[:, None] + norms - 2 * gram <= tolerance**2 * np.maximum(norms[:, None], norms)
    free = np.ones(len(updates), dtype=np.bool_)
    found = []
    for leader in np.argsort(-weights, kind="stable"):
        if free[leader]:
            near[leader, leader] = True
            members = np.flatnonzero(free & near[leader])
            free[members] = False
            found.append(members)
    return sorted(found, key=lambda rows: int(rows[0]))


def _joint(updates: FloatArray, weights: Values) -> FloatArray:
    """The weighted mean of a player's rows."""
    if len(updates) == 1 or weights.sum() == 0:
        return np.asarray(updates[0], dtype=np.float32)
    return np.asarray((weights / weights.sum()) @ updates.astype(np.float64), dtype=np.float32)
