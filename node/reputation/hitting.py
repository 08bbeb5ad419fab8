"""The chance that a walk ever visits a node: MeritRank's score, exactly, from one diagonal that all egos share.

Nasrulin et al. 2022 (MeritRank, arXiv 2207.09950) count random walks that visit v. Their expectation needs no sampling:
a walk from s makes G(s,v) visits to v, and each walk that comes at all makes G(v,v), so

    h_s(v) = G(s,v) / G(v,v),        G(v,v) = 1 / (1 − f_v),

f_v being the chance of a return to v. f does not depend on where walks start.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from node.reputation import kernels
from node.reputation.links import Links, counts
from node.reputation.walk import MASS, Floats, Ints, Spread, most_rounds, rates, ratio

EXACT_NODES = 5_000
"""Up to here every return is solved for (8 n² bytes); above, it is pushed for, and its error stated."""
SMALLEST_RESIDUAL = MASS >> 10
SETTLED = MASS >> 25  # what a solve may still move any node by


@dataclass(frozen=True, eq=False)
class Returns:
    """`chances` (n,) int64: lower bounds of f_v in units of 2^-40, none short by more than `shortfall` units.

    Up to EXACT_NODES nodes, `between` (n, n) holds H(v,t), the chance that a walk from v visits t, at [t, v].
    """

    chances: Ints
    shortfall: int
    between: Floats | None = None

    @property
    def error(self) -> float:
        """By how much (relative) a score may be too high for want of the rest of its return chance."""
        return self.shortfall / (MASS - int(self.chances.max()))


def returns(links: Links, a: Fraction, *, exact_nodes: int = EXACT_NODES) -> Returns:
    """The chance that a walk from each node comes back to it.

    Up to `exact_nodes` by one solve a node, to 2^-25/(1−a); otherwise by reverse push, which leaves residuals below
    2^-10 and hides at most 2^-10/(1−a).
    """
    chances = np.zeros(links.nodes, np.int64)
    if links.nodes <= exact_nodes:
        units = np.empty((links.nodes, links.nodes), np.int64)
        kernels.reach_all(*links.by_source, *rates(links, a), SETTLED, _rounds(a), units, chances)
        return Returns(chances, _hidden(SETTLED, a), as_chance(units))
    linked = counts(links.starts) > 0
    through = np.flatnonzero(linked & (links.totals > 0))  # who gives or gets nothing sees no walk again
    found = np.empty(len(through), np.int64)
    kernels.returns(links.starts, links.sources, links.weights, *rates(links, a), through, SMALLEST_RESIDUAL, found)
    chances[through] = found
    return Returns(chances, _hidden(SMALLEST_RESIDUAL, a))


def reach(links: Links, a: Fraction, target: int) -> Floats:
    """H(v, target), the chance that a walk from v visits the target, for every v (n,): low by at most 2^-25/(1−a)."""
    units = np.empty(links.nodes, np.int64)
    kernels.reach(*links.by_source, *rates(links, a), target, SETTLED, _rounds(a), units)
    return as_chance(units)


def hits(spread: Spread, back: Returns) -> Ints:
    """h_s(v) (n,) int64 in units of 2^-40: mass/restarted · (1 − f), in integers, rounded down."""
    once = MASS - back.chances
    first = ((spread.mass >> 20) * once + ((spread.mass & 0xFFFFF) * once >> 20)) >> 20  # 40 × 40 bits in two halves
    return np.minimum(ratio(first, spread.restarted), MASS)


def as_chance(units: NDArray[np.int64]) -> Floats:
    """Units of 2^-40 as floats, exactly."""
    return units / float(MASS)


def _rounds(a: Fraction) -> int:
    return 3 * most_rounds(a)  # a^k ≤ 2^-60: beyond any limit


def _hidden(residual: int, a: Fraction) -> int:
    """What residuals of at most this much can add up to along a walk: residual/(1−a), rounded up."""
    return -int(-residual * a.denominator // (a.denominator - a.numerator))
