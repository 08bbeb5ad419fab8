"""Tasks: what is learned. A task kind names its data, its architecture and its default recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from node import files
from node.data import Dataset
from node.errors import ConfigError, UnknownName
from node.generate.text import load_text, text_network
from node.registry import Registry
from node.train import Recipe


@dataclass(frozen=True)
class TaskKind:
    """One kind of task: `load` reads data by options, `module` builds the network for a sample shape.

    `load(options)` raises UnknownName for an option outside `options`, DataError for unreadable data.
    `module(shape, classes)` maps (n, *shape) float32 to (n, classes) float32 logits and has no buffers.
    """

    name: str
    loader: Callable[[Mapping[str, str]], Dataset]
    module: Callable[[tuple[int, ...], int], nn.Module]
    recipe: Recipe
    options: tuple[str, ...] = ()

    def load(self, options: Mapping[str, str]) -> Dataset:
        """The whole data set. Deterministic; needs no network."""
        for option in options:
            if option not in self.options:
                if not self.options:
                    raise ConfigError(f"task {self.name!r} has no option {option!r}", hint="it takes none")
                raise UnknownName(f"option of task {self.name!r}", option, self.options)
        return self.loader(options)


TASKS: Registry[TaskKind] = Registry("task")


class _Unsqueeze(nn.Module):
    """(n, h, w) to (n, 1, h, w)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(1)


def image_network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A small CNN for (h, w) or (c, h, w) inputs: two convolutions, pooling to at most 4 a side, two layers.

    26,314 parameters for 8 x 8 and ten classes. No batch norm: its running statistics are no part of an
    update, and on shards of different people they differ.
    """
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    layers: list[nn.Module] = [_Unsqueeze()] if len(shape) == 2 else []
    layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU()]
    # Small images keep their resolution for the second convolution: worth a point of accuracy on digits.
    stride = 1 if max(height, width) <= 16 else 2
    layers += [nn.Conv2d(32, 32, 3, padding=1, stride=stride), nn.ReLU()]
    height, width = -(-height // stride), -(-width // stride)
    while max(height, width) > 4:
        rows, columns = min(2, height), min(2, width)
        layers.append(nn.MaxPool2d((rows, columns)))
        height, width = height // rows, width // columns
    layers += [nn.Flatten(), nn.Linear(32 * height * width, 32), nn.ReLU(), nn.Linear(32, classes)]
    return nn.Sequential(*layers)


def smooth_network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A CNN without kinks for (h, w) or (c, h, w) inputs, for replay mode: tanh and average pooling to 4 a side.

    Where ReLU or max-pooling is at a tie, two machines' roundings take different branches, and whole updates of
    the image network drift apart by up to 7e-3 between convolution kernels. This one stays within 1e-5.
    """
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    layers: list[nn.Module] = [_Unsqueeze()] if len(shape) == 2 else []
    layers += [nn.Conv2d(channels, 16, 3, padding=1), nn.Tanh(), nn.Conv2d(16, 16, 3, padding=1), nn.Tanh()]
    while max(height, width) > 4:
        rows, columns = min(2, height), min(2, width)
        layers.append(nn.AvgPool2d((rows, columns)))
        height, width = height // rows, width // columns
    layers += [nn.Flatten(), nn.Linear(16 * height * width, 32), nn.Tanh(), nn.Linear(32, classes)]
    return nn.Sequential(*layers)


def table_network(shape: tuple[int, ...], classes: int) -> nn.Module:
    """A multi-layer perceptron of 64 and 32 hidden units for flat inputs (features,)."""
    (features,) = shape
    hidden = (nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
    return nn.Sequential(*hidden, nn.Linear(32, classes))


def network_for(shape: tuple[int, ...], classes: int) -> nn.Module:
    """The table network for flat samples, the image network for (h, w) or (c, h, w). Else ConfigError."""
    if len(shape) == 1:
        return table_network(shape, classes)
    if len(shape) in (2, 3):
        return image_network(shape, classes)
    raise ConfigError(
        f"no network for samples of shape {shape}",
        hint="(features,), (height, width) or (channels, height, width)",
    )


def _load_digits(options: Mapping[str, str]) -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels (scikit-learn; UCI), 0..16 scaled to [0, 1]."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    return Dataset((raw.images / 16.0).astype(np.float32), raw.target.astype(np.int64), 10)


def _load_breast_cancer(options: Mapping[str, str]) -> Dataset:
    """569 tumours, 30 features (scikit-learn; Wisconsin diagnostic), 0 = malignant, 1 = benign.

    Each feature minus its mean, divided by its standard deviation (ddof 0), both over all 569 samples and in
    float64. They are public constants of a public set, so every node has the same; the test part's share in
    them is the price of that.
    """
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer()
    scaled = (raw.data - raw.data.mean(axis=0)) / raw.data.std(axis=0)
    return Dataset(scaled.astype(np.float32), raw.target.astype(np.int64), 2)


# Gentle on purpose: with 8 trainers of whom two flip signs, honest updates keep a clearly positive cosine with the
# median of the others through round 5, and reversed ones a clearly negative one. Recipes that overfit converge a
# round earlier, but their updates turn orthogonal, and honest work can no longer be told from reversed work.
_DIGITS = Recipe("adam", 0.003, epochs=6, batch=16)
_TABLE = Recipe("sgd", 0.05, epochs=4, batch=16, gradient_bound=1.0)
_TEXT = Recipe("adam", 0.003, epochs=2, batch=32)
_FILES = Recipe("sgd", 0.05, epochs=4, batch=32, gradient_bound=1.0)


def _add(kind: TaskKind) -> None:
    TASKS.register(kind.name)(kind)


_add(TaskKind("digits", _load_digits, network_for, _DIGITS))
_add(TaskKind("smooth_digits", _load_digits, smooth_network, _DIGITS))
_add(TaskKind("breast_cancer", _load_breast_cancer, network_for, _TABLE))
_add(TaskKind("text", load_text, text_network, _TEXT))
_add(TaskKind("files", files.load, network_for, _FILES, files.OPTIONS))
