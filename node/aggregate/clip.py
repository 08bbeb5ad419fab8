"""Norm clipping before a rule: nobody moves the model further than the middle of the accepted ones (DESIGN §6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.coordinate import weighted_median


def clip_to_median_norm(updates: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, d) float32: rows longer than the weighted median norm are scaled down to it, the others are left as they are.

    The bound adapts to the round as in Andrew et al. 2021 ("Differentially Private Learning with Adaptive Clipping",
    quantile 1/2): near convergence, where directions tell little, an update sent at four times its length still counts
    once. `weights` (n,) > 0. Norms are float64. Cost: two passes over the updates.
    """
    norms = np.array([float(np.linalg.norm(row.astype(np.float64))) for row in updates])
    bound = float(weighted_median(norms[:, None].astype(np.float32), weights)[0])
    scales = np.divide(bound, norms, out=np.ones_like(norms), where=norms > bound)
    return np.asarray(updates * scales[:, None].astype(np.float32), dtype=np.float32)
