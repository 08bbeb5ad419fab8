"""Local training: the recipe and one deterministic run of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from node.data import Dataset, FloatArray
from node.errors import ConfigError, DataError, TrainingError
from node.model import Parameters, as_tensors, parameters_of
from node.seeds import derive_seed

Optimiser = Literal["sgd", "adam"]

MAX_RATE = 1e6
"""Far beyond any use; a rate that overflows float32 would fail inside torch instead of here."""


@dataclass(frozen=True)
class Recipe:
    """How every trainer of a task trains; part of the task, so that nobody chooses it for themselves.

    `momentum` is SGD's heavy-ball factor and Adam's beta_1 (beta_2 = 0.999, eps = 1e-8); `weight_decay` is L2
    added to the gradient. The optimiser starts afresh each round. `gradient_bound` > 0 scales down a batch's
    gradient (before decay) of larger norm, which keeps training finite from a model that others have ruined.
    Raises ConfigError on a value out of range.
    """

    optimiser: Optimiser
    learning_rate: float
    epochs: int
    batch: int
    momentum: float = 0.9
    weight_decay: float = 0.0
    gradient_bound: float = 0.0

    def __post_init__(self) -> None:
        if self.optimiser not in get_args(Optimiser):
            raise ConfigError(f"unknown optimiser {self.optimiser!r}", hint="valid: adam, sgd")
        checks = {
            "learning_rate": 0 < self.learning_rate <= MAX_RATE,
            "epochs": self.epochs >= 1,
            "batch": self.batch >= 1,
            "momentum": 0 <= self.momentum < 1,
            "weight_decay": math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            "gradient_bound": math.isfinite(self.gradient_bound) and self.gradient_bound >= 0,
        }
        for name, fine in checks.items():
            if not fine:
                raise ConfigError(
                    f"recipe.{name} = {getattr(self, name)} is out of range",
                    hint="rate > 0, epochs and batch >= 1, 0 <= momentum < 1, weight_decay and gradient_bound >= 0",
                )


def train(
    module: torch.nn.Module, params: Mapping[str, FloatArray], data: Dataset, recipe: Recipe, *, seed: int
) -> Parameters:
    """Parameters after `recipe` on `data`, starting from `params`, with mean cross-entropy.

    `module` gives the architecture and is not changed. Each epoch draws one permutation from `seed`; the last
    batch may be short. Bit-reproducible on one machine at one thread count. Raises DataError without samples,
    TrainingError, naming epoch and batch from 1, as soon as a loss, or at the end a parameter, is not finite.
    """
    if len(data) == 0:
        raise DataError("training needs at least one sample")
    model = copy.deepcopy(module).train()
    start = as_tensors(params, model)
    weights = [value for _, value in sorted(model.named_parameters())]
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(start[name])
    order = np.random.default_rng(seed)
    step = _Adam(weights, recipe) if recipe.optimiser == "adam" else _Sgd(weights, recipe)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    epoch = batch = 0
    with _deterministic(derive_seed(seed, "torch")):
        for epoch in range(1, recipe.epochs + 1):
            shuffled = order.permutation(len(data))
            for batch, first in enumerate(range(0, len(data), recipe.batch), start=1):
                chosen = torch.from_numpy(shuffled[first : first + recipe.batch])
                loss = torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen])
                if not math.isfinite(loss.item()):
                    raise _diverged("loss", epoch, batch)
                step(_bounded(torch.autograd.grad(loss, weights), recipe.gradient_bound))
    trained = parameters_of(model)
    if not all(np.isfinite(value).all() for value in trained.values()):
        raise _diverged("parameters", epoch, batch)
    return trained


class _Sgd:
    """v <- momentum v + g;  w <- w - rate v (Polyak 1964, in torch.optim's form)."""

    def __init__(self, weights: list[torch.nn.Parameter], recipe: Recipe) -> None:
        self.weights, self.recipe = weights, recipe
        self.velocity = [torch.zeros_like(value) for value in weights]

    @torch.no_grad()
    def __call__(self, grads: tuple[torch.Tensor, ...]) -> None:
        for value, grad, velocity in zip(self.weights, grads, self.velocity, strict=True):
            decayed = grad.add(value, alpha=self.recipe.weight_decay) if self.recipe.weight_decay else grad
            velocity.mul_(self.recipe.momentum).add_(decayed)
            value.sub_(velocity, alpha=self.recipe.learning_rate)


class _Adam:
    """Kingma and Ba 2015, algorithm 1, with beta_1 = momentum, beta_2 = 0.999, eps = 1e-8."""

    def __init__(self, weights: list[torch.nn.Parameter], recipe: Recipe) -> None:
        self.weights, self.recipe, self.steps = weights, recipe, 0
        self.first = [torch.zeros_like(value) for value in weights]
        self.second = [torch.zeros_like(value) for value in weights]

    @torch.no_grad()
    def __call__(self, grads: tuple[torch.Tensor, ...]) -> None:
        self.steps += 1
        beta1, beta2 = self.recipe.momentum, 0.999
        unbias1, unbias2 = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        for value, grad, first, second in zip(self.weights, grads, self.first, self.second, strict=True):
            decayed = grad.add(value, alpha=self.recipe.weight_decay) if self.recipe.weight_decay else grad
            first.lerp_(decayed, 1 - beta1)
            second.mul_(beta2).addcmul_(decayed, decayed, value=1 - beta2)
            denominator = second.sqrt().div_(unbias2).add_(1e-8)
            value.addcdiv_(first, denominator, value=-self.recipe.learning_rate / unbias1)


def _bounded(grads: tuple[torch.Tensor, ...], bound: float) -> tuple[torch.Tensor, ...]:
    """`grads` scaled down to joint norm `bound` if longer (Pascanu et al. 2013, algorithm 1); 0 = no bound."""
    if bound == 0:
        return grads
    # In float64: the square of a gradient of 1e20, from a ruined model, overflows float32.
    lengths = [torch.linalg.vector_norm(grad, dtype=torch.float64) for grad in grads]
    length = torch.linalg.vector_norm(torch.stack(lengths)).item()
    return grads if length <= bound else tuple(grad.mul(bound / length) for grad in grads)


def _diverged(what: str, epoch: int, batch: int) -> TrainingError:
    return TrainingError(
        f"{what} not finite in epoch {epoch}, batch {batch}",
        hint="lower the recipe's learning_rate, and check that the features are scaled",
    )


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Deterministic kernels and a private torch generator (for dropout) inside; both restored after."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
