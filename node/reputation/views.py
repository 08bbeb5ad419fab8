"""Who stands where on an evaluation graph: the general view, seeded by the raters' stake, and anybody's own.

A personal view takes a fifth of the general one (the zero-opinion prior), so that it says something about strangers and
a newcomer, who has rated nobody, sees what the committee sees. Newcomers seed nothing and give nothing: no vote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from node.errors import GraphError
from node.reputation.graph import EvaluationGraph
from node.reputation.rankings import RANKINGS, World
from node.reputation.signed import net, unfold
from node.reputation.walk import MONEY, Ints, committee, ego

PRIOR = Fraction(1, 5)
"""k: the part of a personal view that is the general one."""


@dataclass(eq=False)
class Views:
    """Scores on one graph by one ranking; what all egos share is solved once."""

    graph: EvaluationGraph
    ranking: str = "meritrank"
    a: Fraction = MONEY
    _world: World = field(init=False)
    _general: Ints | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        place = {node: index for index, node in enumerate(self.graph.members)}
        rows = np.array([(place[s], place[t], w) for s, t, w in self.graph.links], np.int64).reshape(-1, 3)
        if not place:
            raise GraphError("nobody has joined this task", hint="ask again when somebody has")
        self._world = World(unfold(len(place), rows[:, 0], rows[:, 1], rows[:, 2]), self.a)

    def general(self) -> Ints:
        """Net score of every member (n,), 2^-40 units, from walks that start at raters by stake; 0 without raters."""
        if self._general is None:
            if self.graph.stakes:
                stakes = {self.graph.members.index(node): stake for node, stake in self.graph.stakes.items()}
                self._general = net(RANKINGS.get(self.ranking)(self._world, committee(stakes)))
            else:
                self._general = np.zeros(len(self.graph.members), np.int64)
        return self._general

    def personal(self, node: int) -> Ints:
        """Net score of every member (n,), 2^-40 units: four fifths from the node's own walks, a fifth general.

        Raises GraphError for a node that has not joined.
        """
        own = net(RANKINGS.get(self.ranking)(self._world, ego(self._place(node))))
        return blend(own, self.general())

    def ranked(self, node: int | None = None) -> list[tuple[int, int]]:
        """(member, score) best first, ties by age; of a personal view without the node itself."""
        scores = self.general() if node is None else self.personal(node)
        pairs = [(member, int(score)) for member, score in zip(self.graph.members, scores, strict=True)]
        return sorted((pair for pair in pairs if pair[0] != node), key=lambda pair: (-pair[1], pair[0]))

    def _place(self, node: int) -> int:
        if node not in self.graph.members:
            raise GraphError(f"node {node} has not joined this task", hint=f"nodes: {list(self.graph.members)}")
        return self.graph.members.index(node)


def blend(personal: Ints, general: Ints) -> Ints:
    """(1−k) · personal + k · general, rounded down."""
    mixed: Ints = (personal * (PRIOR.denominator - PRIOR.numerator) + general * PRIOR.numerator) // PRIOR.denominator
    return mixed
