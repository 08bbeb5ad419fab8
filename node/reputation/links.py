"""Weighted links between nodes 0..n-1, as the walks read them: integer weights, listed by target and by source.

A walk at u goes on to v with probability w(u,v)/W(u), W(u) being all that u gives. Only proportions within a row count,
so a node gains nothing by giving more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from node.errors import GraphError
from node.reputation import kernels

WEIGHT_BITS = 22
LARGEST_TOTAL = 1 << WEIGHT_BITS
"""What a row may give in total: products with 2^40 of mass then stay below 2^62."""
MAX_NODES = 1 << 27

Indices = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Links:
    """`sources` (m,) and `weights` (m,) uint32, sorted by target then source; those of v lie in starts[v]:starts[v+1].

    `totals` (n,) int64 is what each node gives. Make one with `link`, change it with `with_changes`.
    """

    starts: Indices
    sources: Indices
    weights: Indices
    totals: NDArray[np.int64]

    @property
    def nodes(self) -> int:
        """n."""
        return len(self.totals)

    @property
    def count(self) -> int:
        """m."""
        return len(self.sources)

    @cached_property
    def by_source(self) -> tuple[Indices, Indices, Indices]:
        """The same links by source: starts (n+1,), targets (m,), weights (m,)."""
        targets = np.repeat(np.arange(self.nodes, dtype=np.uint32), counts(self.starts))
        starts = np.empty(self.nodes + 1, np.uint32)
        ends, weights = np.empty_like(self.sources), np.empty_like(self.weights)
        kernels.group(self.sources, targets, self.weights, starts, ends, weights)
        return starts, ends, weights

    def with_changes(self, sources: ArrayLike, targets: ArrayLike, weights: ArrayLike) -> Links:
        """Links with some set anew, (k,) each; weight 0 removes. The last word on a pair counts.

        Costs one pass over all links. Raises GraphError on what `link` refuses, and where a row would give more than
        LARGEST_TOTAL: those rows need `link`, which scales them.
        """
        changed = _checked(self.nodes, sources, targets, weights, largest=LARGEST_TOTAL)
        order = np.lexsort((changed[0], changed[1]))  # stable: among equal pairs the later stays last
        source, target, weight = (column[order] for column in changed)
        last = np.ones(len(order), np.bool_)
        last[:-1] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
        source, target, weight = source[last], target[last], weight[last]
        starts, totals = np.empty_like(self.starts), self.totals.copy()
        room = self.count + len(source)
        ends, values = np.empty(room, np.uint32), np.empty(room, np.uint32)
        count = kernels.merge(
            self.starts, self.sources, self.weights, target, source, weight, starts, ends, values, totals
        )
        if totals.max(initial=0) > LARGEST_TOTAL:
            node = int(totals.argmax())
            raise GraphError(f"node {node} would give {totals[node]} in total", hint=f"at most {LARGEST_TOTAL}")
        return Links(starts, ends[:count], values[:count], totals)

    def weight(self, source: int, target: int) -> int:
        """One link's weight; 0 where there is none."""
        first, stop = int(self.starts[target]), int(self.starts[target + 1])
        at = first + int(np.searchsorted(self.sources[first:stop], source))
        return int(self.weights[at]) if at < stop and self.sources[at] == source else 0

    def digest(self) -> bytes:
        """SHA-256 of the links, equal on every machine: n, then starts, sources, weights as little-endian uint32."""
        hasher = hashlib.sha256(b"credence links\x00" + self.nodes.to_bytes(8, "big"))
        for column in (self.starts, self.sources, self.weights):
            hasher.update(column.astype("<u4").tobytes())
        return hasher.digest()


def link(nodes: int, sources: ArrayLike, targets: ArrayLike, weights: ArrayLike) -> Links:
    """Links among `nodes` nodes from (m,) integers each; weights of equal pairs add up.

    A row that gives more than 2^22 in total is scaled down to that, rounding down, each link keeping at least 1.
    Raises GraphError for lengths that differ, unknown nodes, weights below 1, and links from a node to itself.
    """
    if not 0 < nodes <= MAX_NODES:
        raise GraphError(f"{nodes} nodes", hint=f"1 to {MAX_NODES}")
    source, target, weight = _checked(nodes, sources, targets, weights, smallest=1)
    order = np.lexsort((source, target))
    source, target, weight = source[order], target[order], weight[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    weight = np.add.reduceat(weight, np.flatnonzero(first)) if len(weight) else weight
    source, target = source[first], target[first]
    totals = _totals(nodes, source, weight)
    large = np.flatnonzero(totals > LARGEST_TOTAL)
    if len(large):
        weight = _scaled(source, weight, totals)
        totals = _totals(nodes, source, weight)
    starts = np.zeros(nodes + 1, np.uint32)
    starts[1:] = np.cumsum(np.bincount(target, minlength=nodes))
    return Links(starts, source.astype(np.uint32), weight.astype(np.uint32), totals)


def counts(starts: Indices) -> NDArray[np.int64]:
    """How many links each list has, (n,)."""
    wide = starts.astype(np.int64)
    return wide[1:] - wide[:-1]


def links_of(nodes: int, edges: Iterable[tuple[int, int, int]]) -> Links:
    """`link` from (source, target, weight) triples."""
    rows = list(edges)
    return link(nodes, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def _totals(nodes: int, source: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    totals = np.zeros(nodes, np.int64)
    np.add.at(totals, source, weight)
    return totals


def _scaled(source: NDArray[np.int64], weight: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows above LARGEST_TOTAL brought to at most that."""
    # Room for the links that rounding up to 1 may add: no row has more links than nodes.
    row = totals[source]
    room = LARGEST_TOTAL - np.bincount(source, minlength=len(totals))[source]
    exact = np.array([int(w) * int(r) // int(t) for w, r, t in zip(weight, room, row, strict=True)], np.int64)
    return np.where(row > LARGEST_TOTAL, np.maximum(1, exact), weight)


def _checked(
    nodes: int,
    sources: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike,
    *,
    smallest: int = 0,
    largest: int = 1 << 40,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    columns = [np.asarray(column) for column in (sources, targets, weights)]
    for name, column in zip(("sources", "targets", "weights"), columns, strict=True):
        if column.ndim != 1 or len(column) != len(columns[0]):
            raise GraphError(f"{name} have shape {column.shape}", hint=f"all three need ({len(columns[0])},)")
        if len(column) and column.dtype.kind not in "iu":
            raise GraphError(f"{name} are {column.dtype}", hint="integers")
    source, target, weight = (column.astype(np.int64) for column in columns)
    for name, column in (("source", source), ("target", target)):
        bad = (column < 0) | (column >= nodes)
        if bad.any():
            raise GraphError(f"{name} {column[bad][0]} is not a node", hint=f"nodes are 0 to {nodes - 1}")
    if (source == target).any():
        raise GraphError(f"node {source[source == target][0]} links to itself", hint="nobody rates itself")
    bad = (weight < smallest) | (weight > largest)
    if bad.any():
        raise GraphError(
            f"weight {weight[bad][0]}", hint=f"{smallest} to {largest}; distrust goes to node.reputation.signed"
        )
    return source, target, weight
