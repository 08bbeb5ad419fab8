"""The per-coordinate kernel: a sorting network over columns, then a sum over what the rule keeps of each.

Rows are sorted against one another, 8 columns at a time (4 with weights), by Batcher's odd-even merge sort (Knuth,
The Art of Computer Programming vol. 3, 5.2.2 M and 5.3.4): its comparators are known beforehand, so there are no
branches, and up to 128 rows they are straight-line code whose values stay in registers.

With weights a value is widened to float64, which leaves 29 bits of its mantissa free, and the row number goes into
the lowest 16. So one plain comparison sorts value and row together; ties go by row.

Cost: one read of the input; working memory n x 64 x 8 bytes, or twice that. Sums are float64 in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.aggregate.machine import F32, F64, INT, Emitter, Value
from node.data import FloatArray

PANEL = 64
"""Columns copied to the working memory at a time; a block has a multiple of them."""

STRAIGHT = 128
"""Most rows whose network becomes straight-line code. Beyond, compiling it would take seconds."""

ROW_BITS = 16
"""Low bits of a widened value that hold its row, hence at most 65,536 rows."""

_MASK = (1 << ROW_BITS) - 1
_INFINITE = 0x7F800000
_F8, _F4, _D4 = ir.VectorType(F32, 8), ir.VectorType(F32, 4), ir.VectorType(F64, 4)
_ARGUMENTS = {"x": "ptr", "stride": "int", "panels": "int", "table": "ptr", "flags": "ptr", "scratch": "ptr"}

Comparators = list[tuple[int, int]]


def network(rows: int, first: int, last: int) -> Comparators:
    """Comparators (i, j), smaller to i, after which rows first..last-1 hold what a full sort would put there.

    Depth first, so that consecutive ones touch the same few rows; those that cannot reach a wanted row are left out.
    """
    found: Comparators = []

    def merge(start: int, length: int, step: int) -> None:
        if 2 * step >= length:
            found.append((start, start + step))
            return
        merge(start, length, 2 * step)
        merge(start + step, length, 2 * step)
        found.extend((i, i + step) for i in range(start + step, start + length - step, 2 * step))

    def sort(start: int, length: int) -> None:
        if length > 1:
            sort(start, length // 2)
            sort(start + length // 2, length // 2)
            merge(start, length, 1)

    # For the next power of two, as if the rows that are not there held infinity: those comparators never swap.
    sort(0, 1 << (rows - 1).bit_length())
    wanted, kept = set(range(first, last)), []
    for low, high in reversed(found):
        if high < rows and (low in wanted or high in wanted):
            kept.append((low, high))
            wanted |= {low, high}
    return kept[::-1]


def rank_sum(x: FloatArray, ranks: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = sum_k ranks[k] * (k-th smallest of column c). False if a value of `x` is not finite.

    `x` (n, b) float32, `ranks` (n,) float64, `out` (b,) float32.
    """
    used = np.flatnonzero(ranks)
    first, last = int(used[0]), int(used[-1]) + 1
    kernel, table = _rank_sum(len(x), first, last)
    return _run(kernel, table, x, out, np.float32, ranks)


def window_mean(x: FloatArray, kept: int, out: FloatArray) -> bool:
    """out[c] = mean of the `kept` values nearest to the median of column c; as near, the smaller first.

    `x` (n, b) float32 with n <= 2 kept; `out` (b,) float32. False if a value of `x` is not finite.
    """
    kernel, table = _window_mean(len(x), kept)
    return _run(kernel, table, x, out, np.float32)


