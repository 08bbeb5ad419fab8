"""The rule that decides acceptance: does an update point where the others point?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rows import NOT_FINITE
from node.aggregate.rule import EPS, Weights, checked
from node.data import FloatArray

_BLOCK = 8192
_SIGN = np.uint32(0x80000000)


def cosine_to_others(updates: FloatArray, weights: Weights) -> NDArray[np.float64]:
    """(n,) float64 in [-1, 1]: cosine of each row with the weighted coordinate-wise median of the other rows.

    An update that points away from what the others agree on is rejected. 0 where a norm is 0; 1 for a row whose
    others have no weight, since there is nothing to disagree with. `updates` (n, d) float32, all finite; `weights`
    (n,) >= 0. One sort of each column, then n passes. Raises as `Aggregator` says.
    """
    updates = np.asarray(updates, dtype=np.float32)
    weights = np.asarray(weights, dtype=np.float64)
    checked(updates, weights, f=0.0)
    if not np.isfinite(updates).all():
        raise ValueError(NOT_FINITE)
    weights = weights / weights.max()
    n = len(updates)
    dots, medians, norms = np.zeros(n), np.zeros(n), np.zeros(n)
    alone = np.array([not (np.delete(weights, row) > 0).any() for row in range(n)])
    for start in range(0, updates.shape[1], _BLOCK):
        block = updates[:, start : start + _BLOCK]
        ordered, rows = _sorted_columns(block)
        sorted_weights = weights[rows]
        exact = block.astype(np.float64)
        norms += (exact * exact).sum(axis=1)
        for row in np.flatnonzero(~alone):
            others = np.where(rows == row, 0.0, sorted_weights)
            middle = _middle(ordered, others).astype(np.float64)
            dots[row] += (middle * exact[row]).sum()
            medians[row] += (middle * middle).sum()
    lengths = np.sqrt(norms) * np.sqrt(medians)
    cosines = np.divide(dots, lengths, out=np.zeros(n), where=lengths > 0)
    return np.where(alone, 1.0, np.clip(cosines, -1.0, 1.0))


def _middle(ordered: FloatArray, sorted_weights: Weights) -> FloatArray:
    """(b,) float32 medians of ascending values (b, n) with their weights (b, n) >= 0, not all zero."""
    covered = np.cumsum(sorted_weights, axis=1)
    total = covered[:, -1:]
    low = np.argmax(covered >= (0.5 - EPS) * total, axis=1)
    high = np.argmax(covered > (0.5 + EPS) * total, axis=1)
    columns = np.arange(len(ordered))
    pair = ordered[columns, low].astype(np.float64) + ordered[columns, high]
    return np.asarray(pair / 2, dtype=np.float32)


def _sorted_columns(values: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Values (n, b) float32 as (b, n) ascending along the last axis, and the row each one came from."""
    bits = np.ascontiguousarray(values.T).view(np.uint32)
    # Negative floats order backwards as integers, so all their bits flip; of the others only the sign bit.
    keys = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    packed = np.sort(keys << np.uint64(32) | np.arange(len(values), dtype=np.uint64), axis=1)
    high = (packed >> np.uint64(32)).astype(np.uint32)
    ordered = np.where(high & _SIGN, high ^ _SIGN, ~high).view(np.float32)
    return ordered, (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
