"""The recipe: how every trainer of a task trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from node.errors import ConfigError

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
