"""What every aggregation rule shares: its type, its registry, and the checks on its input.

A rule maps updates (n, d) float32 and weights (n,) float64 to one update (d,) float32. It reads f as a
fraction of weight, not of heads: counted by heads, one identity split in 100 would take the vote. Rows come
in an order that all machines share (see `node.aggregate.order`), because float sums depend on it.

Every rule reads blocks of columns, twice at most: beyond its input and its output it needs less than 24 MiB for any
n <= 256 (frl, which ranks whole rows, says what it needs).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from node.aggregate.network import ROW_BITS
from node.aggregate.rows import ColumnSource, InputRows, Rows
from node.data import FloatArray
from node.errors import ConfigError, TooFewUpdates
from node.registry import Registry

Weights = NDArray[np.float64]
Updates = FloatArray | ColumnSource | Rows

EPS = 1e-10
"""Shares of the total weight below this are rounding. A tie within it is a tie, and a remainder within it is
dropped: left in, 1e-17 of an update of size 1e30 would still be a win for its sender."""

MOST_ROWS = 1 << ROW_BITS

HALF = 0.5 - 1e-6
"""The least f that is refused: closer to a half, the weight that is left could be rounding."""


class Aggregator(Protocol):
    """A rule: `updates` (n, d) float32, `weights` (n,) float64 >= 0, weight fraction `f` in [0, 0.5).

    `updates` may be an array, a memory map or a `ColumnSource`. A row of weight 0 counts as absent. `seed` feeds
    what a rule draws at random (only bucketing does); it has to be unknown when updates are fixed: the beacon.
    Raises ValueError for values that are not finite, negative weights, shapes that do not match or f < 0;
    TooFewUpdates without weight, or for an f that the rule cannot stand.
    """

    def __call__(self, updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray: ...


class PreAggregator(Protocol):
    """A step before a rule: (rows, weights, f) to others. `weights` are positive, of sum 1.

    `argument` is what follows a colon in its name (`bucketing:3`), None without. Raises ConfigError for one that makes
    no sense, TooFewUpdates if the f that is left for the rule reaches a half.
    """

    def __call__(
        self, rows: Rows, weights: Weights, *, f: float, seed: bytes, argument: float | None
    ) -> tuple[Rows, Weights, float]: ...


PREAGGREGATORS: Registry[PreAggregator] = Registry("pre-aggregator")


class AggregatorRegistry(Registry[Aggregator]):
    """Rules by name, after any number of pre-aggregators: `nnm+trimmed_mean`, `clipping:2+bucketing:3+krum`."""

    def get(self, name: str) -> Aggregator:
        """The rule called `name`. Raises UnknownName with the nearest valid name, ConfigError for a bad argument."""
        *steps, last = name.split("+")
        rule = super().get(last)
        return _chain([_step(text) for text in steps], rule) if steps else rule


AGGREGATORS = AggregatorRegistry("aggregator")


def _step(text: str) -> tuple[PreAggregator, float | None]:
    name, colon, argument = text.partition(":")
    if name not in PREAGGREGATORS.names() and name in AGGREGATORS.names():
        raise ConfigError(f"{name!r} is a rule and comes last", hint=f"before it: {', '.join(PREAGGREGATORS)}")
    step = PREAGGREGATORS.get(name)
    if not colon:
        return step, None
    try:
        return step, float(argument)
    except ValueError as error:
        raise ConfigError(f"{text!r}: {argument!r} is not a number", hint=f"for example {name}:2") from error


def _chain(steps: list[tuple[PreAggregator, float | None]], rule: Aggregator) -> Aggregator:
    def composed(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
        rows, weights = checked(updates, weights, f=f)
        for step, argument in steps:
            rows, weights, f = step(rows, weights, f=f, seed=seed, argument=argument)
        return rule(rows, weights, f=f, seed=seed)

    return composed


def checked(updates: Updates, weights: Weights, *, f: float) -> tuple[Rows, Weights]:
    """The rows of positive weight and their weights, scaled to sum 1; errors as `Aggregator` says.

    That values are finite is checked where they are read: by every kernel, before a rule gets to see its result.
    """
    if not isinstance(updates, (Rows, ColumnSource)):
        updates = np.asarray(updates, dtype=np.float32)
    weights = np.asarray(weights, dtype=np.float64)
    shape = tuple(updates.shape)
    if len(shape) != 2 or weights.shape != shape[:1]:
        raise ValueError(f"updates {shape} and weights {weights.shape} do not belong together")
    if shape[0] > MOST_ROWS:
        raise ValueError(f"{shape[0]} updates: at most {MOST_ROWS} have a number in the kernels")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("a weight is negative or not finite")
    if not f >= 0:
        raise ValueError(f"f = {f} is not a fraction of weight")
    if f >= HALF:
        raise TooFewUpdates(f"f = {f}: no rule stands half of the weight", hint="f lies in [0, 0.5)")
    present = np.flatnonzero(weights > 0)
    if not len(present):
        raise TooFewUpdates("there is no update with weight", hint="the round is skipped")
    # By the largest first: a sum of huge weights must not overflow, one of tiny ones must not lose digits.
    relative = weights[present] / weights.max()
    relative /= relative.sum()
    if not isinstance(updates, Rows):
        return InputRows(updates, relative, None if len(present) == len(weights) else present), relative
    if len(present) < len(weights):
        raise ValueError("rows that were made from others all have weight")
    return updates, relative


def effective(weights: Weights) -> float:
    """1 / sum w^2 for weights of sum 1: how many equal updates they count as. n for n equal weights."""
    return 1.0 / float((weights * weights).sum())


def keep_first(order: NDArray[np.int64], weights: Weights, share: float) -> Weights:
    """(n,) float64: how much of each weight lies in the first `share` of weight, rows taken in `order`."""
    ordered = weights[order]
    before = np.concatenate([[0.0], np.cumsum(ordered)[:-1]])
    kept = np.clip(share - before, 0.0, ordered)
    kept[kept < EPS] = 0.0
    result = np.zeros_like(weights)
    result[order] = kept
    return result


def middle(values: NDArray[np.float64], weights: Weights) -> float:
    """The lower weighted median of `values` (n,) float64, weights of sum 1."""
    order = np.argsort(values, kind="stable")
    covered = np.cumsum(weights[order])
    return float(values[order[int(np.argmax(covered >= 0.5 - EPS))]])


def by_distance(squared: NDArray[np.float64], own: int) -> NDArray[np.int64]:
    """(n,) rows by ascending squared distance (n,), `own` first (a copy at distance 0 must not take its place)."""
    keys = squared.copy()
    keys[own] = -1.0
    return np.argsort(keys, kind="stable")
