"""Where a walk with restarts is: the stationary vector of personalised PageRank, in integers and in floats.

A walk starts at a seed; at each node it stops with probability 1−a (or at a dead end, always), else follows a link in
proportion to its weight. With G = (I − aP)⁻¹, G(s,v) is its expected number of visits to v. Papers on MeritRank call
1−a the transitivity decay; a is the probability of going on.

*Integers* (`spread`): 2^40 units of mass, none lost: what stops is put back at the seeds. Same bits on every machine.
*Floats* (`relaxed`): Gauss-Seidel, faster, with a proven bound on its L1 error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from node.errors import GraphError
from node.reputation import kernels
from node.reputation.links import WEIGHT_BITS, Links

MASS = 1 << 40
MONEY = Fraction(3, 5)
"""a for rankings that money follows: attackers behind one link gain at most 1/(1−a) = 2.5 times."""
SEARCH = Fraction(17, 20)
"""a for search and recommendation, which look farther."""
TOLERANCE = 1e-6

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Seeds:
    """Where walks start: distinct nodes (k,) int64, ascending, and their parts (k,) int64 of 2^22."""

    nodes: Ints
    parts: Ints

    def dense(self, nodes: int) -> Floats:
        """Probabilities (n,)."""
        found = np.zeros(nodes)
        found[self.nodes] = self.parts / (1 << WEIGHT_BITS)
        return found


def ego(node: int) -> Seeds:
    """All walks start at one node: a personal view."""
    return Seeds(np.array([node], np.int64), np.array([1 << WEIGHT_BITS], np.int64))


def committee(stakes: Mapping[int, int]) -> Seeds:
    """Walks start at nodes in proportion to stake (any integers ≥ 0): the global view.

    Parts round down and the first node takes the rest. Raises GraphError without any stake.
    """
    held = {node: int(stake) for node, stake in sorted(stakes.items()) if stake}
    if not held or min(held.values()) < 0:
        raise GraphError("no node has stake to start walks from", hint="seed with at least one positive stake")
    total = sum(held.values())
    parts = [(stake << WEIGHT_BITS) // total for stake in held.values()]
    parts[0] += (1 << WEIGHT_BITS) - sum(parts)
    return Seeds(np.array(list(held), np.int64), np.array(parts, np.int64))


@dataclass(frozen=True, eq=False)
class Spread:
    """`mass` (n,) int64 sums to 2^40 exactly; `restarted` is what the last round put back at the seeds.

    mass / restarted = G(s,·): the expected visits of one walk. `rounds` were used.
    """

    mass: Ints
    restarted: int
    rounds: int


def spread(links: Links, seeds: Seeds, a: Fraction) -> Spread:
    """The stationary mass of walks from `seeds`, in integers.

    Rounds go on until one moves at most 2^20 · (1−a)/a units, so that at most 2^-20 of the mass is misplaced (plus one
    few units a node and round for rounding down), and never beyond the number after which a^k < 2^-20 proves the same.
    Raises GraphError for seeds or an `a` out of range.
    """
    _check(links, seeds.nodes, a)
    mass = np.zeros(links.nodes, np.int64)
    mass[seeds.nodes] = seeds.parts << (40 - WEIGHT_BITS)
    restarted, rounds = kernels.spread_mass(
        links.starts, links.sources, links.weights, *rates(links, a), seeds.nodes, seeds.parts, _limit(a),
        most_rounds(a), mass,
    )  # fmt: skip
    return Spread(mass, int(restarted), int(rounds))


def spread_egos(links: Links, egos: Sequence[int], a: Fraction) -> Iterator[Spread]:
    """`spread(links, ego(e), a)` for each ego, the same bits, four at a time for the price of two."""
    nodes = np.asarray(egos, np.int64)
    _check(links, nodes, a)
    per_weight = rates(links, a)
    for first in range(0, len(nodes), kernels.LANES):
        block = nodes[first : first + kernels.LANES]
        lanes = np.concatenate([block, np.repeat(block[:1], kernels.LANES - len(block))])
        found = np.empty((kernels.LANES, links.nodes), np.int64)
        backs, rounds = np.empty((2, kernels.LANES), np.int64)
        kernels.spread_mass_lanes(
            links.starts, links.sources, links.weights, *per_weight, lanes, _limit(a), most_rounds(a), found,
            backs, rounds,
        )  # fmt: skip
        for lane in range(len(block)):
            yield Spread(found[lane], int(backs[lane]), int(rounds[lane]))


@dataclass(frozen=True, eq=False)
class Relaxed:
    """(1−a) · G(s,·) in floats, (n,): the chance that a walk stops at each node or, at a dead end, would have.

    Off by at most `bound` in L1.
    """

    shares: Floats
    bound: float
    rounds: int


def relaxed(
    links: Links, seeds: Seeds, a: Fraction, *, tolerance: float = TOLERANCE, start: Floats | None = None
) -> Relaxed:
    """Walks from `seeds` to a proven L1 error of at most `tolerance` (≥ 1e-12).

    `start` is an earlier result, for instance of the links before a change: what is near needs fewer sweeps.
    """
    _check(links, seeds.nodes, a)
    damping = float(a)
    seeded = (1 - damping) * seeds.dense(links.nodes)
    shares = seeds.dense(links.nodes) if start is None else start.copy()
    bound, rounds = kernels.relax(
        links.starts, links.sources, links.weights, _float_rates(links, a), seeded, damping, tolerance, 1000, shares
    )
    return Relaxed(shares, float(bound), int(rounds))


def relaxed_egos(
    links: Links, egos: Sequence[int], a: Fraction, *, tolerance: float = TOLERANCE
) -> Iterator[tuple[int, Floats]]:
    """(ego, shares) for each ego, four in one pass over the links."""
    nodes = np.asarray(egos, np.int64)
    _check(links, nodes, a)
    per_weight = _float_rates(links, a)
    for first in range(0, len(nodes), kernels.LANES):
        block = nodes[first : first + kernels.LANES]
        lanes = np.concatenate([block, np.repeat(block[:1], kernels.LANES - len(block))])
        shares = np.zeros((links.nodes, kernels.LANES))
        kernels.relax_lanes(
            links.starts, links.sources, links.weights, per_weight, lanes, float(a), tolerance, 1000, shares
        )
        for lane, node in enumerate(block):
            yield int(node), shares[:, lane]


@cache
def most_rounds(a: Fraction) -> int:
    """The smallest k with a^k ≤ 2^-20."""
    rounds, left = 0, Fraction(1)
    while left * (1 << 20) > 1:
        rounds, left = rounds + 1, left * a
    return rounds


def rates(links: Links, a: Fraction) -> tuple[Ints, Ints]:
    """What a unit of weight passes on, (n,) int64 each: ⌊a · 2^(42+shift) / W⌋ and shift = ⌊log2 W⌋; 0 at dead ends."""
    given = np.maximum(links.totals, 1)
    shifts = np.frexp(given.astype(np.float64))[1].astype(np.int64) - 1
    bottom = given * a.denominator
    whole, rest = np.divmod(a.numerator << shifts + 21, bottom)
    found = (whole << 21) + (rest << 21) // bottom
    return np.where(links.totals > 0, found, 0), shifts


def ratio(top: Ints, bottom: int) -> Ints:
    """⌊top · 2^40 / bottom⌋ for 0 ≤ top ≤ 2^40 and 0 < bottom ≤ 2^40, by long division in two steps of 20 bits."""
    whole, rest = np.divmod(top << 20, bottom)
    found: Ints = (whole << 20) + (rest << 20) // bottom
    return found


def _float_rates(links: Links, a: Fraction) -> Floats:
    return np.where(links.totals > 0, float(a) / np.maximum(links.totals, 1), 0.0)


def _limit(a: Fraction) -> int:
    return int((1 << 20) * (1 - a) / a)


def _check(links: Links, nodes: Ints, a: Fraction) -> None:
    if not (0 < a < 1 and a.denominator < 1 << 16):
        raise GraphError(f"a = {a} is no chance of going on", hint="a fraction between 0 and 1, like 3/5 or 17/20")
    if len(nodes) == 0 or nodes.min() < 0 or nodes.max() >= links.nodes:
        raise GraphError(f"walks start at {nodes[:4].tolist()}", hint=f"nodes are 0 to {links.nodes - 1}")
