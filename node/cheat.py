"""Ways to be paid for work that was not done, by name: the suite that verification is measured against.

An execution cheat computes something else than the recipe says and commits to the result. Replay shows it; in
output mode nothing does, since what was revealed is what is evaluated. A claim states another vector than the one
that was computed; both modes see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from node.data import Dataset, FloatArray
from node.model import Parameters
from node.registry import Registry
from node.sketch import sign_rows
from node.train import PINNED, Profile, Recipe, Trainer, TrainerState

Moves = Mapping[str, FloatArray]
"""What a segment changed: end minus start of the weights and of each moment, flattened, by name."""


@dataclass(frozen=True, eq=False)
class Work:
    """A segment of someone's training, with the shard of a neighbour: what an execution cheat starts from."""

    module: torch.nn.Module
    data: Dataset
    other: Dataset
    recipe: Recipe
    seed: int
    start: TrainerState
    steps: int

    def trainer(self, *, profile: Profile = PINNED) -> Trainer:
        """A trainer for this work."""
        return Trainer(self.module, self.data, self.recipe, seed=self.seed, profile=profile)

    @cached_property
    def end(self) -> TrainerState:
        """The honest end state in the pinned profile."""
        return self.trainer().advance(self.start, self.steps)

    def moves(self, end: TrainerState) -> Moves:
        """What `end` changed, in float64 and rounded once, by group."""
        before, after = self.start.groups(), end.groups()
        return {name: (after[name].astype(np.float64) - before[name]).astype(np.float32) for name in before}


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What someone who invents a vector knows: earlier and foreign ones of its length, perhaps the sketch's rows."""

    previous: FloatArray
    neighbour: FloatArray
    quantised: FloatArray  # what the int8 model gives
    rng: np.random.Generator
    known_seed: bytes | None = None
    k: int = 16


@dataclass(frozen=True)
class Execution:
    """A cheat in what is computed: `run` gives the end state that is committed to."""

    name: str
    summary: str
    run: Callable[[Work], TrainerState]


@dataclass(frozen=True)
class Claim:
    """A cheat in what is stated: `say(u, knowledge)` gives the vector (n,) float32 stated in place of u."""

    name: str
    summary: str
    say: Callable[[FloatArray, Knowledge], FloatArray]


EXECUTIONS: Registry[Execution] = Registry("execution cheat")
CLAIMS: Registry[Claim] = Registry("claim cheat")

NOISES = (0.01, 0.1, 1.0)
"""Levels of noise, relative to the norm, that hide a copied update."""

TOP = 128
"""Coordinates that `negate_but_top` keeps: those that TOPLOC looks at."""


def _skip_last(work: Work) -> TrainerState:
    return work.trainer().advance(work.start, work.steps - 1)


def _faster(work: Work) -> TrainerState:
    return replace_recipe(work, learning_rate=work.recipe.learning_rate * 1.01).end


def _skip_one(work: Work) -> TrainerState:
    """The middle step is not taken, as one in 50 is when 2 % of a run are skipped."""
    trainer, middle = work.trainer(), work.steps // 2
    before = trainer.advance(work.start, middle)
    return trainer.advance(replace(before, step=before.step + 1), work.steps - middle - 1)


def _flip_labels(work: Work) -> TrainerState:
    """1 % of the labels, at least one of them in this segment: the first sample that it visits and every 100th."""
    trainer = work.trainer()
    visited = np.concatenate([trainer.batch_of(work.start.step + step) for step in range(work.steps)])
    chosen = np.unique(visited)[:: max(1, min(100, len(np.unique(visited))))]
    labels = work.data.y.copy()
    labels[chosen] = (labels[chosen] + 1) % work.data.classes
    return replace(work, data=Dataset(work.data.x, labels, work.data.classes)).end


