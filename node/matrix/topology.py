"""One run of decentralised learning: a topology, its strategies, who is there when; what comes out and what it sends.

Networks of one hidden layer on a task's data, trained in batches; no chain, store or committee. Pure and deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.aggregate.bristle import f1_scores
from node.data import Dataset, FloatArray
from node.errors import ConfigError
from node.matrix.cell import data_of
from node.matrix.hidden import HiddenLearner, pretrained_trunk
from node.matrix.learner import Learner
from node.partition import partition
from node.registry import Registry
from node.seeds import derive_seed
from node.topology.average import contraction
from node.topology.gossip import ENDINGS, MIXINGS, Gossip, finish
from node.topology.graph import graph_of
from node.topology.mixing import Judge
from node.topology.modest import Fault, Sampled, SampledSetting
from node.topology.schedule import Schedule, schedule_of
from node.topology.training import train_each
from node.weight.participation import PARTICIPATIONS

HELD_OUT, HELD_SHARE = 10, 0.25
"""Of a class in a node's data, what it keeps to measure others by: a quarter, at most ten (Bristle's kappa)."""


@dataclass(frozen=True)
class Setting:
    """Everything that a run depends on. `hidden` units; `frozen` trains an output layer over a trunk of public data."""

    topology: str = "gossip"
    graph: str = "geometric:0.35"
    mixing: str = "default"
    ending: str = "none"
    participation: str = "uniform"
    schedule: str = "always"
    task: str = "digits"
    partition: str = "dirichlet:0.3"
    nodes: int = 25
    rounds: int = 20
    epochs: int = 2
    hidden: int = 32
    frozen: bool = False
    sample: int = 13
    aggregators: int = 3
    share: float = 0.8
    faults: tuple[tuple[Fault, int], ...] = ()
    """Kinds and how many nodes, the last ones; of sampled topologies only."""
    seed: int = 1


@dataclass(frozen=True)
class Point:
    """After a round: mean test accuracy, and bytes that a node has sent so far, on average."""

    round: int
    accuracy: float
    sent_bytes: float


@dataclass(frozen=True)
class Outcome:
    """Test accuracy in [0, 1] over honest nodes there at the end: mean, worst and standard deviation; what was sent.

    `sent_bytes` and `sent_most`: a node, the mean and the busiest, over the whole run. `completed` rounds took a step,
    `skipped` says why others did not. `caught`: liars and equivocators. `contraction`: lambda of the gossip graph.
    """

    accuracy: float
    worst: float
    spread: float
    sent_bytes: float
    sent_most: int
    completed: int
    skipped: tuple[str, ...]
    caught: tuple[int, ...]
    contraction: float | None
    trace: tuple[Point, ...]


Tick = Callable[[int, int], None]
"""(rounds done, rounds in all)."""


@dataclass(frozen=True)
class Field:
    """What a topology runs on: learner, first model, test data, judges of nodes that need them, who is there."""

    learner: Learner
    initial: FloatArray
    test: Dataset
    judges: list[Judge | None]
    schedule: Schedule


TOPOLOGIES: Registry[Callable[[Setting, Field, Tick], Outcome]] = Registry("topology")


def run_setting(setting: Setting, tick: Tick = lambda done, total: None) -> Outcome:
    """Train to the end and measure. Raises ConfigError for a setting that makes no sense, UnknownName for a name."""
    topology = TOPOLOGIES.get(setting.topology)
    for name in ("nodes", "rounds", "epochs", "hidden"):
        if getattr(setting, name) < 1:
            raise ConfigError(f"{name} {getattr(setting, name)} is out of range", hint="at least 1")
    return topology(setting, _field(setting), tick)


# -- what a run needs --------------------------------------------------------------------------------------------------


class OwnSamples:
    """A node's measure: F1 of models on samples that it did not train on."""

    def __init__(self, learner: Learner, data: Dataset) -> None:
        self._learner, self._data = learner, data
        self.familiar: NDArray[np.bool_] = np.isin(np.arange(data.classes), data.y)

    def f1(self, models: FloatArray) -> NDArray[np.float64]:
        """(k, classes) F1 in [0, 1] of `models` (k, d)."""
        return f1_scores(self._learner.predictions(models, self._data.x), self._data.y, self._data.classes)


