"""Gossip: every mixing in one loop, averages of models, endings, and what is sent."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.aggregate.bristle import f1_scores
from node.errors import ConfigError, UnknownName
from node.topology.average import ascent, contraction, final_merge, metropolis, variance_corrected
from node.topology.gossip import ENDINGS, MIXINGS, Gossip, Sent, finish
from node.topology.graph import Graph, from_edges, graph_of
from node.topology.mixing import HEADER_BYTES, RADIUS, RECORD_BYTES
from node.weight.sybilwall import Heard

CLASSES = 2
Models = np.ndarray


class Fair:
    """A judge to whom all models are equally good, in class 0 alone."""

    familiar = np.array([True, False])

    def f1(self, models: Models) -> Models:
        return np.ones((len(models), CLASSES))


def gossip_of(graph: Graph, mixing: str, size: int = 4) -> Gossip:
    """A network of one layer of two classes, and judges for whoever asks."""
    layout = (("head", (size // CLASSES, CLASSES)),)
    return Gossip(graph, mixing, seed=1, layout=layout, judges=[Fair()] * len(graph))


def noise(nodes: int, size: int, seed: int = 0) -> Models:
    return np.random.default_rng(seed).standard_normal((nodes, size)).astype(np.float32)


def settled(mixing: str, models: Models) -> Models:
    """Bristle takes each column's mean off, of its own model too."""
    if mixing != "bristle":
        return models
    heads = models.reshape(len(models), -1, CLASSES)
    return (heads - heads.mean(axis=1, keepdims=True)).reshape(models.shape)


@pytest.mark.parametrize("name", MIXINGS.names())
def test_everyone_equal_stays_equal(name: str) -> None:
    graph, updates = graph_of("ring:2", 8, seed=0), np.tile(np.arange(4, dtype=np.float32), (8, 1))
    gossip, models = gossip_of(graph, name), np.ones((8, 4), np.float32)
    added = updates * ([1, 0, 1, 0] if name == "bristle" else 1)  # of the class that it has no samples of, nothing
    for round_ in (1, 2):
        assert gossip.round(models, updates, round_) == pytest.approx(settled(name, models + added), abs=1e-6)


def test_a_mean_is_over_oneself_and_neighbours() -> None:
    models, updates = np.zeros((4, 1), np.float32), np.array([[0], [3], [6], [9]], np.float32)
    moved = Gossip(graph_of("ring", 4, seed=0), "mean", seed=0).round(models, updates, 1)
    assert moved.ravel().tolist() == [4, 3, 6, 5]


@pytest.mark.parametrize("name", MIXINGS.names())
def test_a_neighbour_that_has_left_blocks_nobody(name: str) -> None:
    models, updates = np.zeros((6, 4), np.float32), noise(6, 4)
    updates[2] = np.nan
    moved = gossip_of(graph_of("ring:2", 6, seed=0), name).round(models, updates, 1)
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


@pytest.mark.parametrize("name", MIXINGS.names())
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.permutations(range(4)), st.integers(0, 99))
def test_messages_in_any_order_give_the_same_bytes(name: str, order: list[int], seed: int) -> None:
    graph, models, updates = from_edges(2, [(0, 1)]), noise(2, 4, seed), noise(2, 4, seed + 1)
    heard = Heard(77, 1, 2, noise(1, 4)[0], 9)
    guests = [Sent(10 + k, row, row - 1, heard if k == 2 else None, degree=k) for k, row in enumerate(noise(4, 4, 7))]

    def moved(box: list[Sent]) -> bytes:
        return gossip_of(graph, name).round(models, updates, 1, [box, []]).tobytes()

    assert moved([guests[place] for place in order]) == moved(guests)


@pytest.mark.parametrize("name", MIXINGS.names())
@pytest.mark.parametrize("bad", [np.full(4, np.nan), np.array([0, 0, np.inf, 0]), np.zeros(3)])
def test_a_peer_that_sends_no_model_is_ignored(name: str, bad: Models) -> None:
    graph, models, updates = from_edges(2, [(0, 1)]), noise(2, 4), noise(2, 4, 1)
    wrong = [Sent(10, bad.astype(np.float32), bad.astype(np.float32)), Sent(11, noise(1, 4)[0], bad.astype(np.float32))]
    with_it = gossip_of(graph, name).round(models, updates, 1, [wrong, []])
    assert with_it.tobytes() == gossip_of(graph, name).round(models, updates, 1).tobytes()


# -- what is sent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "models"), [("mean", 1), ("foolsgold", 2), ("dfedsam_mgs", 2), ("bristle", 1)])
def test_bytes_are_counted_at_the_sender(name: str, models: int) -> None:
    """A star: the centre sends four messages, a leaf one; FoolsGold sends updates too, MGS sends twice."""
    gossip = gossip_of(from_edges(5, [(0, k) for k in range(1, 5)]), name)
    gossip.round(noise(5, 4), noise(5, 4), 1)
    headers = 2 if name == "dfedsam_mgs" else 1
    assert gossip.sent_bytes.tolist() == [k * (models * 16 + headers * HEADER_BYTES) for k in (4, 1, 1, 1, 1)]


