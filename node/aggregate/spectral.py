"""Rules that look at the directions of the updates: Flag and the covariance filter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rule import AGGREGATORS, EPS, Updates, Weights, checked, effective, middle
from node.data import FloatArray

_FLAG_STEPS = 10
_FLOOR = 1e-7


def flag(
    updates: Updates, weights: Weights, *, f: float, seed: bytes = b"", directions: int | None = None
) -> FloatArray:
    """(d,) float32: the mean of the normalised updates, projected to the subspace that fits most of them (Flag
    aggregator, Almasi et al. 2024, "Flag Aggregator: Scalable Distributed Training under Failures and Augmented
    Losses", equation 4 without its pairwise term, by iteratively re-weighted least squares).

    With x_i of length 1: Y = the `directions` leading left singular vectors of the columns sqrt(w_i) a_i x_i, where
    a_i = (1 - |Y'x_i|^2 + 1e-7)^(-1/4), ten times from a_i = 1; the result is sum_i w_i Y Y'x_i times the weighted
    median norm. The paper draws its first Y at random, from which every a_i is 1 when d is much larger than n; so
    starting there needs no randomness. Nor does it restore the length, which a step needs.

    `directions` is half of the effective number of updates, rounded up, unless given, and so the only thing that a
    split into identical rows can change. Its breakdown point is not proved; enforced is f < 1/2. Rows of length 0 point
    nowhere and are left out. Raises ValueError for fewer than one direction.
    """
    if directions is not None and directions < 1:
        raise ValueError(f"{directions} directions: at least one")
    rows, weights = checked(updates, weights, f=f)
    norms = rows.norms
    lengths = np.where(norms > 0, norms, np.inf)
    unit = rows.inner_products / lengths[:, None] / lengths[None, :]
    rank = min(len(rows), directions or math.ceil(effective(weights) / 2 - EPS))
    scale = np.ones(len(rows))
    for _ in range(_FLAG_STEPS):
        factor = np.sqrt(weights) * scale
        values, vectors = np.linalg.eigh(factor[:, None] * unit * factor[None, :])
        used = values[::-1][:rank] > EPS * values[-1]
        # Y = X F V / sqrt(values), so Y'X = V'F (X'X) / sqrt(values)
        basis = factor[:, None] * vectors[:, ::-1][:, :rank][:, used] / np.sqrt(values[::-1][:rank][used])
        seen = unit @ basis
        scale = (np.maximum(1.0 - (seen * seen).sum(axis=1), 0.0) + _FLOOR) ** -0.25
    coefficients = basis @ (seen.T @ weights)
    return rows.combine(coefficients / lengths * middle(norms, weights))


AGGREGATORS.register("flag")(flag)  # not as a decorator, which would hide its own options from the checker


@AGGREGATORS.register("caf")
def caf(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: covariance-bound filtering (Allouah et al. 2025, "Towards Trustworthy Federated Learning with
    Untrusted Participants", algorithm 2).

    c_i = w_i; while sum c > 1 - 2 f: m = the mean by c, v = the leading eigenvector of the covariance by c, t_i =
    (v'(x_i - m))^2, c_i <- c_i (1 - t_i / max t). The result is the m whose largest eigenvalue was least. The published
    code finds v by one power step from a random start; here it is exact and nothing is random. Tolerates every
    f < 1/2. Splitting a row into identical rows changes nothing.
    """
    rows, weights = checked(updates, weights, f=f)
    gram = rows.gram[:-1, :-1]
    shares, best = weights.copy(), (math.inf, weights)
    while shares.sum() > 1.0 - 2.0 * f + EPS or best[0] == math.inf:
        at = shares / shares.sum()
        pulled = gram @ at
        centred = gram - pulled[:, None] - pulled[None, :] + at @ pulled
        value, along = _leading(centred, at)
        if value < best[0]:
            best = (value, at)
        spread = np.where(shares > 0, along * along, 0.0)
        if not spread.max() > 0:
            break  # what is left is one point
        shares = shares * (1.0 - spread / spread.max())
    return rows.combine(best[1])


def _leading(centred: NDArray[np.float64], at: Weights) -> tuple[float, NDArray[np.float64]]:
    """The largest eigenvalue of sum_i at_i (x_i - m)(x_i - m)', and (n,) v'(x_i - m) up to a factor.

    `centred` (n, n) are the inner products of x_i - m. With F = diag(sqrt(at)) the eigenvalues are those of F C F, and
    v = X F u / |X F u| for its eigenvectors u.
    """
    root = np.sqrt(at)
    values, vectors = np.linalg.eigh(root[:, None] * centred * root[None, :])
    return float(values[-1]), centred @ (root * vectors[:, -1])
