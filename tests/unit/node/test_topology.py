"""Graphs, gossip, sampled rounds, averages of models, and participation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import ConfigError, TooFewUpdates, UnknownName
from node.topology.average import final_merge, gossip_steps, metropolis, sharpness_aware, variance_corrected
from node.topology.gossip import MIXINGS, Gossip, Sent
from node.topology.graph import attacked, components, distances_from, from_edges, graph_of
from node.topology.sampled import Entry, aggregators, aggregators_agree, enough, merge, order, sample
from node.weight.participation import FedAU, anarchic_step, fedfix

# -- graphs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["ring", "ring:2", "geometric:0.2", "geometric:0.01", "barabasi", "barabasi:3"])
def test_graphs_are_symmetric_connected_and_reproducible(spec: str) -> None:
    graph = graph_of(spec, 30, seed=4)
    assert graph == graph_of(spec, 30, seed=4)
    assert len(components(graph)) == 1
    for node, neighbours in enumerate(graph):
        assert node not in neighbours
        assert list(neighbours) == sorted(set(neighbours))
        assert all(node in graph[other] for other in neighbours)


def test_graphs_by_hand() -> None:
    assert graph_of("ring", 4, seed=0) == ((1, 3), (0, 2), (1, 3), (0, 2))
    assert graph_of("edges:0-1,2-3", 4, seed=0) == ((1, 2), (0,), (0, 3), (2,))
    assert sum(map(len, graph_of("barabasi:2", 20, seed=0))) == 2 * (2 + 2 * 17)
    assert max(map(len, graph_of("geometric:0.9", 40, seed=0))) <= 7
    assert distances_from(from_edges(4, [(0, 1), (1, 2)]), 0) == [0, 1, 2, -1]


@pytest.mark.parametrize(
    "spec", ["ring:x", "ring:-1", "geometric:0", "barabasi:9", "edges:0", "edges:0-9", "edges:1-1"]
)
def test_a_graph_that_makes_no_sense_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        graph_of(spec, 5, seed=0)


def test_graph_names_and_sizes() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ring'"):
        graph_of("rng", 5, seed=0)
    with pytest.raises(ConfigError, match="no edges"):
        graph_of("ring", 1, seed=0)


def test_attack_edges_are_spread() -> None:
    graph = graph_of("ring", 12, seed=0)
    assert attacked(graph, 2) == [2] * 12
    spread = [node for node, count in enumerate(attacked(graph, 0.25)) if count]
    assert spread == [0, 3, 6]
    assert sum(attacked(graph, 1.5)) == 18


# -- gossip ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MIXINGS.names())
def test_everyone_equal_stays_equal(name: str) -> None:
    graph, updates = graph_of("ring:2", 8, seed=0), np.tile(np.arange(5, dtype=np.float32), (8, 1))
    gossip = Gossip(graph, name, seed=1)
    for round_ in (1, 2):
        assert gossip.round(np.ones((8, 5), np.float32), updates, round_) == pytest.approx(1 + updates)


def test_a_mean_is_over_oneself_and_neighbours() -> None:
    models, updates = np.zeros((4, 1), np.float32), np.array([[0], [3], [6], [9]], np.float32)
    moved = Gossip(graph_of("ring", 4, seed=0), "mean", seed=0).round(models, updates, 1)
    assert moved.ravel().tolist() == [4, 3, 6, 5]


@pytest.mark.parametrize("name", MIXINGS.names())
def test_a_neighbour_that_has_left_blocks_nobody(name: str) -> None:
    models, updates = np.zeros((6, 4), np.float32), np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    updates[2] = np.nan
    moved = Gossip(graph_of("ring:2", 6, seed=0), name, seed=0).round(models, updates, 1)
    assert np.isfinite(moved).all()
    assert (moved[2] == 0).all()
    assert (np.abs(np.delete(moved, 2, 0)).sum(axis=1) > 0).all()


@pytest.mark.parametrize("name", ["default", "median", "foolsgold", "sybilwall"])
def test_four_clones_in_a_neighbourhood_are_held_off(name: str) -> None:
    """Each node gets four edges to one far model. Undefended it moves 4/9 of the way; here less than a fifth."""
    rng = np.random.default_rng(3)
    graph, models = graph_of("ring:4", 12, seed=0), np.zeros((12, 300), np.float32)
    updates = (0.6 * rng.standard_normal((1, 300)) + rng.standard_normal((12, 300))).astype(np.float32)
    far = np.zeros(300, np.float32)
    far[0] = 50
    guests = [[Sent(100 + k, far, far) for k in range(4)] for _ in range(12)]

    def pulled(mixing: str) -> float:
        return float(np.abs(Gossip(graph, mixing, seed=0).round(models, updates, 1, guests)[:, 0]).max())

    assert pulled("mean") > 10
    assert pulled(name) < 4


def test_monna_keeps_the_nearest() -> None:
    models = np.zeros((5, 1), np.float32)
    updates = np.array([[1], [2], [3], [4], [100]], np.float32)
    everyone = from_edges(5, [(i, j) for i in range(5) for j in range(i)])
    moved = Gossip(everyone, "monna", seed=0).round(models, updates, 1).ravel()
    assert moved[0] == pytest.approx(2.5)
    assert moved[4] == pytest.approx((100 + 4 + 3 + 2) / 4)


# -- sampled -----------------------------------------------------------------------------------------------------------

ENTRY = st.builds(Entry, st.integers(0, 5), st.integers(0, 3), st.booleans())
VIEW = st.dictionaries(st.integers(0, 5), ENTRY, max_size=6)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VIEW, VIEW, VIEW)
def test_views_merge_in_any_order(one: dict[int, Entry], two: dict[int, Entry], three: dict[int, Entry]) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one


def test_a_leave_outlasts_the_join_of_its_counter() -> None:
    assert merge({1: Entry(9, 2, True)}, {1: Entry(3, 2, False)}) == {1: Entry(9, 2, False)}
    assert merge({1: Entry(3, 2, False)}, {1: Entry(3, 3, True)}) == {1: Entry(3, 3, True)}


FULL = {node: Entry(10, 1, True) for node in range(100)}
BEACON = bytes(range(32))


def test_eighty_of_a_hundred_die_at_once_and_the_next_round_completes() -> None:
    """Four fifths stop answering between two rounds: sample, three aggregators and their agreement still come about."""
    alive = set(range(0, 100, 5))
    chosen = sample(FULL, 11, BEACON, size=13, alive=alive)
    assert len(chosen) == 13
    assert set(chosen) <= alive
    step = np.ones(4, np.float32)
    agreed, wrong = aggregators_agree(dict.fromkeys(aggregators(chosen, 3), step))
    assert (agreed == step).all()
    assert wrong == []
    assert enough(10, 13)
    assert not enough(9, 13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(node=st.integers(0, 99), round_=st.integers(10, 60), size=st.integers(1, 20))
def test_views_that_differ_in_one_entry_give_samples_that_differ_in_one(node: int, round_: int, size: int) -> None:
    other = {**FULL, node: Entry(10, 2, False)}
    one, two = (set(sample(view, round_, BEACON, size=size, alive=range(100))) for view in (FULL, other))
    assert len(one - two) <= 1
    assert len(two - one) <= 1


def test_the_order_is_fresh_each_round_and_each_beacon() -> None:
    orders = {tuple(order(FULL, round_, beacon)) for round_ in (11, 12) for beacon in (BEACON, bytes(32))}
    assert len(orders) == 4
    assert all(sorted(found) == list(range(100)) for found in orders)
    assert order({1: Entry(10, 1, True), 2: Entry(70, 1, True), 3: Entry(70, 2, False)}, 71, BEACON) == [2]


def test_a_minority_of_aggregators_is_found_out() -> None:
    right, wrong = np.ones(3, np.float32), np.zeros(3, np.float32)
    agreed, liars = aggregators_agree({4: wrong, 5: right, 6: right})
    assert (agreed == right).all()
    assert liars == [4]
    with pytest.raises(TooFewUpdates, match="no majority"):
        aggregators_agree({1: right, 2: wrong, 3: np.full(3, 2, np.float32)})
    with pytest.raises(TooFewUpdates, match="2 aggregators"):
        aggregators_agree({1: right, 2: right})
    with pytest.raises(ConfigError, match="cannot check"):
        aggregators([1, 2, 3], 2)
    with pytest.raises(TooFewUpdates, match="no 3 aggregators"):
        aggregators([1, 2], 3)
    with pytest.raises(TooFewUpdates, match="no candidate"):
        sample(FULL, 11, BEACON, size=3, alive=())


# -- averages ----------------------------------------------------------------------------------------------------------


def test_the_variance_of_an_average_is_restored() -> None:
    """Sixteen random nets: the mean's variance is 1/16 of theirs, corrected it is theirs."""
    rng = np.random.default_rng(0)
    layout = (("a", (100, 100)), ("b", (3,)))
    models = rng.standard_normal((16, 10_003)).astype(np.float32)
    models[:, 10_000:] = 5
    assert models.mean(axis=0)[:10_000].var() == pytest.approx(1 / 16, rel=0.1)
    corrected = variance_corrected(models, layout)
    assert corrected[:10_000].var() == pytest.approx(1, rel=0.02)
    assert corrected[10_000:] == pytest.approx([5, 5, 5])
    assert variance_corrected(models, layout, own=1) == pytest.approx(models[0])


