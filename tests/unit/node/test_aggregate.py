"""Aggregation rules against float64 references, classic rules, and the attacks that they are for."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from node.aggregate import (
    AGGREGATORS,
    cosine_to_others,
    krum,
    krum_scores,
    mean,
    median,
    multi_krum,
    squared_distances,
    trimmed_mean,
    weighted_median,
)
from node.aggregate.rows import BLOCK
from node.errors import TooFewUpdates, UnknownName

RULES = [AGGREGATORS.get(name) for name in AGGREGATORS]
SPLIT_NEUTRAL = [
    "mean", "median", "trimmed_mean", "meamed", "geometric_median", "centered_clipping", "monna", "caf", "nnm+meamed",
    "nnm+geometric_median", "clipping+mean", "arc+median",
]  # fmt: skip
"""Rules whose docstring says that splitting a row into identical rows changes nothing."""

VALUES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 5)),
    elements=st.floats(-1000, 1000, width=32),
)


@st.composite
def weighted_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    values = draw(VALUES)
    weights = draw(hnp.arrays(np.float64, len(values), elements=st.integers(1, 20).map(float)))
    return values, weights


def close(left: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-4)


# --- independent references, in float64 and plain loops ----------------------------------------------------


def reference_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.average(values.astype(np.float64), axis=0, weights=weights)


def reference_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The classic median of every row repeated as often as its integer weight says."""
    return np.median(np.repeat(values.astype(np.float64), weights.astype(int), axis=0), axis=0)


def reference_trimmed(values: np.ndarray, weights: np.ndarray, f: float) -> np.ndarray:
    """The integral of the quantile function from f to 1 - f, over 1 - 2 f."""
    result = []
    for column in values.astype(np.float64).T:
        total, at = 0.0, 0.0
        for value, share in sorted(zip(column, weights / weights.sum(), strict=True)):
            total += value * max(0.0, min(at + share, 1 - f) - max(at, f))
            at += share
        result.append(total / (1 - 2 * f))
    return np.array(result)


def reference_krum_scores(values: np.ndarray, m: int) -> np.ndarray:
    """Blanchard et al. 2017: the sum over the n - m - 2 closest others of the squared distance."""
    exact = values.astype(np.float64)
    n = len(exact)
    scores = []
    for i in range(n):
        others = sorted(float(((exact[i] - exact[j]) ** 2).sum()) for j in range(n) if j != i)
        scores.append(sum(others[: n - m - 2]))
    return np.array(scores)


# --- mean, median, trimmed mean ----------------------------------------------------------------------------


@given(weighted_rows())
def test_mean_and_median_equal_their_references(rows: tuple[np.ndarray, np.ndarray]) -> None:
    values, weights = rows
    close(mean(values, weights, f=0.0), reference_mean(values, weights))
    close(median(values, weights, f=0.2), reference_median(values, weights))


@given(weighted_rows(), st.floats(0, 0.49))
def test_trimmed_mean_equals_its_reference(rows: tuple[np.ndarray, np.ndarray], f: float) -> None:
    values, weights = rows
    close(trimmed_mean(values, weights, f=f), reference_trimmed(values, weights, f))


@given(VALUES, st.integers(0, 3), st.floats(0.1, 1e30))
def test_equal_weights_give_the_classic_rules(values: np.ndarray, m: int, weight: float) -> None:
    n = len(values)
    weights = np.full(n, weight)
    close(mean(values, weights, f=0.0), values.astype(np.float64).mean(axis=0))
    close(median(values, weights, f=0.0), np.median(values.astype(np.float64), axis=0))
    if 2 * m < n:
        inner = np.sort(values.astype(np.float64), axis=0)[m : n - m]
        close(trimmed_mean(values, weights, f=m / n), inner.mean(axis=0))


