"""Coordinate-wise rules: weighted median, trimmed mean, and mean around the median.

Equal weights take the float32 path of the kernel, others the one that carries rows along; both mean the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from node.aggregate.rows import NOT_FINITE, Rows
from node.aggregate.rule import AGGREGATORS, EPS, Updates, Weights, checked
from node.aggregate.select_kernel import rank_sum, weighted_middle, weighted_range, weighted_window, window_mean
from node.data import FloatArray


@AGGREGATORS.register("median")
def median(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32 weighted coordinate-wise median (Yin et al. 2018, definition 1, with weights).

    The mean of the lower median (the least value with at least half of the weight at or below it) and the
    upper one (the least with more than half): the middle value, or the mean of the two around a tie.
    Tolerates every f < 1/2. Splitting a row into identical rows changes nothing.
    """
    rows, weights = checked(updates, weights, f=f)
    if _equal(weights):
        ranks = np.zeros(len(rows))
        ranks[(len(rows) - 1) // 2] += 0.5
        ranks[len(rows) // 2] += 0.5
        return _columns(rows, lambda x, out: rank_sum(x, ranks, out))
    return _columns(rows, lambda x, out: weighted_middle(x, weights, _cut(f), out))


@AGGREGATORS.register("trimmed_mean")
def trimmed_mean(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32 weighted coordinate-wise trimmed mean (Yin et al. 2018, definition 2, with weights).

    In each coordinate the lowest f and the highest f of the total weight are left out, cutting through a row
    where the boundary falls within it, and the rest is averaged. With equal weights and f = m/n that is the
    mean without the m lowest and the m highest values. Tolerates Byzantine weight up to f, for every f < 1/2.
    Splitting a row into identical rows changes nothing.
    """
    rows, weights = checked(updates, weights, f=f)
    if _equal(weights):
        upper = np.arange(1, len(rows) + 1) / len(rows)
        kept = np.minimum(upper, 1.0 - f) - np.maximum(upper - 1 / len(rows), f)
        kept[kept < EPS] = 0.0
        kept[np.abs(kept - 1 / len(rows)) < EPS] = 1 / len(rows)  # whole rows are exactly alike, so need no order
        ranks = kept / kept.sum()
        return _columns(rows, lambda x, out: rank_sum(x, ranks, out))
    return _columns(rows, lambda x, out: weighted_range(x, weights, _cut(f), out))


@AGGREGATORS.register("meamed")
def meamed(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32 weighted mean around the median (Xie et al. 2018, "Generalized Byzantine-tolerant SGD", 4.1).

    In each coordinate the 1 - f of weight nearest to the median is averaged, the last row cut to fit; of two values as
    near, the smaller comes first. With equal weights and f = m/n: the mean of the n - m values nearest to the
    median. Tolerates every f < 1/2. Splitting a row into identical rows changes nothing.
    """
    rows, weights = checked(updates, weights, f=f)
    kept = (1.0 - f) * len(rows)
    if _equal(weights) and abs(kept - round(kept)) < 1e-9 * len(rows):
        return _columns(rows, lambda x, out: window_mean(x, round(kept), out))
    return _columns(rows, lambda x, out: weighted_window(x, weights, _cut(f), out))


def weighted_median(values: FloatArray, weights: Weights) -> FloatArray:
    """(d,) float32 weighted median of each column of `values` (n, d) float32 with `weights` (n,) float64; `median`."""
    return median(values, weights, f=0.0)


def _columns(rows: Rows, kernel: Callable[[FloatArray, FloatArray], bool]) -> FloatArray:
    result = np.empty(rows.shape[1], np.float32)
    for place, block in rows.blocks():
        if not kernel(block, result[place]):
            raise ValueError(NOT_FINITE)
    return result


def _equal(weights: Weights) -> bool:
    return bool((weights == weights[0]).all())


def _cut(f: float) -> Weights:
    return np.array([f, EPS])