def _half(work: Work) -> TrainerState:
    return work.trainer().advance(work.start, work.steps // 2)


def _no_moments(work: Work) -> TrainerState:
    return replace(work.end, moments=work.trainer().start(work.end.params).moments)


def _other_data(work: Work) -> TrainerState:
    """A neighbour's shard, cut to the same length."""
    count = len(work.data)
    indices = np.arange(count) % len(work.other)
    return replace(work, data=work.other.subset(indices)).end


def replace_recipe(work: Work, **changes: float) -> Work:
    """The same work under a changed recipe."""
    return replace(work, recipe=replace(work.recipe, **changes))  # type: ignore[arg-type]


def quantise(values: FloatArray) -> FloatArray:
    """Symmetric int8 of one tensor, 127 steps to the largest value, back in float32."""
    step = float(np.abs(values).max(initial=0.0)) / 127
    return (np.rint(values / step) * step).astype(np.float32) if step else values


def quantised_weights(params: Parameters) -> Parameters:
    """Every tensor of a model in int8."""
    return {name: quantise(value) for name, value in params.items()}


def _scaled(factor: float) -> Callable[[FloatArray, Knowledge], FloatArray]:
    return lambda u, _: np.float32(factor) * u


def _noisy(level: float) -> Callable[[FloatArray, Knowledge], FloatArray]:
    def say(u: FloatArray, knowledge: Knowledge) -> FloatArray:
        return knowledge.neighbour + of_norm(knowledge.rng.standard_normal(u.shape), level * norm(knowledge.neighbour))

    return say


def _constant(u: FloatArray, _: Knowledge) -> FloatArray:
    return np.full_like(u, norm(u) / np.sqrt(u.size))


def _null_space(u: FloatArray, knowledge: Knowledge) -> FloatArray:
    """u plus an error of its own norm to which the known rows are blind; without known rows, blind to a guess."""
    seed = knowledge.known_seed if knowledge.known_seed is not None else knowledge.rng.bytes(77)
    rows = sign_rows(u.size, seed=seed, k=knowledge.k).astype(np.float64)
    error = knowledge.rng.standard_normal(u.size)
    error -= rows.T @ np.linalg.solve(rows @ rows.T, rows @ error)
    return (u + error * (norm(u) / np.linalg.norm(error))).astype(np.float32)


def _negate_but_top(u: FloatArray, _: Knowledge) -> FloatArray:
    """-u except at the TOP largest coordinates (an eighth of a short vector): top-k fingerprints see no change."""
    kept = np.argsort(-np.abs(u), kind="stable")[: min(TOP, max(1, u.size // 8))]
    forged = -u
    forged[kept] = u[kept]
    return np.asarray(forged, dtype=np.float32)


def norm(values: FloatArray) -> float:
    """Euclidean norm in float64."""
    return float(np.linalg.norm(values.astype(np.float64)))


def of_norm(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], length: float) -> FloatArray:
    """`values` scaled to a norm."""
    return (values * (length / np.linalg.norm(values))).astype(np.float32)


for _execution in (
    Execution("skip_last", "the last step is skipped", _skip_last),
    Execution("rate_1pct", "learning rate + 1 %", _faster),
    Execution("skip_2pct", "2 % of the steps are skipped", _skip_one),
    Execution("flip_1pct", "1 % of the labels are flipped", _flip_labels),
    Execution("half_steps", "half of the steps are taken", _half),
    Execution("other_data", "trained on other data", _other_data),
    Execution("no_moments", "right weights, but the optimiser's moments are left out", _no_moments),
):
    EXECUTIONS.register(_execution.name)(_execution)

for _claim in (
    Claim("scaled_1.1", "the vector x 1.1", _scaled(1.1)),
    Claim("scaled_10", "the vector x 10", _scaled(10)),
    Claim("previous", "the previous round's vector", lambda u, known: known.previous),
    Claim("neighbour", "a neighbour's vector", lambda u, known: known.neighbour),
    *(Claim(f"neighbour_{n:g}", f"a neighbour's vector + noise of {n:.0%} of it", _noisy(n)) for n in NOISES),
    Claim("constant", "a constant of the right norm", _constant),
    Claim("zero", "zero", lambda u, known: np.zeros_like(u)),
    Claim("null_space", "a null-space forgery", _null_space),
    Claim("negate_but_top", f"negated but for the {TOP} largest coordinates", _negate_but_top),
    Claim("quantised", "what the model in int8 gives", lambda u, known: known.quantised),
):
    CLAIMS.register(_claim.name)(_claim)
