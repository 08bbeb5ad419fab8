"""SybilWall: FoolsGold for gossip, with the history of nodes beyond one's neighbours (Werthenbach and Pouwelse 2023).

A Sybil shows each victim one face only, so a node compares its neighbours with what it hears about others: each node
keeps the history of its neighbours and passes on, to each neighbour, one history a round, near ones more often.

Where this differs from the authors' published program, on purpose: the history is the sum of *updates* (a sum of model
differences telescopes to the last model, whose common part makes everyone alike); the scores are cut to the
neighbours before they are used (without that a stranger's score falls to one's own model and the weights do not sum
to 1); equal or broken inputs give no NaN; a record is believed for its peer only from a newer round, and never for a
neighbour, whose updates one has seen oneself. Records travel in signed messages (`node.message`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from node.data import FloatArray
from node.weight.foolsgold import foolsgold_scores
from node.weight.stake import stake
from node.weight.weighting import WEIGHTINGS, Weighting, Weights

RATE = 0.8
"""lambda of the distance's exponential law: the authors' 1/1.25."""


@dataclass(frozen=True)
class Heard:
    """A node's history as it travels: `distance` hops from it to the holder, `via` the neighbour it came from."""

    peer: int
    round: int
    distance: int
    history: FloatArray
    via: int


@dataclass
class SybilWall:
    """What one node knows about others, and how far it trusts its neighbours. Mutable; one a node."""

    node: int
    _known: dict[int, Heard] = field(default_factory=dict)

    def observe(self, peer: int, round_: int, update: FloatArray) -> None:
        """Add a neighbour's update (d,) float32 of this round to its history. One that is not finite is left out."""
        if not np.isfinite(update).all():
            return
        before = self._known.get(peer)
        seen = before.history if before is not None and before.distance == 1 else np.zeros_like(update)
        self._known[peer] = Heard(peer, round_, 1, seen + update, via=peer)

    def hear(self, records: Iterable[Heard], *, sender: int) -> None:
        """Take in records from a neighbour: unknown peers, and newer ones unless the peer is a neighbour itself.

        Records about oneself, of a distance below 1 or with values that are not finite are left out.
        """
        for record in records:
            if record.peer == self.node or record.distance < 1 or not np.isfinite(record.history).all():
                continue
            known = self._known.get(record.peer)
            if known is None or (known.distance > 1 and record.round > known.round):
                moved = Heard(record.peer, record.round, record.distance + 1, record.history, via=sender)
                self._known[record.peer] = moved

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        """The one record for `neighbour` this round, drawn with probability ~ exp(-RATE (distance - 1)).

        Never what it is about, nor what came from it; None when nothing is left.
        """
        choices = [r for _, r in sorted(self._known.items()) if neighbour not in (r.peer, r.via)]
        if not choices:
            return None
        likely = np.exp(-RATE * (np.array([record.distance for record in choices], dtype=np.float64) - 1))
        return choices[int(generator.choice(len(choices), p=likely / likely.sum()))]

    def weights(self, neighbours: list[int]) -> Weights:
        """(1 + len(neighbours),) float64 of sum 1: the say of oneself, then of each neighbour, in the given order.

        Oneself counts 1 and each neighbour its FoolsGold score among all known histories. A neighbour that has not
        been observed counts 0.
        """
        peers = sorted(self._known)
        scores = foolsgold_scores(np.stack([self._known[p].history for p in peers])) if peers else np.zeros(0)
        by_peer = dict(zip(peers, scores.tolist(), strict=True))
        own = np.array([1.0, *(by_peer.get(peer, 0.0) for peer in neighbours)])
        return np.asarray(own / own.sum(), dtype=np.float64)


def _discount(histories: FloatArray, shares: Weights) -> Weights:
    """In a committee everyone's history is known to everyone: nothing is left to gossip about."""
    return shares * foolsgold_scores(histories)


WEIGHTINGS.register("sybilwall")(Weighting(stake, _discount, on_history=True))
