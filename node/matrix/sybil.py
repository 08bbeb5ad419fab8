"""What Sybils gain: one stake split over many identities in a committee, and attack edges in a gossip graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from node.admission import later_duplicates
from node.aggregate import AGGREGATORS
from node.attacks import ATTACKS
from node.config import SimulationConfig
from node.data import FloatArray, Split, split
from node.defence import robust_step
from node.matrix.learner import Learner
from node.model import Evaluator, flatten, initial_parameters
from node.partition import partition
from node.seeds import derive_bytes, derive_seed
from node.spec import TaskSpec
from node.task import TASKS
from node.topology.gossip import Gossip, Sent
from node.topology.graph import attacked, distances_from, graph_of
from node.train import train
from node.utility import UTILITIES, Game, Thresholds
from node.weight import WEIGHTINGS

HONEST = 9
COUNTS = (1, 2, 3, 5, 10, 20, 50, 100)
DISGUISES = {"equal": 0.0, "noise 0.3": 0.3, "noise 1": 1.0}
"""How the identities' updates differ: independent noise, relative to the length of the whole's update."""

NODES, GRAPH = 99, "geometric:0.2"
PHIS = (0.1, 0.5, 1.0, 2.0, 4.0)
MIXED = ("mean", "foolsgold", "krum", "median", "sybilwall", "default")
BEACONS = 32
"""Draws of a round's permutations over which a reward is averaged: one alone is as much chance as share."""
SERVED = 7
"""Victims of one Sybil identity at most."""
SYBIL_SHARE = 0.1
"""Of the training data, in the attacker's hands."""
ALPHA = "dirichlet:0.1"


@dataclass(frozen=True)
class SplitResult:
    """Of one stake in ten over `count` identities: its share of weight and of reward, and how far it moves the step."""

    count: int
    weight: float
    movement: float
    reward: float


def split_sweep(disguise: str, *, seed: int, counts: Sequence[int] = COUNTS) -> list[SplitResult]:
    """Nine honest trainers of `digits`, one epoch each, and a tenth of equal stake, split over identities.

    Weight: its share after clip and clusters, its update reversed. Movement: how far that moves the product's step from
    the one without it. Reward: its share of the positive utilities of an *honest* update so split, in the mean over
    beacons, near-copies being rejected as the committee does. All by the product's own functions.
    """
    updates, evaluator, genesis, data = _trained(seed)
    honest, own = updates[:HONEST], updates[HONEST]
    generator = np.random.default_rng(derive_seed(seed, "split", disguise))
    alone = _step(honest, np.full(HONEST, 1 / HONEST))
    measure = UTILITIES.get(SimulationConfig().utility)
    thresholds = Thresholds(
        skip=float(TaskSpec.shapley_skip),
        truncate=float(TaskSpec.shapley_truncate),
        cluster=float(TaskSpec.cluster_tau),
    )
    results = []
    for count in counts:
        noise = generator.standard_normal((count, len(own))) * (np.linalg.norm(own) / np.sqrt(len(own)))
        scale = DISGUISES[disguise] if count > 1 else 0.0
        parts = (own + scale * noise).astype(np.float32)
        weights = np.array([0.1] * HONEST + [0.1 / count] * count)
        weights /= weights.sum()
        rows = np.vstack([honest, -parts])
        shares = WEIGHTINGS.get(SimulationConfig().weighting).shares(rows, weights)
        rows_paid = np.vstack([honest, parts])
        paid = ~later_duplicates(list(rows_paid), tau=float(TaskSpec.duplicate_tau))
        utilities = np.zeros(len(rows_paid))
        for beacon in range(BEACONS):
            drawn = derive_bytes(seed, "beacon", beacon)
            game = Game(
                evaluator, genesis, rows_paid[paid], weights[paid], data.probe, seed=drawn, thresholds=thresholds
            )
            utilities[paid] += measure(game) / BEACONS
        gains = np.maximum(utilities, 0)
        results.append(
            SplitResult(
                count,
                float(shares[HONEST:].sum()),
                float(np.linalg.norm(_step(rows, weights) - alone)),
                float(gains[HONEST:].sum() / gains.sum()),
            )
        )
    return results


