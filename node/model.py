"""Models as plain arrays: initial parameters, flattening, and an evaluator without hidden state.

A model is its module (architecture, code) and its Parameters (float32 arrays by name). Updates, sketches and
aggregates work on the flat vector: parameters sorted by name, each in C order.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from node.data import Dataset, FloatArray
from node.errors import DataError

Parameters = dict[str, FloatArray]
Layout = tuple[tuple[str, tuple[int, ...]], ...]

BLOCK = 1024
"""Samples a forward pass: fixed, because the size of a matrix product changes its rounding."""


def initial_parameters(module_factory: Callable[[], torch.nn.Module], seed: int) -> Parameters:
    """Parameters of a fresh module, initialised from `seed` alone; the global generator is left as it was.

    Raises ValueError for a module with buffers (batch norm): their values are no part of an update.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return parameters_of(module_factory())


def parameters_of(module: torch.nn.Module) -> Parameters:
    """Copies of a module's parameters as float32 arrays, sorted by name. ValueError if it has buffers."""
    buffers = [name for name, _ in module.named_buffers()]
    if buffers:
        raise ValueError(f"the module has buffers {buffers}; use layers without running statistics")
    named = sorted(module.named_parameters())
    return {name: np.array(value.detach().numpy(), dtype=np.float32, order="C") for name, value in named}


def layout_of(params: Mapping[str, FloatArray]) -> Layout:
    """Names and shapes, sorted by name: the order of `flatten`."""
    return tuple((name, tuple(params[name].shape)) for name in sorted(params))


def size_of(layout: Layout) -> int:
    """d, the length of the flat vector."""
    return sum(math.prod(shape) for _, shape in layout)


def flatten(params: Mapping[str, FloatArray]) -> FloatArray:
    """(d,) float32: the parameters sorted by name, each in C order (copies)."""
    pieces = [np.asarray(params[name], dtype=np.float32).ravel() for name in sorted(params)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def unflatten(vector: FloatArray, layout: Layout) -> Parameters:
    """The inverse of `flatten` (copies). Raises DataError unless `vector` is (size_of(layout),)."""
    if vector.shape != (size_of(layout),):
        raise DataError(f"a vector of shape {vector.shape} does not fit a model of {size_of(layout)} parameters")
    params: Parameters = {}
    start = 0
    for name, shape in layout:
        stop = start + math.prod(shape)
        params[name] = np.array(vector[start:stop], dtype=np.float32).reshape(shape)
        start = stop
    return params


def as_tensors(params: Mapping[str, FloatArray], module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Fresh tensors of `params`. Raises DataError unless names and shapes are those of `module`."""
    expected = {name: tuple(value.shape) for name, value in module.named_parameters()}
    if expected != dict(layout_of(params)):
        raise DataError(f"parameters {layout_of(params)} do not fit the module, which has {sorted(expected.items())}")
    return {name: torch.tensor(np.asarray(value, dtype=np.float32)) for name, value in params.items()}


class Evaluator:
    """Outputs, loss, accuracy and loss gradient of one architecture for any parameters.

    Works on its own copy of the module in evaluation mode, in blocks of 1,024 samples. The same inputs give
    the same bits on one machine with one thread (`torch.set_num_threads(1)`); other thread counts, and other
    machines, differ by rounding. An instance is not for use by two threads at once.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = copy.deepcopy(module).eval()

    def outputs(self, params: Mapping[str, FloatArray], x: FloatArray) -> FloatArray:
        """(n, classes) float32 logits for `x` (n, *shape) float32, n >= 1."""
        with torch.no_grad():
            weights = as_tensors(params, self._module)
            blocks = [self._logits(weights, x[start : start + BLOCK]) for start in range(0, len(x), BLOCK)]
        if not blocks:
            raise DataError("an evaluation needs at least one sample")
        return np.ascontiguousarray(torch.cat(blocks).numpy(), dtype=np.float32)

    def loss(self, params: Mapping[str, FloatArray], data: Dataset) -> float:
        """Mean cross-entropy in nats, from float32 logits in float64; may be inf or NaN for a wild model."""
        return _cross_entropy(self.outputs(params, data.x), data.y)

    def accuracy(self, params: Mapping[str, FloatArray], data: Dataset) -> float:
        """The share of samples, in [0, 1], whose largest logit (the first, if tied) is the label's."""
        predicted = self.outputs(params, data.x).argmax(axis=1)
        return float(np.mean(predicted == data.y))

    def loss_gradient(self, params: Mapping[str, FloatArray], data: Dataset) -> NDArray[np.float64]:
        """(d,) float64 gradient of the mean cross-entropy, in the order of `flatten`; see `loss_and_gradient`."""
        return self.loss_and_gradient(params, data)[1]

    def loss_and_gradient(self, params: Mapping[str, FloatArray], data: Dataset) -> tuple[float, NDArray[np.float64]]:
        """`loss` and its (d,) float64 gradient in the order of `flatten`, from one pass.

        Each block's backward pass is float32; blocks are summed in float64.
        """
        if not len(data):
            raise DataError("a gradient needs at least one sample")
        weights = as_tensors(params, self._module)
        for value in weights.values():
            value.requires_grad_(True)
        names = sorted(weights)
        total = np.zeros(size_of(layout_of(params)), dtype=np.float64)
        outputs = []
        for start in range(0, len(data), BLOCK):
            logits = self._logits(weights, data.x[start : start + BLOCK])
            labels = torch.from_numpy(data.y[start : start + BLOCK])
            loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            grads = torch.autograd.grad(loss, [weights[name] for name in names])
            total += np.concatenate([grad.numpy().ravel() for grad in grads]).astype(np.float64)
            outputs.append(logits.detach().numpy())
        return _cross_entropy(np.concatenate(outputs), data.y), total / len(data)

    def _logits(self, weights: dict[str, torch.Tensor], x: FloatArray) -> torch.Tensor:
        block = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        logits: torch.Tensor = functional_call(self._module, weights, (block,))
        return logits


def _cross_entropy(outputs: FloatArray, labels: NDArray[np.int64]) -> float:
    logits = outputs.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        top = logits.max(axis=1)
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        return float(np.mean(log_sum - logits[np.arange(len(labels)), labels]))