def hold_out(shard: Dataset) -> tuple[Dataset, Dataset]:
    """What a node trains on, and what it keeps to measure by; a class of one sample is trained on.

    A shard of single samples is measured by what it was trained on.
    """
    kept = []
    for label in range(shard.classes):
        members = np.flatnonzero(shard.y == label)
        kept += members[: min(HELD_OUT, int(np.ceil(HELD_SHARE * len(members))), len(members) - 1)].tolist()
    if not kept:
        return shard, shard
    rest = np.setdiff1d(np.arange(len(shard)), kept)
    return shard.subset(rest), shard.subset(np.array(kept))


def _field(setting: Setting) -> Field:
    kind = MIXINGS.get(setting.mixing)
    gossip = setting.topology == "gossip"
    data = data_of(setting.task, setting.seed)
    public, train, test = data.probe, data.train, data.test
    if setting.frozen or (gossip and kind.frozen):
        trunk, model = pretrained_trunk(public, hidden=setting.hidden, seed=derive_seed(setting.seed, "trunk"))
        train, test = trunk.features(model, train), trunk.features(model, test)
    parts = partition(train.y, setting.nodes, setting.partition, seed=derive_seed(setting.seed, "partition"))
    shards = [train.subset(part) for part in parts]
    judged: list[Dataset | None] = [None] * setting.nodes
    if gossip and kind.judged:
        pairs = [hold_out(shard) for shard in shards]
        shards, judged = [rest for rest, _ in pairs], [held for _, held in pairs]
    seed, radius = derive_seed(setting.seed, "train"), kind.radius if gossip else 0.0
    learner: Learner
    if train is data.train:
        learner = HiddenLearner(shards, hidden=setting.hidden, seed=seed, epochs=setting.epochs, radius=radius)
    else:
        learner = Learner(shards, seed=seed, epochs=setting.epochs, radius=radius)
    judges: list[Judge | None] = [None if held is None else OwnSamples(learner, held) for held in judged]
    schedule = schedule_of(setting.schedule, setting.nodes, seed=derive_seed(setting.seed, "schedule"))
    return Field(learner, learner.initial(), test, judges, schedule)


def _there(field: Field, setting: Setting, faulty: Sequence[int] = ()) -> list[int]:
    """Honest nodes that are there in the last round; all honest ones where none is."""
    honest = [node for node in range(setting.nodes) if node not in faulty]
    return [node for node in honest if field.schedule(node, setting.rounds).there] or honest


def _outcome(setting: Setting, field: Field, models: FloatArray, sent: NDArray[np.int64], **rest: Any) -> Outcome:
    reached = field.learner.accuracy(models, field.test)
    return Outcome(
        accuracy=float(reached.mean()),
        worst=float(reached.min()),
        spread=float(reached.std()),
        sent_bytes=float(sent.mean()),
        sent_most=int(sent.max()),
        **rest,
    )


# -- topologies --------------------------------------------------------------------------------------------------------


