"""Gossip learning: each node trains, sends its model to its neighbours, and mixes what it receives by a named rule.

No aggregator, no global model. What is mixed are models, taken relative to the receiver's own model before training,
so that every rule of `node.aggregate` and every discount of `node.weight` applies as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from node.aggregate import AGGREGATORS
from node.config import SimulationConfig
from node.data import FloatArray
from node.defence import robust_step
from node.errors import TooFewUpdates
from node.registry import Registry
from node.topology.graph import Graph
from node.weight import WEIGHTINGS, SybilWall, foolsgold_scores
from node.weight.sybilwall import Heard

F = 0.2
"""Weight fraction of a neighbourhood that a robust rule withstands."""


@dataclass(frozen=True)
class Sent:
    """What a node sends to a neighbour: its model (d,) after training, what training added, and perhaps a record."""

    peer: int
    model: FloatArray
    update: FloatArray
    record: Heard | None = None


class Mixing(Protocol):
    """One node's rule. It may remember; `tell` gives the record that travels with the model to a neighbour."""

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        """(d,) float32: the node's next model, from its model before training and all models after."""
        ...

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        """What to pass on beside the model."""
        ...


MIXINGS: Registry[Callable[[int], Mixing]] = Registry("mixing")


class Stateless:
    """A rule of this round's models alone: rows relative to the node's base, its own first, all of equal weight."""

    def __init__(self, rule: Callable[[FloatArray, FloatArray], FloatArray]) -> None:
        self._rule = rule

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        rows = np.stack([own.model, *(sent.model for sent in received)]) - base
        finite = np.isfinite(rows).all(axis=1)
        try:
            return np.asarray(base + self._rule(rows[finite], own.update), dtype=np.float32)
        except TooFewUpdates:  # a neighbourhood too small for the rule: one's own work stands
            return own.model

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        return None


def _alone(name: str) -> Callable[[FloatArray, FloatArray], FloatArray]:
    rule = AGGREGATORS.get(name)
    return lambda rows, own: rule(rows, np.full(len(rows), 1 / len(rows)), f=F)


def _default(rows: FloatArray, own: FloatArray) -> FloatArray:
    """The product's composition, in a neighbourhood: clip, clusters, then a trimmed mean.

    Never nearest-neighbour mixing here: with eight rows it mixes a lone attacker into every one of them.
    """
    weighting, rule = WEIGHTINGS.get(SimulationConfig().weighting), AGGREGATORS.get("trimmed_mean")
    return robust_step(rows, np.full(len(rows), 1 / len(rows)), weighting=weighting, rule=rule, f=F)


def nearest_neighbour_averaging(rows: FloatArray, own: FloatArray) -> FloatArray:
    """The mean of the 1 - F of rows nearest to one's own, itself counted (MoNNA, Farhadkhani et al. 2023)."""
    apart = np.linalg.norm((rows - rows[0]).astype(np.float64), axis=1)
    kept = np.argsort(apart, kind="stable")[: len(rows) - int(F * len(rows))]
    return np.asarray(rows[kept].mean(axis=0, dtype=np.float64), dtype=np.float32)


class FoolsGoldMixing:
    """A mean weighted by FoolsGold's scores of one's neighbours' summed updates; oneself counts 1."""

    def __init__(self, node: int) -> None:
        self._sums: dict[int, FloatArray] = {}

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        for sent in received:
            self._sums[sent.peer] = self._sums.get(sent.peer, np.zeros_like(base)) + sent.update
        scores = foolsgold_scores(np.stack([self._sums[s.peer] for s in received])) if received else np.zeros(0)
        return _weighted(own, received, np.array([1.0, *scores]))

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        return None


class SybilWallMixing:
    """A mean weighted by SybilWall: FoolsGold among neighbours and those that one has heard about."""

    def __init__(self, node: int) -> None:
        self._wall = SybilWall(node)

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        for sent in received:
            self._wall.observe(sent.peer, round_, sent.update)
        for sent in received:
            self._wall.hear([sent.record] if sent.record is not None else [], sender=sent.peer)
        return _weighted(own, received, self._wall.weights([sent.peer for sent in received]))

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        return self._wall.tell(neighbour, generator)


def _weighted(own: Sent, received: Sequence[Sent], weights: np.ndarray) -> FloatArray:
    models = np.stack([own.model, *(sent.model for sent in received)]).astype(np.float64)
    return np.asarray((weights / weights.sum()) @ models, dtype=np.float32)


for _name in ("mean", "median", "krum", "trimmed_mean"):
    MIXINGS.register(_name)(lambda node, name=_name: Stateless(_alone(name)))  # type: ignore[misc]
MIXINGS.register("default")(lambda node: Stateless(_default))
MIXINGS.register("monna")(lambda node: Stateless(nearest_neighbour_averaging))
MIXINGS.register("foolsgold")(FoolsGoldMixing)
MIXINGS.register("sybilwall")(SybilWallMixing)


class Gossip:
    """All nodes of a graph, one rule: `round` takes what each has trained and moves every model."""

    def __init__(self, graph: Graph, mixing: str, *, seed: int) -> None:
        self.graph = graph
        self._rules = [MIXINGS.get(mixing)(node) for node in range(len(graph))]
        self._generator = np.random.default_rng(seed)

    def round(
        self, models: FloatArray, updates: FloatArray, round_: int, guests: Sequence[Sequence[Sent]] | None = None
    ) -> FloatArray:
        """(n, d) float32: every model after the exchange.

        `models`, `updates` (n, d): before training, and what it added. `guests[i]` is what node i receives from peers
        outside of the graph. A neighbour whose update is not finite has left: nobody waits for it.
        """
        trained = models + updates
        boxes: list[list[Sent]] = [list(guests[node]) if guests is not None else [] for node in range(len(models))]
        for node, neighbours in enumerate(self.graph):
            if not np.isfinite(trained[node]).all():
                continue
            for neighbour in neighbours:
                record = self._rules[node].tell(neighbour, self._generator)
                boxes[neighbour].append(Sent(node, trained[node], updates[node], record))
        result = np.array(models, dtype=np.float32)
        for node, rule in enumerate(self._rules):
            if np.isfinite(trained[node]).all():
                own = Sent(node, trained[node], updates[node])
                result[node] = rule.mix(models[node], own, boxes[node], round_)
        return result
