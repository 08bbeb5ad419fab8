"""Batched training of small networks with one hidden layer: where layers differ, variances starve, and a trunk freezes.

The same batches and steps as `node.matrix.learner`; only the model and its gradient are others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset, FloatArray
from node.matrix.learner import Learner, append_one, softmax, with_bias

TRUNK_ROUNDS, TRUNK_EPOCHS = 10, 4


class HiddenLearner(Learner):
    """Inputs, `hidden` rectified units, classes. A model is (d,) float32: layer `trunk`, then layer `head`."""

    def __init__(self, shards: Sequence[Dataset], *, hidden: int, seed: int, epochs: int, radius: float = 0.0) -> None:
        super().__init__(shards, seed=seed, epochs=epochs, radius=radius)
        self._inputs, self._hidden = self._x.shape[2], hidden
        self._cut = self._inputs * hidden
        self.layout = (("trunk", (self._inputs, hidden)), ("head", (hidden + 1, self.classes)))
        self.size = self._cut + (hidden + 1) * self.classes

    def initial(self) -> FloatArray:
        """(d,) float32: normal weights of variance 2 / inputs in the trunk (He et al. 2015), zeros elsewhere."""
        model = np.zeros(self.size, dtype=np.float32)
        generator = np.random.default_rng(self.seed)
        trunk = generator.standard_normal((self._inputs, self._hidden)) * np.sqrt(2 / (self._inputs - 1))
        trunk[-1] = 0
        model[: self._cut] = trunk.ravel()
        head = generator.standard_normal((self._hidden, self.classes)) * np.sqrt(1 / self._hidden)
        model[self._cut : -self.classes] = head.ravel()
        return model

    def features(self, model: FloatArray, data: Dataset) -> Dataset:
        """The same samples as the trunk of `model` (d,) sees them: (m, hidden) float32."""
        active = np.maximum(np.matmul(with_bias(data.x), self._trunk(model[None])[0]), 0)
        return Dataset(active, data.y, data.classes)

    def predictions(self, models: FloatArray, x: FloatArray) -> NDArray[np.int64]:
        """(m,) or (n, m) int64 classes that one model (d,), or each of n models (n, d), gives to m samples."""
        stack = models.reshape(-1, self.size)
        active = append_one(np.maximum(np.matmul(with_bias(x), self._trunk(stack)), 0))
        classes = np.matmul(active, self._head(stack)).argmax(axis=-1)
        return np.asarray(classes.reshape(*models.shape[:-1], -1), dtype=np.int64)

    def gradient(self, model: FloatArray, data: Dataset) -> FloatArray:
        """(d,) float32 gradient at `model` (d,) of the mean cross-entropy on `data`."""
        one_hot = np.eye(self.classes, dtype=np.float32)[data.y]
        share = np.full((1, len(data)), 1 / len(data), dtype=np.float32)
        return np.asarray(self._slope(model[None], with_bias(data.x)[None], one_hot[None], share)[0])

    def _slope(self, state: FloatArray, x: FloatArray, y: FloatArray, share: FloatArray) -> FloatArray:
        head = self._head(state)
        active = np.maximum(np.matmul(x, self._trunk(state)), 0)
        widened = append_one(active)
        error = softmax(np.matmul(widened, head))
        error -= y
        error *= share[:, :, None]
        back = np.matmul(error, head[:, :-1].transpose(0, 2, 1)) * (active > 0)
        slopes = (np.matmul(x.transpose(0, 2, 1), back), np.matmul(widened.transpose(0, 2, 1), error))
        return np.concatenate([slope.reshape(len(x), -1) for slope in slopes], axis=1)

    def _trunk(self, models: FloatArray) -> FloatArray:
        return models[:, : self._cut].reshape(len(models), self._inputs, self._hidden)

    def _head(self, models: FloatArray) -> FloatArray:
        return models[:, self._cut :].reshape(len(models), self._hidden + 1, self.classes)


def pretrained_trunk(public: Dataset, *, hidden: int, seed: int) -> tuple[HiddenLearner, FloatArray]:
    """A learner and its model (d,) float32 after training on `public` data alone: the trunk that Bristle freezes."""
    learner = HiddenLearner([public], hidden=hidden, seed=seed, epochs=TRUNK_EPOCHS)
    model = learner.initial()
    for round_ in range(1, TRUNK_ROUNDS + 1):
        model = model + learner.updates(model, round_)[0]
    return learner, model
