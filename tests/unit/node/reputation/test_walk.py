"""Mass is conserved exactly, integers and floats agree with a dense reference, bits do not depend on the batch."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import GraphError, UnknownName
from node.reputation.hitting import returns
from node.reputation.links import links_of
from node.reputation.rankings import RANKINGS, World
from node.reputation.walk import (
    MASS,
    MONEY,
    SEARCH,
    Seeds,
    committee,
    ego,
    most_rounds,
    relaxed,
    relaxed_egos,
    spread,
    spread_egos,
)
from tests.unit.node.reputation.graphs import chances, lcg_links, random_edges, visits

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "reputation.json"
BOTH = pytest.mark.parametrize("a", [MONEY, SEARCH])
SEEDS = st.integers(0, 2**32 - 1)


def graph(seed: int, nodes: int = 25) -> list[tuple[int, int, int]]:
    return [*random_edges(np.random.default_rng(seed), nodes, 6), (0, 1, 5)]


def test_three_nodes_by_hand() -> None:
    """0 → 1 (3 of 4) and 2 (1 of 4), 1 → 0, 2 a dead end; a = 3/5: f_0 = .6·.75·.6 = .27, G(0,0) = 1/.73."""
    world = World(links_of(3, [(0, 1, 3), (0, 2, 1), (1, 0, 7)]), MONEY)
    hit = RANKINGS.get("hitting")(world, ego(0)) / MASS
    assert hit == pytest.approx([1, 0.45 / (1 - 0.27 + 0.27), 0.15 / 0.73], abs=1e-6)
    paged = RANKINGS.get("pagerank")(world, ego(0)) / MASS
    assert paged == pytest.approx([0.4 / 0.73, 0.4 * 0.45 / 0.73, 0.4 * 0.15 / 0.73], abs=1e-6)
    trust = RANKINGS.get("eigentrust")(world, ego(0)) / MASS
    assert trust == pytest.approx(np.array([1, 0.45, 0.15]) / 1.6, abs=1e-6)


@BOTH
@given(seed=SEEDS)
def test_mass_is_conserved_and_every_ranking_is_the_dense_one(a: Fraction, seed: int) -> None:
    edges = graph(seed)
    world = World(links_of(25, edges), a)
    found = spread(world.links, ego(0), a)
    assert int(found.mass.sum()) == MASS
    assert found.mass.min() >= 0
    exact = visits(25, edges, a)
    assert found.mass / found.restarted == pytest.approx(exact[0], abs=1e-5)
    assert RANKINGS.get("hitting")(world, ego(0)) / MASS == pytest.approx(chances(25, edges, a)[0], abs=3e-6)
    assert RANKINGS.get("pagerank")(world, ego(0)) / MASS == pytest.approx(float(1 - a) * exact[0], abs=3e-6)
    assert RANKINGS.get("eigentrust")(world, ego(0)) / MASS == pytest.approx(exact[0] / exact[0].sum(), abs=3e-6)
    assert 1 / (1 - world.back.chances / MASS) == pytest.approx(np.diag(exact), rel=1e-5)


@given(seed=SEEDS)
def test_pushed_returns_are_low_by_no_more_than_stated(seed: int) -> None:
    links = links_of(25, graph(seed))
    exact, pushed = (returns(links, SEARCH, exact_nodes=limit) for limit in (5000, 0))
    short = exact.chances - pushed.chances
    assert short.min() >= -exact.shortfall
    assert short.max() <= pushed.shortfall
    ratio = (MASS - pushed.chances) / (MASS - exact.chances)
    assert ratio.max() <= 1 + pushed.error * (MASS - exact.chances.min()) / (MASS - exact.chances.max())


@BOTH
@given(seed=SEEDS)
def test_floats_keep_their_bound_cold_and_warm(a: Fraction, seed: int) -> None:
    edges = graph(seed)
    links = links_of(25, edges)
    first = relaxed(links, ego(0), a)
    assert first.bound <= 1e-6
    assert np.abs(first.shares - float(1 - a) * visits(25, edges, a)[0]).sum() <= first.bound + 1e-12
    changed = links.with_changes([0, 3], [1, 9], [900, 17])
    warm = relaxed(changed, ego(0), a, start=first.shares)
    cold = relaxed(changed, ego(0), a)
    assert np.abs(warm.shares - cold.shares).sum() <= warm.bound + cold.bound + 1e-12


@given(seed=SEEDS)
def test_an_egos_bits_do_not_depend_on_its_batch(seed: int) -> None:
    links = links_of(25, graph(seed))
    egos = [3, 0, 7, 7, 12, 20]
    for node, found in zip(egos, spread_egos(links, egos, SEARCH), strict=True):
        alone = spread(links, ego(node), SEARCH)
        assert np.array_equal(found.mass, alone.mass)
        assert (found.restarted, found.rounds) == (alone.restarted, alone.rounds)
    for node, shares in relaxed_egos(links, egos, SEARCH):
        assert np.abs(shares - relaxed(links, ego(node), SEARCH).shares).sum() <= 2e-6


def test_as_networkx_on_a_larger_graph() -> None:
    links = lcg_links(300, 3000, seed=4)
    peer = networkx.DiGraph()
    peer.add_nodes_from(range(300))
    for target in range(300):
        for at in range(int(links.starts[target]), int(links.starts[target + 1])):
            peer.add_edge(int(links.sources[at]), target, weight=int(links.weights[at]))
    expected = networkx.pagerank(peer, alpha=0.85, personalization={5: 1}, dangling={5: 1}, tol=1e-12, max_iter=500)
    found = RANKINGS.get("eigentrust")(World(links, SEARCH), ego(5)) / MASS
    assert np.abs(found - np.array([expected[node] for node in range(300)])).sum() < 2e-6


@given(seed=SEEDS)
def test_a_committee_sees_the_mean_of_its_members(seed: int) -> None:
    edges = graph(seed)
    world = World(links_of(25, edges), MONEY)
    seeds = committee({0: 3, 4: 1})
    assert seeds.parts.sum() == 1 << 22
    exact = chances(25, edges, MONEY)
    found = RANKINGS.get("hitting")(world, seeds) / MASS
    assert found == pytest.approx(0.75 * exact[0] + 0.25 * exact[4], abs=5e-6)
    assert int(spread(world.links, seeds, MONEY).mass.sum()) == MASS


def test_the_number_of_rounds_that_proves_itself() -> None:
    assert most_rounds(Fraction(1, 2)) == 20
    assert (most_rounds(MONEY), most_rounds(SEARCH)) == (28, 86)


@pytest.mark.parametrize("name", ["meritrank", "hitting", "pagerank", "eigentrust"])
@BOTH
def test_golden_digests(name: str, a: Fraction) -> None:
    """Equal on every machine. Written by write_vectors.py."""
    golden = json.loads(VECTORS.read_text())
    links = lcg_links(golden["nodes"], golden["edges"], seed=golden["seed"])
    assert links.digest().hex() == golden["links"]
    scores = RANKINGS.get(name)(World(links, a), ego(golden["ego"]))
    assert hashlib.sha256(scores.astype("<i8").tobytes()).hexdigest() == golden["scores"][f"{name} {a}"]


def test_bad_input_is_named() -> None:
    links = links_of(3, [(0, 1, 1)])
    with pytest.raises(GraphError, match="no node has stake"):
        committee({0: 0})
    with pytest.raises(GraphError, match="walks start at"):
        spread(links, ego(3), MONEY)
    with pytest.raises(GraphError, match="no chance"):
        spread(links, ego(0), Fraction(1))
    with pytest.raises(GraphError, match="walks start at"):
        spread(links, Seeds(np.array([], np.int64), np.array([], np.int64)), MONEY)
    with pytest.raises(UnknownName, match="did you mean 'meritrank'"):
        RANKINGS.get("meritrnk")