def test_metropolis_is_doubly_stochastic_and_more_steps_come_closer() -> None:
    graph = graph_of("barabasi", 12, seed=1)
    weights = metropolis(graph)
    assert weights.sum(axis=0) == pytest.approx(np.ones(12))
    assert weights.sum(axis=1) == pytest.approx(np.ones(12))
    assert (weights >= 0).all()
    models = np.random.default_rng(0).standard_normal((12, 30)).astype(np.float32)
    spreads = [float(gossip_steps(models, graph, times=times).std(axis=0).mean()) for times in (0, 1, 2, 8)]
    assert all(before > after for before, after in pairwise(spreads))
    assert gossip_steps(models, graph, times=200)[3] == pytest.approx(final_merge(models), abs=1e-5)
    assert final_merge(models, [0, 1] + [0] * 10) == pytest.approx(models[1])


def test_sharpness_aware_steps_by_hand() -> None:
    """F = y^2 / 2 in one dimension: g(y + r) = y + r, so y <- y - rate (y + r); radius 0 is plain SGD."""

    def slope(y: np.ndarray, step: int) -> np.ndarray:
        return y

    start = np.array([1.0], np.float32)
    assert sharpness_aware(start, slope, steps=1, rate=0.1, radius=0.5) == pytest.approx([0.85])
    assert sharpness_aware(start, slope, steps=2, rate=0.1, radius=0) == pytest.approx([0.81])
    assert sharpness_aware(np.zeros(1, np.float32), slope, steps=3, rate=0.1, radius=1) == pytest.approx([0])


