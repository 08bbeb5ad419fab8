"""Utilities: how much each update helps on the probe shard, as one verifier measures it.

The coalition model is base + sum over S of (w_i / w_N) Delta_i, with the denominator of the full set N:
renormalising over S would pay noisy clones 1.6 to 1.75 times an honest share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset, FloatArray
from node.model import Evaluator, flatten, layout_of, unflatten
from node.registry import Registry

Utility = Callable[[Evaluator, Mapping[str, FloatArray], FloatArray, NDArray[np.float64], Dataset], NDArray[np.float64]]
"""(evaluator, base, updates (n, d) float32, weights (n,) >= 0, probe data) -> (n,) float64, best highest."""

UTILITIES: Registry[Utility] = Registry("utility")


@UTILITIES.register("first_order")
def first_order(
    evaluator: Evaluator,
    base: Mapping[str, FloatArray],
    updates: FloatArray,
    weights: NDArray[np.float64],
    data: Dataset,
) -> NDArray[np.float64]:
    """(n,) float64: -<grad L(base), (w_i / w_N) Delta_i>, L being the mean cross-entropy on `data`.

    The first-order term of leave-one-out; one backward pass for all, linear in the update, so a screen and
    not a payment. `updates` (n, d) float32 in the order of `flatten`.
    """
    shares = _shares(updates, weights)
    gradient = evaluator.loss_gradient(base, data)
    gains = [
        -share * float(gradient @ update.astype(np.float64)) for share, update in zip(shares, updates, strict=True)
    ]
    return np.array(gains, dtype=np.float64)


@UTILITIES.register("loo")
def loo(
    evaluator: Evaluator,
    base: Mapping[str, FloatArray],
    updates: FloatArray,
    weights: NDArray[np.float64],
    data: Dataset,
) -> NDArray[np.float64]:
    """(n,) float64 leave-one-out: U(N) - U(N without i), with U(S) = -L(coalition model of S) on `data`.

    n + 1 evaluations. A loss that is infinite or NaN gives a utility that is not finite.
    """
    shares = _shares(updates, weights)
    layout = layout_of(base)
    whole = flatten(base).astype(np.float64)
    for share, update in zip(shares, updates, strict=True):
        whole += share * update

    def utility(vector: NDArray[np.float64]) -> float:
        return -evaluator.loss(unflatten(vector.astype(np.float32), layout), data)

    full = utility(whole)
    return np.array(
        [full - utility(whole - share * update) for share, update in zip(shares, updates, strict=True)],
        dtype=np.float64,
    )


def _shares(updates: FloatArray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if updates.ndim != 2 or weights.shape != (len(updates),):
        raise ValueError(f"updates {updates.shape} and weights {weights.shape} do not belong together")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError("weights must be finite, none negative and not all zero")
    return np.asarray(weights / weights.sum(), dtype=np.float64)
