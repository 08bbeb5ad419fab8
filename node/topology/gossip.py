"""Gossip learning: each node trains, sends its model to its neighbours, and mixes what it receives by a named rule.

No aggregator, no global model. One loop for every rule: a strategy says what it needs in its `MixingKind`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.model import Layout
from node.topology.bristle import Bristle
from node.topology.graph import Graph
from node.topology.mixing import ENDINGS, MIXINGS, Judge, MixingKind, Sent, Site

__all__ = ["ENDINGS", "MIXINGS", "Bristle", "Gossip", "Sent", "finish"]


class Gossip:
    """All nodes of a graph, one rule: `round` takes what each has trained and moves every model.

    `layout` and `judges`, one a node, are for rules that treat layers apart or measure models. `sent_bytes` (n,) int64
    adds up what each node has sent.
    """

    def __init__(
        self,
        graph: Graph,
        mixing: str | MixingKind,
        *,
        seed: int,
        layout: Layout = (),
        judges: Sequence[Judge | None] | None = None,
    ) -> None:
        self.graph = graph
        self.kind = MIXINGS.get(mixing) if isinstance(mixing, str) else mixing
        measures = judges if judges is not None else [None] * len(graph)
        self._rules = [
            self.kind.make(Site(node, len(graph[node]), layout, measures[node], seed)) for node in range(len(graph))
        ]
        self._generator = np.random.default_rng(seed)
        self.sent_bytes = np.zeros(len(graph), dtype=np.int64)

    def round(
        self, models: FloatArray, updates: FloatArray, round_: int, guests: Sequence[Sequence[Sent]] | None = None
    ) -> FloatArray:
        """(n, d) float32: every model after the round's exchanges.

        `models`, `updates` (n, d): before training, and what it added. `guests[i]` is what node i receives from peers
        outside of the graph. A neighbour whose update is not finite has left: nobody waits for it, and its model stays.
        """
        trained = models + updates
        here = np.isfinite(trained).all(axis=1)
        kept = np.array(models, dtype=np.float32)
        for node in np.flatnonzero(here):
            kept[node] = self._rules[node].keep(models[node], trained[node])
        result = self._exchange(models, kept, here, round_, guests)
        for _ in range(self.kind.exchanges - 1):
            result = self._exchange(result, result, here, round_, guests)
        return result

    def _exchange(
        self,
        bases: FloatArray,
        shown: FloatArray,
        here: NDArray[np.bool_],
        round_: int,
        guests: Sequence[Sequence[Sent]] | None,
    ) -> FloatArray:
        """(n, d) float32: models after one exchange of `shown` (n, d) among the nodes that are `here` (n,)."""
        boxes: list[list[Sent]] = [list(guests[node]) if guests is not None else [] for node in range(len(shown))]
        for node in np.flatnonzero(here).tolist():
            for neighbour in self.graph[node]:
                sent = self._message(node, neighbour, bases, shown)
                self.sent_bytes[node] += sent.size()
                boxes[neighbour].append(sent)
        result = np.array(shown, dtype=np.float32)
        for node in np.flatnonzero(here).tolist():
            own = Sent(node, shown[node], shown[node] - bases[node], degree=len(self.graph[node]))
            received = sorted((sent for sent in boxes[node] if _usable(sent, own)), key=lambda sent: sent.peer)
            result[node] = self._rules[node].mix(bases[node], own, received, round_)
        return result

    def _message(self, node: int, neighbour: int, bases: FloatArray, shown: FloatArray) -> Sent:
        update = shown[node] - bases[node] if self.kind.sends_updates else None
        record = self._rules[node].tell(neighbour, self._generator)
        return Sent(node, shown[node], update, record, degree=len(self.graph[node]))


def _usable(sent: Sent, own: Sent) -> bool:
    """Whether a message has the shape of one's own, and finite values."""
    arrays: list[NDArray[Any]] = [sent.model, *([sent.update] if sent.update is not None else [])]
    return all(array.shape == own.model.shape and bool(np.isfinite(array).all()) for array in arrays)


def finish(
    models: FloatArray, ending: str, *, seed: int, here: NDArray[np.bool_] | None = None
) -> tuple[FloatArray, NDArray[np.int64]]:
    """(n, d) float32 models after the ending, and (n,) int64 the bytes that each node sent for it.

    One exchange on the complete graph by the same loop; nodes that are not `here` (n,) take no part.
    """
    kind = ENDINGS.get(ending)
    if kind is None:
        return models, np.zeros(len(models), dtype=np.int64)
    present = here if here is not None else np.ones(len(models), dtype=np.bool_)
    everyone = range(len(models))
    gossip = Gossip(tuple(tuple(j for j in everyone if j != i) for i in everyone), kind, seed=seed)
    added = np.where(present[:, None], np.float32(0), np.float32(np.nan)) * np.ones_like(models)
    return gossip.round(models, added, 0), gossip.sent_bytes
