"""Bristle: a node in a gossip weighs the output layers that it received by how well they do on its own few samples.

Verbraeken, de Vos, Pouwelse 2021. The trunk of the model is pre-trained and frozen; rows here are output layers, one
column a class. Two steps: choose which of the received models to test at all, then mix them class by class. No rule of
a committee: it needs a model and test samples of one's own, and bears any number of attackers that do badly on them.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray

FAMILIAR_FLOOR = -100.0
BEST = 3
"""phi: how many of the familiar classes a peer is measured by, its best ones."""


def prioritise(
    distances: NDArray[np.float64], *, count: int, explore: float = 0.4, seed: bytes = b""
) -> NDArray[np.int64]:
    """Which received models to test, ascending: most from the nearest third, some from the middle, few from the far.

    `distances` (n,) from the own model; of `count` in all, (1 - a)^2, 2 a (1 - a) and a^2 come from the thirds, a =
    `explore` in [0, 1], rounded up, drawn from `seed`. A third that is too small gives what it has. Raises ValueError
    for other values.
    """
    if not (count >= 1 and 0 <= explore <= 1):
        raise ValueError(f"count {count} >= 1, explore {explore} in [0, 1]")
    digest = hashlib.sha256(b"credence bristle\x00" + seed).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    thirds = np.array_split(np.argsort(distances, kind="stable"), 3)
    shares = ((1 - explore) ** 2, 2 * explore * (1 - explore), explore**2)
    chosen = [
        generator.permutation(third)[: int(np.ceil(share * count - 1e-9))]
        for third, share in zip(thirds, shares, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def certainty(f1: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) in [0, 1]: max(0, mean - standard deviation) of the F1 scores (k, classes) of each model."""
    return np.asarray(np.maximum(0.0, f1.mean(axis=1) - f1.std(axis=1)))


def f1_scores(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """(k, classes) in [0, 1]: 2 TP / (2 TP + FP + FN) a class, of `predicted` (k, m) against `labels` (m,).

    0 for a class that is neither there nor predicted.
    """
    names = np.arange(classes)[:, None]
    found, there = predicted[:, None, :] == names, labels == names
    hits = (found & there).sum(axis=-1)
    either = found.sum(axis=-1) + there.sum(axis=-1)
    return np.asarray(np.divide(2.0 * hits, either, out=np.zeros(hits.shape), where=either > 0), dtype=np.float64)


def class_weights(
    own_f1: NDArray[np.float64], peer_f1: NDArray[np.float64], familiar: NDArray[np.bool_], *, best: int = BEST
) -> NDArray[np.float64]:
    """(k, classes) weights in [0, 6] of the peers' columns, the own one counting 1.

    `own_f1` (classes,) and `peer_f1` (k, classes) in [0, 1], measured on the own test samples; only entries of
    `familiar` (classes,) classes are used, those that there are samples of, at least one, and of these each peer's
    `best` ones: who learns from other classes is not to be judged by what it has never seen. With d = 10 |own - peer|
    the score is d^(3 + own) for the better peer and -d^(4 + own) for the worse, at least -100; the weight max(0, 10
    sigmoid(score / 100) - 4) x certainty: about 1 at equal skill, 0 from a deficit of a quarter on. All other
    classes get one weight a peer, from the sum of the unbounded scores. So a peer that is good at three classes is
    believed in those it cannot be measured in: poison there is bounded by its weight alone. Raises ValueError if no
    class is familiar.
    """
    if not familiar.any():
        raise ValueError("no class is familiar: there is nothing to measure a peer by")
    weights = np.empty(peer_f1.shape)
    known = np.flatnonzero(familiar)
    for row, f1 in zip(weights, peer_f1, strict=True):
        measured = known[np.argsort(-f1[known], kind="stable")[:best]]
        own, peer = own_f1[measured], f1[measured]
        gap = 10 * np.abs(peer - own)
        scores = np.where(peer >= own, gap ** (3 + own), -(gap ** (4 + own)))
        sure = certainty(peer[None])
        row[:] = _curve(scores.sum(keepdims=True)) * sure
        row[measured] = _curve(np.maximum(scores, FAMILIAR_FLOOR)) * sure
    return weights


def integrate(own: FloatArray, peers: FloatArray, weights: NDArray[np.float64]) -> FloatArray:
    """(r, classes) float32: each class column (own + sum_j w_j peer_j) / (1 + sum_j w_j), less the column's mean.

    `own` (r, classes), `peers` (k, r, classes) float32, `weights` (k, classes) as of `class_weights`. A peer of weight
    0 is not read. Raises ValueError if a value that counts is not finite.
    """
    total = own.astype(np.float64)
    for peer, weight in zip(peers, weights, strict=True):
        used = weight > 0
        total[:, used] += weight[used] * peer[:, used].astype(np.float64)
    total /= 1.0 + weights.sum(axis=0)
    if not np.isfinite(total).all():
        raise ValueError("an output layer has a NaN or infinite value")
    return np.asarray(total - total.mean(axis=0), dtype=np.float32)


def _curve(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(scores / 100, -50.0, 50.0)  # beyond, the exponential overflows and the curve is flat
    return np.asarray(np.maximum(0.0, 10 / (1 + np.exp(-bounded)) - 4))
