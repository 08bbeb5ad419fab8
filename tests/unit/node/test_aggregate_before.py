"""Pre-aggregators: their definitions in float64, their names, and what they leave of f."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.aggregate import AGGREGATORS, PREAGGREGATORS, trimmed_mean
from node.aggregate.rule import checked
from node.errors import ConfigError, TooFewUpdates, UnknownName

CASES = st.tuples(st.integers(3, 9), st.integers(1, 6), st.integers(0, 10_000))
QUIET = settings(max_examples=40)


def case(sizes: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, d) float32 and integer weights."""
    n, d, seed = sizes
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(np.float32) + 2, rng.integers(1, 9, n).astype(float)


def run(name: str, values: np.ndarray, weights: np.ndarray, f: float, argument: float | None = None, seed: bytes = b""):  # type: ignore[no-untyped-def]
    """The rows (m, d) that a step makes, their weights, its f; distances and sums are checked on the way."""
    rows, shares = checked(values, weights, f=f)
    made, after, left = PREAGGREGATORS.get(name)(rows, shares, f=f, seed=seed, argument=argument)
    found = np.concatenate([block.copy() for _, block in made.blocks()], axis=1)
    points = np.vstack([found, np.zeros((1, found.shape[1]))]).astype(np.float64)
    direct = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(made.squared_distances, direct, rtol=1e-4, atol=1e-4 * direct.max())
    np.testing.assert_allclose(made.inner_products, points[:-1] @ points[:-1].T, atol=1e-4 * direct.max())
    for row in range(len(made)):
        np.testing.assert_allclose(made.row(row), found[row], rtol=1e-5, atol=1e-5)
    return found, after, left


