"""Updates as the rules see them: rows that are read by blocks of columns, so that they need not be in memory at once.

Two kinds. `InputRows` are an array, a memory map or any `ColumnSource`; `MixedRows` are combinations of other rows,
made block by block, which is what every pre-aggregator yields. Both answer the two questions that a rule asks besides
its columns: how far apart are they, and what is this weighted sum of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from node.aggregate.distance_kernel import add_squared_distances, add_squared_distances_from, padded
from node.aggregate.linear_kernel import ProductMixer, weighted_rows
from node.aggregate.subset_kernel import SubsetMixer
from node.data import FloatArray

BLOCK = 8192
"""Columns a block. 256 rows of them are 8 MiB."""

MIXED = 2048
"""Columns mixed at a time: few enough for the result to stay in a cache until it is used."""

_FAR = 1e3
"""Rows whose squared distance from the reference exceeds the middle one this many times have their inner products
measured: from distances that are right to 1e-8 they would follow only to 1e-8 of the largest."""

_UNDERFLOW = 1e-24
"""A squared distance below this may have lost squares that float32 cannot hold."""

NOT_FINITE = "an update has a NaN or infinite value"


@runtime_checkable
class ColumnSource(Protocol):
    """Updates that lie elsewhere, in the chunks of a store say."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""

    def block(self, start: int, stop: int) -> FloatArray:
        """(n, stop - start) float32: columns start..stop-1. Asked for in ascending order, once a pass."""


class Rows(ABC):
    """(n, d) float32 rows. All results are new arrays."""

    shape: tuple[int, int]

    @abstractmethod
    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """All columns in order: where they are, and (n, at most BLOCK) float32 with unit stride along columns.

        A block may be overwritten by the next one.
        """

    @property
    @abstractmethod
    def squared_distances(self) -> NDArray[np.float64]:
        """(n + 1, n + 1) float64, symmetric, 0 on the diagonal: of all pairs of rows; the last row is the origin.

        Raises ValueError if a value is not finite.
        """

    def squared_distances_from(self, index: int) -> NDArray[np.float64]:
        """(n,) float64: of all rows from one, without the other pairs where that is possible. Errors as above."""
        return np.asarray(self.squared_distances[index, :-1])

    @property
    @abstractmethod
    def gram(self) -> NDArray[np.float64]:
        """(n + 1, n + 1) float64 inner products of p_i - r: p are the rows and the origin, r is one of the input rows,
        one with half of the weight close by, so that no giant and no common part of the rows blurs them.

        A combination z with sum_i a_i = 1 has |p_i - z|^2 = G_ii - 2 (G a)_i + a'G a. Errors as `squared_distances`.
        """

    @abstractmethod
    def combine(self, coefficients: NDArray[np.float64]) -> FloatArray:
        """(d,) float32: sum_i coefficients_i row_i. Raises ValueError if a value is not finite."""

    def __len__(self) -> int:
        return self.shape[0]

    def row(self, index: int) -> FloatArray:
        """(d,) float32: a copy of one row."""
        return self.combine(np.eye(1, len(self), index)[0])

    @property
    def norms(self) -> NDArray[np.float64]:
        """(n,) float64 Euclidean norms."""
        return np.asarray(np.sqrt(self.squared_distances[-1, :-1]))

    @property
    def inner_products(self) -> NDArray[np.float64]:
        """(n, n) float64: of the rows themselves."""
        gram = self.gram
        rows, origin = gram[:-1, :-1], gram[:-1, -1]
        return np.asarray(rows - origin[:, None] - origin[None, :] + gram[-1, -1])