def test_a_record_is_paid_for_and_the_absent_send_nothing() -> None:
    row = noise(1, 4)[0]
    assert Sent(1, row, row, Heard(2, 1, 2, row, 3)).size() == HEADER_BYTES + 3 * 16 + RECORD_BYTES
    gossip, updates = gossip_of(graph_of("ring", 4, seed=0), "mean"), noise(4, 4)
    updates[1] = np.nan
    gossip.round(noise(4, 4), updates, 1)
    assert (gossip.sent_bytes > 0).tolist() == [True, False, True, True]


# -- Metropolis, DFedSAM -----------------------------------------------------------------------------------------------


def test_metropolis_by_hand_and_against_its_matrix() -> None:
    """A path 0-1-2: degrees 1, 2, 1, so each edge weighs 1/3."""
    path = from_edges(3, [(0, 1), (1, 2)])
    models = np.array([[0, 0], [3, 3], [9, 9]], np.float32)
    moved = gossip_of(path, "metropolis").round(models, np.zeros_like(models), 1)
    assert moved[:, 0] == pytest.approx([1, 4, 7])
    twice = gossip_of(path, "dfedsam_mgs").round(models, np.zeros_like(models), 1)
    assert twice[:, 0] == pytest.approx([2, 4, 6])
    assert MIXINGS.get("dfedsam").radius == MIXINGS.get("dfedsam_mgs").radius == RADIUS


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(["ring", "geometric:0.4", "barabasi"]), st.integers(4, 14), st.sets(st.integers(0, 3)))
def test_metropolis_steps_keep_the_mean_of_those_who_are_there(spec: str, nodes: int, gone: set[int]) -> None:
    graph, models = graph_of(spec, nodes, seed=nodes), noise(nodes, 6, nodes)
    updates = np.zeros_like(models)
    updates[sorted(gone)] = np.nan
    here = [node for node in range(nodes) if node not in gone]
    for name in ("metropolis", "dfedsam_mgs"):
        moved = gossip_of(graph, name, 6).round(models, updates, 1)
        if here:
            assert moved[here].mean(axis=0) == pytest.approx(models[here].mean(axis=0), abs=1e-6)
            assert moved[here].std() <= models[here].std() + 1e-6
        assert (moved[sorted(gone)] == models[sorted(gone)]).all()


def test_a_liar_about_its_degree_gains_no_more_than_the_receiver_s_share() -> None:
    models, far = np.zeros((3, 4), np.float32), np.full(4, 60, np.float32)
    path = from_edges(3, [(0, 1), (1, 2)])
    moved = gossip_of(path, "metropolis").round(models, models, 1, [[], [Sent(9, far, degree=-5)], []])
    assert moved[1] == pytest.approx(np.full(4, 60 / 4))  # three messages at a node of degree two: 1 / (1 + 3)


def test_the_matrix_is_doubly_stochastic_and_more_steps_come_closer() -> None:
    graph = graph_of("barabasi", 12, seed=1)
    weights = metropolis(graph)
    assert weights.sum(axis=0) == pytest.approx(np.ones(12))
    assert weights.sum(axis=1) == pytest.approx(np.ones(12))
    assert (weights >= 0).all()
    models = noise(12, 30)
    gossip, spreads, still = gossip_of(graph, "metropolis", 30), [], np.zeros_like(models)
    start = models
    for _ in range(100):
        spreads.append(float(np.linalg.norm(models - models.mean(axis=0))))
        models = gossip.round(models, still, 1)
    shrink = contraction(graph)
    assert all(after <= shrink * before + 1e-5 for before, after in pairwise(spreads))
    assert models[3] == pytest.approx(final_merge(start), abs=1e-5)
    assert contraction(from_edges(2, [(0, 1)])) == pytest.approx(0)


def test_the_point_ahead_by_hand() -> None:
    assert ascent(np.array([[3, 4], [0, 0]], np.float32), 0.5) == pytest.approx(np.array([[0.3, 0.4], [0, 0]]))


# -- Bristle -----------------------------------------------------------------------------------------------------------


class Known(Fair):
    """Judges a model by its first number: the F1 of both classes."""

    familiar = np.array([True, True])

    def f1(self, models: Models) -> Models:
        return np.repeat(models[:, :1].astype(np.float64), CLASSES, axis=1)


