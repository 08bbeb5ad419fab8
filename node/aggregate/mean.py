"""The weighted mean: federated averaging, and the undefended baseline."""

from __future__ import annotations

from node.aggregate.rule import AGGREGATORS, Updates, Weights, checked
from node.data import FloatArray


@AGGREGATORS.register("mean")
def mean(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: sum_i w_i x_i / sum_i w_i (McMahan et al. 2017, algorithm 1).

    Tolerates no Byzantine weight at all: one update moves it anywhere. `f` is checked to be in range and then
    ignored, so that a task can be switched to this baseline without another change.
    """
    rows, weights = checked(updates, weights, f=f)
    return rows.combine(weights)
