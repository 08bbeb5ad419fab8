"""What every aggregation rule shares: its type, its registry, and the checks on its input.

A rule maps updates (n, d) float32 and weights (n,) float64 to one update (d,) float32. It reads f as a
fraction of weight, not of heads: counted by heads, one identity split in 100 would take the vote. Rows come
in an order that all machines share (by content id), because float sums depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.errors import TooFewUpdates
from node.registry import Registry

Weights = NDArray[np.float64]

BLOCK = 8192
"""Columns a pass: fixed, because it fixes the rounding; n x 8,192 float64 are the working memory."""

EPS = 1e-10
"""Shares of the total weight below this are rounding. A tie within it is a tie, and a remainder within it is
dropped: left in, 1e-17 of an update of size 1e30 would still be a win for its sender."""

HALF = 0.5 - 1e-6
"""The least f that is refused: closer to a half, the weight that is left could be rounding."""


class Aggregator(Protocol):
    """A rule: `updates` (n, d) float32, `weights` (n,) float64 >= 0, weight fraction `f` in [0, 0.5).

    A row of weight 0 counts as absent. Raises ValueError for values that are not finite, negative weights,
    shapes that do not match or f < 0; TooFewUpdates without weight, or for an f that the rule cannot stand.
    """

    def __call__(self, updates: FloatArray, weights: Weights, *, f: float) -> FloatArray: ...


AGGREGATORS: Registry[Aggregator] = Registry("aggregator")


def checked(updates: FloatArray, weights: Weights, *, f: float) -> tuple[FloatArray, Weights]:
    """The rows of positive weight and their weights, scaled to sum 1; errors as `Aggregator` says."""
    updates, weights = np.asarray(updates, dtype=np.float32), np.asarray(weights, dtype=np.float64)
    if updates.ndim != 2 or weights.shape != (len(updates),):
        raise ValueError(f"updates {updates.shape} and weights {weights.shape} do not belong together")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("a weight is negative or not finite")
    if not f >= 0:
        raise ValueError(f"f = {f} is not a fraction of weight")
    if f >= HALF:
        raise TooFewUpdates(f"f = {f}: no rule stands half of the weight", hint="f lies in [0, 0.5)")
    present = weights > 0
    if not present.any():
        raise TooFewUpdates("there is no update with weight", hint="the round is skipped")
    if not present.all():
        updates, weights = updates[present], weights[present]
    if not all(np.isfinite(updates[:, block]).all() for block in blocks(updates.shape[1])):
        raise ValueError("an update has a NaN or infinite value")
    # By the largest first: a sum of huge weights must not overflow, one of tiny ones must not lose digits.
    relative = weights / weights.max()
    return updates, relative / relative.sum()


def blocks(columns: int) -> Iterator[slice]:
    """Slices of BLOCK columns, in order."""
    return (slice(start, min(start + BLOCK, columns)) for start in range(0, columns, BLOCK))


def weighted_sum(updates: FloatArray, weights: Weights) -> FloatArray:
    """(d,) float32: sum_i weights_i updates_i, in float64. One pass; rows of weight 0 are not read."""
    used = np.flatnonzero(weights)
    result = np.empty(updates.shape[1], dtype=np.float32)
    for block in blocks(updates.shape[1]):
        result[block] = weights[used] @ updates[used, block].astype(np.float64)
    return result


def keep_first(order: NDArray[np.int64], weights: Weights, share: float) -> Weights:
    """(n,) float64: how much of each weight lies in the first `share` of weight, rows taken in `order`."""
    ordered = weights[order]
    before = np.concatenate([[0.0], np.cumsum(ordered)[:-1]])
    kept = np.clip(share - before, 0.0, ordered)
    kept[kept < EPS] = 0.0
    result = np.zeros_like(weights)
    result[order] = kept
    return result
