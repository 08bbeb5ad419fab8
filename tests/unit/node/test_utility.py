"""Utilities against hand-made coalitions, exact Shapley and what clones may earn."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from node.data import Dataset
from node.errors import ConfigError
from node.model import Evaluator, flatten, initial_parameters, layout_of, unflatten
from node.utility import UTILITIES, Game, Thresholds
from node.utility.game import clusters
from scripts.bench.contribution_game import agreement, clones, federation, gains, halves, twin

RNG = np.random.default_rng(0)
DATA = Dataset(RNG.standard_normal((40, 3)).astype(np.float32), RNG.integers(0, 2, 40), 2)
UPDATES = RNG.standard_normal((4, 8)).astype(np.float32)
WEIGHTS = np.array([1.0, 2.0, 3.0, 2.0])


def linear() -> nn.Module:
    return nn.Linear(3, 2)


EVALUATOR, BASE = Evaluator(linear()), initial_parameters(linear, 0)


def game(updates: Any = UPDATES, weights: Any = WEIGHTS, **rest: Any) -> Game:
    return Game(EVALUATOR, BASE, np.asarray(updates, np.float32), np.asarray(weights, np.float64), DATA, **rest)


def loss(members: list[int]) -> float:
    vector = flatten(BASE).astype(np.float64)
    for i in members:
        vector = vector + WEIGHTS[i] / 8 * UPDATES[i]
    return EVALUATOR.loss(unflatten(vector.astype(np.float32), layout_of(BASE)), DATA)


class Pairs(Game):
    """A game whose utility is a given function of the coalition: player i steps along axis i."""

    def __init__(self, players: int, worth: Any) -> None:
        super().__init__(EVALUATOR, BASE, np.eye(players, 8, dtype=np.float32) * players, np.ones(players), DATA)
        self._worth = worth

    def utility(self, model: np.ndarray) -> float:
        self.evaluations += 1
        return float(self._worth(np.rint(model - self.base)[: len(self.players)]))

    def slopes(self) -> tuple[float, np.ndarray]:
        nobody = self.utility(self.base)
        return nobody, np.array([self._worth(row) - nobody for row in np.eye(len(self.players))])


def test_names() -> None:
    assert UTILITIES.names() == ["first_order", "gtg_shapley", "loo", "shapley"]


def test_loo_is_leave_one_out_with_the_full_denominator() -> None:
    played = game()
    got = UTILITIES.get("loo")(played)
    expected = [loss([j for j in range(4) if j != i]) - loss([0, 1, 2, 3]) for i in range(4)]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.std() > 1e-3
    assert played.evaluations == 5


def test_first_order_is_the_slope_of_loo() -> None:
    gradient = EVALUATOR.loss_gradient(BASE, DATA)
    played = game()
    first = UTILITIES.get("first_order")(played)
    np.testing.assert_allclose(first, -(UPDATES.astype(np.float64) @ gradient) * WEIGHTS / 8)
    small = game(UPDATES * np.float32(1e-2))
    np.testing.assert_allclose(UTILITIES.get("loo")(small), first * 1e-2, atol=3e-4)
    assert played.evaluations == 1


def test_shapley_is_the_mean_marginal_over_all_orders() -> None:
    expected = np.zeros(4)
    for order in permutations(range(4)):
        for place, player in enumerate(order):
            expected[player] += (loss(list(order[:place])) - loss(list(order[: place + 1]))) / 24
    played = game()
    np.testing.assert_allclose(UTILITIES.get("shapley")(played), expected, atol=1e-6)
    assert played.evaluations == 16


def test_shapley_refuses_what_it_cannot_enumerate() -> None:
    with pytest.raises(ConfigError, match="at most 12 updates, got 13") as refused:
        UTILITIES.get("shapley")(game(RNG.standard_normal((13, 8)), np.ones(13)))
    assert "gtg_shapley" in refused.value.hint


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**32), st.binary(min_size=32, max_size=32))
def test_gtg_is_exact_where_players_interact_in_pairs(players: int, seed: int, beacon: bytes) -> None:
    """The reverse of a permutation puts every other player on i's other side, so one pair of them is enough."""
    rng = np.random.default_rng(seed)
    alone, both = rng.standard_normal(players), np.triu(rng.standard_normal((players, players)), 1)
    played = Pairs(players, lambda joined: joined @ alone + joined @ both @ joined)
    played.seed = beacon
    expected = alone + (both + both.T).sum(axis=1) / 2
    np.testing.assert_allclose(UTILITIES.get("gtg_shapley")(played), expected, atol=1e-9)
    assert played.evaluations <= 2 * players


