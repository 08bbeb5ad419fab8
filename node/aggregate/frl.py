"""Federated rank learning: clients vote with the order of their parameters, in integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.aggregate.coordinate import median
from node.aggregate.rows import NOT_FINITE
from node.aggregate.rule import AGGREGATORS, Updates, Weights, checked
from node.data import FloatArray

VOTES = 1 << 32
"""The total weight in whole votes. Times a rank below 2^30 it stays within int64."""


def frl(
    updates: Updates,
    weights: Weights,
    *,
    f: float,
    seed: bytes = b"",
    layers: Sequence[int] | None = None,
    scores: FloatArray | None = None,
) -> FloatArray:
    """(d,) float32 by rank votes (Federated Rank Learning, Mozaffari et al. 2023, algorithm 1 and 2).

    In each layer a client's vote for a coordinate is the rank of its value there, least first, ties by index; votes
    times integer weights are summed, and the coordinates ordered by the sums take ascending values: those of `scores`
    (d,), which in the paper are the initial ones that all share, or of the coordinate-wise median. `layers` are the
    lengths of consecutive layers; all of d is one by default.

    However large a value, it is one rank, so no client moves a sum by more than its weight times the length of the
    layer. The paper shows no breakdown point; enforced is f < 1/2. Sums are of integers: the order of clients does not
    matter, and splitting a row changes a vote by at most one in 2^32. Needs 28 bytes a coordinate of the longest layer
    and 12 of all. Raises ValueError for layers that do not add up to d.
    """
    rows, weights = checked(updates, weights, f=f)
    columns = rows.shape[1]
    lengths = [columns] if layers is None else list(layers)
    if sum(lengths) != columns or min(lengths, default=0) < 0:
        raise ValueError(f"layers {lengths[:9]} do not add up to {columns} coordinates")
    values = median(rows, weights, f=f) if scores is None else np.array(scores, dtype=np.float32)
    if values.shape != (columns,):
        raise ValueError(f"scores {values.shape} are not one for each of {columns} coordinates")
    if not np.isfinite(values).all():
        raise ValueError(NOT_FINITE)
    votes = np.rint(weights * VOTES).astype(np.int64)
    sums = np.zeros(columns, np.int64)
    for index in range(len(rows)):
        row, start = rows.row(index), 0
        for length in lengths:
            place = slice(start, start + length)
            sums[place] += votes[index] * ranks(row[place])
            start += length
    start = 0
    for length in lengths:
        place = slice(start, start + length)
        values[place] = np.sort(values[place])[ranks(sums[place])]
        start += length
    return values


AGGREGATORS.register("frl")(frl)  # not as a decorator, which would hide its own options from the checker


def ranks(values: NDArray[np.float32] | NDArray[np.int64]) -> NDArray[np.int64]:
    """(d,) int64: how many values come before each one, of (d,) without NaN; equal values in the order they have."""
    order = np.argsort(values, kind="stable")
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values))
    return found
