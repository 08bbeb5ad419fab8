"""The per-coordinate kernel: columns sorted by a network, then a sum over what the rule keeps of each.

Cost: one read of the input; working memory n x 64 x 8 bytes, or twice that. Sums are float64 in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.aggregate.network import (
    ARGUMENTS,
    D4,
    F4,
    F8,
    MASK,
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
    split,
)  # fmt: skip
from node.data import FloatArray
from node.machine import F32, F64, INT, Emitter, Value


def rank_sum(x: FloatArray, ranks: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = sum_k ranks[k] * (k-th smallest of column c). False if a value of `x` is not finite.

    `x` (n, b) float32, `ranks` (n,) float64, `out` (b,) float32.
    """
    kernel, table = _rank_sum(tuple(ranks))
    return run(kernel, table, x, out, np.float32, ranks)


def window_mean(x: FloatArray, kept: int, out: FloatArray) -> bool:
    """out[c] = mean of the `kept` values nearest to the median of column c; as near, the smaller first.

    `x` (n, b) float32 with n <= 2 kept; `out` (b,) float32. False if a value of `x` is not finite.
    """
    kernel, table = _window_mean(len(x), kept)
    return run(kernel, table, x, out, np.float32)


def weighted_range(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = mean of column c by weight, without the lowest and the highest `cut[0]` of the total weight 1.

    A share below `cut[1]` counts as none. `x` (n, b) float32, `weights` (n,) float64 of sum 1, `out` (b,) float32.
    False if a value of `x` is not finite.
    """
    kernel, table = _weighted(len(x), "range")
    return run(kernel, table, x, out, np.float64, weights, cut)


def weighted_middle(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = half the sum of lower and upper weighted median of column c; a tie of weight is one within `cut[1]`.

    Shapes and result as `weighted_range`.
    """
    kernel, table = _weighted(len(x), "middle")
    return run(kernel, table, x, out, np.float64, weights, cut)


def weighted_window(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = mean by weight of the 1 - `cut[0]` of weight nearest to the weighted median of column c.

    Distances within 2^-36 of one another are equal, and then the smaller value comes first. Else as `weighted_range`.
    """
    kernel, table = _weighted(len(x), "window")
    return run(kernel, table, x, out, np.float64, weights, cut)


# --- code ---------------------------------------------------------------------------------------------------


@cache
def _rank_sum(uses: tuple[float, ...]) -> tuple[Callable[..., None], NDArray[np.int64]]:
    used = np.flatnonzero(uses)
    rows, first, last = len(uses), int(used[0]), int(used[-1]) + 1
    e = Emitter("rank_sum", {**ARGUMENTS, "ranks": "ptr"})
    comparators = network(uses)
    with e.loop(e.index(0), e.argument("panels")) as panel:
        pack(e, rows, panel, keyed=False)
        sort(e, rows, comparators, e.argument("scratch"), F8)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            total = e.variable(D4, e.number(D4, 0.0))
            with e.loop(e.index(first), e.index(last)) as row:
                share = e.splat(e.load(F64, e.argument("ranks"), row, F64), 4)
                e.set(total, e.fma(_sorted(e, row, column), share, e.get(total, D4)))
            _output(e, panel, column, e.get(total, D4))
    return e.compile(straight=rows <= STRAIGHT), offsets(comparators)


@cache
def _window_mean(rows: int, kept: int) -> tuple[Callable[..., None], NDArray[np.int64]]:
    e = Emitter("window_mean", ARGUMENTS)
    comparators = network(range(rows))
    with e.loop(e.index(0), e.argument("panels")) as panel:
        pack(e, rows, panel, keyed=False)
        sort(e, rows, comparators, e.argument("scratch"), F8)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            middle = e.builder.fadd(
                _sorted(e, e.index((rows - 1) // 2), column), _sorted(e, e.index(rows // 2), column)
            )
            middle = e.builder.fmul(middle, e.number(D4, 0.5))
            # The window moves up by one as long as the next value is nearer than its lowest.
            start = e.variable(D4, e.number(D4, 0.0))
            with e.loop(e.index(0), e.index(rows - kept)) as row:
                low, high = _sorted(e, row, column), _sorted(e, e.builder.add(row, e.index(kept)), column)
                nearer = e.builder.fcmp_ordered("<", e.builder.fsub(high, middle), e.builder.fsub(middle, low))
                moved = e.builder.select(nearer, e.number(D4, 1.0), e.number(D4, 0.0))
                e.set(start, e.builder.fadd(e.get(start, D4), moved))
            # Summed at the end and not while moving: taking a giant out again would leave its rounding behind.
            total = e.variable(D4, e.number(D4, 0.0))
            with e.loop(e.index(0), e.index(rows)) as row:
                offset = e.builder.fsub(e.splat(e.builder.sitofp(row, F64), 4), e.get(start, D4))
                inside = e.builder.and_(
                    e.builder.fcmp_ordered(">=", offset, e.number(D4, 0.0)),
                    e.builder.fcmp_ordered("<", offset, e.number(D4, float(kept))),
                )
                value = e.builder.select(inside, _sorted(e, row, column), e.number(D4, 0.0))
                e.set(total, e.builder.fadd(e.get(total, D4), value))
            _output(e, panel, column, e.builder.fdiv(e.get(total, D4), e.number(D4, float(kept))))
    return e.compile(straight=rows <= STRAIGHT), offsets(comparators)


@cache
def _weighted(rows: int, what: str) -> tuple[Callable[..., None], NDArray[np.int64]]:
    e = Emitter(f"weighted_{what}", {**ARGUMENTS, "weights": "ptr", "cut": "ptr"})
    b, comparators = e.builder, network(range(rows))
    finish = {"range": _sum_range, "middle": _middle, "window": _sum_nearest}[what]
    with e.loop(e.index(0), e.argument("panels")) as panel:
        pack(e, rows, panel, keyed=True)
        sort(e, rows, comparators, e.argument("scratch"), D4)
        if what == "window":
            with e.loop(e.index(0), e.index(PANEL), 4) as column:
                middle = _middle(e, rows, column)
                with e.loop(e.index(0), e.index(rows)) as rank:
                    value, _ = keyed(e, e.argument("scratch"), rank, column)
                    distance = e.bits(e.abs(b.fsub(value, middle)))
                    key = b.or_(b.and_(distance, e.int_vector(distance, ~MASK)), e.splat(rank, 4))
                    e.store(b.bitcast(key, D4), second(e, rows), index_of(e, rank, column), F64)
            sort(e, rows, comparators, second(e, rows), D4)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            _output(e, panel, column, finish(e, rows, column))
    return e.compile(straight=rows <= STRAIGHT), offsets(comparators)


def _sum_range(e: Emitter, rows: int, column: Value) -> Value:
    """By weight, what lies between the shares cut[0] and 1 - cut[0] of the sorted values."""
    b = e.builder
    low, least = (e.splat(e.load(F64, e.argument("cut"), e.index(i), F64), 4) for i in (0, 1))
    high = b.fsub(e.number(D4, 1.0), low)
    covered, total, share = (e.variable(D4, e.number(D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as rank:
        value, row = keyed(e, e.argument("scratch"), rank, column)
        before = e.get(covered, D4)
        upto = b.fadd(before, e.gather(e.argument("weights"), row, F64))
        kept = b.fsub(e.min(upto, high), e.max(before, low))
        kept = b.select(b.fcmp_ordered("<", kept, least), e.number(D4, 0.0), kept)
        e.set(total, e.fma(kept, value, e.get(total, D4)))
        e.set(share, b.fadd(kept, e.get(share, D4)))
        e.set(covered, upto)
    return b.fdiv(e.get(total, D4), e.get(share, D4))


def _middle(e: Emitter, rows: int, column: Value) -> Value:
    """Half the sum of the least value with at least half of the weight up to it, and the least with more."""
    b = e.builder
    least = e.splat(e.load(F64, e.argument("cut"), e.index(1), F64), 4)
    half = e.number(D4, 0.5)
    covered, lower, upper = (e.variable(D4, e.number(D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as rank:
        value, row = keyed(e, e.argument("scratch"), rank, column)
        before = e.get(covered, D4)
        short = b.fcmp_ordered("<", before, b.fsub(half, least))
        e.set(lower, b.select(short, value, e.get(lower, D4)))
        short = b.fcmp_ordered("<=", before, b.fadd(half, least))
        e.set(upper, b.select(short, value, e.get(upper, D4)))
        e.set(covered, b.fadd(before, e.gather(e.argument("weights"), row, F64)))
    return b.fmul(b.fadd(e.get(lower, D4), e.get(upper, D4)), half)


def _sum_nearest(e: Emitter, rows: int, column: Value) -> Value:
    """By weight, the first 1 - cut[0] in the order of the second network."""
    b = e.builder
    low, least = (e.splat(e.load(F64, e.argument("cut"), e.index(i), F64), 4) for i in (0, 1))
    wanted = b.fsub(e.number(D4, 1.0), low)
    lanes = b.add(e.splat(column, 4), ir.Constant(ir.VectorType(INT, 4), [0, 1, 2, 3]))
    covered, total, share = (e.variable(D4, e.number(D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as place:
        _, rank = keyed(e, second(e, rows), place, column)
        key = e.gather(e.argument("scratch"), b.add(b.mul(rank, e.int_vector(rank, PANEL)), lanes), F64)
        value, row = split(e, key)
        weight = e.gather(e.argument("weights"), row, F64)
        before = e.get(covered, D4)
        kept = e.min(weight, b.fsub(wanted, before))
        kept = b.select(b.fcmp_ordered("<", kept, least), e.number(D4, 0.0), kept)
        e.set(total, e.fma(kept, value, e.get(total, D4)))
        e.set(share, b.fadd(kept, e.get(share, D4)))
        e.set(covered, b.fadd(before, weight))
    return b.fdiv(e.get(total, D4), e.get(share, D4))


def _sorted(e: Emitter, row: Value, column: Value) -> Value:
    """Four sorted values as float64."""
    found = e.load(F4, e.argument("scratch"), index_of(e, row, column), F32)
    return e.builder.fpext(found, D4)


def _output(e: Emitter, panel: Value, column: Value, value: Value) -> None:
    place = e.builder.add(e.builder.mul(panel, e.index(PANEL)), column)
    e.store(e.builder.fptrunc(value, F4), e.argument("out"), place, F32)
