"""Sorting networks as machine code: columns of a panel in working memory, sorted side by side without a branch.

Rows are sorted against one another, 8 columns at a time (4 when rows are carried along), by Batcher's odd-even merge
sort (Knuth, The Art of Computer Programming vol. 3, 5.2.2 M and 5.3.4): its comparators are known beforehand, and up to
128 rows they are straight-line code whose values stay in registers.

To carry rows along, a value is widened to float64, which leaves 29 bits of its mantissa free, and the row number goes
into the lowest 16. So one plain comparison sorts value and row together; ties go by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.data import FloatArray
from node.machine import F32, F64, INT, Emitter, Value

PANEL = 64
"""Columns copied to the working memory at a time; a block has a multiple of them."""

STRAIGHT = 128
"""Most rows whose network becomes straight-line code. Beyond, compiling it would take seconds."""

ROW_BITS = 16
"""Low bits of a widened value that hold its row, hence at most 65,536 rows."""

MASK = (1 << ROW_BITS) - 1
F8, F4, D4 = ir.VectorType(F32, 8), ir.VectorType(F32, 4), ir.VectorType(F64, 4)
ARGUMENTS = {
    "x": "ptr",
    "stride": "int",
    "panels": "int",
    "table": "ptr",
    "flags": "ptr",
    "scratch": "ptr",
    "out": "ptr",
}
"""Of every kernel that sorts; its own follow."""

_INFINITE = 0x7F800000
Comparators = list[tuple[int, int]]


def network(uses: Sequence[float]) -> Comparators:
    """Comparators (i, j), smaller to i, after which row k holds the k-th smallest value, as far as that matters.

    `uses` (n,) says what becomes of it: rows of equal use, those of no use among them, may be exchanged for one
    another, so comparators that do only that are left out. All different: a full sort. Depth first, so that
    consecutive comparators touch the same few rows.
    """
    rows = len(uses)
    found: Comparators = []

    def merge(start: int, length: int, step: int) -> None:
        if 2 * step >= length:
            found.append((start, start + step))
            return
        merge(start, length, 2 * step)
        merge(start + step, length, 2 * step)
        found.extend((i, i + step) for i in range(start + step, start + length - step, 2 * step))

    def halves(start: int, length: int) -> None:
        if length > 1:
            halves(start, length // 2)
            halves(start + length // 2, length // 2)
            merge(start, length, 1)

    # For the next power of two, as if the rows that are not there held infinity: those comparators never swap.
    halves(0, 1 << (rows - 1).bit_length())
    kept: Comparators = []
    labels: list[object] = list(uses)
    for low, high in reversed(found):
        if high < rows and labels[low] != labels[high]:
            kept.append((low, high))
            labels[low], labels[high] = object(), object()
    return kept[::-1]


def run(
    kernel: Callable[..., None],
    table: NDArray[np.int64],
    x: FloatArray,
    out: FloatArray,
    kind: type[np.float32] | type[np.float64],
    *more: NDArray[np.float64],
) -> bool:
    """Call a kernel on all columns of `x` (n, b) float32, the last ones filled up with zeros to a whole panel.

    `out` is (b,) float32, or of any other shape if results do not lie by column. `kind` is what the working memory
    holds. False if a value of `x` is not finite: then `out` is not to be used.
    """
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


def pack(e: Emitter, rows: int, panel: Value, *, keyed: bool) -> None:
    """Copy a panel to the working memory, note the largest magnitudes, and start reading the next panel."""
    b = e.builder
    largest = e.variable(ir.VectorType(ir.IntType(32), 8), ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8))
    with e.loop(e.index(0), e.index(rows)) as row:
        source = b.add(b.mul(row, e.argument("stride")), b.mul(panel, e.index(PANEL)))
        for column in range(0, PANEL, 8):
            value = e.load(F8, e.argument("x"), b.add(source, e.index(column)), F32)
            size = b.and_(e.bits(value), e.int_vector(e.bits(value), 0x7FFFFFFF))
            before = e.get(largest, size.type)
            e.set(largest, b.select(b.icmp_unsigned(">", size, before), size, before))
            place = b.add(b.mul(row, e.index(PANEL)), e.index(column))
            if not keyed:
                e.store(value, e.argument("scratch"), place, F32)
                continue
            for half in (0, 4):
                pick = ir.Constant(ir.VectorType(ir.IntType(32), 4), list(range(half, half + 4)))
                wide = e.bits(b.fpext(b.shuffle_vector(value, value, pick), D4))
                key = b.bitcast(b.or_(wide, e.splat(row, 4)), D4)
                e.store(key, e.argument("scratch"), b.add(place, e.index(half)), F64)
        for column in range(0, PANEL, 16):
            e.prefetch(e.argument("x"), b.add(source, e.index(PANEL + column)), F32)
    size = e.get(largest, ir.VectorType(ir.IntType(32), 8))
    seen = e.load(size.type, e.argument("flags"), e.index(0), ir.IntType(32))
    e.store(b.select(b.icmp_unsigned(">", size, seen), size, seen), e.argument("flags"), e.index(0), ir.IntType(32))


def sort(e: Emitter, rows: int, comparators: Comparators, base: Value, kind: Value) -> None:
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


def offsets(comparators: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Comparators as offsets in the working memory."""
    return np.array(comparators, dtype=np.int64).reshape(-1) * PANEL


def index_of(e: Emitter, row: Value, column: Value) -> Value:
    """The index of an element in the working memory."""
    return e.builder.add(e.builder.mul(row, e.index(PANEL)), column)


def second(e: Emitter, rows: int) -> Value:
    """The second half of the working memory."""
    return e.builder.gep(e.argument("scratch"), [e.index(rows * PANEL)], source_etype=F64)


def keyed(e: Emitter, base: Value, row: Value, column: Value) -> tuple[Value, Value]:
    """Four values as float64 and the numbers that their low bits hold."""
    return split(e, e.load(D4, base, index_of(e, row, column), F64))


def split(e: Emitter, key: Value) -> tuple[Value, Value]:
    """A widened value and the number in its low bits."""
    bits = e.bits(key)
    value = e.builder.bitcast(e.builder.and_(bits, e.int_vector(bits, ~MASK)), D4)
    return value, e.builder.and_(bits, e.int_vector(bits, MASK))
