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
from node.seeds import derive_seed

RATE, MOMENTUM = 0.1, 0.9
BATCHES = 4
"""Batches an epoch, whatever the shard's size."""


class Learner:
    """The shards of n trainers, padded to one array. A model is (d,) float32: one weight row a feature, then biases."""

    def __init__(self, shards: Sequence[Dataset], *, seed: int, epochs: int) -> None:
        self.seed, self.epochs, self.classes = seed, epochs, shards[0].classes
        self.sizes = np.array([len(shard) for shard in shards])
        longest, features = int(self.sizes.max()), int(np.prod(shards[0].shape))
        self.size = (features + 1) * self.classes
        self._x = np.zeros((len(shards), longest, features + 1), dtype=np.float32)
        self._y = np.zeros((len(shards), longest, self.classes), dtype=np.float32)
        for row, shard in enumerate(shards):
            self._x[row, : len(shard)] = _with_bias(shard.x)
            self._y[row, np.arange(len(shard)), shard.y] = 1.0

    def initial(self) -> FloatArray:
        """(d,) float32 zeros: the loss is convex, so nothing is gained by chance."""
        return np.zeros(self.size, dtype=np.float32)

    def updates(self, models: FloatArray, round_: int) -> FloatArray:
        """(n, d) float32: what each trainer's epochs add to its start in `models`, (d,) shared or (n, d) its own.

        The permutations depend on seed and round alone, so that two defences see the same batches.
        """
        n, longest, inputs = self._x.shape
        start = np.broadcast_to(models, (n, self.size)).reshape(n, inputs, self.classes)
        state = np.array(start, dtype=np.float32)
        speed = np.zeros_like(state)
        generator = np.random.default_rng(derive_seed(self.seed, "order", round_))
        cuts = np.rint(np.linspace(0, self.sizes, BATCHES + 1)).astype(np.int64)
        width = int(np.diff(cuts, axis=0).max())
        padding = np.arange(longest) >= self.sizes[:, None]
        rows = np.arange(n)[:, None]
        for _ in range(self.epochs):
            order = np.argsort(generator.random(padding.shape) + padding, axis=1)
            for low, high in pairwise(cuts):
                place = low[:, None] + np.arange(width)
                chosen = order[rows, np.minimum(place, longest - 1)]
                share = ((place < high[:, None]) / np.maximum(high - low, 1)[:, None]).astype(np.float32)
                x = self._x[rows, chosen]
                error = _softmax(np.matmul(x, state))
                error -= self._y[rows, chosen]
                error *= share[:, :, None]
                speed *= np.float32(MOMENTUM)
                speed += np.matmul(x.transpose(0, 2, 1), error)
                state -= np.float32(RATE) * speed
        return np.asarray((state - start).reshape(n, self.size), dtype=np.float32)

    def predictions(self, models: FloatArray, x: FloatArray) -> NDArray[np.int64]:
        """(m,) or (n, m) int64 classes that one model (d,), or each of n models (n, d), gives to m samples."""
        weights = models.reshape(*models.shape[:-1], -1, self.classes)
        return np.asarray(np.matmul(_with_bias(x), weights).argmax(axis=-1), dtype=np.int64)

    def gradient(self, model: FloatArray, data: Dataset) -> FloatArray:
        """(d,) float32 gradient at `model` (d,) of the mean cross-entropy on `data`."""
        x = _with_bias(data.x)
        error = _softmax(np.matmul(x, model.reshape(-1, self.classes)))
        error[np.arange(len(data)), data.y] -= 1.0
        return np.asarray(np.matmul(x.T, error).reshape(-1) / len(data), dtype=np.float32)

    def accuracy(self, models: FloatArray, data: Dataset) -> NDArray[np.float64]:
        """Share of `data` classified rightly, in [0, 1]: () for one model (d,), (n,) for models (n, d)."""
        return np.asarray((self.predictions(models, data.x) == data.y).mean(axis=-1), dtype=np.float64)


def _with_bias(x: FloatArray) -> FloatArray:
    """(m, features + 1) float32: the samples flat, and a 1."""
    return np.concatenate([x.reshape(len(x), -1), np.ones((len(x), 1), dtype=np.float32)], axis=1)


def _softmax(logits: FloatArray) -> FloatArray:
    logits -= logits.max(axis=-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=-1, keepdims=True)
    return logits
