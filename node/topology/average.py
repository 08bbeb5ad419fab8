"""Averages of models that trained apart: variance-corrected, one final merge, several gossip steps; and sharpness-aware
local steps (DFedSAM).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.model import Layout
from node.topology.graph import Graph

Gradient = Callable[[FloatArray, int], FloatArray]
"""(model (d,), step) -> gradient (d,) float32 of that step's batch."""


def variance_corrected(models: FloatArray, layout: Layout, *, own: float = 0.0) -> FloatArray:
    """(d,) float32: the mean of `models` (m, d), each layer stretched about its own mean to the models' mean variance.

    Averaging m uncorrelated layers divides their variance by m, which starves deep networks (2404.04616): per layer
    W <- (W - mean W) sqrt(s / Var W) + mean W, with s the mean of the Var W_j. `own` in [0, 1] mixes back so much of
    the first row (the receiver's). A layer whose mean does not vary, relative to s, is left as it is.
    """
    average = models.mean(axis=0, dtype=np.float64)
    start = 0
    for _, shape in layout:
        part = slice(start, start + int(np.prod(shape)))
        start = part.stop
        wanted = float(models[:, part].astype(np.float64).var(axis=1).mean())
        layer = average[part]
        found = float(layer.var())
        if found > 1e-12 * wanted:
            average[part] = (layer - layer.mean()) * np.sqrt(wanted / found) + layer.mean()
    return np.asarray(own * models[0] + (1 - own) * average, dtype=np.float32)


def metropolis(graph: Graph) -> NDArray[np.float64]:
    """(n, n) float64 symmetric, doubly stochastic: w_ij = 1 / (1 + max degree of i and j), the rest on the diagonal.

    (Xiao and Boyd 2004.) So repeated mixing leads to the plain mean.
    """
    weights = np.zeros((len(graph), len(graph)))
    for node, neighbours in enumerate(graph):
        for other in neighbours:
            weights[node, other] = 1 / (1 + max(len(neighbours), len(graph[other])))
        weights[node, node] = 1 - weights[node].sum()
    return weights


def gossip_steps(models: FloatArray, graph: Graph, *, times: int = 1) -> FloatArray:
    """(n, d) float32: `times` exchanges with the Metropolis weights. More than one is DFedSAM-MGS (Shi et al. 2023)."""
    mixed = models.astype(np.float64)
    weights = metropolis(graph)
    for _ in range(times):
        mixed = weights @ mixed
    return np.asarray(mixed, dtype=np.float32)


def final_merge(models: FloatArray, weights: Sequence[float] | None = None) -> FloatArray:
    """(d,) float32: one average of all models, at the very end of sparse gossip (2507.06542)."""
    shares = np.full(len(models), 1 / len(models)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.asarray((shares / shares.sum()) @ models.astype(np.float64), dtype=np.float32)


def sharpness_aware(model: FloatArray, gradient: Gradient, *, steps: int, rate: float, radius: float) -> FloatArray:
    """(d,) float32: K steps y <- y - rate g(y + radius g(y)/|g(y)|), both on one batch (DFedSAM, algorithm 1).

    `radius` 0 is plain SGD. A vanishing gradient is not scaled up.
    """
    state = np.array(model, dtype=np.float32)
    for step in range(steps):
        first = gradient(state, step)
        length = float(np.linalg.norm(first.astype(np.float64)))
        ahead = state + np.float32(radius / length) * first if length > 0 else state
        state = np.asarray(state - np.float32(rate) * gradient(ahead, step), dtype=np.float32)
    return state