@given(weighted_rows(), st.data(), st.floats(0, 0.45))
def test_splitting_a_client_changes_nothing(rows: tuple[np.ndarray, np.ndarray], data: st.DataObject, f: float) -> None:
    values, weights = rows
    row = data.draw(st.integers(0, len(values) - 1))
    split_values = np.concatenate([values, values[row : row + 1]])
    split_weights = np.append(weights, weights[row] / 2)
    split_weights[row] /= 2
    for rule in (mean, median, trimmed_mean):
        close(rule(split_values, split_weights, f=f), rule(values, weights, f=f))


@given(weighted_rows(), st.randoms())
def test_order_and_scale_of_weights_do_not_matter(rows: tuple[np.ndarray, np.ndarray], random) -> None:  # type: ignore[no-untyped-def]
    values, weights = rows
    order = list(range(len(values)))
    random.shuffle(order)
    for rule in (mean, median, trimmed_mean):
        close(rule(values[order], weights[order] * 1e-200, f=0.2), rule(values, weights, f=0.2))


def test_by_hand() -> None:
    values = np.float32([[1], [2], [10]])
    weights = np.array([1.0, 1.0, 2.0])
    assert mean(values, weights, f=0.0).tolist() == [5.75]
    assert median(values, weights, f=0.0).tolist() == [6.0]  # a tie of weight: halfway from 2 to 10
    # f = 1/4 takes all of 1 below and half of 10 above: (2 + 10) / 2
    assert trimmed_mean(values, weights, f=0.25).tolist() == [6.0]
    assert trimmed_mean(values, weights, f=0.125).tolist() == [pytest.approx((0.5 + 2 + 15) / 3)]
    assert weighted_median(np.float32([[3], [1], [2]]), np.array([1.0, 5.0, 1.0])).tolist() == [1.0]


def test_a_weight_fraction_is_not_a_head_count() -> None:
    """One identity of weight 0.2 split into a hundred: no more say in the median, all of it in a head count."""
    values = np.concatenate([np.zeros((20, 3)), np.full((100, 3), 1e6)]).astype(np.float32)
    weights = np.concatenate([np.full(20, 0.04), np.full(100, 0.002)])
    assert (median(values, weights, f=0.2) == 0).all()
    assert (trimmed_mean(values, weights, f=0.21) == 0).all()
    assert (median(values, np.ones(120), f=0.2) == 1e6).all()


