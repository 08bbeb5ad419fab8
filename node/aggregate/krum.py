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
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rule import AGGREGATORS, Weights, blocks, checked, keep_first, weighted_sum
from node.data import FloatArray
from node.errors import TooFewUpdates

_MARGIN = 1e-9


@AGGREGATORS.register("krum")
def krum(updates: FloatArray, weights: Weights, *, f: float) -> FloatArray:
    """(d,) float32: the one update of least score (a copy). Tolerates f with 2 f + 2 sum w^2 < 1."""
    updates, weights = checked(updates, weights, f=f)
    best = int(np.argmin(krum_scores(updates, weights, f=f)))
    return np.array(updates[best], dtype=np.float32)


@AGGREGATORS.register("multi_krum")
def multi_krum(updates: FloatArray, weights: Weights, *, f: float) -> FloatArray:
    """(d,) float32: the weighted mean of the best 1 - f of the weight. Tolerates f as Krum does."""
    updates, weights = checked(updates, weights, f=f)
    order = np.argsort(krum_scores(updates, weights, f=f), kind="stable")
    kept = keep_first(order, weights, 1.0 - f)
    return weighted_sum(updates, kept / kept.sum())


def krum_scores(updates: FloatArray, weights: Weights, *, f: float) -> NDArray[np.float64]:
    """(n,) float64 scores for updates (n, d) float32 and weights (n,) > 0 of sum 1; see the module."""
    delta = float((weights * weights).sum())
    if 2 * f + 2 * delta >= 1 - _MARGIN:
        raise TooFewUpdates(
            f"Krum needs more than {2 / (1 - 2 * f):.2f} updates of equal weight for f = {f:g}; these "
            f"{len(updates)} count as {1 / delta:.2f}",
            hint="more trainers, more equal stakes, a smaller byzantine fraction, or trimmed_mean",
        )
    distances = squared_distances(updates)
    own = np.eye(len(updates), dtype=bool)
    # A copy at distance 0 must not come before the row itself, or its weight would be cut in its place.
    order = np.argsort(np.where(own, -1.0, distances), axis=1, kind="stable")
    scores = np.empty(len(updates), dtype=np.float64)
    for row in range(len(updates)):
        scores[row] = keep_first(order[row], weights, 1.0 - f - delta) @ distances[row]
    return scores


def squared_distances(updates: FloatArray) -> NDArray[np.float64]:
    """(n, n) float64 squared Euclidean distances of the rows of `updates` (n, d) float32, by one Gram matrix.

    G_ii + G_jj - 2 G_ij cancels when rows share a large common part (models rather than updates): in float32
    the distances are then noise. So the row of least norm is subtracted first, all in float64. Of least norm,
    because an attacker who could be the reference with a huge row would bring the cancellation back.
    """
    norms = np.zeros(len(updates))
    for block in blocks(updates.shape[1]):
        exact_block = updates[:, block].astype(np.float64)
        norms += (exact_block * exact_block).sum(axis=1)
    reference = int(np.argmin(norms))
    gram = np.zeros((len(updates), len(updates)))
    for block in blocks(updates.shape[1]):
        centred = updates[:, block].astype(np.float64) - updates[reference, block].astype(np.float64)
        gram += centred @ centred.T
    own = np.diag(gram)
    distances = np.maximum(own[:, None] + own[None, :] - 2 * gram, 0.0)
    np.fill_diagonal(distances, 0.0)
    return distances