def test_bristle_takes_the_better_leaves_the_worse_and_keeps_its_trunk() -> None:
    """A trunk of one number and a 2 x 2 head; trunk numbers are the peers' F1 here. The worse are most of them."""
    layout, graph = (("trunk", (1,)), ("head", (2, 2))), from_edges(2, [(0, 1)])
    gossip = Gossip(graph, "bristle", seed=0, layout=layout, judges=[Known(), Known()])
    models = np.array([[0.5, 1, 1, 3, -1], [0.5, 1, 1, 3, -1]], np.float32)
    equal, worse = np.array([0.5, 3, 9, 9, 5], np.float32), np.array([0.2, 900, 0, 0, 0], np.float32)
    box = [Sent(10, equal), *(Sent(20 + k, worse) for k in range(8))]
    alone = gossip.round(models, np.zeros_like(models), 1)
    assert alone[0] == pytest.approx([0.5, -1, 1, 1, -1])
    moved = gossip.round(models, np.zeros_like(models), 1, [box, []])[0]
    # the neighbour and the equal peer are the nearest, so they are tested: at equal F1 weight 1, times certainty 0.5
    mixed = (models[0, 1:] * 1.5 + 0.5 * equal[1:]) / 2
    expected = mixed - np.tile(mixed.reshape(2, 2).mean(axis=0), 2)
    assert moved[0] == 0.5
    assert moved[1:] == pytest.approx(expected, abs=1e-5)


def test_bristle_learns_only_classes_that_it_has_samples_of() -> None:
    models, updates = np.zeros((2, 4), np.float32), np.array([[2, 5, 4, 7]] * 2, np.float32)
    moved = gossip_of(from_edges(2, [(0, 1)]), "bristle").round(models, updates, 1)
    assert moved[0] == pytest.approx([-1, 0, 1, 0])


def test_bristle_without_a_measure_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot measure"):
        Gossip(from_edges(2, [(0, 1)]), "bristle", seed=0)


def test_f1_by_hand() -> None:
    """Labels 0 0 1; told 0 1 1: class 0 has 1 hit of 2 and 1, class 1 one hit of 1 and 2; class 2 is nowhere."""
    found = f1_scores(np.array([[0, 1, 1], [0, 0, 1]]), np.array([0, 0, 1]), 3)
    assert found == pytest.approx(np.array([[2 / 3, 2 / 3, 0], [1, 1, 0]]))


# -- averages and endings ----------------------------------------------------------------------------------------------


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


def test_variance_correction_is_a_mixing() -> None:
    models = noise(3, 40)
    triangle = from_edges(3, [(0, 1), (1, 2), (0, 2)])
    moved = gossip_of(triangle, "variance_corrected", 40).round(models, np.zeros_like(models), 1)
    assert moved[0] == pytest.approx(variance_corrected(models, (("all", (40,)),)), abs=1e-6)
    assert moved.var(axis=1) == pytest.approx(np.full(3, models.var(axis=1).mean()), rel=1e-4)
    mean = gossip_of(triangle, "mean", 40).round(models, np.zeros_like(models), 1)
    assert mean.var(axis=1).max() < 0.6 * moved.var(axis=1).min()


def test_one_final_merge_gives_everybody_the_same_bytes() -> None:
    models = noise(5, 6)
    merged, sent = finish(models, "final_merge", seed=0)
    assert len({row.tobytes() for row in merged}) == 1
    assert merged[0] == pytest.approx(models.mean(axis=0), abs=1e-6)
    assert sent.tolist() == [4 * (24 + HEADER_BYTES)] * 5
    here = np.array([True, True, False, True, True])
    partly, _ = finish(models, "final_merge", seed=0, here=here)
    assert partly[0] == pytest.approx(models[here].mean(axis=0), abs=1e-6)
    assert (partly[2] == models[2]).all()
    unmoved, nothing = finish(models, "none", seed=0)
    assert (unmoved == models).all()
    assert not nothing.any()


def test_a_robust_ending_bears_a_far_model() -> None:
    models = noise(9, 60)
    models[4] = 1e6
    merged, _ = finish(models, "robust_merge", seed=0)
    others = np.delete(np.arange(9), 4)
    assert np.abs(merged[others]).max() < 10
    assert np.abs(finish(models, "final_merge", seed=0)[0][others]).min() > 1e4
    with pytest.raises(UnknownName, match="did you mean 'final_merge'"):
        finish(models, "final_mrge", seed=0)
    assert ENDINGS.names() == ["final_merge", "none", "robust_merge"]


def test_a_kind_is_data() -> None:
    """Exchanges belong to the kind, not to the loop: any rule can be applied more than once a round."""
    kind = replace(MIXINGS.get("mean"), exchanges=3)
    graph, models = graph_of("ring", 5, seed=0), noise(5, 4)
    gossip, single = Gossip(graph, kind, seed=0), Gossip(graph, "mean", seed=0)
    expected = models
    for _ in range(3):
        expected = single.round(expected, np.zeros_like(models), 1)
    assert gossip.round(models, np.zeros_like(models), 1) == pytest.approx(expected, abs=1e-6)
