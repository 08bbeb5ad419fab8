"""How a node of a gossip graph mixes what its neighbours send: one rule a node, by name.

What is mixed are models, taken relative to the receiver's own model before training, so that every rule of
`node.aggregate` and every discount of `node.weight` applies as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from node.aggregate import AGGREGATORS
from node.config import SimulationConfig
from node.data import FloatArray
from node.defence import robust_step
from node.errors import TooFewUpdates
from node.model import Layout
from node.registry import Registry
from node.topology.average import final_merge, metropolis_share, variance_corrected
from node.weight import WEIGHTINGS, SybilWall, foolsgold_scores
from node.weight.sybilwall import Heard

F = 0.2
"""Weight fraction of a neighbourhood that a robust rule withstands."""
RADIUS = 0.05
"""rho of DFedSAM's local steps."""
MGS = 2
"""Q of DFedSAM-MGS: exchanges a round."""
HEADER_BYTES, RECORD_BYTES = 16, 32
"""Beside the arrays: who and how many neighbours; of a record peer, round, distance and via. Eight bytes each."""


@dataclass(frozen=True)
class Sent:
    """What a node sends to a neighbour: its model (d,) after training, and what its rule wants beside it.

    `update`: what training added, for rules with a memory. `degree`: how many neighbours it says it has.
    """

    peer: int
    model: FloatArray
    update: FloatArray | None = None
    record: Heard | None = None
    degree: int = 0

    def size(self) -> int:
        """Bytes on the wire, without framing and signature."""
        arrays = self.model.nbytes + (self.update.nbytes if self.update is not None else 0)
        return HEADER_BYTES + arrays + (RECORD_BYTES + self.record.history.nbytes if self.record is not None else 0)


class Judge(Protocol):
    """How a node measures models on a few samples of its own."""

    familiar: NDArray[np.bool_]
    """(classes,) those that it has samples of."""

    def f1(self, models: FloatArray) -> NDArray[np.float64]:
        """(k, classes) F1 in [0, 1] of `models` (k, d)."""
        ...


@dataclass(frozen=True)
class Site:
    """Where a rule stands: its node's number and degree, the model's layers, and the node's own measure."""

    node: int = 0
    degree: int = 0
    layout: Layout = ()
    judge: Judge | None = None
    seed: int = 0


class Mixing(Protocol):
    """One node's rule. It may remember."""

    def keep(self, base: FloatArray, trained: FloatArray) -> FloatArray:
        """(d,) float32: what of its training a node keeps and sends."""
        ...

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        """(d,) float32: the node's next model, from its model before training and all models after.

        `received` is ascending by peer and finite.
        """
        ...

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        """What to pass on beside the model."""
        ...


@dataclass(frozen=True)
class MixingKind:
    """A way to learn by gossip: the rule, and what it asks of training and of the exchange."""

    make: Callable[[Site], Mixing]
    exchanges: int = 1
    """Gossip steps a round."""
    radius: float = 0.0
    """Of sharpness-aware local steps; 0 is plain SGD."""
    sends_updates: bool = False
    frozen: bool = False
    """Whether the model is an output layer over a trunk that was trained beforehand and never moves."""
    judged: bool = False
    """Whether a node needs samples of its own to measure models on."""


MIXINGS: Registry[MixingKind] = Registry("mixing")


class Plain:
    """What most rules share: all of one's training is kept, and nothing is passed on beside the model."""

    def keep(self, base: FloatArray, trained: FloatArray) -> FloatArray:
        return trained

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        return None


class Stateless(Plain):
    """A rule of this round's models alone: rows relative to the node's base, its own first, all of equal weight."""

    def __init__(self, rule: Callable[[FloatArray], FloatArray]) -> None:
        self._rule = rule

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        rows = _stacked(own, received) - base
        finite = np.isfinite(rows).all(axis=1)
        try:
            return np.asarray(base + self._rule(rows[finite]), dtype=np.float32)
        except TooFewUpdates:  # a neighbourhood too small for the rule: one's own work stands
            return own.model


def _alone(name: str) -> Callable[[FloatArray], FloatArray]:
    rule = AGGREGATORS.get(name)
    return lambda rows: rule(rows, np.full(len(rows), 1 / len(rows)), f=F)


def _default(rows: FloatArray) -> FloatArray:
    """The product's composition, in a neighbourhood: clip, clusters, then a trimmed mean.

    Never nearest-neighbour mixing here: with eight rows it mixes a lone attacker into every one of them.
    """
    weighting, rule = WEIGHTINGS.get(SimulationConfig().weighting), AGGREGATORS.get("trimmed_mean")
    return robust_step(rows, np.full(len(rows), 1 / len(rows)), weighting=weighting, rule=rule, f=F)


