"""Connectivity decay and distrust on small graphs, against hand-computed cases and simulated walks."""

from __future__ import annotations

import numpy as np
import pytest

from node.reputation import decay, hitting
from node.reputation.decay import Passages, kept, shares_behind
from node.reputation.links import links_of
from node.reputation.rankings import RANKINGS, World
from node.reputation.signed import net, unfold
from node.reputation.walk import MASS, MONEY, SEARCH, ego
from tests.unit.node.reputation.graphs import chances, lcg_links, random_edges


def test_what_stands_behind_one_gate_keeps_a_tenth_and_behind_two_a_hundredth() -> None:
    """0 → 1 → 2 → 3 and 0 → 4: node 1 hangs on the ego alone and keeps all, 2 is behind 1, 3 behind both."""
    world = World(links_of(5, [(0, 1, 1), (0, 4, 1), (1, 2, 1), (2, 3, 1)]), MONEY)
    scores = RANKINGS.get("meritrank")(world, ego(0)) / MASS
    assert scores == pytest.approx([1, 0.3, 0.1 * 0.18, 0.01 * 0.108, 0.3], abs=1e-6)


def test_two_ways_to_a_node_leave_it_alone() -> None:
    world = World(links_of(4, [(0, 1, 1), (0, 2, 1), (1, 3, 1), (2, 3, 1)]), MONEY)
    assert RANKINGS.get("meritrank")(world, ego(0)) / MASS == pytest.approx([1, 0.3, 0.3, 0.36], abs=1e-6)


def test_shares_are_those_of_simulated_walks() -> None:
    edges = [*random_edges(np.random.default_rng(3), 8, 3), (0, 1, 400)]
    table = chances(8, edges, SEARCH)
    gates = [1, 2, 3, 4, 5, 6, 7]
    found = shares_behind(table[0], gates, table[gates], table[:, gates].T)
    seen, first = simulated(edges, walks=20_000)
    for row, u in enumerate(gates):
        for v in range(1, 8):
            if u != v and seen[v] > 2000:
                assert found[row, v] == pytest.approx(first[u, v] / seen[v], abs=0.04), (u, v)


def simulated(edges: list[tuple[int, int, int]], walks: int) -> tuple[np.ndarray, np.ndarray]:
    """Walks that visit v, and those that visit u before v."""
    rng = np.random.default_rng(1)
    rows = {s: [(t, w) for a, t, w in edges if a == s] for s, _, _ in edges}
    table = {s: ([t for t, _ in row], np.cumsum([w for _, w in row])) for s, row in rows.items()}
    seen, first = np.zeros(8), np.zeros((8, 8))
    for _ in range(walks):
        at, order = 0, [0]
        while at in table and rng.random() < float(SEARCH):
            targets, sums = table[at]
            at = targets[int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))]
            if at not in order:
                order.append(at)
        for place, v in enumerate(order):
            seen[v] += 1
            first[order[:place], v] += 1
    return seen, first


def test_at_scale_the_best_gates_are_solved_for_and_agree_with_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    links = lcg_links(60, 130, seed=9)
    small = World(links, SEARCH)
    exact = kept(RANKINGS.get("hitting")(small, ego(0)), ego(0), small.passages)
    assert (exact < 1).any()
    monkeypatch.setattr(decay, "EXACT_NODES", 10)
    monkeypatch.setattr(decay, "GATES_AT_SCALE", 60)
    back = hitting.Returns(small.back.chances, small.back.shortfall)
    solved = kept(RANKINGS.get("hitting")(small, ego(0)), ego(0), Passages(links, SEARCH, back))
    assert solved == pytest.approx(exact, abs=1e-4)


def test_fewer_gates_are_looked_at_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    links = lcg_links(60, 200, seed=9)
    scores = RANKINGS.get("hitting")(World(links, SEARCH), ego(0))
    monkeypatch.setattr(decay, "EXACT_NODES", 10)
    found = decay.gates(scores, ego(0), links)
    assert len(found) == decay.GATES_AT_SCALE
    assert 0 not in found
    assert min(scores[found]) >= np.sort(scores)[-decay.GATES_AT_SCALE - 1]


class TestSigned:
    """One negative step, whoever takes it."""

    def test_distrust_lowers_and_enemies_of_enemies_gain_nothing(self) -> None:
        """0 trusts 1 and distrusts 2 alike; 2 trusts 3 and distrusts 4."""
        edges = np.array([[0, 1, 5], [0, 2, -5], [2, 3, 1], [2, 4, -1]])
        world = World(unfold(5, edges[:, 0], edges[:, 1], edges[:, 2]), MONEY)
        scores = net(RANKINGS.get("hitting")(world, ego(0))) / MASS
        assert scores == pytest.approx([1, 0.3, -0.3, -0.18, 0], abs=1e-6)

    def test_distrust_of_others_counts_too(self) -> None:
        edges = np.array([[0, 1, 5], [1, 2, 5], [1, 3, -5], [0, 3, 5]])
        world = World(unfold(4, edges[:, 0], edges[:, 1], edges[:, 2]), MONEY)
        scores = net(RANKINGS.get("hitting")(world, ego(0))) / MASS
        assert scores[3] == pytest.approx(0.3 - 0.6 * 0.5 * 0.3, abs=1e-6)

    def test_without_distrust_nothing_changes(self) -> None:
        edges = np.array([*random_edges(np.random.default_rng(5), 12, 4), (0, 1, 9)])
        plain = World(links_of(12, [tuple(map(int, row)) for row in edges]), SEARCH)
        folded = World(unfold(12, edges[:, 0], edges[:, 1], edges[:, 2]), SEARCH)
        for name in ("meritrank", "pagerank"):
            rank = RANKINGS.get(name)
            assert np.array_equal(net(rank(folded, ego(0))), rank(plain, ego(0)))
