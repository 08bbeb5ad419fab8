"""One optimiser step in place: weights and moments as lists of tensors in the same order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from node.train.recipe import Optimiser, Recipe

MOMENTS: dict[Optimiser, tuple[str, ...]] = {"sgd": ("velocity",), "adam": ("first", "second")}
"""What an optimiser remembers of each weight, besides the number of steps taken; zero at the start."""

Tensors = Sequence[torch.Tensor]


@torch.no_grad()
def update_weights(weights: Tensors, grads: Tensors, moments: Sequence[Tensors], recipe: Recipe, *, step: int) -> None:
    """Apply step number `step` (from 1) of the recipe's optimiser; `moments` are in the order of MOMENTS."""
    bounded = _bounded(grads, recipe.gradient_bound)
    if recipe.optimiser == "adam":
        _adam(weights, bounded, moments[0], moments[1], recipe, step)
    else:
        _sgd(weights, bounded, moments[0], recipe)


def _sgd(weights: Tensors, grads: Tensors, velocities: Tensors, recipe: Recipe) -> None:
    """v <- momentum v + g;  w <- w - rate v (Polyak 1964, in torch.optim's form)."""
    for value, grad, velocity in zip(weights, grads, velocities, strict=True):
        decayed = grad.add(value, alpha=recipe.weight_decay) if recipe.weight_decay else grad
        velocity.mul_(recipe.momentum).add_(decayed)
        value.sub_(velocity, alpha=recipe.learning_rate)


def _adam(weights: Tensors, grads: Tensors, firsts: Tensors, seconds: Tensors, recipe: Recipe, step: int) -> None:
    """Kingma and Ba 2015, algorithm 1, with beta_1 = momentum, beta_2 = 0.999, eps = 1e-8."""
    beta1, beta2 = recipe.momentum, 0.999
    unbias1, unbias2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
    for value, grad, first, second in zip(weights, grads, firsts, seconds, strict=True):
        decayed = grad.add(value, alpha=recipe.weight_decay) if recipe.weight_decay else grad
        first.lerp_(decayed, 1 - beta1)
        second.mul_(beta2).addcmul_(decayed, decayed, value=1 - beta2)
        denominator = second.sqrt().div_(unbias2).add_(1e-8)
        value.addcdiv_(first, denominator, value=-recipe.learning_rate / unbias1)


def _bounded(grads: Tensors, bound: float) -> Tensors:
    """`grads` scaled down to joint norm `bound` if longer (Pascanu et al. 2013, algorithm 1); 0 = no bound."""
    if bound == 0:
        return grads
    # In float64: the square of a gradient of 1e20, from a ruined model, overflows float32.
    lengths = [torch.linalg.vector_norm(grad, dtype=torch.float64) for grad in grads]
    length = torch.linalg.vector_norm(torch.stack(lengths)).item()
    return grads if length <= bound else tuple(grad.mul(bound / length) for grad in grads)
