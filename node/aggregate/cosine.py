"""The rule that decides acceptance: does an update point where the others point?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from node.aggregate.network import (
    ARGUMENTS,
    D4,
    F4,
    PANEL,
    STRAIGHT,
    index_of,
    keyed,
    network,
    offsets,
    pack,
    run,
    second,
    sort,
)  # fmt: skip
from node.aggregate.rows import NOT_FINITE
from node.aggregate.rule import EPS, Updates, Weights, checked
from node.machine import F32, F64, Emitter


def cosine_to_others(updates: Updates, weights: Weights) -> NDArray[np.float64]:
    """(n,) float64 in [-1, 1]: cosine of each row with the weighted coordinate-wise median of the other rows.

    An update that points away from what the others agree on is rejected. 0 where a norm is 0; 1 for a row whose
    others have no weight, since there is nothing to disagree with. `updates` (n, d) float32, `weights` (n,) >= 0; a row
    of weight 0 is judged by the others and counts for none of them. One sort of each column, then n looks at it while
    it is in the nearest cache. Raises as `Aggregator` says.
    """
    weights = np.asarray(weights, dtype=np.float64)
    checked(updates, weights, f=0.0)
    rows, _ = checked(updates, np.ones(len(weights)), f=0.0)
    shares = weights / weights.max()
    n = len(shares)
    others = np.array([np.delete(shares, row).sum() for row in range(n)])
    bounds = np.stack([(0.5 - EPS) * others, (0.5 + EPS) * others])
    sums = np.zeros((n, 3))
    kernel, table = _kernel(n)
    for _, block in rows.blocks():
        unused = np.empty(block.shape[1], np.float32)
        if not run(kernel, table, block, unused, np.float64, shares, bounds, sums):
            raise ValueError(NOT_FINITE)
    dots, medians, norms = sums.T
    lengths = np.sqrt(norms) * np.sqrt(medians)
    cosines = np.divide(dots, lengths, out=np.zeros(n), where=lengths > 0)
    return np.where(others > 0, np.clip(cosines, -1.0, 1.0), 1.0)


@cache
def _kernel(rows: int) -> tuple[Callable[..., None], NDArray[np.int64]]:
    """Adds, for each row i, x_i m, m m and x_i x_i to sums (n, 3), where m is the float32 median of the other rows.

    bounds (2, n) are the weights that lower and upper median need below them.
    """
    e = Emitter("cosines", {**ARGUMENTS, "weights": "ptr", "bounds": "ptr", "sums": "ptr"})
    b, comparators, scratch = e.builder, network(range(rows)), e.argument("scratch")
    zero = e.number(D4, 0.0)
    with e.loop(e.index(0), e.argument("panels")) as panel:
        pack(e, rows, panel, keyed=True)
        sort(e, rows, comparators, scratch, D4)
        with e.loop(e.index(0), e.index(rows)) as rank, e.loop(e.index(0), e.index(PANEL), 4) as column:
            _, row = keyed(e, scratch, rank, column)
            found = e.gather(e.argument("weights"), row, F64)
            e.store(found, second(e, rows), index_of(e, rank, column), F64)
        with e.loop(e.index(0), e.index(rows)) as own:
            totals = [e.variable(D4, zero) for _ in range(3)]
            places = [b.add(own, e.index(side * rows)) for side in (0, 1)]
            low, high = (e.splat(e.load(F64, e.argument("bounds"), place, F64), 4) for place in places)
            with e.loop(e.index(0), e.index(PANEL), 4) as column:
                covered, lower, upper = (e.variable(D4, zero) for _ in range(3))
                with e.loop(e.index(0), e.index(rows)) as rank:
                    value, row = keyed(e, scratch, rank, column)
                    weight = e.load(D4, second(e, rows), index_of(e, rank, column), F64)
                    weight = b.select(b.icmp_unsigned("==", row, e.splat(own, 4)), zero, weight)
                    before = e.get(covered, D4)
                    e.set(lower, b.select(b.fcmp_ordered("<", before, low), value, e.get(lower, D4)))
                    e.set(upper, b.select(b.fcmp_ordered("<=", before, high), value, e.get(upper, D4)))
                    e.set(covered, b.fadd(before, weight))
                both = b.fmul(b.fadd(e.get(lower, D4), e.get(upper, D4)), e.number(D4, 0.5))
                middle = b.fpext(b.fptrunc(both, F4), D4)
                start = b.add(b.mul(own, e.argument("stride")), b.mul(panel, e.index(PANEL)))
                value = b.fpext(e.load(F4, e.argument("x"), b.add(start, column), F32), D4)
                pairs = ((value, middle), (middle, middle), (value, value))
                for total, (left, right) in zip(totals, pairs, strict=True):
                    e.set(total, e.fma(left, right, e.get(total, D4)))
            for k, total in enumerate(totals):
                place = b.add(b.mul(own, e.index(3)), e.index(k))
                summed = b.fadd(e.load(F64, e.argument("sums"), place, F64), e.across(e.get(total, D4)))
                e.store(summed, e.argument("sums"), place, F64)
    return e.compile(straight=rows <= STRAIGHT), offsets(comparators)
