"""Connectivity decay: who is reached through one gate alone counts for little (MeritRank §IV; Web3Recommend §IV).

share(u,v) is the part of the walks reaching v that have passed u before. Exactly, with h the chance of a visit from the
seeds and H(u,v) that from u:

    share(u,v) = (h(u) − h(v)·H(v,u)) / (1 − H(u,v)·H(v,u)) · H(u,v) / h(v)

Where it is 0.95 or more, u is a gate of v, and v keeps at most (1 − β·share) of *what u keeps*. The papers discount
once; discounting along gates makes the bound a theorem: everything behind x together keeps at most (1−β)·a/(1−a) of
x's own score, for any wiring, also where x itself stands behind a gate.

Shares are IEEE doubles from exact integers by + − × ÷ and min alone, each correctly rounded: the same bits everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from node.reputation.hitting import EXACT_NODES, Returns, as_chance, hits, reach
from node.reputation.links import Links
from node.reputation.walk import Floats, Ints, Seeds, spread_egos

GATE_SHARE = 0.95
BETA = 0.9
GATES_AT_SCALE = 32
_BLOCK = 64  # gates whose shares are held at a time
_CHAIN = 64  # gates in a row; a cycle of gates cannot close in fewer than 20, and 0.145^20 is 0 in units of 2^-40


@dataclass(eq=False)
class Passages:
    """Chances of a visit between pairs of nodes, for all egos: a table up to EXACT_NODES nodes; above that solved for
    the gates that somebody asks about, each once.
    """

    links: Links
    a: Fraction
    back: Returns
    _onward: dict[int, Floats] = field(default_factory=dict)
    _toward: dict[int, Floats] = field(default_factory=dict)

    def onward(self, nodes: Sequence[int]) -> Floats:
        """(k, n): H(u,v) for each u of `nodes`."""
        if self.back.between is not None:
            return self.back.between[:, nodes].T
        missing = [u for u in nodes if u not in self._onward]
        for u, spread in zip(missing, spread_egos(self.links, missing, self.a) if missing else (), strict=True):
            self._onward[u] = as_chance(hits(spread, self.back))
        return np.stack([self._onward[u] for u in nodes])

    def toward(self, nodes: Sequence[int]) -> Floats:
        """(k, n): H(v,u) for each u of `nodes`."""
        if self.back.between is not None:
            return self.back.between[nodes]
        for u in nodes:
            if u not in self._toward:
                self._toward[u] = reach(self.links, self.a, u)
        return np.stack([self._toward[u] for u in nodes])


def gates(scores: Ints, seeds: Seeds, links: Links) -> list[int]:
    """Nodes that may stand before others: reached, with links to give, not the ego itself; all of them up to
    EXACT_NODES nodes, the best GATES_AT_SCALE above (ties: the older node).
    """
    possible = (scores > 0) & (links.totals > 0)
    if len(seeds.nodes) == 1:
        possible[seeds.nodes] = False
    found = np.flatnonzero(possible)
    if links.nodes > EXACT_NODES:
        found = found[np.argsort(-scores[found], kind="stable")[:GATES_AT_SCALE]]
    return [int(u) for u in found]


def kept(scores: Ints, seeds: Seeds, passages: Passages, *, beta: float = BETA, share: float = GATE_SHARE) -> Floats:
    """What each node keeps of its score (n,), in [0, 1]. `scores` are the visits' chances from `seeds`, 2^-40 units.

    At scale only the best gates are looked at: a node behind a lesser one keeps more than the rule allows.
    """
    before: list[NDArray[np.int64]] = []
    after: list[NDArray[np.int64]] = []
    left: list[Floats] = []
    candidates = gates(scores, seeds, passages.links)
    for first in range(0, len(candidates), _BLOCK):
        block = candidates[first : first + _BLOCK]
        shares = shares_behind(as_chance(scores), block, passages.onward(block), passages.toward(block))
        row, column = np.nonzero(shares >= share)
        before.append(np.asarray(block, np.int64)[row])
        after.append(column)
        left.append(1.0 - beta * shares[row, column])
    keep = np.ones(len(scores))
    if not before:
        return keep
    gate, behind, rest = np.concatenate(before), np.concatenate(after), np.concatenate(left)
    for _ in range(_CHAIN):
        again = np.ones(len(scores))
        np.minimum.at(again, behind, keep[gate] * rest)
        if np.array_equal(again, keep):
            break
        keep = again
    return keep


def shares_behind(chance: Floats, gates: Sequence[int], onward: Floats, toward: Floats) -> Floats:
    """share(u,v) (k, n) for gates u: the part of walks reaching v that passed u first; 0 where nothing reaches v.

    `chance` (n,) is h; `onward` (k, n) H(u,·); `toward` (k, n) H(·,u).
    """
    own = np.asarray(gates, np.int64)
    reached = chance > 0
    safe = np.where(reached, chance, 1.0)
    loop = 1.0 - onward * toward
    loop[np.arange(len(own)), own] = 1.0  # u before itself: set to 0 below
    found = (chance[own][:, None] - chance[None, :] * toward) / loop * onward / safe[None, :]
    found[:, ~reached] = 0.0
    found[np.arange(len(own)), own] = 0.0
    clipped: Floats = np.clip(found, 0.0, 1.0)
    return clipped