def weighted_range(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = mean of column c by weight, without the lowest and the highest `cut[0]` of the total weight 1.

    A share below `cut[1]` counts as none. `x` (n, b) float32, `weights` (n,) float64 of sum 1, `out` (b,) float32.
    False if a value of `x` is not finite.
    """
    kernel, table = _weighted(len(x), "range")
    return _run(kernel, table, x, out, np.float64, weights, cut)


def weighted_middle(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = half the sum of lower and upper weighted median of column c; a tie of weight is one within `cut[1]`.

    Shapes and result as `weighted_range`.
    """
    kernel, table = _weighted(len(x), "middle")
    return _run(kernel, table, x, out, np.float64, weights, cut)


def weighted_window(x: FloatArray, weights: NDArray[np.float64], cut: NDArray[np.float64], out: FloatArray) -> bool:
    """out[c] = mean by weight of the 1 - `cut[0]` of weight nearest to the weighted median of column c.

    Distances within 2^-36 of one another are equal, and then the smaller value comes first. Else as `weighted_range`.
    """
    kernel, table = _weighted(len(x), "window")
    return _run(kernel, table, x, out, np.float64, weights, cut)


def _run(
    kernel: Callable[..., None],
    table: NDArray[np.int64],
    x: FloatArray,
    out: FloatArray,
    kind: type[np.float32] | type[np.float64],
    *more: NDArray[np.float64],
) -> bool:
    rows, columns = x.shape
    scratch = np.empty((2, rows, PANEL), kind)
    flags = np.zeros(8, np.uint32)
    whole = columns // PANEL * PANEL
    if whole:
        kernel(x, x.strides[0] // 4, whole // PANEL, table, flags, scratch, out, *more)
    if whole < columns:
        padded, result = np.zeros((rows, PANEL), np.float32), np.empty(PANEL, np.float32)
        padded[:, : columns - whole] = x[:, whole:]
        kernel(padded, PANEL, 1, table, flags, scratch, result, *more)
        out[whole:] = result[: columns - whole]
    return bool(flags.max() < _INFINITE)


# --- code ---------------------------------------------------------------------------------------------------


@cache
def _rank_sum(rows: int, first: int, last: int) -> tuple[Callable[..., None], NDArray[np.int64]]:
    e = Emitter("rank_sum", {**_ARGUMENTS, "out": "ptr", "ranks": "ptr"})
    comparators = network(rows, first, last)
    with e.loop(e.index(0), e.argument("panels")) as panel:
        _pack(e, rows, panel, keyed=False)
        _sort(e, rows, comparators, e.argument("scratch"), _F8)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            total = e.variable(_D4, e.number(_D4, 0.0))
            with e.loop(e.index(first), e.index(last)) as row:
                share = e.splat(e.load(F64, e.argument("ranks"), row, F64), 4)
                e.set(total, e.fma(_sorted(e, row, column), share, e.get(total, _D4)))
            _output(e, panel, column, e.get(total, _D4))
    return e.compile(straight=rows <= STRAIGHT), _table(comparators)


@cache
def _window_mean(rows: int, kept: int) -> tuple[Callable[..., None], NDArray[np.int64]]:
    e = Emitter("window_mean", {**_ARGUMENTS, "out": "ptr"})
    comparators = network(rows, 0, rows)
    with e.loop(e.index(0), e.argument("panels")) as panel:
        _pack(e, rows, panel, keyed=False)
        _sort(e, rows, comparators, e.argument("scratch"), _F8)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            middle = e.builder.fadd(
                _sorted(e, e.index((rows - 1) // 2), column), _sorted(e, e.index(rows // 2), column)
            )
            middle = e.builder.fmul(middle, e.number(_D4, 0.5))
            # The window moves up by one as long as the next value is nearer than its lowest.
            start = e.variable(_D4, e.number(_D4, 0.0))
            with e.loop(e.index(0), e.index(rows - kept)) as row:
                low, high = _sorted(e, row, column), _sorted(e, e.builder.add(row, e.index(kept)), column)
                nearer = e.builder.fcmp_ordered("<", e.builder.fsub(high, middle), e.builder.fsub(middle, low))
                moved = e.builder.select(nearer, e.number(_D4, 1.0), e.number(_D4, 0.0))
                e.set(start, e.builder.fadd(e.get(start, _D4), moved))
            # Summed at the end and not while moving: taking a giant out again would leave its rounding behind.
            total = e.variable(_D4, e.number(_D4, 0.0))
            with e.loop(e.index(0), e.index(rows)) as row:
                offset = e.builder.fsub(e.splat(e.builder.sitofp(row, F64), 4), e.get(start, _D4))
                inside = e.builder.and_(
                    e.builder.fcmp_ordered(">=", offset, e.number(_D4, 0.0)),
                    e.builder.fcmp_ordered("<", offset, e.number(_D4, float(kept))),
                )
                value = e.builder.select(inside, _sorted(e, row, column), e.number(_D4, 0.0))
                e.set(total, e.builder.fadd(e.get(total, _D4), value))
            _output(e, panel, column, e.builder.fdiv(e.get(total, _D4), e.number(_D4, float(kept))))
    return e.compile(straight=rows <= STRAIGHT), _table(comparators)


@cache
def _weighted(rows: int, what: str) -> tuple[Callable[..., None], NDArray[np.int64]]:
    e = Emitter(f"weighted_{what}", {**_ARGUMENTS, "out": "ptr", "weights": "ptr", "cut": "ptr"})
    b, comparators = e.builder, network(rows, 0, rows)
    finish = {"range": _sum_range, "middle": _middle, "window": _sum_nearest}[what]
    with e.loop(e.index(0), e.argument("panels")) as panel:
        _pack(e, rows, panel, keyed=True)
        _sort(e, rows, comparators, e.argument("scratch"), _D4)
        if what == "window":
            with e.loop(e.index(0), e.index(PANEL), 4) as column:
                middle = _middle(e, rows, column)
                with e.loop(e.index(0), e.index(rows)) as rank:
                    value, _ = _keyed(e, e.argument("scratch"), rank, column)
                    distance = e.bits(e.abs(b.fsub(value, middle)))
                    key = b.or_(b.and_(distance, e.int_vector(distance, ~_MASK)), e.splat(rank, 4))
                    e.store(b.bitcast(key, _D4), _second(e, rows), _place(e, rank, column), F64)
            _sort(e, rows, comparators, _second(e, rows), _D4)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            _output(e, panel, column, finish(e, rows, column))
    return e.compile(straight=rows <= STRAIGHT), _table(comparators)


def _sum_range(e: Emitter, rows: int, column: Value) -> Value:
    """By weight, what lies between the shares cut[0] and 1 - cut[0] of the sorted values."""
    b = e.builder
    low, least = (e.splat(e.load(F64, e.argument("cut"), e.index(i), F64), 4) for i in (0, 1))
    high = b.fsub(e.number(_D4, 1.0), low)
    covered, total, share = (e.variable(_D4, e.number(_D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as rank:
        value, row = _keyed(e, e.argument("scratch"), rank, column)
        before = e.get(covered, _D4)
        upto = b.fadd(before, e.gather(e.argument("weights"), row, F64))
        kept = b.fsub(e.min(upto, high), e.max(before, low))
        kept = b.select(b.fcmp_ordered("<", kept, least), e.number(_D4, 0.0), kept)
        e.set(total, e.fma(kept, value, e.get(total, _D4)))
        e.set(share, b.fadd(kept, e.get(share, _D4)))
        e.set(covered, upto)
    return b.fdiv(e.get(total, _D4), e.get(share, _D4))


def _middle(e: Emitter, rows: int, column: Value) -> Value:
    """Half the sum of the least value with at least half of the weight up to it, and the least with more."""
    b = e.builder
    least = e.splat(e.load(F64, e.argument("cut"), e.index(1), F64), 4)
    half = e.number(_D4, 0.5)
    covered, lower, upper = (e.variable(_D4, e.number(_D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as rank:
        value, row = _keyed(e, e.argument("scratch"), rank, column)
        before = e.get(covered, _D4)
        short = b.fcmp_ordered("<", before, b.fsub(half, least))
        e.set(lower, b.select(short, value, e.get(lower, _D4)))
        short = b.fcmp_ordered("<=", before, b.fadd(half, least))
        e.set(upper, b.select(short, value, e.get(upper, _D4)))
        e.set(covered, b.fadd(before, e.gather(e.argument("weights"), row, F64)))
    return b.fmul(b.fadd(e.get(lower, _D4), e.get(upper, _D4)), half)


def _sum_nearest(e: Emitter, rows: int, column: Value) -> Value:
    """By weight, the first 1 - cut[0] in the order of the second network."""
    b = e.builder
    low, least = (e.splat(e.load(F64, e.argument("cut"), e.index(i), F64), 4) for i in (0, 1))
    wanted = b.fsub(e.number(_D4, 1.0), low)
    lanes = b.add(e.splat(column, 4), ir.Constant(ir.VectorType(INT, 4), [0, 1, 2, 3]))
    covered, total, share = (e.variable(_D4, e.number(_D4, 0.0)) for _ in range(3))
    with e.loop(e.index(0), e.index(rows)) as place:
        _, rank = _keyed(e, _second(e, rows), place, column)
        key = e.gather(e.argument("scratch"), b.add(b.mul(rank, e.int_vector(rank, PANEL)), lanes), F64)
        value, row = _split(e, key)
        weight = e.gather(e.argument("weights"), row, F64)
        before = e.get(covered, _D4)
        kept = e.min(weight, b.fsub(wanted, before))
        kept = b.select(b.fcmp_ordered("<", kept, least), e.number(_D4, 0.0), kept)
        e.set(total, e.fma(kept, value, e.get(total, _D4)))
        e.set(share, b.fadd(kept, e.get(share, _D4)))
        e.set(covered, b.fadd(before, weight))
    return b.fdiv(e.get(total, _D4), e.get(share, _D4))


def _pack(e: Emitter, rows: int, panel: Value, *, keyed: bool) -> None:
    """Copy a panel to the working memory, note the largest magnitudes, and start reading the next panel."""
    b = e.builder
    largest = e.variable(ir.VectorType(ir.IntType(32), 8), ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8))
    with e.loop(e.index(0), e.index(rows)) as row:
        source = b.add(b.mul(row, e.argument("stride")), b.mul(panel, e.index(PANEL)))
        for column in range(0, PANEL, 8):
            value = e.load(_F8, e.argument("x"), b.add(source, e.index(column)), F32)
            size = b.and_(e.bits(value), e.int_vector(e.bits(value), 0x7FFFFFFF))
            before = e.get(largest, size.type)
            e.set(largest, b.select(b.icmp_unsigned(">", size, before), size, before))
            place = b.add(b.mul(row, e.index(PANEL)), e.index(column))
            if not keyed:
                e.store(value, e.argument("scratch"), place, F32)
                continue
            for half in (0, 4):
                pick = ir.Constant(ir.VectorType(ir.IntType(32), 4), list(range(half, half + 4)))
                wide = e.bits(b.fpext(b.shuffle_vector(value, value, pick), _D4))
                key = b.bitcast(b.or_(wide, e.splat(row, 4)), _D4)
                e.store(key, e.argument("scratch"), b.add(place, e.index(half)), F64)
        for column in range(0, PANEL, 16):
            e.prefetch(e.argument("x"), b.add(source, e.index(PANEL + column)), F32)
    size = e.get(largest, ir.VectorType(ir.IntType(32), 8))
    seen = e.load(size.type, e.argument("flags"), e.index(0), ir.IntType(32))
    e.store(b.select(b.icmp_unsigned(">", size, seen), size, seen), e.argument("flags"), e.index(0), ir.IntType(32))


def _sort(e: Emitter, rows: int, comparators: Comparators, base: Value, kind: Value) -> None:
    """Sort every column of the panel at `base`."""
    b, element, count = e.builder, kind.element, kind.count
    if rows <= STRAIGHT:
        with e.loop(e.index(0), e.index(PANEL), count) as column:
            places = [b.add(column, e.index(row * PANEL)) for row in range(rows)]
            values = [e.load(kind, base, place, element) for place in places]
            for i, j in comparators:
                values[i], values[j] = e.min(values[i], values[j]), e.max(values[i], values[j])
            for place, value in zip(places, values, strict=True):
                e.store(value, base, place, element)
        return
    pairs = e.index(0), e.index(2 * len(comparators)), 2
    with e.loop(e.index(0), e.index(PANEL), 4 * count) as column, e.loop(*pairs) as at:
        pair = [e.load(INT, e.argument("table"), b.add(at, e.index(side)), INT) for side in (0, 1)]
        for offset in range(0, 4 * count, count):  # four vectors for every look at the table
            i, j = (b.add(b.add(column, row), e.index(offset)) for row in pair)
            low, high = e.load(kind, base, i, element), e.load(kind, base, j, element)
            e.store(e.min(low, high), base, i, element)
            e.store(e.max(low, high), base, j, element)


def _table(comparators: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(comparators, dtype=np.int64).reshape(-1) * PANEL


def _place(e: Emitter, row: Value, column: Value) -> Value:
    return e.builder.add(e.builder.mul(row, e.index(PANEL)), column)


def _sorted(e: Emitter, row: Value, column: Value) -> Value:
    """Four sorted values as float64."""
    found = e.load(_F4, e.argument("scratch"), _place(e, row, column), F32)
    return e.builder.fpext(found, _D4)


def _second(e: Emitter, rows: int) -> Value:
    """The second half of the working memory."""
    return e.builder.gep(e.argument("scratch"), [e.index(rows * PANEL)], source_etype=F64)


def _keyed(e: Emitter, base: Value, row: Value, column: Value) -> tuple[Value, Value]:
    """Four values as float64 and the numbers that their low bits hold."""
    return _split(e, e.load(_D4, base, _place(e, row, column), F64))


def _split(e: Emitter, key: Value) -> tuple[Value, Value]:
    bits = e.bits(key)
    value = e.builder.bitcast(e.builder.and_(bits, e.int_vector(bits, ~_MASK)), _D4)
    return value, e.builder.and_(bits, e.int_vector(bits, _MASK))


def _output(e: Emitter, panel: Value, column: Value, value: Value) -> None:
    place = e.builder.add(e.builder.mul(panel, e.index(PANEL)), column)
    e.store(e.builder.fptrunc(value, _F4), e.argument("out"), place, F32)