@TOPOLOGIES.register("gossip")
def gossip_run(setting: Setting, field: Field, tick: Tick) -> Outcome:
    """Neighbours only. A node whose work takes d rounds more is there every (d + 1)-th round; nobody waits for it."""
    if setting.participation != "uniform" or setting.faults:
        PARTICIPATIONS.get(setting.participation)
        raise ConfigError(
            "participation weights and faults belong to sampled rounds; a gossiping node weighs its neighbours by the"
            " mixing",
            hint="--topology sampled, or committee",
        )
    ENDINGS.get(setting.ending)
    seed = derive_seed(setting.seed, "gossip")
    graph = graph_of(setting.graph, setting.nodes, seed=derive_seed(setting.seed, "graph"))
    gossip = Gossip(graph, setting.mixing, seed=seed, layout=field.learner.layout, judges=field.judges)
    models, trace = np.repeat(field.initial[None], setting.nodes, axis=0), []
    for round_ in range(1, setting.rounds + 1):
        updates = np.full_like(models, np.nan)
        for node, added in train_each(field.learner, models, round_, _epochs(setting, field, round_)).items():
            updates[node] = added
        models = gossip.round(models, updates, round_)
        reached = field.learner.accuracy(models[_there(field, setting)], field.test)
        trace.append(Point(round_, float(reached.mean()), float(gossip.sent_bytes.mean())))
        tick(round_, setting.rounds)
    there = _there(field, setting)
    models, more = finish(models, setting.ending, seed=seed, here=np.isin(np.arange(setting.nodes), there))
    return _outcome(
        setting,
        field,
        models[there],
        gossip.sent_bytes + more,
        completed=setting.rounds,
        skipped=(),
        caught=(),
        contraction=contraction(graph),
        trace=tuple(trace),
    )


def _epochs(setting: Setting, field: Field, round_: int) -> dict[int, int]:
    """Of each node that takes part in a gossip round, how many epochs it trains."""
    found = {node: field.schedule(node, round_) for node in range(setting.nodes)}
    ready = {node: p for node, p in found.items() if p.there and round_ % (p.delay + 1) == 0}
    return {node: presence.epochs or setting.epochs for node, presence in ready.items()}


@TOPOLOGIES.register("sampled")
def sampled_run(setting: Setting, field: Field, tick: Tick) -> Outcome:
    """A beacon-ordered sample a round, aggregators that recompute its step; at the end everybody gets the model."""
    if setting.ending != "none":
        ENDINGS.get(setting.ending)
        raise ConfigError(f"ending {setting.ending!r}: sampled nodes share one model already", hint="--topology gossip")
    faults = _faulty(setting)
    sizes = SampledSetting(
        setting.nodes,
        size=setting.sample,
        aggregators=setting.aggregators,
        share=setting.share,
        seed=derive_seed(setting.seed, "sampled"),
    )
    loop = Sampled(
        field.learner,
        field.initial,
        sizes,
        schedule=field.schedule,
        participation=setting.participation,
        faults=faults,
    )
    rounds, trace = [], []
    for round_ in range(1, setting.rounds + 1):
        rounds.append(loop.round(round_))
        accuracy = float(field.learner.accuracy(loop.newest, field.test))
        trace.append(Point(round_, accuracy, float(loop.sent_bytes.mean())))
        tick(round_, setting.rounds)
    loop.deliver(setting.rounds)
    return _outcome(
        setting,
        field,
        loop.models[_there(field, setting, sorted(faults))],
        loop.sent_bytes,
        completed=sum(not done.skipped for done in rounds),
        skipped=tuple(done.skipped for done in rounds if done.skipped),
        caught=tuple(sorted({node for done in rounds for node in (*done.liars, *done.equivocators)})),
        contraction=None,
        trace=tuple(trace),
    )


@TOPOLOGIES.register("committee")
def committee_run(setting: Setting, field: Field, tick: Tick) -> Outcome:
    """One global model of everybody who is there: a sampled round whose sample is all nodes."""
    return sampled_run(replace(setting, sample=setting.nodes), field, tick)


def _faulty(setting: Setting) -> dict[int, Fault]:
    kinds = [kind for kind, count in setting.faults for _ in range(count)]
    if len(kinds) >= setting.nodes:
        raise ConfigError(f"{len(kinds)} faulty of {setting.nodes} nodes", hint="leave honest ones")
    return {setting.nodes - 1 - place: kind for place, kind in enumerate(kinds)}
