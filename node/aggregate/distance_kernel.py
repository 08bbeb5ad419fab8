"""The Gram kernel: squared distances of all rows, and of each row from the origin, in one read of the input.

|x_i - x_j|^2 is summed from the differences themselves. The usual way, G_ii + G_jj - 2 G_ij, loses everything when rows
share a large part (models rather than updates), and a reference row subtracted first helps only until a Byzantine row
is the reference. Differences cost no more where a core adds and multiplies side by side, and nothing is left to go
wrong. The Gram matrix about any reference r follows: G_ij = (D_ir + D_jr - D_ij) / 2.

Differences and squares are float32, summed by lane over CHUNK columns, then float64: the relative error of a distance
is some 1e-8. Squares that leave the range of float32 are noticed and the whole is done again in float64.
Working memory: n x 4 KiB. Every operation has a fixed order, so the bytes are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.data import FloatArray
from node.machine import F32, F64, Emitter, Value

CHUNK = 512
"""Columns whose squares are summed before they are widened to float64."""

TILE = 3
"""Rows against rows that are kept in registers: 9 sums and what they need fit 16 registers."""


def add_squared_distances(x: FloatArray, total: NDArray[np.float64], *, wide: bool) -> None:
    """Add |x_i - x_j|^2 of these columns to total[i, j], i < j; row and column n are the origin.

    `x` (n, b) float32 with unit stride along columns; `total` (m, m) float64 with m = `padded(n)`, contiguous; only
    its upper triangle is meaningful. `wide`: differences and squares in float64, half as fast.
    """
    rows, columns = x.shape
    tiles = len(total) // TILE
    kernel = _kernel(wide)
    scratch = np.zeros((len(total), CHUNK), np.float64 if wide else np.float32)
    whole = columns // CHUNK * CHUNK
    if whole:
        kernel(x, x.strides[0] // 4, rows, whole // CHUNK, tiles, scratch, total)
    if whole < columns:
        rest = np.zeros((rows, CHUNK), np.float32)
        rest[:, : columns - whole] = x[:, whole:]
        kernel(rest, CHUNK, rows, 1, tiles, scratch, total)


def add_squared_distances_from(x: FloatArray, row: int, total: NDArray[np.float64]) -> None:
    """Add |x_i - x_row|^2 of these columns to total (n,) float64; `x` as above. One read and no more."""
    rows, columns = x.shape
    whole = columns // CHUNK * CHUNK
    if whole:
        _from_one()(x, x.strides[0] // 4, rows, whole // CHUNK, row, total)
    if whole < columns:
        rest = np.zeros((rows, CHUNK), np.float32)
        rest[:, : columns - whole] = x[:, whole:]
        _from_one()(rest, CHUNK, rows, 1, row, total)


def padded(rows: int) -> int:
    """Rows and the origin, rounded up to whole tiles."""
    return -(-(rows + 1) // TILE) * TILE


@cache
def _kernel(wide: bool) -> Callable[..., None]:
    names = {"x": "ptr", "stride": "int", "rows": "int", "chunks": "int", "tiles": "int", "scratch": "ptr"}
    e = Emitter("distances", {**names, "total": "ptr"})
    b, scratch = e.builder, e.argument("scratch")
    element = F64 if wide else F32
    kind = ir.VectorType(element, 4 if wide else 8)
    size = b.mul(e.argument("tiles"), e.index(TILE))
    with e.loop(e.index(0), e.argument("chunks")) as chunk:
        # Copied, because rows that lie a power of two apart would push one another out of the cache.
        with e.loop(e.index(0), e.argument("rows")) as row:
            source = b.add(b.mul(row, e.argument("stride")), b.mul(chunk, e.index(CHUNK)))
            with e.loop(e.index(0), e.index(CHUNK), kind.count) as column:
                value = e.load(ir.VectorType(F32, kind.count), e.argument("x"), b.add(source, column), F32)
                place = b.add(b.mul(row, e.index(CHUNK)), column)
                e.store(b.fpext(value, kind) if wide else value, scratch, place, element)
        with e.loop(e.index(0), e.argument("tiles")) as upper, e.loop(upper, e.argument("tiles")) as right:
            sums = _tile(e, kind, upper, right)
            for i in range(TILE):
                for j in range(TILE):
                    row, column = (b.add(b.mul(t, e.index(TILE)), e.index(k)) for t, k in ((upper, i), (right, j)))
                    place = b.add(b.mul(row, size), column)
                    value = b.fadd(e.load(F64, e.argument("total"), place, F64), e.across(sums[i][j]))
                    e.store(value, e.argument("total"), place, F64)
    return e.compile()


@cache
def _from_one() -> Callable[..., None]:
    names = {"x": "ptr", "stride": "int", "rows": "int", "chunks": "int", "row": "int", "total": "ptr"}
    e = Emitter("distances_from_one", names)
    b, kind = e.builder, ir.VectorType(F32, 8)
    with e.loop(e.index(0), e.argument("chunks")) as chunk, e.loop(e.index(0), e.argument("rows")) as row:
        start = b.mul(chunk, e.index(CHUNK))
        left, right = (b.add(b.mul(each, e.argument("stride")), start) for each in (row, e.argument("row")))
        sums = [e.variable(kind, e.number(kind, 0.0)) for _ in range(4)]
        with e.loop(e.index(0), e.index(CHUNK), 8 * len(sums)) as column:
            for k, place in enumerate(sums):
                at = b.add(column, e.index(8 * k))
                pair = [e.load(kind, e.argument("x"), b.add(base, at), F32) for base in (left, right)]
                difference = b.fsub(*pair)
                e.set(place, e.fma(difference, difference, e.get(place, kind)))
        halves = [b.fadd(e.get(sums[k], kind), e.get(sums[k + 1], kind)) for k in (0, 2)]
        value = b.fadd(e.load(F64, e.argument("total"), row, F64), e.across(b.fadd(*halves)))
        e.store(value, e.argument("total"), row, F64)
    return e.compile()


def _tile(e: Emitter, kind: Value, upper: Value, right: Value) -> list[list[Value]]:
    """Sums of squared differences by lane, of three rows against three."""
    b, element = e.builder, kind.element
    zero = e.number(kind, 0.0)
    sums = [[e.variable(kind, zero) for _ in range(TILE)] for _ in range(TILE)]
    with e.loop(e.index(0), e.index(CHUNK), kind.count) as column:
        left, other = (
            [
                e.load(kind, e.argument("scratch"), b.add(b.mul(tile, e.index(TILE * CHUNK)), place), element)
                for place in [b.add(column, e.index(k * CHUNK)) for k in range(TILE)]
            ]
            for tile in (upper, right)
        )
        for i in range(TILE):
            for j in range(TILE):
                difference = b.fsub(left[i], other[j])
                e.set(sums[i][j], e.fma(difference, difference, e.get(sums[i][j], kind)))
    return [[e.get(place, kind) for place in row] for row in sums]