def test_no_trace_of_a_trimmed_giant() -> None:
    """Rounding of cumulated weights must not leave 1e-17 of an update of size 1e30."""
    for n in range(5, 60, 5):
        values = np.ones((n, 2), np.float32)
        values[: n // 5] = 1e30
        values[: n // 10] *= -1
        for weights in (np.full(n, 0.1), np.full(n, 0.1) + np.arange(n) * 1e-15):
            assert trimmed_mean(values, weights, f=0.2).tolist() == [1.0, 1.0]
            if 2 * (n // 5) + 2 < n:
                assert multi_krum(values, weights, f=0.2).tolist() == [1.0, 1.0]


def test_sorting_handles_every_kind_of_float() -> None:
    column = np.float32([0.0, -0.0, -1e-45, 1e-45, 3e38, -3e38, 1, -1, 1.5])
    weights = np.arange(1.0, 10.0)  # unequal: the packed sort
    for order in itertools.islice(itertools.permutations(range(9)), 0, 40000, 997):
        picked = list(order)
        close(
            trimmed_mean(column[picked, None], weights[picked], f=0.2),
            reference_trimmed(column[:, None], weights, 0.2),
        )


def test_blocks_are_seamless() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((7, BLOCK + 3)).astype(np.float32)
    weights = rng.integers(1, 9, 7).astype(float)
    close(mean(values, weights, f=0), reference_mean(values, weights))
    close(median(values, weights, f=0), reference_median(values, weights))
    close(trimmed_mean(values, weights, f=0.3)[-5:], reference_trimmed(values[:, -5:], weights, 0.3))
    close(squared_distances(values), ((values[:, None] - values[None]) ** 2).sum(axis=2))


# --- Krum --------------------------------------------------------------------------------------------------


@given(st.integers(5, 12), st.data(), st.integers(0, 10_000))
def test_krum_equals_blanchard(n: int, data: st.DataObject, seed: int) -> None:
    m = data.draw(st.integers(0, (n - 3) // 2))
    values = np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)
    expected = reference_krum_scores(values, m)
    np.testing.assert_allclose(krum_scores(values, np.full(n, 1 / n), f=m / n) * n, expected, rtol=1e-6)
    order = np.argsort(expected)
    weights = np.full(n, 3.0)
    assert (krum(values, weights, f=m / n) == values[order[0]]).all()
    close(multi_krum(values, weights, f=m / n), values[order[: n - m]].astype(np.float64).mean(axis=0))


def test_krum_scores_with_weights_by_hand() -> None:
    values = np.float32([[0], [1], [3], [7]])
    weights = np.array([0.3, 0.3, 0.2, 0.2])  # sum of squares 0.26; f = 0.1 covers 0.64
    # row 0: itself 0.3, row 1 0.3 x 1, row 2 0.04 x 9; row 1: 0.3, row 0 0.3 x 1, row 2 0.04 x 4; ...
    expected = [0.3 + 0.36, 0.3 + 0.16, 0.3 * 4 + 0.14 * 9, 0.2 * 16 + 0.24 * 36]
    np.testing.assert_allclose(krum_scores(values, weights, f=0.1), expected, rtol=1e-12)
    assert krum(values, weights, f=0.1).tolist() == [1.0]
    # multi-Krum covers 0.9: rows 1, 0, 2 whole and half of row 3
    assert multi_krum(values, weights, f=0.1).tolist() == [pytest.approx((0.3 + 0.6 + 0.7) / 0.9)]


def test_krum_splits_of_a_colluder_gain_nothing() -> None:
    rng = np.random.default_rng(1)
    honest = rng.standard_normal((8, 50)).astype(np.float32)
    poison = np.full((1, 50), 3, np.float32)
    for parts in (1, 2, 10, 50):
        values = np.concatenate([honest, np.repeat(poison, parts, axis=0)])
        weights = np.concatenate([np.full(8, 0.1), np.full(parts, 0.2 / parts)])
        chosen = krum(values, weights, f=0.2)
        assert any((chosen == row).all() for row in honest)
        assert np.abs(multi_krum(values, weights, f=0.2)).max() < 2


def test_no_cancellation_in_distances() -> None:
    """Rows with a common part 1e4 times their spread; and a giant who would be the reference if it were row 0."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal(2000) * 1e4
    honest = (common + rng.standard_normal((30, 2000))).astype(np.float32)
    direct = ((honest[:, None].astype(np.float64) - honest[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(honest), direct, rtol=3e-7)
    giant = np.concatenate([np.full((1, 2000), 1e20, np.float32), honest])
    np.testing.assert_allclose(squared_distances(giant)[1:, 1:], direct, rtol=3e-7)
    gram = honest @ honest.T  # what float32 without a reference row makes of it
    own = np.diag(gram)
    naive = own[:, None] + own[None] - 2 * gram
    assert np.abs(naive - direct)[~np.eye(30, dtype=bool)].max() > direct.max()
    poison = (common + 5 * rng.standard_normal((8, 2000))).astype(np.float32)
    values = np.concatenate([poison, honest])
    chosen = multi_krum(values, np.ones(38), f=8 / 38)
    close(chosen, honest.astype(np.float64).mean(axis=0))


def test_ties_go_to_the_first_row() -> None:
    values = np.float32([[1], [1], [1], [-1], [-1], [-1]])
    assert krum(values, np.ones(6), f=0.1).tolist() == [1.0]


@pytest.mark.parametrize(("n", "m", "fine"), [(3, 0, True), (2, 0, False), (5, 1, True), (4, 1, False), (8, 3, False)])
def test_krum_states_what_it_tolerates(n: int, m: int, fine: bool) -> None:
    values = np.random.default_rng(0).standard_normal((n, 3)).astype(np.float32)
    for rule in (krum, multi_krum):
        if fine:
            rule(values, np.ones(n), f=m / n)
        else:
            with pytest.raises(TooFewUpdates, match=rf"Krum needs more than .* these {n} count as {n}.00"):
                rule(values, np.ones(n), f=m / n)
    with pytest.raises(TooFewUpdates, match="these 6 count as"):
        krum(np.zeros((6, 1), np.float32), np.array([100.0, 1, 1, 1, 1, 1]), f=0)


# --- every rule --------------------------------------------------------------------------------------------


def test_names() -> None:
    assert AGGREGATORS.names() == [
        "caf", "centered_clipping", "flag", "frl", "geometric_median", "krum", "mda", "meamed", "mean", "median",
        "monna", "multi_krum", "trimmed_mean",
    ]  # fmt: skip
    with pytest.raises(UnknownName, match="did you mean 'median'"):
        AGGREGATORS.get("meridian")


@pytest.mark.parametrize("rule", RULES)
def test_common_behaviour(rule) -> None:  # type: ignore[no-untyped-def]
    values = np.random.default_rng(0).standard_normal((9, 40)).astype(np.float32)
    weights = np.linspace(1, 2, 9)
    kept_values, kept_weights = values.copy(), weights.copy()
    result = rule(values, weights, f=0.2)
    assert (result.dtype, result.shape) == (np.float32, (40,))
    assert (values == kept_values).all()
    assert (weights == kept_weights).all()
    assert (result == rule(values, weights, f=0.2)).all()
    result[:] = 9  # a copy, not a view
    assert (values == kept_values).all()
    same = np.repeat(values[:1], 9, axis=0)
    close(rule(same, weights, f=0.2), values[0])
    absent = np.concatenate([values, np.full((2, 40), 1e9, np.float32)])
    close(rule(absent, np.append(weights, [0, 0]), f=0.2), rule(values, weights, f=0.2))
    huge = np.full(9, 1e308)
    assert np.isfinite(rule(values, huge, f=0.2)).all()


@pytest.mark.parametrize("rule", RULES)
def test_common_errors(rule) -> None:  # type: ignore[no-untyped-def]
    values = np.zeros((9, 3), np.float32)
    ones = np.ones(9)
    for bad in (np.nan, np.inf, -np.inf):
        broken = values.copy()
        broken[4, 2] = bad
        with pytest.raises(ValueError, match="NaN or infinite"):
            rule(broken, ones, f=0.0)
        with pytest.raises(ValueError, match="negative or not finite"):
            rule(values, np.append(np.ones(8), bad), f=0.0)
    with pytest.raises(ValueError, match="negative or not finite"):
        rule(values, -ones, f=0.0)
    with pytest.raises(ValueError, match="65537 updates: at most 65536"):
        rule(np.zeros((65_537, 1), np.float32), np.ones(65_537), f=0.0)
    for shape in ((8,), (9, 1)):
        with pytest.raises(ValueError, match="do not belong together"):
            rule(values, np.ones(shape), f=0.0)
    for f in (-0.1, math.nan):
        with pytest.raises(ValueError, match="not a fraction"):
            rule(values, ones, f=f)
    for f in (0.5, 0.9, 0.49999999):
        with pytest.raises(TooFewUpdates, match="half of the weight"):
            rule(values, ones, f=f)
    with pytest.raises(TooFewUpdates, match="no update with weight"):
        rule(values, 0 * ones, f=0.0)
    with pytest.raises(TooFewUpdates, match="no update with weight"):
        rule(np.zeros((0, 3), np.float32), np.zeros(0), f=0.0)


@given(st.integers(5, 9), st.integers(0, 10_000), st.data(), st.floats(0.02, 0.4))
def test_splitting_a_client_changes_nothing_where_a_rule_says_so(
    n: int, seed: int, data: st.DataObject, f: float
) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.standard_normal((n, 6)).astype(np.float32), rng.uniform(1, 3, n)
    row, pieces = data.draw(st.integers(0, n - 1)), data.draw(st.integers(2, 5))
    split_values = np.concatenate([values, np.repeat(values[row : row + 1], pieces - 1, axis=0)])
    split_weights = np.append(weights, np.full(pieces - 1, weights[row] / pieces))
    split_weights[row] /= pieces
    for name in SPLIT_NEUTRAL:
        rule = AGGREGATORS.get(name)
        whole, split = rule(values, weights, f=f), rule(split_values, split_weights, f=f)
        np.testing.assert_allclose(split, whole, rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("name", [name for name in AGGREGATORS if name != "mean"] + ["nnm+mean", "arc+caf"])
def test_two_flippers_in_eight_do_not_move_a_robust_rule(name: str) -> None:
    rng = np.random.default_rng(5)
    direction = rng.standard_normal(300)
    values = (direction + 0.5 * rng.standard_normal((8, 300))).astype(np.float32)
    values[:2] *= -4
    step = AGGREGATORS.get(name)(values, np.ones(8), f=0.25).astype(np.float64)
    assert step @ direction / np.linalg.norm(step) / np.linalg.norm(direction) > 0.8
    assert mean(values, np.ones(8), f=0.25) @ direction < 0


# --- cosine rule -------------------------------------------------------------------------------------------


@given(weighted_rows())
def test_cosine_to_others_equals_its_reference(rows: tuple[np.ndarray, np.ndarray]) -> None:
    values, weights = rows
    got = cosine_to_others(values, weights)
    for row in range(len(values)):
        if len(values) == 1:
            expected = 1.0
        else:
            others = reference_median(np.delete(values, row, 0), np.delete(weights, row)).astype(np.float32)
            own, middle = values[row].astype(np.float64), others.astype(np.float64)
            length = np.linalg.norm(own) * np.linalg.norm(middle)
            expected = float(own @ middle) / length if length > 0 else 0.0
        assert got[row] == pytest.approx(expected, abs=1e-6)


def test_cosine_by_hand() -> None:
    values = np.float32([[1, 0], [1, 1], [2, 0], [-1, 0], [0, 0]])
    got = cosine_to_others(values, np.ones(5))
    # the others' medians are (0.5, 0), (0.5, 0), (0.5, 0), (1, 0), (1, 0)
    np.testing.assert_allclose(got, [1, math.sqrt(0.5), 1, -1, 0], atol=1e-7)
    assert got.dtype == np.float64


def test_cosine_of_a_row_alone() -> None:
    one = np.float32([[3, 4]])
    assert cosine_to_others(one, np.ones(1)).tolist() == [1.0]
    pair = np.float32([[3, 4], [-3, -4]])
    assert cosine_to_others(pair, np.ones(2)).tolist() == [-1.0, -1.0]
    assert cosine_to_others(pair, np.array([1.0, 0.0])).tolist() == [1.0, -1.0]


def test_cosine_rejects_every_flipper_and_nobody_else() -> None:
    rng = np.random.default_rng(6)
    direction = rng.standard_normal(2 * BLOCK)
    values = (direction + 2 * rng.standard_normal((8, 2 * BLOCK))).astype(np.float32)
    values[[1, 5]] *= -4
    assert np.flatnonzero(cosine_to_others(values, np.ones(8)) < 0).tolist() == [1, 5]


def test_cosine_errors() -> None:
    with pytest.raises(ValueError, match="NaN"):
        cosine_to_others(np.float32([[np.nan]]), np.ones(1))
    with pytest.raises(TooFewUpdates):
        cosine_to_others(np.zeros((0, 2), np.float32), np.zeros(0))
