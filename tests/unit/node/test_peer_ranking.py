"""Bradley-Terry strengths, who judges what, capability, and peer ranking against majority voting."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.peer_ranking import (
    Comparison,
    assign,
    capability,
    intervals,
    is_capable,
    next_reputation,
    rank_answers,
    strengths,
    wins_of,
)
from node.peer_ranking.bradley_terry import MAX_WINS, ONE, UNIT
from node.peer_ranking.judges import TOP
from scripts.bench.peer_ranking_game import accuracy

SEED = bytes(range(32))


def float_fit(wins: np.ndarray, prior: float = 1.0) -> np.ndarray:
    """Newton's method on the log-likelihood with the virtual answer, to convergence; log-strengths."""
    wins = wins / UNIT
    level = np.zeros(len(wins))
    for _ in range(100):
        chance = 1 / (1 + np.exp(level - level[:, None]))
        met = wins + wins.T
        slope = wins.sum(axis=1) - (met * chance).sum(axis=1) + prior / 2 - prior / (1 + np.exp(-level))
        bend = met * chance * (1 - chance)
        curvature = np.diag(bend.sum(axis=1) + prior * np.exp(-level) / (1 + np.exp(-level)) ** 2) - bend
        level = level + np.linalg.solve(curvature, slope)
    return level


# -- strengths -------------------------------------------------------------------------------------------


def test_two_answers_by_hand() -> None:
    """Without the prior the ratio of strengths is that of wins, 3 : 1; a tiny prior leaves it so."""
    found = strengths(np.array([[0, 300 * UNIT], [100 * UNIT, 0]]), prior=UNIT)
    assert found[0] / found[1] == pytest.approx(3, rel=0.02)
    assert strengths(np.zeros((3, 3), np.int64)).tolist() == [ONE] * 3


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(0, 2**32))
def test_the_integer_fit_is_the_maximum_of_the_likelihood(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 5 * UNIT, (n, n)) * rng.integers(0, 2, (n, n))
    np.fill_diagonal(wins, 0)
    np.testing.assert_allclose(np.log(strengths(wins) / ONE), float_fit(wins), atol=2e-3)


