"""Sums of subsets of rows, four rows a step: what nearest-neighbour mixing asks for, in a quarter of the additions.

Mixing makes n sums of most of n rows, n x n x d multiplications as a product of matrices. But a row enters every sum it
is in with the same factor, so of four rows there are only 16 different partial sums, and each sum of all takes one of
them for every four rows (the method of four Russians: Arlazarov, Dinic, Kronrod, Faradzhev 1970).

Sums are float32, in the order of the rows; what is left out leaves no trace. The same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from node.aggregate.linear_kernel import buffers
from node.data import FloatArray
from node.machine import F32, INT, Emitter

GROUP, WIDTH, HEIGHT = 4, 16, 4
"""Rows whose partial sums are tabled; columns of a table; sums that are kept in registers."""

GROUPS = 16
"""Groups tabled at a time: 16 KiB, so that the tables stay in the nearest cache."""

AHEAD = 3
"""Panels between what is added and what is asked for from memory."""

_F8, _BYTE = ir.VectorType(F32, 8), ir.IntType(8)
_ENTRIES = 1 << GROUP


class SubsetMixer:
    """A matrix (m, n) whose entries are 0 or their column's largest, apart from two a row at most (rows cut to fit).

    Raises ValueError for any other matrix. `mix` gives a view of a buffer of the object's, which the next call
    overwrites: a new one for every block would be paged in anew, which takes longer than the sums.
    """

    def __init__(self, matrix: NDArray[np.float64], columns: int) -> None:
        (m, n), self._columns = matrix.shape, columns
        scales = matrix.max(axis=0)
        chosen = (matrix != 0) & (np.abs(matrix - scales) <= 1e-12 * np.abs(scales))
        rest = np.argwhere((matrix != 0) & ~chosen)
        if len(rest) > 2 * m:
            raise ValueError(f"{len(rest)} entries of {m} rows are neither 0 nor their column's largest")
        self._rest = [(int(i), int(j), np.float32(matrix[i, j])) for i, j in rest]
        groups, self._tiles = -(-n // GROUP), -(-m // HEIGHT)
        self._picked = np.minimum(np.arange(groups * GROUP), n - 1)  # filled up with the last row, times 0
        self._scales = np.zeros(groups * GROUP, np.float32)
        self._scales[:n] = scales
        bits = np.zeros((self._tiles * HEIGHT, groups * GROUP), np.uint8)
        bits[:m, :n] = chosen
        places = np.arange(GROUP, dtype=np.uint8)
        codes = (bits.reshape(-1, groups, GROUP) << places).sum(axis=2, dtype=np.uint8) * np.uint8(WIDTH)
        # One tile after the other, and in it the sums of one group side by side.
        self._codes = np.ascontiguousarray(codes.reshape(self._tiles, HEIGHT, groups).transpose(0, 2, 1))
        self._table = np.empty((GROUPS, _ENTRIES, WIDTH), np.float32)
        self._source, self._result = buffers(n, self._tiles * HEIGHT, columns, WIDTH)
        self._shape = (m, n)

    def mix(self, x: FloatArray) -> FloatArray:
        """(m, b) float32: the matrix times `x` (n, b) float32 with unit stride along its at most `columns` columns."""
        panels, width = -(-x.shape[1] // WIDTH), self._result.shape[1]
        source = x
        if x.shape[1] % WIDTH:
            source = self._source
            source[:, : x.shape[1]] = x
        self._result.fill(0)
        groups = len(self._picked) // GROUP
        stride = source.strides[0] // 4
        _kernel()(
            source, stride, self._picked, self._scales, groups, panels, self._codes, self._tiles, self._table,
            self._result, width,
        )  # fmt: skip
        found = self._result[: self._shape[0], : x.shape[1]]
        for i, j, factor in self._rest:
            found[i] += factor * x[j]
        return found


@cache
def _kernel() -> Callable[..., None]:
    names = {"x": "ptr", "stride": "int", "rows": "ptr", "scales": "ptr", "groups": "int", "panels": "int"}
    e = Emitter("subset_sums", {**names, "codes": "ptr", "tiles": "int", "table": "ptr", "out": "ptr", "width": "int"})
    b, groups, table = e.builder, e.argument("groups"), e.argument("table")
    size = e.index(_ENTRIES * WIDTH)
    with e.loop(e.index(0), e.argument("panels")) as panel, e.loop(e.index(0), groups, GROUPS) as first:
        start, left = b.mul(panel, e.index(WIDTH)), b.sub(groups, first)
        count = b.select(b.icmp_signed("<", left, e.index(GROUPS)), left, e.index(GROUPS))
        with e.loop(e.index(0), count) as group:
            base = b.mul(group, size)
            for column in range(0, WIDTH, 8):
                sums = [e.number(_F8, 0.0)]
                for k in range(GROUP):
                    place = b.add(b.mul(b.add(first, group), e.index(GROUP)), e.index(k))
                    row = e.load(INT, e.argument("rows"), place, INT)
                    source = b.add(b.add(b.mul(row, e.argument("stride")), start), e.index(column))
                    scale = e.splat(e.load(F32, e.argument("scales"), place, F32), 8)
                    if column == 0:  # too many rows for the processor to foresee where the next line of each is
                        e.prefetch(e.argument("x"), b.add(source, e.index(AHEAD * WIDTH)), F32)
                    value = b.fmul(e.load(_F8, e.argument("x"), source, F32), scale)
                    sums += [value if at == 0 else b.fadd(before, value) for at, before in enumerate(sums)]
                for entry, total in enumerate(sums):
                    e.store(total, table, b.add(base, e.index(entry * WIDTH + column)), F32)
        with e.loop(e.index(0), e.argument("tiles")) as tile:
            lines = [
                b.add(b.mul(b.add(b.mul(tile, e.index(HEIGHT)), e.index(i)), e.argument("width")), start)
                for i in range(HEIGHT)
            ]
            columns = range(0, WIDTH, 8)
            places = [[b.add(line, e.index(column)) for column in columns] for line in lines]
            totals = [[e.variable(_F8, e.load(_F8, e.argument("out"), at, F32)) for at in line] for line in places]
            with e.loop(e.index(0), count) as group:
                code = b.mul(b.add(b.mul(tile, groups), b.add(first, group)), e.index(HEIGHT))
                for i in range(HEIGHT):
                    byte = b.load(b.gep(e.argument("codes"), [b.add(code, e.index(i))], source_etype=_BYTE), typ=_BYTE)
                    entry = b.add(b.mul(group, size), b.zext(byte, INT))
                    for total, column in zip(totals[i], columns, strict=True):
                        part = e.load(_F8, table, b.add(entry, e.index(column)), F32)
                        e.set(total, b.fadd(e.get(total, _F8), part))
            for line, kept in zip(places, totals, strict=True):
                for place, total in zip(line, kept, strict=True):
                    e.store(e.get(total, _F8), e.argument("out"), place, F32)
    return e.compile()