# -- participation -----------------------------------------------------------------------------------------------------


def test_fedau_is_unbiased_on_two_clients_without_a_cap() -> None:
    """Optima 0 and 1, there with probability 0.9 and 0.1: a mean of who came ends near 0.1, FedAU near 1/2."""
    rng = np.random.default_rng(0)
    weigh, model, plain, tail = FedAU(cap=np.inf), 0.5, 0.5, []
    for round_ in range(4_000):
        present = {node for node, chance in enumerate((0.9, 0.1)) if rng.random() < chance}
        factors = weigh.factors([0, 1])
        model += 0.02 / 2 * sum(factors[node] * (node - model) for node in present)
        plain += 0.02 / 2 * sum(node - plain for node in present)
        weigh.record(present, {0, 1})
        tail += [(model, plain)] if round_ > 1_000 else []
    assert np.mean(tail, axis=0) == pytest.approx([0.5, 0.1], abs=0.06)


def test_fedau_counts_gaps_cuts_them_and_caps() -> None:
    weigh = FedAU(cap=4, cut=10)
    assert weigh.factors([7]).tolist() == [1]
    for present in ((), (), (7,)):
        weigh.record(set(present), {7, 8})
    assert weigh.factors([7]).tolist() == [3]
    for _ in range(7):
        weigh.record(set(), {7, 8})
    assert weigh.factors([8]).tolist() == [4]  # a gap of 10, capped
    assert FedAU(cap=100, cut=10).factors([8]).tolist() == [1]


def test_a_resting_sybil_gains_no_more_than_the_cap() -> None:
    weigh = FedAU()
    for round_ in range(200):
        weigh.record({0} | ({1} if round_ % 50 == 49 else set()), {0, 1})
    assert weigh.factors([0, 1]).tolist() == [1, 4]


def test_fedfix_by_hand() -> None:
    assert fedfix(np.array([1.0, 0.2]), 0.5).tolist() == [2, 1]
    assert fedfix(np.array([50.0]), 0.5).tolist() == [4]
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="positive"):
            fedfix(np.array([1.0]), wrong)


def test_anarchic_steps_count_by_rate() -> None:
    arrived = np.array([[4.0, 0], [0, 1]], np.float32)
    assert anarchic_step(arrived, np.array([1, 1])).tolist() == [2, 0.5]
    assert anarchic_step(arrived, np.array([4, 2])) == pytest.approx([1.5, 0.75])
    for steps in (np.array([1]), np.array([0, 1])):
        with pytest.raises(ValueError, match="at least one step"):
            anarchic_step(arrived, steps)