def test_gtg_is_near_exact_efficient_and_cheap() -> None:
    played = game(seed=b"\7" * 32)
    got = UTILITIES.get("gtg_shapley")(played)
    np.testing.assert_allclose(got, UTILITIES.get("shapley")(game()), atol=0.02)
    assert got.sum() == pytest.approx(loss([]) - loss([0, 1, 2, 3]), abs=1e-6)
    assert played.evaluations == 8
    assert (got == UTILITIES.get("gtg_shapley")(game(seed=b"\7" * 32))).all()


def test_a_permutation_stops_when_nothing_is_left_to_tell() -> None:
    """Saturation: the first two of six are as good as all, in either direction."""
    played = Pairs(6, lambda joined: min(joined.sum(), 2))
    played.thresholds = Thresholds(truncate=0.01)
    assert sorted(UTILITIES.get("gtg_shapley")(played)) == [0, 0, 0.5, 0.5, 0.5, 0.5]
    assert played.evaluations == 2 + 2 * 2


def test_a_round_that_changes_nothing_is_valued_by_first_order() -> None:
    played = game(thresholds=Thresholds(skip=10.0))
    got = UTILITIES.get("gtg_shapley")(played)
    np.testing.assert_allclose(got, UTILITIES.get("first_order")(game()))
    assert played.evaluations == 2


def test_the_screen_takes_out_players_that_do_not_matter() -> None:
    tiny = np.concatenate([UPDATES, UPDATES[:1] * np.float32(1e-4)])
    played = game(tiny, [*WEIGHTS, 1.0], thresholds=Thresholds(truncate=0.01))
    got = UTILITIES.get("gtg_shapley")(played)
    assert got[4] == UTILITIES.get("first_order")(game(tiny, [*WEIGHTS, 1.0]))[4]
    assert played.evaluations <= 10


@pytest.mark.parametrize("name", UTILITIES.names())
def test_sign_weightless_rows_and_scale_of_weights(name: str) -> None:
    measure = UTILITIES.get(name)
    gradient = EVALUATOR.loss_gradient(BASE, DATA).astype(np.float32)
    updates = np.stack([-gradient, gradient, -gradient]) / np.float32(10)
    got = measure(game(updates, [1.0, 1.0, 0.0]))
    assert got[0] > 0 > got[1]
    assert got[2] == 0
    again = measure(game(updates, [4.0, 4.0, 0.0]))
    assert (got == again).all()


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_errors(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        game(UPDATES[:2], weights)


# -- clusters --------------------------------------------------------------------------------------------


def test_the_heaviest_leads_a_cluster_and_nobody_chains_strangers() -> None:
    rows = np.array([[1.0, 0], [1.08, 0], [1.16, 0], [5, 5]], np.float32)
    found = clusters(rows, np.array([1.0, 1, 1, 1]), tolerance=0.1)
    assert [c.tolist() for c in found] == [[0, 1], [2], [3]]
    found = clusters(rows, np.array([1.0, 2, 1, 1]), tolerance=0.1)
    assert [c.tolist() for c in found] == [[0, 1, 2], [3]]


@pytest.mark.parametrize("name", UTILITIES.names())
def test_an_identical_update_pays_no_more_in_total_than_one(name: str) -> None:
    near = Thresholds(cluster=0.1)
    one = UTILITIES.get(name)(game(thresholds=near))
    two = UTILITIES.get(name)(game(np.concatenate([UPDATES, UPDATES[:1]]), [*WEIGHTS, 1.0], thresholds=near))
    assert two[0] == two[4]
    assert two[0] + two[4] == pytest.approx(one[0], rel=1e-9)
    np.testing.assert_allclose(two[1:4], one[1:4])


# -- with real training ----------------------------------------------------------------------------------


def test_gtg_ranks_trainers_as_exact_shapley_does() -> None:
    """The benchmark has six seeds of ten rounds; this is one round of one."""
    found = agreement(0, ["gtg_shapley"], rounds=1)
    rank, evaluations = found["gtg_shapley"]
    assert rank >= 0.9
    assert evaluations <= 20


def test_more_identities_do_not_pay() -> None:
    attacks = {f"noise {noise}": clones(noise) for noise in (0.0, 0.3, 1.0)} | {"halves": halves, "twin": twin}
    found = gains(0, attacks, ["gtg_shapley"], rounds=2)
    assert {attack: cells["gtg_shapley"] for attack, cells in found.items() if cells["gtg_shapley"] > 1.05} == {}


def test_the_benchmark_s_loss_is_the_product_s() -> None:
    net = federation(1)
    game = net.game(net.updates(1)[:, :], net.weights, 1)
    reference = -Evaluator(net.module).loss(net.model, game._data)
    assert game.utility(game.base) == pytest.approx(reference, abs=1e-6)
