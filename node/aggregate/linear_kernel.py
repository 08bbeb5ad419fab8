"""Linear kernels: one weighted sum of rows in float64, and a whole matrix of weights times a block in float32.

`weighted_rows` is the last pass of every rule whose result is a combination of its input, `ProductMixer` feeds the
per-coordinate rules after a pre-aggregator. Both add rows in their order, lane by lane, so the bytes are the same on
every machine. Cost: one read of the input (only of rows whose weight is not 0), and n x n x d multiplications.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.data import FloatArray
from node.machine import F32, F64, INT, Emitter

PANEL = 512
"""Columns of a weighted sum at a time: their float64 totals stay in the nearest cache."""

TOGETHER = 4
"""Rows added to a total before it goes back to memory."""

WIDTH, HEIGHT = 16, 6
"""Columns and rows of a product that are kept in registers: 12 sums."""

AHEAD = 3
"""Panels of a product between what is multiplied and what is asked for from memory."""

_F8, _F4, _D4 = ir.VectorType(F32, 8), ir.VectorType(F32, 4), ir.VectorType(F64, 4)


def weighted_rows(x: FloatArray, rows: NDArray[np.int64], weights: NDArray[np.float64], out: FloatArray) -> None:
    """out[c] = sum_k weights[k] x[rows[k], c], in float64, rounded once.

    `x` (n, b) float32 with unit stride along columns; `rows` (k,) int64; `weights` (k,) float64; `out` (b,) float32.
    """
    columns, used = x.shape[1], len(rows)
    short = -used % TOGETHER
    # Filled up with rows that are there anyway: 0 x a finite value adds nothing.
    picked = np.concatenate([rows, np.repeat(rows[-1:], short)]) if used else np.zeros(0, np.int64)
    shares = np.concatenate([weights, np.zeros(short)])
    totals = np.empty(PANEL, np.float64)
    whole = columns // PANEL * PANEL
    if whole:
        _weighted()(x, x.strides[0] // 4, whole // PANEL, picked, shares, len(picked), totals, out)
    if whole < columns:
        rest, result = np.zeros((len(x), PANEL), np.float32), np.empty(PANEL, np.float32)
        rest[:, : columns - whole] = x[:, whole:]
        _weighted()(rest, PANEL, 1, picked, shares, len(picked), totals, result)
        out[whole:] = result[: columns - whole]


class ProductMixer:
    """Any matrix (m, n) times blocks of rows, each sum in float32 in the order of the rows.

    `mix` gives a view of a buffer of the object's, which the next call overwrites.
    """

    def __init__(self, matrix: NDArray[np.float64], columns: int) -> None:
        m, n = self._shape = matrix.shape
        self._tiles = -(-m // HEIGHT)
        filled = np.zeros((self._tiles * HEIGHT, n), np.float32)
        filled[:m] = matrix
        # One tile after the other, and in it the weights of one row of x side by side.
        self._packed = np.ascontiguousarray(filled.reshape(self._tiles, HEIGHT, n).transpose(0, 2, 1))
        self._scratch = np.empty((n, WIDTH), np.float32)
        self._source, self._result = buffers(n, self._tiles * HEIGHT, columns, WIDTH)

    def mix(self, x: FloatArray) -> FloatArray:
        """(m, b) float32: the matrix times `x` (n, b) float32 with unit stride along its at most `columns` columns."""
        (m, n), panels, width = self._shape, -(-x.shape[1] // WIDTH), self._result.shape[1]
        source = x
        if x.shape[1] % WIDTH:
            source = self._source
            source[:, : x.shape[1]] = x
        stride = source.strides[0] // 4
        _mixed()(source, stride, n, panels, self._packed, self._tiles, self._scratch, self._result, width)
        return self._result[:m, : x.shape[1]]


def buffers(n: int, m: int, columns: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Room for `columns` columns in whole panels of `width`: for n rows of input and m of a result.

    One panel longer than that: rows a power of two apart would push one another out of the cache.
    """
    padded = (-(-columns // width) + 1) * width
    return np.zeros((n, padded), np.float32), np.zeros((m, padded), np.float32)


@cache
def _weighted() -> Callable[..., None]:
    names = {"x": "ptr", "stride": "int", "panels": "int", "rows": "ptr", "weights": "ptr", "used": "int"}
    e = Emitter("weighted_rows", {**names, "totals": "ptr", "out": "ptr"})
    b, totals = e.builder, e.argument("totals")
    with e.loop(e.index(0), e.argument("panels")) as panel:
        start = b.mul(panel, e.index(PANEL))
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            e.store(e.number(_D4, 0.0), totals, column, F64)
        with e.loop(e.index(0), e.argument("used"), TOGETHER) as group:
            sources, weights = [], []
            for k in range(TOGETHER):
                place = b.add(group, e.index(k))
                row = e.load(INT, e.argument("rows"), place, INT)
                sources.append(b.add(b.mul(row, e.argument("stride")), start))
                weights.append(e.splat(e.load(F64, e.argument("weights"), place, F64), 4))
            with e.loop(e.index(0), e.index(PANEL), 4) as column:
                total = e.load(_D4, totals, column, F64)
                for source, weight in zip(sources, weights, strict=True):
                    value = b.fpext(e.load(_F4, e.argument("x"), b.add(source, column), F32), _D4)
                    total = e.fma(value, weight, total)
                e.store(total, totals, column, F64)
        with e.loop(e.index(0), e.index(PANEL), 4) as column:
            value = b.fptrunc(e.load(_D4, totals, column, F64), _F4)
            e.store(value, e.argument("out"), b.add(start, column), F32)
    return e.compile()


@cache
def _mixed() -> Callable[..., None]:
    names = {"x": "ptr", "stride": "int", "n": "int", "panels": "int", "matrix": "ptr", "tiles": "int"}
    e = Emitter("mixed_rows", {**names, "scratch": "ptr", "out": "ptr", "width": "int"})
    b, scratch = e.builder, e.argument("scratch")
    with e.loop(e.index(0), e.argument("panels")) as panel:
        start = b.mul(panel, e.index(WIDTH))
        with e.loop(e.index(0), e.argument("n")) as row:
            source = b.add(b.mul(row, e.argument("stride")), start)
            # Too many rows for the processor to foresee where the next line of each is.
            e.prefetch(e.argument("x"), b.add(source, e.index(AHEAD * WIDTH)), F32)
            for column in range(0, WIDTH, 8):
                value = e.load(_F8, e.argument("x"), b.add(source, e.index(column)), F32)
                e.store(value, scratch, b.add(b.mul(row, e.index(WIDTH)), e.index(column)), F32)
        with e.loop(e.index(0), e.argument("tiles")) as tile:
            zero = e.number(_F8, 0.0)
            sums = [[e.variable(_F8, zero) for _ in range(0, WIDTH, 8)] for _ in range(HEIGHT)]
            weights = b.mul(tile, b.mul(e.argument("n"), e.index(HEIGHT)))
            with e.loop(e.index(0), e.argument("n")) as row:
                values = [
                    e.load(_F8, scratch, b.add(b.mul(row, e.index(WIDTH)), e.index(column)), F32)
                    for column in range(0, WIDTH, 8)
                ]
                for i in range(HEIGHT):
                    place = b.add(weights, b.add(b.mul(row, e.index(HEIGHT)), e.index(i)))
                    weight = e.splat(e.load(F32, e.argument("matrix"), place, F32), 8)
                    for total, value in zip(sums[i], values, strict=True):
                        e.set(total, e.fma(weight, value, e.get(total, _F8)))
            for i in range(HEIGHT):
                line = b.mul(b.add(b.mul(tile, e.index(HEIGHT)), e.index(i)), e.argument("width"))
                for k, total in enumerate(sums[i]):
                    e.store(e.get(total, _F8), e.argument("out"), b.add(b.add(line, start), e.index(8 * k)), F32)
    return e.compile()