class InputRows(Rows):
    """What came in: all rows of it, or the `picked` ones in that order, and the `weights` (n,) that they have."""

    def __init__(
        self, source: FloatArray | ColumnSource, weights: NDArray[np.float64], picked: NDArray[np.int64] | None = None
    ) -> None:
        self._source, self._weights, self._picked = source, weights, picked
        self.shape = (len(weights), source.shape[1])

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        for place, block in self._read():
            yield place, block if self._picked is None else block[self._picked]

    def _read(self) -> Iterator[tuple[slice, FloatArray]]:
        for start in range(0, self.shape[1], BLOCK):
            place = slice(start, min(start + BLOCK, self.shape[1]))
            source = self._source
            block = source[:, place] if isinstance(source, np.ndarray) else source.block(place.start, place.stop)
            if block.dtype != np.float32 or (len(block) and block.strides != (block.strides[0], 4)):
                block = np.ascontiguousarray(block, dtype=np.float32)
            yield place, block

    @cached_property
    def squared_distances(self) -> NDArray[np.float64]:
        for wide in (False, True):
            total = np.zeros((padded(len(self)), padded(len(self))))
            for _, block in self.blocks():
                add_squared_distances(block, total, wide=wide)
            upper = np.triu(total[: len(self) + 1, : len(self) + 1], 1)
            pairs = upper[np.triu_indices(len(upper), 1)]
            if np.isnan(pairs).any():
                raise ValueError(NOT_FINITE)
            if np.isfinite(pairs).all() and (pairs >= _UNDERFLOW).all():
                break
        if not np.isfinite(pairs).all():  # no sum of squares of float32 leaves float64
            raise ValueError(NOT_FINITE)
        return np.asarray(upper + upper.T)

    def squared_distances_from(self, index: int) -> NDArray[np.float64]:
        total = np.zeros(len(self))
        for _, block in self.blocks():
            add_squared_distances_from(block, index, total)
        others = np.delete(total, index)
        if np.isfinite(total).all() and (others >= _UNDERFLOW).all():
            return total
        return np.asarray(self.squared_distances[index, :-1])

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        distances = self.squared_distances
        order = np.argsort(distances[:-1, :-1], axis=1, kind="stable")
        covered = np.cumsum(self._weights[order], axis=1)
        middle = order[np.arange(len(self)), np.argmax(covered >= covered[:, -1:] / 2, axis=1)]
        radii = distances[np.arange(len(self)), middle]
        reference = int(np.argmin(radii))
        own = distances[reference]
        gram = (own[:, None] + own[None, :] - distances) / 2
        far = np.flatnonzero(own > _FAR * radii[reference])
        if len(far):
            measured = np.zeros((len(far), len(gram)))
            for _, block in self.blocks():
                for start in range(0, block.shape[1], MIXED):
                    part = block[:, start : start + MIXED].astype(np.float64)
                    moved = np.vstack([part, np.zeros((1, part.shape[1]))]) - part[reference]
                    measured += moved[far] @ moved.T
            gram[far] = measured
            gram[:, far] = measured.T
        return np.asarray(gram)

    def combine(self, coefficients: NDArray[np.float64]) -> FloatArray:
        used = np.flatnonzero(coefficients)
        picked = used if self._picked is None else self._picked[used]
        result = np.empty(self.shape[1], np.float32)
        for place, block in self._read():
            weighted_rows(block, picked, coefficients[used], result[place])
        if not np.isfinite(result).all():
            raise ValueError(NOT_FINITE)
        return result


class MixedRows(Rows):
    """`matrix` (m, n) float64 times `rows` (n, d): row i is sum_k matrix_ik row_k."""

    _matrix: NDArray[np.float64]
    _rows: Rows

    def __init__(self, matrix: NDArray[np.float64], rows: Rows) -> None:
        if isinstance(rows, MixedRows):  # one product of small matrices saves a pass
            matrix, rows = matrix @ rows._matrix, rows._rows
        self._matrix, self._rows = matrix, rows
        self.shape = (len(matrix), rows.shape[1])

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        mixer = _mixer(self._matrix, min(MIXED, self.shape[1]))
        for place, block in self._rows.blocks():
            for start in range(0, block.shape[1], MIXED):
                part = block[:, start : start + MIXED]
                yield slice(place.start + start, place.start + start + part.shape[1]), mixer.mix(part)

    @cached_property
    def _points(self) -> NDArray[np.float64]:
        """(m + 1, n + 1): the combinations, with the origin taking what is left to a sum of 1; last, the origin."""
        rest = 1.0 - self._matrix.sum(axis=1)
        rest[np.abs(rest) < 1e-12] = 0.0
        points = np.column_stack([self._matrix, rest])
        return np.vstack([points, np.eye(1, points.shape[1], points.shape[1] - 1)])

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        found = self._points @ self._rows.gram @ self._points.T
        return np.asarray((found + found.T) / 2)

    @cached_property
    def squared_distances(self) -> NDArray[np.float64]:
        own = np.diag(self.gram)
        same = (self._points[:, None] == self._points[None]).all(axis=2)  # exactly 0, not rounding
        return np.where(same, 0.0, np.maximum(own[:, None] + own[None, :] - 2 * self.gram, 0.0))

    def combine(self, coefficients: NDArray[np.float64]) -> FloatArray:
        return self._rows.combine(coefficients @ self._matrix)


def _mixer(matrix: NDArray[np.float64], columns: int) -> ProductMixer | SubsetMixer:
    """The fastest way to multiply by a matrix: nearest-neighbour mixing and scaling take sums of subsets."""
    try:
        return SubsetMixer(matrix, columns)
    except ValueError:
        return ProductMixer(matrix, columns)
