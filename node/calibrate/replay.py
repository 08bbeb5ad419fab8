"""Honest work done twice: in the pinned profile, and as another honest machine does it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from node.cheat import Work, norm
from node.data import Dataset, FloatArray
from node.model import as_tensors, flatten
from node.sketch.level import LevelName
from node.train import Profile, Recipe, Trainer, TrainerState
from node.train.profile import REFERENCE, arithmetic


@dataclass(frozen=True, eq=False)
class Shard:
    """One trainer's part in a calibration: its data, a neighbour's, probe samples (b, *shape), and its seed."""

    data: Dataset
    other: Dataset
    probe: FloatArray
    seed: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """One vector as two honest machines have it, (n,) float32 each."""

    level: LevelName
    group: str  # outputs, weights, or a moment's name
    profile: str
    reference: FloatArray
    claim: FloatArray

    @property
    def drift(self) -> float:
        """|claim - reference| / |reference| in float64: 0 if both are zero, infinite if only the reference is."""
        apart = float(np.linalg.norm(self.claim.astype(np.float64) - self.reference))
        return apart / norm(self.reference) if apart and norm(self.reference) else (np.inf if apart else 0.0)


def segments_of(
    module: torch.nn.Module, params: Mapping[str, FloatArray], shard: Shard, recipe: Recipe, *, segment: int
) -> list[Work]:
    """The whole run of a recipe on a shard in pieces of `segment` steps (the last one shorter), in the pinned profile.

    Each piece starts where the one before it ended.
    """
    trainer = Trainer(module, shard.data, recipe, seed=shard.seed)
    state, found = trainer.start(params), []
    while state.step < trainer.steps:
        steps = min(segment, trainer.steps - state.step)
        work = Work(module, shard.data, shard.other, recipe, shard.seed, state, steps)
        found.append(work)
        state = work.end
    return found


def compare_levels(segments: Sequence[Work], probe: FloatArray, profile: Profile) -> Iterator[Comparison]:
    """What an honest machine of `profile` claims at each level beside the pinned reference.

    `update`: the whole run from the same start, drift adding up. `segment`: every segment from its committed start.
    `step`: the first step of each. `output`: the final model on `probe` (b, *shape).
    """
    first, last = segments[0], segments[-1]
    trainer = first.trainer(profile=profile)
    whole = Work(first.module, first.data, first.other, first.recipe, first.seed, first.start, trainer.steps)
    end = trainer.advance(first.start, trainer.steps)
    reference = (flatten(last.end.params).astype(np.float64) - flatten(first.start.params)).astype(np.float32)
    yield Comparison("update", "weights", profile.name, reference, whole.moves(end)["weights"])
    for work in segments:
        yield from _moves("segment", work, trainer.advance(work.start, work.steps), profile)
        one = Work(work.module, work.data, work.other, work.recipe, work.seed, work.start, 1)
        yield from _moves("step", one, trainer.advance(work.start, 1), profile)
    pinned = outputs_under(REFERENCE, first.module, last.end.params, probe)
    claimed = outputs_under(profile, first.module, last.end.params, probe)
    yield Comparison("output", "outputs", profile.name, pinned, claimed)


def outputs_under(
    profile: Profile, module: torch.nn.Module, params: Mapping[str, FloatArray], x: FloatArray
) -> FloatArray:
    """(b * classes,) float32: logits for `x` (b, *shape) as a machine of `profile` computes them, in the order of x."""
    model = copy.deepcopy(module).eval().to(profile.dtype)
    order = np.random.default_rng(0).permutation(len(x)) if profile.permuted else np.arange(len(x))
    size = profile.micro_batch or len(x)
    with arithmetic(profile), torch.no_grad():
        for name, value in as_tensors(params, model).items():
            model.get_parameter(name).copy_(value)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=profile.precision == "bfloat16"):
            parts = [model(torch.from_numpy(x[order[i : i + size]]).to(profile.dtype)) for i in range(0, len(x), size)]
    found = np.empty((len(x), *parts[0].shape[1:]), np.float32)
    found[order] = torch.cat(parts).float().numpy()
    return found.ravel()


def _moves(level: LevelName, work: Work, end: TrainerState, profile: Profile) -> Iterator[Comparison]:
    expected, claimed = work.moves(work.end), work.moves(end)
    for group in expected:
        yield Comparison(level, group, profile.name, expected[group], claimed[group])
