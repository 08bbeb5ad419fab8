"""The weighted mean: federated averaging, and the undefended baseline."""

from __future__ import annotations

from node.aggregate.rule import AGGREGATORS, Weights, checked, weighted_sum
from node.data import FloatArray


@AGGREGATORS.register("mean")
def mean(updates: FloatArray, weights: Weights, *, f: float) -> FloatArray:
    """(d,) float32: sum_i w_i x_i / sum_i w_i (McMahan et al. 2017, algorithm 1).

    Tolerates no Byzantine weight at all: one update moves it anywhere. `f` is checked to be in range and then
    ignored, so that a task can be switched to this baseline without another change.
    """
    updates, weights = checked(updates, weights, f=f)
    return weighted_sum(updates, weights)
