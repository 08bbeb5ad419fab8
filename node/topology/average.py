"""Averages of models that trained apart: variance-corrected, one final merge, Metropolis weights; and where DFedSAM
takes its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.model import Layout
from node.topology.graph import Graph


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


def metropolis_share(own: int, other: int) -> float:
    """w_ij = 1 / (1 + max degree of i and j) (Xiao and Boyd 2004); what is left of 1 stays with oneself."""
    return 1 / (1 + max(own, other))


def metropolis(graph: Graph) -> NDArray[np.float64]:
    """(n, n) float64 symmetric, doubly stochastic matrix of the shares, so that repeated mixing leads to the mean."""
    weights = np.zeros((len(graph), len(graph)))
    for node, neighbours in enumerate(graph):
        for other in neighbours:
            weights[node, other] = metropolis_share(len(neighbours), len(graph[other]))
        weights[node, node] = 1 - weights[node].sum()
    return weights


def contraction(graph: Graph) -> float:
    """lambda in [0, 1]: the second largest modulus of an eigenvalue of the gossip matrix.

    One exchange shrinks the models' distance from their mean by it at least, Q exchanges by lambda^Q (DFedSAM-MGS).
    """
    moduli = np.sort(np.abs(np.linalg.eigvalsh(metropolis(graph))))
    return float(moduli[-2]) if len(moduli) > 1 else 0.0


def final_merge(models: FloatArray, weights: Sequence[float] | None = None) -> FloatArray:
    """(d,) float32: one average of all models, at the very end of sparse gossip (2507.06542)."""
    shares = np.full(len(models), 1 / len(models)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.asarray((shares / shares.sum()) @ models.astype(np.float64), dtype=np.float32)


def ascent(gradients: FloatArray, radius: float) -> FloatArray:
    """(n, d) float32: radius g / |g| a row of `gradients` (n, d), where DFedSAM looks for the gradient of its step.

    y <- y - rate g(y + ascent), both gradients on one batch (Shi et al. 2023, algorithm 1). A vanishing gradient is not
    scaled up.
    """
    lengths = np.linalg.norm(gradients.astype(np.float64), axis=1, keepdims=True)
    scales = np.divide(radius, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return np.asarray(gradients * scales.astype(np.float32), dtype=np.float32)
