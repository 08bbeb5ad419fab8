"""What the verification benchmark compares: honest work on every profile and every cheat, as vectors by segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.calibrate import Calibration, Comparison, Shard, calibrate, segments_of
from node.calibrate.cheating import cheat_cases
from node.calibrate.replay import outputs_under
from node.cheat import EXECUTIONS, Work
from node.model import initial_parameters
from node.partition import partition
from node.publish import task_split
from node.seeds import derive_seed
from node.task import TASKS
from node.train import Profile
from node.train.profile import HONEST, REFERENCE

SEED, ROWS = 7, 16
SIZES = {"smooth_digits": (8, 10), "breast_cancer": (4, 8)}
"""Trainers that share the data, and steps of a segment, by task."""
CALIBRATED = (0, 1)
"""Shards that the calibration replays; the suite uses the shards after them, which it has not seen."""


@dataclass(frozen=True, eq=False)
class Case:
    """One piece of work as somebody claims it: all vectors must agree. `kind`: honest, execution or claim."""

    task: str
    mode: str  # replay or output
    name: str
    kind: str
    vectors: tuple[Comparison, ...]
    place: int  # which piece of work: cases of one place have one reference

    @property
    def distance(self) -> float:
        """Largest relative L2 distance over its vectors."""
        return max(vector.drift for vector in self.vectors)


@dataclass(frozen=True, eq=False)
class Suite:
    """All cases of one task with the calibration that judges them."""

    task: str
    calibration: Calibration
    segments: int  # in a whole run
    steps: int
    cases: tuple[Case, ...]
    runs: tuple[tuple[Work, ...], ...]
    probe: NDArray[np.float32]


def build(task: str, *, shards: int, checked: int, trial_seeds: int) -> Suite:
    """Calibrate `task`, then replay `shards` other shards and cheat in `checked` segments of each."""
    nodes, segment = SIZES[task]
    kind = TASKS.get(task)
    dataset = kind.load({})
    module = kind.module(dataset.shape, dataset.classes)
    params = initial_parameters(lambda: kind.module(dataset.shape, dataset.classes), derive_seed(SEED, "genesis"))
    parts = task_split(dataset, SEED)
    shares = partition(parts.train.y, nodes, "iid", seed=derive_seed(SEED, "partition"))

    def shard(index: int) -> Shard:
        data, other = (parts.train.subset(shares[i % nodes]) for i in (index, index + 1))
        return Shard(data, other, parts.probe.x[:32], derive_seed(SEED, "verification", index))

    found = calibrate(
        task,
        module,
        params,
        [shard(index) for index in CALIBRATED],
        kind.recipe,
        profiles=HONEST,
        segment=segment,
        rows=ROWS,
        seeds=trial_seeds,
    )
    cases: list[Case] = []
    runs = []
    for index in range(len(CALIBRATED), len(CALIBRATED) + shards):
        run = segments_of(module, params, shard(index), kind.recipe, segment=segment)
        runs.append(tuple(run))
        places = sorted({round(p) for p in np.linspace(1, len(run) - 1, checked)})
        for place in places:
            cases += _replay(task, run, place)
        cases += _outputs(task, run, shard(index).probe)
    steps = sum(work.steps for work in runs[0])
    return Suite(task, found, len(runs[0]), steps, tuple(cases), tuple(runs), parts.probe.x[:32])


def _replay(task: str, run: Sequence[Work], place: int) -> list[Case]:
    work = run[place]
    honest = work.moves(work.end)
    cases = []
    for profile in HONEST:
        moved = work.moves(work.trainer(profile=profile).advance(work.start, work.steps))
        vectors = tuple(Comparison("segment", group, profile.name, honest[group], moved[group]) for group in honest)
        cases.append(Case(task, "replay", profile.name, "honest", vectors, place))
    for vectors_ in cheat_cases("segment", run[place - 1 : place + 2], np.empty(0, np.float32), ROWS):
        name = vectors_[0].profile
        kind = "execution" if name in EXECUTIONS.names() else "claim"
        cases.append(Case(task, "replay", name, kind, tuple(vectors_), place))
    return cases


def _outputs(task: str, run: Sequence[Work], probe: NDArray[np.float32]) -> list[Case]:
    last = run[-1]

    def compare(name: str, work: Work, end: object, profile: Profile) -> Comparison:
        reference, claim = (outputs_under(p, work.module, end, probe) for p in (REFERENCE, profile))  # type: ignore[arg-type]
        return Comparison("output", "outputs", name, reference, claim)

    def case(name: str, kind: str, vectors: Sequence[Comparison]) -> Case:
        return Case(task, "output", name, kind, tuple(vectors), len(run))

    honest = [case(p.name, "honest", [compare(p.name, last, last.end.params, p)]) for p in HONEST]
    # Someone who cheats in training reveals the result, and states the outputs of what was revealed.
    executed = [
        case(name, "execution", [compare(name, last, EXECUTIONS.get(name).run(last).params, HONEST[3])])
        for name in EXECUTIONS
    ]
    claimed = [case(vectors[0].profile, "claim", vectors) for vectors in cheat_cases("output", run, probe, ROWS)]
    return honest + executed + claimed
