"""Local training of all trainers of a round at once: batched products in place of one small model after another.

The learning half of a simulation, without chain, store and committee, so that a whole matrix of attacks and defences
is affordable. Softmax regression with cross-entropy (the model of the SybilWall paper's first data sets); momentum SGD
that starts afresh each round; every epoch cuts each shard, freshly permuted, into the same number of batches, so that
all take equally many steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset, FloatArray
from node.model import Layout
from node.seeds import derive_seed
from node.topology.average import ascent

RATE, MOMENTUM = 0.1, 0.9
BATCHES = 4
"""Batches an epoch, whatever the shard's size."""


class Learner:
    """The shards of n trainers, padded to one array. A model is (d,) float32: one weight row a feature, then biases.

    `radius` > 0 makes each step sharpness-aware (DFedSAM): its gradient is taken so far up the slope.
    """

    def __init__(self, shards: Sequence[Dataset], *, seed: int, epochs: int, radius: float = 0.0) -> None:
        self.seed, self.epochs, self.radius, self.classes = seed, epochs, radius, shards[0].classes
        self.sizes = np.array([len(shard) for shard in shards])
        longest, features = int(self.sizes.max()), int(np.prod(shards[0].shape))
        self.layout: Layout = (("head", (features + 1, self.classes)),)
        self.size = (features + 1) * self.classes
        self._x = np.zeros((len(shards), longest, features + 1), dtype=np.float32)
        self._y = np.zeros((len(shards), longest, self.classes), dtype=np.float32)
        for row, shard in enumerate(shards):
            self._x[row, : len(shard)] = with_bias(shard.x)
            self._y[row, np.arange(len(shard)), shard.y] = 1.0

    def initial(self) -> FloatArray:
        """(d,) float32 zeros: the loss is convex, so nothing is gained by chance."""
        return np.zeros(self.size, dtype=np.float32)

    def updates(
        self, models: FloatArray, round_: int, *, nodes: Sequence[int] | None = None, epochs: int | None = None
    ) -> FloatArray:
        """(n, d) float32: what each trainer's epochs add to its start in `models`, (d,) shared or (n, d) its own.

        Of `nodes` only, where given (rows in their order), for so many `epochs` in place of the learner's. The
        permutations depend on seed and round alone, so that two defences see the same batches.
        """
        rows = np.arange(len(self.sizes)) if nodes is None else np.asarray(nodes, dtype=np.int64)
        longest = self._x.shape[1]
        start = np.broadcast_to(models, (len(rows), self.size))
        state = np.array(start, dtype=np.float32)
        speed = np.zeros_like(state)
        generator = np.random.default_rng(derive_seed(self.seed, "order", round_))
        cuts = np.rint(np.linspace(0, self.sizes, BATCHES + 1)).astype(np.int64)
        width = int(np.diff(cuts, axis=0).max())
        padding = np.arange(longest) >= self.sizes[:, None]
        for _ in range(self.epochs if epochs is None else epochs):
            order = np.argsort(generator.random(padding.shape) + padding, axis=1)[rows]
            for low, high in pairwise(cuts[:, rows]):
                place = low[:, None] + np.arange(width)
                chosen = np.take_along_axis(order, np.minimum(place, longest - 1), axis=1)
                share = ((place < high[:, None]) / np.maximum(high - low, 1)[:, None]).astype(np.float32)
                x, y = self._x[rows[:, None], chosen], self._y[rows[:, None], chosen]
                slope = self._slope(state, x, y, share)
                if self.radius:
                    slope = self._slope(state + ascent(slope, self.radius), x, y, share)
                speed *= np.float32(MOMENTUM)
                speed += slope
                state -= np.float32(RATE) * speed
        return np.asarray(state - start, dtype=np.float32)

    def _slope(self, state: FloatArray, x: FloatArray, y: FloatArray, share: FloatArray) -> FloatArray:
        """(n, d) gradients at `state` (n, d) of batches `x` (n, m, inputs), one-hot `y`, weights `share` (n, m)."""
        error = softmax(np.matmul(x, state.reshape(len(x), -1, self.classes)))
        error -= y
        error *= share[:, :, None]
        return np.asarray(np.matmul(x.transpose(0, 2, 1), error), dtype=np.float32).reshape(state.shape)

    def predictions(self, models: FloatArray, x: FloatArray) -> NDArray[np.int64]:
        """(m,) or (n, m) int64 classes that one model (d,), or each of n models (n, d), gives to m samples."""
        weights = models.reshape(*models.shape[:-1], -1, self.classes)
        return np.asarray(np.matmul(with_bias(x), weights).argmax(axis=-1), dtype=np.int64)

    def gradient(self, model: FloatArray, data: Dataset) -> FloatArray:
        """(d,) float32 gradient at `model` (d,) of the mean cross-entropy on `data`."""
        x = with_bias(data.x)
        error = softmax(np.matmul(x, model.reshape(-1, self.classes)))
        error[np.arange(len(data)), data.y] -= 1.0
        return np.asarray(np.matmul(x.T, error).reshape(-1) / len(data), dtype=np.float32)

    def accuracy(self, models: FloatArray, data: Dataset) -> NDArray[np.float64]:
        """Share of `data` classified rightly, in [0, 1]: () for one model (d,), (n,) for models (n, d)."""
        return np.asarray((self.predictions(models, data.x) == data.y).mean(axis=-1), dtype=np.float64)


def with_bias(x: FloatArray) -> FloatArray:
    """(m, features + 1) float32: the samples flat, and a 1."""
    return append_one(x.reshape(len(x), -1))


def append_one(x: FloatArray) -> FloatArray:
    """(..., k + 1) float32: `x` (..., k) and a 1 behind each row."""
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), dtype=np.float32)], axis=-1)


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis, in place of `logits`."""
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits
