"""One run of the matrix: an attack against a defence on a partition, from one seed. Pure: arrays and numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from node.attacks import ATTACKS, ForgeContext
from node.attacks.kind import AttackKind
from node.data import Dataset, FloatArray, Split, split
from node.matrix.defences import Server, defence_of
from node.matrix.learner import Learner
from node.partition import partition
from node.seeds import derive_seed
from node.spec import TaskSpec
from node.task import TASKS

NO_ATTACK = "none"
LAST = 5
"""Accuracy is the mean over the last rounds: of one round alone it is as much noise as result."""
PROBE_FRACTION, TEST_FRACTION = 0.15, 0.25


@dataclass(frozen=True)
class Setting:
    """What all cells of a matrix share."""

    task: str = "digits"
    trainers: int = 20
    attackers: int = 4
    rounds: int = 30
    epochs: int = 5
    validate: bool = False  # measure on the probe part instead of the test part: for choosing a default


@dataclass(frozen=True)
class Cell:
    """Names of one cell. `attack` is NAME or NAME=STRENGTH, or `none`."""

    attack: str
    defence: str
    partition: str
    seed: int

    @property
    def kind(self) -> AttackKind | None:
        """The attack, None where there is none. Raises UnknownName, or ConfigError for a wrong strength."""
        if self.attack == NO_ATTACK:
            return None
        kind = ATTACKS.get(self.attack.partition("=")[0])
        kind.check(self.strength)
        return kind

    @property
    def strength(self) -> str | None:
        """What stands after the equals sign."""
        return self.attack.partition("=")[2] or None


@dataclass(frozen=True)
class Result:
    """Shares in [0, 1]: accuracy on untouched data; how often the attack's aim is met, None where it has no aim."""

    accuracy: float
    success: float | None


def run_cell(setting: Setting, cell: Cell) -> Result:
    """Train to the end and measure. Deterministic; the attackers are the last of the trainers."""
    kind = cell.kind
    parts = data_of(setting.task, cell.seed)
    shards = list(_shards(setting.task, setting.trainers, cell.partition, cell.seed))
    honest_count = setting.trainers - setting.attackers
    if kind is not None:
        shards[honest_count:] = [kind.poison(shard, cell.strength) for shard in shards[honest_count:]]
    learner = Learner(shards, seed=derive_seed(cell.seed, "train"), epochs=setting.epochs)
    server = Server(defence_of(cell.defence), f=setting.attackers / setting.trainers)
    measured = parts.probe if setting.validate else parts.test
    aim = kind.aim(measured, cell.strength) if kind is not None and kind.aim is not None else None
    model, previous = learner.initial(), None
    accuracies, successes = [], []
    for round_ in range(1, setting.rounds + 1):
        updates = learner.updates(model, round_)
        server.gradient = learner.gradient(model, _probe_batch(parts.probe, cell.seed, round_))
        if kind is not None:
            forged = _forge(kind, cell, updates, setting.attackers, round_=round_, previous=previous, server=server)
            updates = np.vstack([updates[:honest_count], forged])
        previous = server.step(updates)
        server.remember(updates)
        model = model + previous
        if round_ > setting.rounds - LAST:
            accuracies.append(float(learner.accuracy(model, measured)))
            if aim is not None:
                successes.append(float(learner.accuracy(model, aim)))
    return Result(float(np.mean(accuracies)), float(np.mean(successes)) if aim is not None else None)


def _probe_batch(probe: Dataset, seed: int, round_: int) -> Dataset:
    """As many rows as a settled round's committee draws from its one-time shard."""
    generator = np.random.default_rng(derive_seed(seed, "probe", round_))
    return probe.subset(generator.permutation(len(probe))[: TaskSpec.probe_batch])


def _forge(
    kind: AttackKind,
    cell: Cell,
    updates: FloatArray,
    attackers: int,
    *,
    round_: int,
    previous: FloatArray | None,
    server: Server,
) -> FloatArray:
    """(m, d) float32: what the attackers send. Omniscient: they know every honest update and the server's rule."""
    honest, own = updates[:-attackers], updates[-attackers:]
    if kind.copies_commitment:
        return np.repeat(honest[:1], attackers, axis=0)
    sent: list[FloatArray] = []
    for row, update in enumerate(own):
        if kind.colludes and sent:
            sent.append(sent[0])
            continue
        context = ForgeContext(
            seed=derive_seed(cell.seed, "forge", row),
            round=round_,
            previous_global=previous,
            strength=cell.strength,
            honest=honest,
            attackers=attackers,
            shared_seed=derive_seed(cell.seed, "collude"),
            aggregate=server.step,
        )
        sent.append(kind.forge(update, context=context))
    return np.stack(sent)


@lru_cache(maxsize=4)
def data_of(task: str, seed: int) -> Split:
    """The task's data in three parts, the same for every run of a seed."""
    data = TASKS.get(task).load({})
    return split(data, seed=derive_seed(seed, "split"), probe_fraction=PROBE_FRACTION, test_fraction=TEST_FRACTION)


@lru_cache(maxsize=8)
def _shards(task: str, trainers: int, how: str, seed: int) -> Sequence[Dataset]:
    train = data_of(task, seed).train
    parts = partition(train.y, trainers, how, seed=derive_seed(seed, "partition"))
    return tuple(train.subset(part) for part in parts)
