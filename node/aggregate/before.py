"""Pre-aggregators: nearest-neighbour mixing, bucketing, and two ways to clip. By name before a rule: `nnm+krum`."""

from __future__ import annotations

import hashlib

import numpy as np

from node.aggregate.rows import MixedRows, Rows
from node.aggregate.rule import (
    EPS,
    HALF,
    PREAGGREGATORS,
    Weights,
    by_distance,
    keep_first,
    middle,
)
from node.errors import ConfigError, TooFewUpdates

Stage = tuple[Rows, Weights, float]


@PREAGGREGATORS.register("nnm")
def nnm(rows: Rows, weights: Weights, *, f: float, seed: bytes, argument: float | None) -> Stage:
    """Nearest-neighbour mixing (Allouah et al. 2023, "Fixing by Mixing", algorithm 2): each row becomes the mean of the
    1 - f of weight nearest to it, itself first, the last row cut to fit.

    With equal weights and f = m/n: of its n - m nearest. Weights and f stay. Tolerates every f < 1/2. Splitting a row
    into identical rows changes nothing.
    """
    _no_argument("nnm", argument)
    distances = rows.squared_distances[:-1, :-1]
    matrix = np.stack([keep_first(by_distance(own, row), weights, 1.0 - f) for row, own in enumerate(distances)])
    return MixedRows(matrix / matrix.sum(axis=1, keepdims=True), rows), weights, f


@PREAGGREGATORS.register("bucketing")
def bucketing(rows: Rows, weights: Weights, *, f: float, seed: bytes, argument: float | None) -> Stage:
    """Bucketing (Karimireddy et al. 2022, "Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing",
    algorithm 1): rows in an order drawn from `seed`, means by weight of `argument` (2) rows after one another.

    One Byzantine row taints its bucket, so the rule after it faces more: with equal weights `argument` f, and in
    general the weight of the buckets that rows of weight f could taint at worst. TooFewUpdates if that is a half or
    more. It counts rows, so an identity that splits taints more buckets: not for identities that cost nothing. The
    seed has to be unknown when updates are fixed.
    """
    size = 2 if argument is None else int(argument)
    if argument is not None and (size != argument or size < 1):
        raise ConfigError(f"bucketing:{argument:g} is no number of rows", hint="bucketing:2 means two a bucket")
    order = np.random.Generator(np.random.PCG64(_number(seed))).permutation(len(rows))
    matrix = np.zeros((-(-len(rows) // size), len(rows)))
    matrix[np.arange(len(rows)) // size, order] = weights[order]
    sums = matrix.sum(axis=1)
    lightest = np.array([row[row > 0].min() for row in matrix])
    tainted = _worst(sums, lightest, f)
    if tainted >= HALF:
        raise TooFewUpdates(
            f"f = {f:g} of the weight can taint {tainted:g} of it in buckets of {size}",
            hint=f"smaller buckets, or nnm instead; f below {1 / (2 * size):g} for equal weights",
        )
    return MixedRows(matrix / sums[:, None], rows), sums, tainted


@PREAGGREGATORS.register("clipping")
def clipping(rows: Rows, weights: Weights, *, f: float, seed: bytes, argument: float | None) -> Stage:
    """Norm clipping: rows longer than `argument` are scaled down to it; without one, to the weighted median norm
    (Andrew et al. 2021, quantile 1/2). Weights and f stay. Splitting a row changes nothing. `argument` > 0.
    """
    if argument is not None and not argument > 0:
        raise ConfigError(f"clipping:{argument:g} is no length", hint="clipping:2, or clipping for the median norm")
    return _clipped(rows, middle(rows.norms, weights) if argument is None else argument), weights, f


@PREAGGREGATORS.register("arc")
def arc(rows: Rows, weights: Weights, *, f: float, seed: bytes, argument: float | None) -> Stage:
    """Adaptive robust clipping (Allouah et al. 2025, "Adaptive Gradient Clipping for Robust Federated Learning",
    algorithm 2): the longest rows, 2 f (1 - f) of the weight, are scaled down to the next norm.

    With equal weights and f = m/n: the floor(2 (m/n) (n - m)) longest. Weights and f stay. Tolerates every f < 1/2.
    Splitting a row into identical rows changes nothing.
    """
    _no_argument("arc", argument)
    norms = rows.norms
    order = np.argsort(-norms, kind="stable")
    covered = np.cumsum(weights[order])
    # The first row that the share does not cover whole.
    next_one = order[int(np.argmax(covered > 2 * f * (1 - f) + EPS))]
    return _clipped(rows, float(norms[next_one])), weights, f


def _clipped(rows: Rows, bound: float) -> Rows:
    norms = rows.norms
    scales = np.where(norms > bound, bound / np.maximum(norms, np.finfo(np.float64).tiny), 1.0)
    return rows if (scales == 1.0).all() else MixedRows(np.diag(scales), rows)


def _worst(sums: Weights, lightest: Weights, f: float) -> float:
    """The most bucket weight that rows of weight f taint: those first whose lightest row is the smallest part of them.

    The last counts in proportion, so this is an upper bound, and exact for equal weights.
    """
    order = np.argsort(lightest / sums, kind="stable")
    paid = np.clip(f - (np.cumsum(lightest[order]) - lightest[order]), 0.0, lightest[order])
    return float((paid / lightest[order] * sums[order]).sum())


def _number(seed: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"credence bucketing\x00" + seed).digest(), "big")


def _no_argument(name: str, argument: float | None) -> None:
    if argument is not None:
        raise ConfigError(f"{name} takes no argument, and got {argument:g}", hint=f"write {name}+RULE")
