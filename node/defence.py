"""From accepted updates to one step: norm clip → similarity clusters → weights → robust rule (DESIGN §6).

One composition, used by every settled round, by the auditor who re-executes it, by gossiping nodes and by the matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate import Aggregator, clip_to_median_norm
from node.data import FloatArray
from node.weight import Weighting


def robust_step(
    updates: FloatArray,
    weights: NDArray[np.float64],
    *,
    weighting: Weighting,
    rule: Aggregator,
    f: float,
    history: FloatArray | None = None,
    factors: NDArray[np.float64] | None = None,
    seed: bytes = b"",
) -> FloatArray:
    """(d,) float32: the step that `updates` (n, d) float32 of `weights` (n,) > 0 make together.

    Clipped first, so that no length can hide or buy anything; then the weighting's discount, then `rule` against the
    weight fraction `f`; `seed`, the round's beacon, feeds what a rule draws. `factors` (n,) > 0, of participation,
    multiply the weights only after the clip, whose bound they are not to move. Equal bytes for equal rows in equal
    order. Raises what `rule` raises.
    """
    clipped = clip_to_median_norm(updates, weights)
    weighed = weights if factors is None else weights * factors
    shares = weighting.shares(clipped, weighed, history=history)
    return rule(clipped, shares, f=f, seed=seed)