def nearest_neighbour_averaging(rows: FloatArray) -> FloatArray:
    """The mean of the 1 - F of rows nearest to one's own, itself counted (MoNNA, Farhadkhani et al. 2023)."""
    apart = np.linalg.norm((rows - rows[0]).astype(np.float64), axis=1)
    kept = np.argsort(apart, kind="stable")[: len(rows) - int(F * len(rows))]
    return np.asarray(rows[kept].mean(axis=0, dtype=np.float64), dtype=np.float32)


class FoolsGoldMixing(Plain):
    """A mean weighted by FoolsGold's scores of one's neighbours' summed updates; oneself counts 1."""

    def __init__(self, site: Site) -> None:
        self._sums: dict[int, FloatArray] = {}

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        known = [sent for sent in received if sent.update is not None]
        for sent in known:
            assert sent.update is not None
            self._sums[sent.peer] = self._sums.get(sent.peer, np.zeros_like(base)) + sent.update
        scores = foolsgold_scores(np.stack([self._sums[s.peer] for s in known])) if known else np.zeros(0)
        return _weighted(own, known, np.array([1.0, *scores]))


class SybilWallMixing(Plain):
    """A mean weighted by SybilWall: FoolsGold among neighbours and those that one has heard about."""

    def __init__(self, site: Site) -> None:
        self._wall = SybilWall(site.node)

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        for sent in received:
            if sent.update is not None:
                self._wall.observe(sent.peer, round_, sent.update)
        for sent in received:
            self._wall.hear([sent.record] if sent.record is not None else [], sender=sent.peer)
        return _weighted(own, received, self._wall.weights([sent.peer for sent in received]))

    def tell(self, neighbour: int, generator: np.random.Generator) -> Heard | None:
        return self._wall.tell(neighbour, generator)


class Metropolis(Plain):
    """Xiao and Boyd's weights, the gossip matrix of DFedSAM (Shi et al. 2023): the mean of all models is kept.

    Who has left gives its share back to the receiver, so the rest of the matrix stays doubly stochastic. A neighbour
    that understates its degree gets 1 / (1 + the receiver's) at most.
    """

    def __init__(self, site: Site) -> None:
        self._degree = site.degree

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        degree = max(self._degree, len(received))
        shares = [metropolis_share(degree, sent.degree) for sent in received]
        return _weighted(own, received, np.array([1 - sum(shares), *shares]))


class VarianceCorrected(Plain):
    """A mean whose layers keep the variance of the models' (2404.04616)."""

    def __init__(self, site: Site) -> None:
        self._layout = site.layout

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        return variance_corrected(_stacked(own, received), self._layout or (("", base.shape),))


class Merge(Plain):
    """The plain mean, summed by peer number: equal bytes at everybody who has received from everybody."""

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        return final_merge(np.stack([sent.model for sent in sorted((own, *received), key=lambda sent: sent.peer)]))


def _stacked(own: Sent, received: Sequence[Sent]) -> FloatArray:
    return np.stack([own.model, *(sent.model for sent in received)])


def _weighted(own: Sent, received: Sequence[Sent], weights: NDArray[np.float64]) -> FloatArray:
    return np.asarray((weights / weights.sum()) @ _stacked(own, received).astype(np.float64), dtype=np.float32)


for _name in ("mean", "median", "krum", "trimmed_mean"):
    MIXINGS.register(_name)(MixingKind(lambda site, name=_name: Stateless(_alone(name))))  # type: ignore[misc]
MIXINGS.register("default")(MixingKind(lambda site: Stateless(_default)))
MIXINGS.register("monna")(MixingKind(lambda site: Stateless(nearest_neighbour_averaging)))
MIXINGS.register("foolsgold")(MixingKind(FoolsGoldMixing, sends_updates=True))
MIXINGS.register("sybilwall")(MixingKind(SybilWallMixing, sends_updates=True))
MIXINGS.register("metropolis")(MixingKind(Metropolis))
MIXINGS.register("dfedsam")(MixingKind(Metropolis, radius=RADIUS))
MIXINGS.register("dfedsam_mgs")(MixingKind(Metropolis, radius=RADIUS, exchanges=MGS))
MIXINGS.register("variance_corrected")(MixingKind(VarianceCorrected))

ENDINGS: Registry[MixingKind | None] = Registry("ending")
"""One exchange of everybody with everybody after the last round (2507.06542), or none. `robust_merge` is the default
rule in its place: a plain mean of all models is any one attacker's."""
ENDINGS.register("none")(None)
ENDINGS.register("final_merge")(MixingKind(lambda site: Merge()))
ENDINGS.register("robust_merge")(MIXINGS.get("default"))
