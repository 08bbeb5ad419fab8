"""What Sybils can gain, over a thousand random graphs and wirings: the bounds are theorems, so nothing is averaged."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from node.reputation.links import links_of
from node.reputation.rankings import RANKINGS, World
from node.reputation.walk import MASS, MONEY, SEARCH, ego
from tests.unit.node.reputation.graphs import Attack, attack, visits

GRAPHS = 1000
ROUNDING = 4e-6  # of the whole mass: 2^-20 that a solve may misplace, for few dozen nodes and twice


def totals(case: Attack, a: Fraction, name: str) -> tuple[float, float]:
    """The attacker's score in the honest graph, and that of all attackers in the attacked one, in [0, 1]."""
    rank = RANKINGS.get(name)
    before = rank(World(links_of(case.nodes, case.honest), a), ego(0))
    after = rank(World(links_of(case.nodes, case.attacked), a), ego(0))
    return before[case.entry] / MASS, after[case.attackers].sum() / MASS


def cases(*, entries: int, first: int) -> Iterator[Attack]:
    for seed in range(first, first + GRAPHS):
        yield attack(np.random.default_rng(seed), entries=entries)


@pytest.mark.parametrize("name", ["pagerank", "hitting", "meritrank"])
def test_behind_one_entry_all_gain_at_most_what_the_theorem_says(name: str) -> None:
    """Σ over the attacker and any Sybils ≤ 1/(1−a) × what it had; with connectivity decay ≤ 1 + 0.1·a/(1−a) = 1.57."""
    largest = 0.0
    for number, case in enumerate(cases(entries=0, first=0)):
        a = (MONEY, SEARCH)[number % 2]
        bound = 1.6 if name == "meritrank" else float(1 / (1 - a))
        before, after = totals(case, a, name)
        assert after <= bound * before + ROUNDING, (number, before, after)
        largest = max(largest, after / before / bound if before > 1e-3 else 0.0)
    assert largest > 0.85  # the attacks are strong enough to come near the bound


def test_more_entries_gain_at_most_the_mass_that_crosses() -> None:
    """Σ PageRank of attackers ≤ Σ over attack links of a · G_H(ego, u) · P(u, s), G_H ending at the first attacker; and
    the visits that hitting counts are at most 1/(1−a) times that.
    """
    near = 0.0
    for number, case in enumerate(cases(entries=4, first=GRAPHS)):
        a = (MONEY, SEARCH)[number % 2]
        crossing = crossing_mass(case, a)
        _, paged = totals(case, a, "pagerank")
        _, hit = totals(case, a, "hitting")
        assert paged <= crossing + ROUNDING, number
        assert hit <= crossing / float(1 - a) + ROUNDING, number
        near = max(near, paged / crossing if crossing > 1e-3 else 0.0)
    assert near > 0.99


def crossing_mass(case: Attack, a: Fraction) -> float:
    """By dense inversion of the graph in which attackers give nothing."""
    absorbing = [edge for edge in case.attacked if edge[0] not in case.attackers]
    before = visits(case.nodes, absorbing, a)[0]
    given = np.zeros(case.nodes)
    for source, _, weight in absorbing:
        given[source] += weight
    return sum(float(a) * before[source] * weight / given[source] for source, _, weight in case.crossing)


def test_a_rater_with_two_links_lowers_a_score_at_once_by_cutting_its_weight() -> None:
    cuts = 0
    for seed in range(GRAPHS):
        case = attack(np.random.default_rng(10_000 + seed))
        edges: dict[tuple[int, int], int] = {}
        for source, target, weight in case.honest:
            edges[source, target] = edges.get((source, target), 0) + weight
        rows = [target for source, target in edges if source == 0]
        if len(rows) < 2:
            continue
        target = rows[0]
        links = links_of(case.nodes, [(s, t, w) for (s, t), w in edges.items()])
        less = links.with_changes([0], [target], [max(1, edges[0, target] // 100)])
        for name in ("hitting", "pagerank"):
            before, after = (RANKINGS.get(name)(World(graph, MONEY), ego(0))[target] for graph in (links, less))
            assert after < before or edges[0, target] == 1, (seed, name)
        cuts += 1
    assert cuts > GRAPHS / 2


def test_a_hundredth_of_the_trust_counts_a_hundredth() -> None:
    """A published engine keeps old + new here: .1661 stays where .0034 belongs."""
    links = links_of(3, [(0, 1, 1000), (0, 2, 1000)])
    assert RANKINGS.get("meritrank")(World(links, MONEY), ego(0))[1] / MASS == pytest.approx(0.3, abs=1e-6)
    less = links.with_changes([0], [1], [10])
    assert RANKINGS.get("meritrank")(World(less, MONEY), ego(0))[1] / MASS == pytest.approx(0.6 * 10 / 1010, abs=1e-6)
