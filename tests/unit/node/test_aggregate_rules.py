"""Each rule against an independent definition in float64 that works on the vectors themselves, and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from node.aggregate import caf, centered_clipping, flag, frl, geometric_median, mda, meamed, monna, nearest
from node.aggregate.bristle import certainty, class_weights, integrate, prioritise
from node.aggregate.frl import ranks
from node.errors import TooFewUpdates

CASES = st.tuples(st.integers(3, 9), st.integers(1, 6), st.integers(0, 10_000))
QUIET = settings(max_examples=40)


def case(sizes: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) float32 and integer weights."""
    n, d, seed = sizes
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(np.float32) + 3, rng.integers(1, 9, n).astype(float)


def first_share(order: list[int], weights: np.ndarray, share: float) -> np.ndarray:
    """How much of each weight (sum 1) lies in the first `share`, rows taken in `order`."""
    kept, left = np.zeros(len(weights)), share
    for row in order:
        kept[row] = min(weights[row], max(left, 0.0))
        left -= weights[row]
    return kept


def close(left: np.ndarray, right: np.ndarray, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


# --- mean around the median ---------------------------------------------------------------------------------


def reference_meamed(values: np.ndarray, weights: np.ndarray, f: float) -> np.ndarray:
    exact, shares, result = values.astype(np.float64), weights / weights.sum(), []
    middle = np.median(np.repeat(exact, weights.astype(int), axis=0), axis=0)
    for column, centre in zip(exact.T, middle, strict=True):
        by_value = sorted(range(len(column)), key=lambda row: column[row])
        order = sorted(by_value, key=lambda row: abs(column[row] - centre))
        kept = first_share(order, shares, 1 - f)
        result.append(kept @ column / kept.sum())
    return np.array(result)


@QUIET
@given(CASES, st.floats(0, 0.45))
def test_meamed_equals_its_definition(sizes: tuple[int, int, int], f: float) -> None:
    values, weights = case(sizes)
    close(meamed(values, weights, f=f), reference_meamed(values, weights, f))
    equal, count = np.ones(len(values)), len(values)
    m = int(f * count)
    close(meamed(values, equal, f=m / count), reference_meamed(values, equal, m / count))


def test_meamed_by_hand() -> None:
    values = np.float32([[0], [1], [2], [4], [100]])
    assert meamed(values, np.ones(5), f=0.2).tolist() == [1.75]
    assert meamed(values, np.ones(5), f=0.4).tolist() == [1.0]  # 0 and 4 lie as far from 2: the smaller counts
    # weights 1 1 1 1 4: the median is (4 + 100) / 2, and 1 - f = 3/4 of 8 holds 4 of row 4, then 4, then 2
    assert meamed(values, np.array([1.0, 1, 1, 1, 4]), f=0.25).tolist() == [pytest.approx((4 * 100 + 4 + 2) / 6)]


def test_meamed_leaves_no_trace_of_a_giant() -> None:
    values = np.ones((8, 3), np.float32) * np.arange(8, dtype=np.float32)[:, None]
    values[0], values[7] = -3e38, 3e38
    for weights in (np.ones(8), np.linspace(1, 1.001, 8)):
        close(meamed(values, weights, f=0.25), np.full(3, 3.5), 1e-3)


# --- geometric median and centred clipping ------------------------------------------------------------------


@QUIET
@given(CASES)
def test_geometric_median_is_where_the_pulls_cancel(sizes: tuple[int, int, int]) -> None:
    values, weights = case((sizes[0], sizes[1] + 1, sizes[2]))
    shares, exact = weights / weights.sum(), values.astype(np.float64)
    found = geometric_median(values, weights, f=0.2).astype(np.float64)
    z = exact.mean(axis=0)
    for _ in range(500):  # plain Weiszfeld on the vectors, from the mean
        pull = shares / np.maximum(np.linalg.norm(exact - z, axis=1), 1e-12)
        z = pull @ exact / pull.sum()
    objective = [float(shares @ np.linalg.norm(exact - point, axis=1)) for point in (found, z)]
    assert objective[0] <= objective[1] * (1 + 1e-6)


def test_geometric_median_by_hand() -> None:
    square = np.float32([[0, 0], [2, 0], [0, 2], [2, 2]])
    close(geometric_median(square, np.ones(4), f=0.2), np.array([1.0, 1.0]))
    # a triangle with an angle of 120 degrees or more: its corner; in one dimension the median
    close(geometric_median(np.float32([[0, 0], [1, 0.1], [-1, 0.1]]), np.ones(3), f=0.2), np.zeros(2))
    close(geometric_median(np.float32([[0], [1], [50]]), np.array([1.0, 2, 1]), f=0.2), np.ones(1))


def test_a_giant_moves_the_geometric_median_as_little_as_a_far_row() -> None:
    values = np.random.default_rng(1).standard_normal((9, 40)).astype(np.float32)
    direction = np.random.default_rng(2).standard_normal(40)
    far, giant = (np.vstack([values, [(direction * size).astype(np.float32)]]) for size in (1e4, 1e19))
    close(geometric_median(giant, np.ones(10), f=0.2), geometric_median(far, np.ones(10), f=0.2), 1e-3)


@QUIET
@given(CASES, st.integers(1, 4), st.sampled_from([None, 0.5, 100.0]))
def test_centered_clipping_equals_its_definition(sizes: tuple[int, int, int], steps: int, radius: float | None) -> None:
    values, weights = case(sizes)
    exact, shares, v = values.astype(np.float64), weights / weights.sum(), np.zeros(sizes[1])
    for _ in range(steps):
        distances = np.linalg.norm(exact - v, axis=1)
        spread = np.sort(np.repeat(distances, weights.astype(int)))
        bound = spread[(len(spread) - 1) // 2] if radius is None else radius
        v = v + sum(
            w * min(1, bound / max(r, 1e-300)) * (x - v) for w, r, x in zip(shares, distances, exact, strict=True)
        )
    close(centered_clipping(values, weights, f=0.1, radius=radius, steps=steps), v)


def test_centered_clipping_by_hand_and_its_errors() -> None:
    values = np.float32([[1, 0], [0, 1], [300, 400]])
    found = centered_clipping(values, np.ones(3), f=0.1, radius=1.0, steps=1)
    close(found, np.array([(1 + 0.6) / 3, (1 + 0.8) / 3]))
    for bad in ({"radius": 0.0}, {"radius": math.nan}, {"steps": 0}):
        with pytest.raises(ValueError, match="are positive"):
            centered_clipping(values, np.ones(3), f=0.1, **bad)


def test_a_giant_moves_centered_clipping_by_its_share_of_the_radius() -> None:
    values = np.random.default_rng(1).standard_normal((10, 40)).astype(np.float32)
    values[9] *= 1e18
    found = centered_clipping(values, np.ones(10), f=0.1, radius=1.0, steps=3)
    assert np.linalg.norm(found) <= 3.001
    assert np.linalg.norm(centered_clipping(values, np.ones(10), f=0.1)) < 10


# --- rules that choose rows ---------------------------------------------------------------------------------


@QUIET
@given(CASES, st.floats(0, 0.45), st.data())
def test_monna_equals_its_definition(sizes: tuple[int, int, int], f: float, data: st.DataObject) -> None:
    values, weights = case(sizes)
    pivot = data.draw(st.integers(0, len(values) - 1))
    exact = values.astype(np.float64)
    order = sorted(range(len(values)), key=lambda row: (row != pivot, np.linalg.norm(exact[row] - exact[pivot])))
    kept = first_share(order, weights / weights.sum(), 1 - f)
    close(monna(values, weights, f=f, pivot=pivot), kept @ exact / kept.sum())


def test_monna_without_a_pivot_takes_the_tightest_ball() -> None:
    values = np.float32([[0], [10], [10.5], [11], [50]])
    assert monna(values, np.ones(5), f=0.4).tolist() == [10.5]
    assert monna(values, np.ones(5), f=0.4, pivot=0).tolist() == [pytest.approx((0 + 10 + 10.5) / 3)]
    with pytest.raises(ValueError, match="pivot 5 is not one of 5 rows"):
        monna(values, np.ones(5), f=0.4, pivot=5)


@QUIET
@given(CASES, st.floats(0, 0.49))
def test_mda_equals_the_best_of_all_subsets(sizes: tuple[int, int, int], f: float) -> None:
    values, weights = case(sizes)
    shares, exact = weights / weights.sum(), values.astype(np.float64)
    distances = np.linalg.norm(exact[:, None] - exact[None], axis=2)
    candidates = []
    for size in range(1, len(values) + 1):
        for subset in map(list, itertools.combinations(range(len(values)), size)):
            if shares[subset].sum() >= 1 - f - 1e-9:
                inside = np.ix_(subset, subset)
                spread = shares[subset] @ distances[inside] ** 2 @ shares[subset] / shares[subset].sum() ** 2
                candidates.append((round(distances[inside].max(), 6), -round(shares[subset].sum(), 9), spread, subset))
    best = min(candidates, key=lambda item: item[:3])[3]
    close(mda(values, weights, f=f), shares[best] @ exact[best] / shares[best].sum())


def test_mda_does_not_list_subsets_and_says_when_it_would_have_to(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((32, 200)).astype(np.float32)
    values[24:] += 5  # ten million subsets of 24 in 32
    close(mda(values, np.ones(32), f=0.25), values[:24].astype(np.float64).mean(axis=0))
    monkeypatch.setattr(nearest, "MDA_STEPS", 1_000)  # 100,000 take some seconds, and are not enough either
    with pytest.raises(TooFewUpdates, match=r"minimum-diameter averaging of 128 updates with f = 0.4 has too many"):
        mda(rng.standard_normal((128, 500)).astype(np.float32), np.ones(128), f=0.4)


# --- directions ---------------------------------------------------------------------------------------------


@QUIET
@given(CASES, st.integers(1, 3))
def test_flag_equals_its_definition(sizes: tuple[int, int, int], directions: int) -> None:
    values, weights = case((sizes[0], sizes[1] + 3, sizes[2]))
    exact, shares = values.astype(np.float64), weights / weights.sum()
    norms = np.linalg.norm(exact, axis=1)
    unit, scale = exact / norms[:, None], np.ones(len(exact))
    for _ in range(10):
        left = np.linalg.svd((np.sqrt(shares) * scale * unit.T), full_matrices=False)[0][:, :directions]
        scale = (np.maximum(1 - ((unit @ left) ** 2).sum(axis=1), 0) + 1e-7) ** -0.25
    spread = np.sort(np.repeat(norms, weights.astype(int)))
    expected = left @ (left.T @ (shares @ unit)) * spread[(len(spread) - 1) // 2]
    close(flag(values, weights, f=0.2, directions=directions), expected, 1e-3)


def test_flag_by_hand_and_its_errors() -> None:
    values = np.float32([[2, 0, 0], [2, 0, 0], [2, 0, 0], [0, 0, 8]])
    close(flag(values, np.ones(4), f=0.2, directions=1), np.array([2 * 0.75, 0, 0]))
    close(flag(np.vstack([values, np.zeros((1, 3), np.float32)]), np.ones(5), f=0.2, directions=1), [1.2, 0, 0])
    with pytest.raises(ValueError, match="at least one"):
        flag(values, np.ones(4), f=0.2, directions=0)


@QUIET
@given(CASES, st.floats(0.05, 0.45))
def test_caf_equals_its_definition(sizes: tuple[int, int, int], f: float) -> None:
    values, weights = case((sizes[0], sizes[1] + 1, sizes[2]))
    exact, c = values.astype(np.float64), weights / weights.sum()
    best, least = exact.mean(axis=0), math.inf
    while c.sum() > 1 - 2 * f + 1e-10:
        centre = c @ exact / c.sum()
        moved = exact - centre
        eigenvalues, vectors = np.linalg.eigh((c[:, None] * moved).T @ moved / c.sum())
        if eigenvalues[-1] < least:
            best, least = centre, eigenvalues[-1]
        spread = np.where(c > 0, (moved @ vectors[:, -1]) ** 2, 0)
        if not spread.max() > 1e-18:
            break
        c = c * (1 - spread / spread.max())
    close(caf(values, weights, f=f), best, 1e-3)


def test_caf_drops_what_stands_out() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal((20, 50)).astype(np.float32)
    values[16:] += 30
    assert np.linalg.norm(caf(values, np.ones(20), f=0.2)) < 3
    close(caf(np.float32([[1], [1], [1]]), np.ones(3), f=0.3), np.ones(1))


# --- rank votes ---------------------------------------------------------------------------------------------


@QUIET
@given(hnp.arrays(np.int64, st.integers(1, 30), elements=st.integers(-3, 3)))
def test_ranks(values: np.ndarray) -> None:
    expected = [sum((other, j) < (value, i) for j, other in enumerate(values)) for i, value in enumerate(values)]
    assert ranks(values).tolist() == expected


@QUIET
@given(CASES, st.data())
def test_frl_equals_its_definition(sizes: tuple[int, int, int], data: st.DataObject) -> None:
    values, weights = case((sizes[0], sizes[1] + 4, sizes[2]))
    weights[-1] += 128 - weights.sum()  # shares that are whole votes out of 2^32
    d = values.shape[1]
    cut = data.draw(st.integers(0, d))
    scores = np.linspace(-1, 1, d).astype(np.float32)[::-1]
    expected = np.empty(d, np.float32)
    for layer in (range(cut), range(cut, d)):
        votes = {
            edge: sum(
                w * sum(row[other] < row[edge] for other in layer) for row, w in zip(values, weights, strict=True)
            )
            for edge in layer
        }
        in_order = sorted(layer, key=lambda edge: (votes[edge], edge))
        for value, edge in zip(sorted(scores[list(layer)]), in_order, strict=True):
            expected[edge] = value
    assert frl(values, weights, f=0.2, layers=[cut, d - cut], scores=scores).tolist() == expected.tolist()


def test_frl_by_hand() -> None:
    values = np.float32([[1, 2, 3], [5, 9, 7], [-1e30, 1e30, 0]])
    # ranks 0 1 2, 0 2 1, 0 2 1: votes 0 5 4; the coordinate-wise median is 1 9 3
    assert frl(values, np.ones(3), f=0.3).tolist() == [1, 9, 3]
    assert frl(values, np.array([5.0, 1, 1]), f=0.1).tolist() == [1, 2, 3]
    reversed_rows = -np.vstack([values[:1]] * 2)  # two of five reverse the order, and lose
    votes = np.vstack([np.float32([[1, 2, 3]] * 3), reversed_rows])
    assert np.argsort(frl(votes, np.ones(5), f=0.4)).tolist() == [0, 1, 2]


def test_frl_errors() -> None:
    with pytest.raises(ValueError, match="do not add up to 3"):
        frl(np.ones((3, 3), np.float32), np.ones(3), f=0.1, layers=[1, 1])
    with pytest.raises(ValueError, match="not one for each of 3"):
        frl(np.ones((3, 3), np.float32), np.ones(3), f=0.1, scores=np.ones(2, np.float32))
    with pytest.raises(ValueError, match="NaN"):
        frl(np.ones((3, 3), np.float32), np.ones(3), f=0.1, scores=np.float32([1, np.nan, 2]))


# --- Bristle ------------------------------------------------------------------------------------------------


def test_bristle_prioritises_the_near_and_keeps_some_of_the_far() -> None:
    distances = np.random.default_rng(5).permutation(30).astype(float)
    chosen = prioritise(distances, count=10, seed=b"a")
    near = distances[chosen]
    assert [int((near < 10).sum()), int(((near >= 10) & (near < 20)).sum()), int((near >= 20).sum())] == [4, 5, 2]
    assert (chosen == prioritise(distances, count=10, seed=b"a")).all()
    assert (chosen != prioritise(distances, count=10, seed=b"b")).any()
    assert prioritise(distances[:2], count=10).tolist() == [0, 1]
    assert (distances[prioritise(distances, count=5, explore=0.0)] < 10).all()
    with pytest.raises(ValueError, match="count 0"):
        prioritise(distances, count=0)


def test_bristle_weights_by_hand() -> None:
    own = np.array([0.9, 0.9, 0.0])
    familiar = np.array([True, True, False])
    peers = np.array([[0.9, 0.9, 0.0], [0.65, 0.65, 0.0], [1.0, 0.8, 0.0], [0.6, 1.0, 0.0]])
    weights = class_weights(own, peers, familiar)
    np.testing.assert_allclose(weights[0], 0.9)  # equal: 10 / 2 - 4, times a certainty of 0.9
    assert (weights[1] == 0).all()  # a deficit of a quarter
    sigmoid = 1 / (1 + math.exp(-0.01))  # ten times a gap of 0.1 is 1, to any power
    sure = 0.9 - 0.1
    np.testing.assert_allclose(
        weights[2], [(10 * sigmoid - 4) * sure, (10 * (1 - sigmoid) - 4) * sure, sure], rtol=1e-6
    )
    assert weights[3][0] == 0
    assert weights[3][2] == 0  # bad in one class: no say in classes that cannot be tested
    assert certainty(np.array([[0.0, 1.0]])).tolist() == [0.0]
    specialist = class_weights(np.full(4, 0.8), np.array([[0.8, 0.8, 0.0, 0.8]]), np.ones(4, bool))
    np.testing.assert_allclose(specialist, 0.8)  # measured by its best three; in the fourth as in any unknown class
    assert class_weights(np.full(4, 0.8), np.array([[0.8, 0.8, 0.0, 0.8]]), np.ones(4, bool), best=4).max() < 0.5
    best = class_weights(np.array([0.0]), np.array([[1.0]]), np.array([True]))
    np.testing.assert_allclose(best, 6.0, rtol=1e-3)
    with pytest.raises(ValueError, match="no class is familiar"):
        class_weights(own, peers, np.zeros(3, bool))


def test_bristle_integrates_class_by_class() -> None:
    own = np.float32([[1, 1], [3, -1]])
    peers = np.float32([[[3, 9], [9, 5]], [[np.nan, 1], [np.nan, 3]]])
    mixed = integrate(own, peers, np.array([[1.0, 0.0], [0.0, 1.0]]))
    # columns (2, 6) and (1, 1), less their means
    assert mixed.tolist() == [[-2, 0], [2, 0]]
    with pytest.raises(ValueError, match="NaN"):
        integrate(own, peers, np.array([[1.0, 0.0], [1.0, 0.0]]))


def test_bristle_stands_a_majority_that_fails_the_test_samples() -> None:
    rng = np.random.default_rng(6)
    own = rng.standard_normal((5, 4)).astype(np.float32)
    peers = np.concatenate([own[None] + 0.1 * rng.standard_normal((10, 5, 4)), 50 * rng.standard_normal((24, 5, 4))])
    f1 = np.concatenate([np.full((10, 4), 0.9), np.full((24, 4), 0.3)])
    mixed = integrate(own, peers.astype(np.float32), class_weights(np.full(4, 0.9), f1, np.ones(4, bool)))
    assert np.abs(mixed - (own - own.mean(axis=0))).max() < 0.2