@QUIET
@given(CASES, st.floats(0, 0.45))
def test_nnm_equals_its_definition(sizes: tuple[int, int, int], f: float) -> None:
    values, weights = case(sizes)
    exact, shares = values.astype(np.float64), weights / weights.sum()
    found, after, left = run("nnm", values, weights, f)
    for i, own in enumerate(exact):
        order = sorted(range(len(exact)), key=lambda j: (j != i, np.linalg.norm(exact[j] - own)))
        kept, room = np.zeros(len(exact)), 1 - f
        for j in order:
            kept[j] = min(shares[j], max(room, 0))
            room -= shares[j]
        np.testing.assert_allclose(found[i], kept @ exact / kept.sum(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(after, shares)
    assert left == f


def test_nnm_by_hand() -> None:
    found, _, _ = run("nnm", np.float32([[0], [1], [3], [100]]), np.ones(4), 0.25)
    np.testing.assert_allclose(found[:, 0], [4 / 3, 4 / 3, 4 / 3, 104 / 3], rtol=1e-6)


@QUIET
@given(CASES, st.integers(1, 4), st.binary(max_size=4))
def test_bucketing_takes_means_of_disjoint_rows(sizes: tuple[int, int, int], size: int, seed: bytes) -> None:
    n = sizes[0]
    values, weights = np.eye(n, dtype=np.float32), case(sizes)[1]
    found, after, left = run("bucketing", values, weights, 0.0, float(size), seed)
    assert len(found) == -(-n // size)
    members = found > 0  # one-hot rows: who is in which bucket, with what share
    assert (members.sum(axis=0) == 1).all()
    assert sorted(members.sum(axis=1), reverse=True)[: n // size] == [size] * (n // size)
    np.testing.assert_allclose(found * after[:, None] @ np.ones(n), after, rtol=1e-6)
    np.testing.assert_allclose((found * after[:, None]).sum(axis=0), weights / weights.sum(), rtol=1e-6)
    assert left == 0


def test_bucketing_multiplies_f_and_refuses_a_half() -> None:
    values = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    assert run("bucketing", values, np.ones(12), 1 / 6)[2] == pytest.approx(1 / 3)
    assert run("bucketing", values, np.ones(12), 1 / 12, 3.0)[2] == pytest.approx(1 / 4)
    with pytest.raises(TooFewUpdates, match=r"f = 0.25 of the weight can taint 0.5 of it in buckets of 2"):
        run("bucketing", values, np.ones(12), 0.25)
    # a light row taints what a heavy one weighs: 0.1 of weight, in two rows of 0.05, beside two of 0.45
    assert AGGREGATORS.get("bucketing+median")(values, np.ones(12), f=0.1).shape == (3,)
    with pytest.raises(TooFewUpdates, match="can taint"):
        run("bucketing", values[:4], np.array([0.05, 0.05, 0.45, 0.45]), 0.1)


def test_bucketing_follows_its_seed_alone() -> None:
    values = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    rule = AGGREGATORS.get("bucketing+median")
    first = rule(values, np.ones(12), f=0.1, seed=b"beacon")
    np.random.seed(3)
    assert (first == rule(values, np.ones(12), f=0.1, seed=b"beacon")).all()
    assert (first != rule(values, np.ones(12), f=0.1, seed=b"other")).any()


@QUIET
@given(CASES, st.sampled_from([None, 1.5]))
def test_clipping_equals_its_definition(sizes: tuple[int, int, int], bound: float | None) -> None:
    values, weights = case(sizes)
    norms = np.linalg.norm(values.astype(np.float64), axis=1)
    spread = np.sort(np.repeat(norms, weights.astype(int)))
    at = spread[(len(spread) - 1) // 2] if bound is None else bound
    found, after, left = run("clipping", values, weights, 0.2, bound)
    np.testing.assert_allclose(found, values * np.minimum(1, at / norms)[:, None], rtol=1e-5)
    assert left == 0.2
    np.testing.assert_allclose(after, weights / weights.sum())


@QUIET
@given(CASES, st.integers(0, 4))
def test_arc_equals_its_definition(sizes: tuple[int, int, int], m: int) -> None:
    values, _ = case(sizes)
    n = len(values)
    m = min(m, (n - 1) // 2)
    norms = np.linalg.norm(values.astype(np.float64), axis=1)
    bound = np.sort(norms)[::-1][int(2 * m / n * (n - m) + 1e-9)]
    found, _, _ = run("arc", values, np.ones(n), m / n)
    np.testing.assert_allclose(found, values * np.minimum(1, bound / norms)[:, None], rtol=1e-5)


def test_clipped_giants_have_the_distances_of_what_is_left_of_them() -> None:
    """A row of 1e18 clipped to 1: its distances must not be rounding of 1e36."""
    values = np.random.default_rng(1).standard_normal((9, 50)).astype(np.float32)
    values[8] *= 1e18
    for name in ("clipping", "arc"):
        run(name, values, np.ones(9), 0.25)
    chosen = AGGREGATORS.get("clipping+multi_krum")(values, np.ones(9), f=0.25)
    assert np.linalg.norm(chosen) < np.linalg.norm(values[:8], axis=1).max()


def test_nnm_leaves_no_trace_of_a_giant() -> None:
    values = np.ones((8, 4), np.float32)
    values[:2] = [[3e38], [-3e38]]
    found, _, _ = run("nnm", values / 1e20, np.ones(8), 0.25)  # squares that float32 cannot hold, but float64
    np.testing.assert_allclose(found[2:], np.full((6, 4), 1e-20), rtol=1e-6)
    assert (AGGREGATORS.get("nnm+trimmed_mean")(values, np.ones(8), f=0.25) == 1).all()


def test_chains_apply_their_steps_in_order() -> None:
    values, weights = case((9, 30, 3))
    step, after, left = run("nnm", values, weights, 0.2)
    expected = trimmed_mean(step, after, f=left)
    np.testing.assert_allclose(AGGREGATORS.get("nnm+trimmed_mean")(values, weights, f=0.2), expected, rtol=1e-5)
    clipped, _, _ = run("clipping", values, weights, 0.2)
    step, after, left = run("nnm", clipped, weights, 0.2)
    expected = trimmed_mean(step, after, f=left)
    found = AGGREGATORS.get("clipping+nnm+trimmed_mean")(values, weights, f=0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("nmm+median", UnknownName, "unknown pre-aggregator 'nmm'; did you mean 'nnm'"),
        ("nnm+meridian", UnknownName, "unknown aggregator 'meridian'; did you mean 'median'"),
        ("krum+median", ConfigError, "'krum' is a rule and comes last"),
        ("bucketing:x+median", ConfigError, "'x' is not a number"),
        ("nnm+", UnknownName, "unknown aggregator ''"),
    ],
)
def test_wrong_names(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        AGGREGATORS.get(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nnm:2+median", "nnm takes no argument"),
        ("arc:2+median", "arc takes no argument"),
        ("bucketing:1.5+median", "no number of rows"),
        ("bucketing:0+median", "no number of rows"),
        ("clipping:0+median", "no length"),
        ("clipping:nan+median", "no length"),
    ],
)
def test_wrong_arguments(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AGGREGATORS.get(name)(np.ones((5, 2), np.float32), np.ones(5), f=0.1)
