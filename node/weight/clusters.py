"""One vote a cluster: near-copies share the say of their heaviest member (DESIGN §6).

A similarity discount that rescales by the best score lets one outlier silence similar honest peers, and one that
zeroes copies lets a copycat silence its victim. This one has an absolute threshold, takes nothing from anyone who is
merely similar, and leaves a copied update its vote, whoever holds it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.weight.cosine import cosines
from node.weight.stake import stake
from node.weight.weighting import WEIGHTINGS, Weighting, Weights

NEAR = 0.95
"""Cosine above which two updates count as one. A copy with independent noise of relative size e on each side has
cosine 1/(1 + e^2): this joins e <= 0.22. What stays below is bounded by its stake."""


def near_duplicates(updates: FloatArray, weights: Weights, *, near: float = NEAR) -> NDArray[np.int64]:
    """(n,) int64: the cluster of each row of `updates` (n, d) float32, numbered by first appearance in the walk.

    Rows are walked by falling weight (ties by position); each joins the first cluster with *all* of whose members its
    cosine is above `near`, or opens a new one. Complete linkage, so that no update placed between two honest ones
    can join them. Rows of norm 0 are alike only by being alone: each is its own cluster.
    """
    alike = cosines(updates) > near
    clusters: list[list[int]] = []
    for row in np.argsort(-weights, kind="stable"):
        home = next((members for members in clusters if alike[row, members].all()), None)
        if home is None:
            clusters.append([int(row)])
        else:
            home.append(int(row))
    labels = np.empty(len(updates), dtype=np.int64)
    for label, members in enumerate(clusters):
        labels[members] = label
    return labels


def one_vote_a_cluster(updates: FloatArray, weights: Weights) -> Weights:
    """(n,) float64: each cluster weighs as much as its heaviest member, shared in proportion to its members' weights.

    Never more than `weights` (n,) >= 0, so splitting one stake over many identities gains nothing: different updates
    add up to the whole, equal ones to less.
    """
    labels = near_duplicates(updates, weights)
    result = np.zeros_like(weights)
    for label in range(int(labels.max(initial=-1)) + 1):
        members = labels == label
        total = weights[members].sum()
        if total > 0:
            result[members] = weights[members] * (weights[members].max() / total)
    return result


WEIGHTINGS.register("clusters")(Weighting(stake, one_vote_a_cluster))
