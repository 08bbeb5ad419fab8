"""One party's record of a run: its checkpoints, and every step of a segment executed again from one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.data import FloatArray
from node.errors import ConfigError
from node.train import Trainer, TrainerState

Advance = Callable[[TrainerState, int], TrainerState]


@dataclass(frozen=True, eq=False)
class Run:
    """`segments` + 1 checkpoints, `steps` apart, and the way this party goes from one state to the next.

    An honest party's `advance` is its Trainer's; that of a cheat is whatever it did.
    """

    advance: Advance
    checkpoints: tuple[TrainerState, ...]
    steps: int

    @property
    def segments(self) -> int:
        """Number of segments."""
        return len(self.checkpoints) - 1

    def segment(self, number: int) -> list[TrainerState]:
        """The `steps` + 1 states of segment `number`, its checkpoints first and last, executed step by step."""
        states = [self.checkpoints[number]]
        for _ in range(self.steps - 1):
            states.append(self.advance(states[-1], 1))
        return [*states, self.checkpoints[number + 1]]


def recorded(trainer: Trainer, params: Mapping[str, FloatArray], *, steps: int, advance: Advance | None = None) -> Run:
    """Train from `params` to the recipe's end and keep a checkpoint every `steps` steps.

    `advance` replaces the trainer's own (a cheat's). Raises ConfigError where the steps do not divide the run.
    """
    if steps < 1 or trainer.steps % steps:
        raise ConfigError(f"segments of {steps} steps do not divide a run of {trainer.steps}")
    go = advance or trainer.advance
    states = [trainer.start(params)]
    for _ in range(trainer.steps // steps):
        states.append(go(states[-1], steps))
    return Run(go, tuple(states), steps)
