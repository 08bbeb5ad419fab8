"""Rules that choose rows by their distances: minimum-diameter averaging, and the neighbours of a pivot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rule import AGGREGATORS, EPS, Updates, Weights, by_distance, checked, keep_first
from node.data import FloatArray
from node.errors import TooFewUpdates

MDA_STEPS = 100_000
"""Branches after which minimum-diameter averaging gives up: some seconds."""


def monna(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"", pivot: int | None = None) -> FloatArray:
    """(d,) float32: the mean of the 1 - f of weight nearest to the pivot row, itself first, the last row cut to fit
    (nearest-neighbour averaging of MoNNA, Farhadkhani et al. 2023, algorithm 1).

    `pivot` is the index among the rows of positive weight: a node's own row when it aggregates its neighbours', and
    then every f < 1/2 is tolerated. A committee has no row of its own; without a pivot it is the row with the smallest
    ball around it that holds 1 - f of the weight. With equal weights and f = m/n: the n - m nearest. Splitting a row
    into identical rows changes nothing. Raises ValueError for a pivot that is no row.
    """
    rows, weights = checked(updates, weights, f=f)
    if pivot is not None and not 0 <= pivot < len(rows):
        raise ValueError(f"pivot {pivot} is not one of {len(rows)} rows")
    if pivot is None:
        distances, radii = rows.squared_distances[:-1, :-1], []
        for row in range(len(rows)):
            order = by_distance(distances[row], row)
            kept = keep_first(order, weights, 1.0 - f)
            radii.append(float(distances[row][kept > 0].max()))
        pivot = int(np.argmin(radii))
    kept = keep_first(by_distance(rows.squared_distances_from(pivot), pivot), weights, 1.0 - f)
    return rows.combine(kept / kept.sum())


AGGREGATORS.register("monna")(monna)  # not as a decorator, which would hide its own options from the checker


@AGGREGATORS.register("mda")
def mda(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: the weighted mean of the rows of least diameter that hold at least 1 - f of the weight (minimum
    diameter averaging, El Mhamdi et al. 2018, after Rousseeuw 1985).

    Among sets of the same diameter the heaviest, then the one of least mean squared distance within, then the first.
    Rows are left out whole, so a split row may be left out in part. Tolerates every f < 1/2.

    The subsets are not listed: for a diameter, the rows to leave out are a vertex cover of the pairs that are farther
    apart, found by branching, of weight f at most; the diameter by bisection. That is quick while outliers are few or
    far away, and exponential in f n at worst: TooFewUpdates after 100,000 branches.
    """
    rows, weights = checked(updates, weights, f=f)
    distances = rows.squared_distances[:-1, :-1]
    levels = np.unique(distances)
    low, high = 0, len(levels) - 1
    budget = [MDA_STEPS]
    while low < high:
        half = (low + high) // 2
        if _covers(distances > levels[half], weights, f, budget, every=False):
            high = half
        else:
            low = half + 1
    best = (0.0, 0.0, weights)
    for left_out in _covers(distances > levels[low], weights, f, budget, every=True):
        shares = np.where(left_out, 0.0, weights)
        held = float(shares.sum())
        spread = float(shares @ distances @ shares) / held**2
        if held > best[0] + EPS or (held > best[0] - EPS and spread < best[1] * (1 - EPS)):
            best = (held, spread, shares / held)
    return rows.combine(best[2])


def _covers(
    far: NDArray[np.bool_], weights: Weights, f: float, budget: list[int], *, every: bool
) -> list[NDArray[np.bool_]]:
    """Sets of rows (n,) bool of weight f at most that touch every `far` pair (n, n), smallest such sets by inclusion.

    One that exists, or `every` one, in an order that depends on `far` alone. `budget` counts branches down.
    """
    found: list[NDArray[np.bool_]] = []
    waiting = [(np.zeros(len(far), bool), np.zeros(len(far), bool))]
    while waiting:
        out, kept = waiting.pop()
        budget[0] -= 1
        if budget[0] < 0:
            raise TooFewUpdates(
                f"minimum-diameter averaging of {len(far)} updates with f = {f:g} has too many subsets: none is the "
                f"best after {MDA_STEPS:,} branches",
                hint="fewer updates, a smaller byzantine fraction, or nnm+trimmed_mean, which is as good in theory",
            )
        open_pairs = far & ~out[:, None] & ~out[None, :]
        degrees = open_pairs.sum(axis=1)
        # Every far partner of a kept row goes.
        forced = open_pairs[kept].any(axis=0)
        if forced.any():
            out = out | forced
            if not (out & kept).any() and weights[out].sum() <= f + EPS:
                waiting.append((out, kept))
            continue
        row = int(np.argmax(degrees))
        if degrees[row] == 0:
            found.append(out)
            if not every:
                return found
            continue
        without, with_it = out.copy(), kept.copy()
        with_it[row] = True
        waiting.append((out, with_it))
        without[row] = True
        if weights[without].sum() <= f + EPS:
            waiting.append((without, kept))
    return found
