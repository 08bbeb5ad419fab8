"""Krum and multi-Krum: choose the updates that lie closest to most others.

Weighted form of Blanchard et al. 2017 (NeurIPS, section 4). Let the weights sum to 1 and delta = sum w_i^2,
the inverse of the effective number of updates (1/n for equal weights; weightless identities do not move it).
- score_i = sum_j kappa_ij |x_i - x_j|^2, where rows j, i itself first at distance 0, are taken by ascending
  distance (ties by row) until they cover the weight 1 - f - delta; the last is cut to fit.
  With n equal weights and f = m/n: the row itself and its n - m - 2 nearest, as in the paper, over n.
- Krum is the row of least score (ties: the first). Multi-Krum averages the rows of least score that cover the
  weight 1 - f, the last cut to fit: with equal weights, the n - m best.
- Condition: 2 f + 2 delta < 1, else TooFewUpdates; with equal weights the paper's 2 m + 2 < n. Under it the
  covered weight exceeds f by more than one update, so colluders cannot vouch for each other alone.

A split into identical rows lowers delta, so it can change scores; a colluder gains nothing by it (tested).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rows import InputRows
from node.aggregate.rule import AGGREGATORS, Updates, Weights, by_distance, checked, effective, keep_first
from node.data import FloatArray
from node.errors import TooFewUpdates

_MARGIN = 1e-9


@AGGREGATORS.register("krum")
def krum(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: the one update of least score (a copy). Tolerates f with 2 f + 2 sum w^2 < 1."""
    rows, weights = checked(updates, weights, f=f)
    return rows.row(int(np.argmin(krum_scores(rows, weights, f=f))))


@AGGREGATORS.register("multi_krum")
def multi_krum(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: the weighted mean of the best 1 - f of the weight. Tolerates f as Krum does."""
    rows, weights = checked(updates, weights, f=f)
    order = np.argsort(krum_scores(rows, weights, f=f), kind="stable")
    kept = keep_first(order, weights, 1.0 - f)
    return rows.combine(kept / kept.sum())


def krum_scores(updates: Updates, weights: Weights, *, f: float) -> NDArray[np.float64]:
    """(n,) float64 scores for updates (n, d) float32 and weights (n,) > 0 of sum 1; see the module."""
    rows, weights = checked(updates, weights, f=f)
    count = effective(weights)
    if 2 * f + 2 / count >= 1 - _MARGIN:
        raise TooFewUpdates(
            f"Krum needs more than {2 / (1 - 2 * f):.2f} updates of equal weight for f = {f:g}; these "
            f"{len(rows)} count as {count:.2f}",
            hint="more trainers, more equal stakes, a smaller byzantine fraction, or trimmed_mean",
        )
    distances = rows.squared_distances[:-1, :-1]
    scores = np.empty(len(rows), dtype=np.float64)
    for row in range(len(rows)):
        near = keep_first(by_distance(distances[row], row), weights, 1.0 - f - 1 / count)
        scores[row] = float((near * distances[row]).sum())
    return scores


def squared_distances(updates: FloatArray) -> NDArray[np.float64]:
    """(n, n) float64 squared Euclidean distances of the rows of `updates` (n, d) float32."""
    values = np.asarray(updates, dtype=np.float32)
    return InputRows(values, np.ones(len(values))).squared_distances[:-1, :-1]