def _step(rows: FloatArray, weights: np.ndarray) -> FloatArray:
    chosen = SimulationConfig()
    weighting, rule = WEIGHTINGS.get(chosen.weighting), AGGREGATORS.get(chosen.aggregator)
    return robust_step(rows, weights, weighting=weighting, rule=rule, f=float(TaskSpec.byzantine_fraction))


@lru_cache(maxsize=2)
def _trained(seed: int) -> tuple[FloatArray, Evaluator, dict[str, FloatArray], Split]:
    kind = TASKS.get("digits")
    data = _digits(seed)
    first = data.train
    genesis = initial_parameters(lambda: kind.module(first.shape, first.classes), derive_seed(seed, "genesis"))
    module, recipe = kind.module(first.shape, first.classes), replace(kind.recipe, epochs=1)
    parts = partition(first.y, HONEST + 1, "iid", seed=derive_seed(seed, "partition"))
    updates = [
        flatten(train(module, genesis, first.subset(part), recipe, seed=derive_seed(seed, "train", node)))
        - flatten(genesis)
        for node, part in enumerate(parts)
    ]
    return np.stack(updates), Evaluator(module), genesis, data


@lru_cache(maxsize=2)
def _digits(seed: int) -> Split:
    return split(TASKS.get("digits").load({}), seed=derive_seed(seed, "split"), probe_fraction=0.15, test_fraction=0.25)


@dataclass(frozen=True)
class EdgeResult:
    """Means over honest nodes, shares in [0, 1]: test accuracy, and how often the patch gives the attacker's class."""

    accuracy: float
    success: float


def edge_run(mixing: str, phi: float, *, seed: int, rounds: int, nodes: int = NODES, epochs: int = 5) -> EdgeResult:
    """A backdoor through `phi` attack edges a node on a random geometric graph; 0 is no attack.

    All Sybil identities send one model: the mean of what their victims sent, trained on the attacker's data, every
    sample also with the patch. Each identity serves at most seven victims that lie together. Non-iid, Dirichlet 0.1.
    """
    data, kind = _digits(seed), ATTACKS.get("backdoor")
    assert kind.aim is not None
    cut = round(SYBIL_SHARE * len(data.train))
    order = np.random.default_rng(derive_seed(seed, "sybil data")).permutation(len(data.train))
    theirs, rest = kind.poison(data.train.subset(order[:cut]), None), data.train.subset(order[cut:])
    parts = partition(rest.y, nodes, ALPHA, seed=derive_seed(seed, "partition"))
    honest = Learner([rest.subset(part) for part in parts], seed=derive_seed(seed, "train"), epochs=epochs)
    sybil = Learner([theirs], seed=derive_seed(seed, "sybil"), epochs=epochs)
    graph = graph_of(GRAPH, nodes, seed=derive_seed(seed, "graph"))
    peers = _sybils_of(attacked(graph, phi), distances_from(graph, 0))
    gossip = Gossip(graph, mixing, seed=derive_seed(seed, "gossip"))
    victims = [node for node in range(nodes) if peers[node]]
    models = np.repeat(honest.initial()[None], nodes, axis=0)
    shared = sybil.initial()
    for round_ in range(1, rounds + 1):
        updates = honest.updates(models, round_)
        added = sybil.updates(shared, round_)[0]
        guests = [[Sent(peer, shared + added, added) for peer in peers[node]] for node in range(nodes)]
        trained = models + updates
        models = gossip.round(models, updates, round_, guests)
        if victims:
            shared = np.asarray(trained[victims].mean(axis=0), dtype=np.float32)
    aim = kind.aim(data.test, None)
    return EdgeResult(float(honest.accuracy(models, data.test).mean()), float(honest.accuracy(models, aim).mean()))


def _sybils_of(counts: Sequence[int], hops: Sequence[int]) -> list[list[int]]:
    """Sybil identities (numbers from 10,000) at each node: in layers, seven victims an identity, near ones first."""
    peers: list[list[int]] = [[] for _ in counts]
    identity = 10_000
    for layer in range(max(counts, default=0)):
        served = sorted(
            (node for node, count in enumerate(counts) if count > layer), key=lambda node: (hops[node], node)
        )
        for start in range(0, len(served), SERVED):
            for node in served[start : start + SERVED]:
                peers[node].append(identity)
            identity += 1
    return peers