def test_an_answer_that_always_wins_stays_finite() -> None:
    wins = np.array([[0, MAX_WINS // 2], [0, 0]])
    found = strengths(wins)
    assert found[0] > 1000 * found[1] > 0


def test_the_same_bytes_on_every_machine() -> None:
    rng = np.random.default_rng(5)
    wins = rng.integers(0, 9 * UNIT, (12, 12))
    np.fill_diagonal(wins, 0)
    digest = hashlib.sha256(strengths(wins).astype("<i8").tobytes()).hexdigest()
    assert digest == "c88306aa1fc199dd5ab58564264137ddc5794bb70614010b6bc169332c0d39dd"


@pytest.mark.parametrize("wins", [[[0, -1], [0, 0]], [[1, 0], [0, 0]], [[0, MAX_WINS], [0, 0]], [[0, 1]]])
def test_bad_wins(wins: Any) -> None:
    with pytest.raises(ValueError, match="wins"):
        strengths(np.array(wins))


def test_intervals_cover_the_truth_nineteen_times_in_twenty() -> None:
    """120 samples of three answers, 80 comparisons a pair by judges of half weight: near 95 %."""
    rng, truth = np.random.default_rng(0), np.log([0.5, 1.0, 2.0])
    weight, hits = UNIT // 2, np.zeros(3)
    for _ in range(120):
        wins = np.zeros((3, 3), np.int64)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            first = rng.binomial(80, 1 / (1 + np.exp(truth[b] - truth[a])))
            wins[a, b], wins[b, a] = weight * first, weight * (80 - first)
        limits = intervals(wins, wins * weight, strengths(wins))
        hits += [limit.low <= level <= limit.high for limit, level in zip(limits, truth, strict=True)]
    assert 0.91 <= hits.sum() / 360 <= 0.99


def test_more_comparisons_narrow_an_interval_and_doubtful_judges_widen_it() -> None:
    def width(count: int, weight: int) -> float:
        wins = np.array([[0, count * weight], [count * weight, 0]])
        limits = intervals(wins, wins * weight, strengths(wins))
        return limits[0].high - limits[0].low

    assert width(400, UNIT) < 0.6 * width(100, UNIT)
    assert width(100, UNIT) < width(50, UNIT)


# -- judges ----------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.lists(st.integers(-1, 4), min_size=1, max_size=6), st.integers(0, 12))
def test_nobody_judges_its_own_answer_nor_a_pair_twice(seed: bytes, authored: list[int], each: int) -> None:
    dealt = assign(seed, authored, 5, each=each)
    for own, pairs in zip(authored, dealt, strict=True):
        assert all(own not in pair and pair[0] != pair[1] for pair in pairs)
        assert len({frozenset(pair) for pair in pairs}) == len(pairs) == min(each, 10 if own < 0 else 6)
    assert dealt == assign(seed, authored, 5, each=each)


def test_either_side_comes_first_and_other_beacons_deal_otherwise() -> None:
    dealt = [pair for k in range(20) for pair in assign(bytes([k]) * 32, [-1], 5, each=10)[0]]
    assert 60 <= sum(a < b for a, b in dealt) <= 140
    assert assign(SEED, [-1], 6, each=5) != assign(SEED[::-1], [-1], 6, each=5)


@pytest.mark.parametrize(("right", "total", "capable"), [(4, 4, False), (5, 5, True), (16, 24, False), (17, 24, True)])
def test_proof_of_capability_by_hand(right: int, total: int, capable: bool) -> None:
    """2^-4 = 1/16 is more than 1/20, 2^-5 is less; a coin gets 17 of 24 in 3.2 % and 16 in 7.6 %."""
    assert is_capable(right, total) is capable


def test_reputation_is_a_moving_mean_of_calibrated_accuracy() -> None:
    assert next_reputation(40_000, 1, 2, memory=32_768) == (40_000 + TOP // 2) // 2
    assert next_reputation(40_000, 0, 0) == 40_000
    value = 0
    for _ in range(200):
        value = next_reputation(value, 3, 4)
    assert value == pytest.approx(TOP * 3 / 4, rel=0.01)
    with pytest.raises(ValueError, match="reputation"):
        next_reputation(0, 2, 1)


def test_a_coin_has_no_weight() -> None:
    assert [capability(r) for r in (0, TOP // 2, TOP)] == [0, 0, TOP]


# -- ranking ---------------------------------------------------------------------------------------------


def test_wins_by_hand() -> None:
    seen = [Comparison(0, 1, 2), Comparison(2, 2, 0), Comparison(0, 1, 2)]
    wins, squares = wins_of(seen, [0, 1, -1], [10, 3, 5], 3)
    assert wins.tolist() == [[0, 10, 10], [3, 0, 23], [5, 0, 0]]
    assert squares.tolist() == [[0, 100, 100], [9, 0, 209], [25, 0, 0]]
    assert rank_answers(seen, [0, 1, -1], [10, 3, 5], 3) == [1, 0, 2]


@pytest.mark.parametrize("seen", [Comparison(0, 0, 1), Comparison(1, 2, 2)])
def test_a_judge_cannot_compare_its_own_answer(seen: Comparison) -> None:
    with pytest.raises(ValueError, match="cannot compare"):
        wins_of([seen], [0, -1], [1, 1], 3)


def test_judges_without_weight_change_nothing() -> None:
    seen = [Comparison(0, 1, 2), Comparison(1, 2, 1), Comparison(1, 2, 1)]
    assert rank_answers(seen, [-1, -1], [UNIT, 0], 3)[0] == 1
    assert rank_answers(seen, [-1, -1], [UNIT, UNIT], 3)[0] == 2


@pytest.mark.parametrize("sabotage", [True, False])
def test_peer_ranking_beats_majority_with_three_in_ten_colluding(sabotage: bool) -> None:
    found = accuracy(2.0, sabotage=sabotage, questions=40, seeds=1)
    assert found["Bradley–Terry by reputation"] >= found["majority"] + 0.1
    assert found["Bradley–Terry by reputation"] >= found["majority by reputation"]
