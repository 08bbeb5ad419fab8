"""The one entry that does not care in which order clients come: sort them first, then apply a rule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.aggregate.nearest import monna
from node.aggregate.rows import BLOCK, ColumnSource
from node.aggregate.rule import AGGREGATORS, Weights
from node.data import FloatArray


def aggregate(
    name: str,
    updates: FloatArray | ColumnSource,
    weights: Weights,
    *,
    f: float,
    seed: bytes = b"",
    keys: Sequence[bytes] | None = None,
    pivot: int | None = None,
) -> FloatArray:
    """(d,) float32: the rule called `name` on rows sorted by `keys`; the same bytes for any order of the clients.

    `keys` are the content digests of the rows (n,); without them the rows' own bytes are hashed, one more pass. Equal
    rows come by weight. `pivot` is the caller's own row in the order given, for monna alone. Errors as
    `AGGREGATORS.get` and `Aggregator` say; ValueError for keys that are not one a row, or a pivot with another rule.
    """
    rule = AGGREGATORS.get(name)
    if pivot is not None and name != "monna":
        raise ValueError(f"{name} has no pivot row")
    weights = np.asarray(weights, dtype=np.float64)
    found = content_keys(updates) if keys is None else list(keys)
    if len(found) != updates.shape[0] or weights.shape != (len(found),):
        raise ValueError(f"{len(found)} keys and {weights.shape} weights for {updates.shape[0]} updates")
    order = np.array(sorted(range(len(found)), key=lambda row: (found[row], weights[row])), dtype=np.int64)
    rows = _Reordered(updates, order)
    if pivot is None:
        return rule(rows, weights[order], f=f, seed=seed)
    present = order[weights[order] > 0]
    place = np.flatnonzero(present == pivot)
    if not len(place):
        raise ValueError(f"pivot {pivot} is not one of {len(present)} rows with weight")
    return monna(rows, weights[order], f=f, seed=seed, pivot=int(place[0]))


def content_keys(updates: FloatArray | ColumnSource) -> list[bytes]:
    """SHA-256 of each row's little-endian float32 bytes."""
    digests = [hashlib.sha256() for _ in range(updates.shape[0])]
    for start in range(0, updates.shape[1], BLOCK):
        stop = min(start + BLOCK, updates.shape[1])
        block = updates[:, start:stop] if isinstance(updates, np.ndarray) else updates.block(start, stop)
        exact = np.ascontiguousarray(block, dtype="<f4")
        for digest, row in zip(digests, exact, strict=True):
            digest.update(row)
    return [digest.digest() for digest in digests]


class _Reordered:
    """A `ColumnSource` of the same rows in another order."""

    def __init__(self, source: FloatArray | ColumnSource, order: NDArray[np.int64]) -> None:
        self._source, self._order = source, order

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._order), int(self._source.shape[1])

    def block(self, start: int, stop: int) -> FloatArray:
        source = self._source
        block = source[:, start:stop] if isinstance(source, np.ndarray) else source.block(start, stop)
        return np.asarray(block[self._order], dtype=np.float32)
