"""Rankings by name: links, seeds and a in, a score for every node out, in units of 2^-40 and the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from node.registry import Registry
from node.reputation.decay import Passages, kept
from node.reputation.hitting import Returns, hits, returns
from node.reputation.links import Links
from node.reputation.walk import Ints, Seeds, ratio, spread


@dataclass(eq=False)
class World:
    """Links and a, with what does not depend on who asks: solved when first needed, then shared by all egos."""

    links: Links
    a: Fraction
    _back: Returns | None = None
    _passages: Passages | None = None

    @property
    def back(self) -> Returns:
        """The shared diagonal."""
        if self._back is None:
            self._back = returns(self.links, self.a)
        return self._back

    @property
    def passages(self) -> Passages:
        """Chances between pairs of nodes, for connectivity decay."""
        if self._passages is None:
            self._passages = Passages(self.links, self.a, self.back)
        return self._passages


Ranking = Callable[[World, Seeds], Ints]
RANKINGS: Registry[Ranking] = Registry("ranking")


@RANKINGS.register("meritrank")
def meritrank(world: World, seeds: Seeds) -> Ints:
    """The chance that a walk visits a node, less what connectivity decay takes (2207.09950): the default."""
    scores = hitting(world, seeds)
    keep = kept(scores, seeds, world.passages)
    return np.floor(scores * keep).astype(np.int64)


@RANKINGS.register("hitting")
def hitting(world: World, seeds: Seeds) -> Ints:
    """The chance that a walk visits a node: MeritRank without connectivity decay (Liu, Parkes, Seuken 2016)."""
    return hits(spread(world.links, seeds, world.a), world.back)


@RANKINGS.register("pagerank")
def pagerank(world: World, seeds: Seeds) -> Ints:
    """Personalised PageRank, (1−a)·G(s,v): walks that stop at v. A ring of friends raises it, up to 1/(1−a) times."""
    found = spread(world.links, seeds, world.a)
    stop = world.a.denominator - world.a.numerator
    return ratio(found.mass * stop // world.a.denominator, found.restarted)


@RANKINGS.register("eigentrust")
def eigentrust(world: World, seeds: Seeds) -> Ints:
    """EigenTrust (Kamvar et al. 2003, algorithm 2): t = a·Cᵀt + (1−a)·p, who rates nobody trusting the seeds p.

    Sums to 2^40. The stationary mass itself: what does not move on starts again at the seeds.
    """
    return spread(world.links, seeds, world.a).mass
