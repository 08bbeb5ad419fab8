"""The kernels: sorting networks, sums by rank and weight, distances that do not cancel, products."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from node.aggregate import krum_scores, multi_krum, squared_distances
from node.aggregate.distance_kernel import CHUNK, add_squared_distances, padded
from node.aggregate.linear_kernel import ProductMixer, weighted_rows
from node.aggregate.network import PANEL, STRAIGHT, network
from node.aggregate.rows import InputRows
from node.aggregate.select_kernel import rank_sum, weighted_middle, weighted_range, weighted_window, window_mean
from node.aggregate.subset_kernel import SubsetMixer


@pytest.mark.parametrize("rows", range(1, 13))
def test_the_network_sorts_every_pattern_of_zeros_and_ones(rows: int) -> None:
    """And so, by the 0-1 principle, everything; pruned, rows of equal use hold the right values in any order."""
    middle, kept = rows // 2, rows - 2 * (rows // 3)
    for uses in (range(rows), [0] * (rows // 3) + [1] * kept + [0] * (rows // 3), np.arange(rows) == middle):
        patterns = np.array(list(itertools.product([0, 1], repeat=rows))).T
        wanted = np.sort(patterns, axis=0)
        for i, j in network(list(uses)):
            assert i < j
            patterns[[i, j]] = np.minimum(patterns[i], patterns[j]), np.maximum(patterns[i], patterns[j])
        for use in set(uses):
            same = np.array(uses) == use
            assert (patterns[same].sum(axis=0) == wanted[same].sum(axis=0)).all()
    assert len(network(range(32))) == 191  # Batcher: (p^2 - p + 4) 2^(p - 2) - 1 with p = 5
    assert len(network([0] * 8 + [1] * 16 + [0] * 8)) == 164


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 33, STRAIGHT + 1])
@pytest.mark.parametrize("columns", [1, PANEL, 3 * PANEL + 5])
def test_selection_equals_sorting(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows * columns)
    values = rng.integers(-20, 20, (rows, columns)).astype(np.float32) / 4  # many ties, among them zeros
    values[rng.random(values.shape) < 0.1] *= -0.0
    weights = rng.uniform(0.5, 2, rows)
    weights /= weights.sum()
    out, cut = np.empty(columns, np.float32), np.array([0.2, 1e-10])
    exact = values.astype(np.float64)
    ranks = rng.uniform(size=rows) * (np.arange(rows) >= rows // 3)
    assert rank_sum(values, ranks, out)
    np.testing.assert_allclose(out, ranks @ np.sort(exact, axis=0), atol=1e-5)
    order = np.argsort(exact, axis=0, kind="stable")
    sorted_values, upto = np.take_along_axis(exact, order, 0), np.cumsum(weights[order], axis=0)
    kept = np.maximum(np.minimum(upto, 0.8) - np.maximum(upto - weights[order], 0.2), 0)
    assert weighted_range(values, weights, cut, out)
    np.testing.assert_allclose(out, (kept * sorted_values).sum(axis=0) / kept.sum(axis=0), atol=1e-5)
    middle = sorted_values[np.argmax(upto >= 0.5, axis=0), np.arange(columns)]
    assert weighted_middle(values, weights, cut, out)
    np.testing.assert_allclose(out, middle, atol=1e-5)
    near = np.argsort(np.abs(sorted_values - middle), axis=0, kind="stable")
    by_distance = np.take_along_axis(weights[order], near, 0)
    kept = np.clip(0.8 - (np.cumsum(by_distance, axis=0) - by_distance), 0, by_distance)
    assert weighted_window(values, weights, cut, out)
    expected = (kept * np.take_along_axis(sorted_values, near, 0)).sum(axis=0) / kept.sum(axis=0)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    most = rows - rows // 4
    near = np.argsort(np.abs(sorted_values - np.median(exact, axis=0)), axis=0, kind="stable")[:most]
    assert window_mean(values, most, out)
    np.testing.assert_allclose(out, np.take_along_axis(sorted_values, near, 0).mean(axis=0), atol=1e-5)


def test_selection_notices_what_is_not_finite() -> None:
    for bad in (np.nan, np.inf, -np.inf, -np.nan):
        for place in ((0, 0), (4, PANEL), (2, 2 * PANEL + 3)):
            values = np.zeros((5, 2 * PANEL + 4), np.float32)
            out = np.empty(values.shape[1], np.float32)
            assert window_mean(values, 4, out)
            values[place] = bad
            assert not window_mean(values, 4, out)
            assert not weighted_middle(values, np.full(5, 0.2), np.array([0.2, 1e-10]), out)


# --- distances ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (2, CHUNK), (3, CHUNK + 1), (11, 3 * CHUNK - 7)])
@pytest.mark.parametrize("wide", [False, True])
def test_distances_equal_their_definition(rows: int, columns: int, wide: bool) -> None:
    values = np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)
    points = np.vstack([values, np.zeros((1, columns))]).astype(np.float64)
    direct = np.triu(((points[:, None] - points[None]) ** 2).sum(axis=2))
    total = np.zeros((padded(rows), padded(rows)))
    add_squared_distances(values, total, wide=wide)
    found = np.triu(total[: rows + 1, : rows + 1])
    np.testing.assert_allclose(found, direct, rtol=1e-13 if wide else 3e-7)
    add_squared_distances(values, total, wide=wide)
    np.testing.assert_allclose(np.triu(total[: rows + 1, : rows + 1]), 2 * found, rtol=1e-12)


@pytest.mark.parametrize("columns", [5, CHUNK, 2 * CHUNK + 9])
def test_distances_from_one_row_equal_those_of_all(columns: int) -> None:
    values = np.random.default_rng(columns).standard_normal((6, columns)).astype(np.float32)
    for scale in (1.0, 1e-30, 1e30):
        rows = InputRows((values * scale).astype(np.float32), np.ones(6))
        for row in (0, 5):
            found = rows.squared_distances_from(row)
            np.testing.assert_allclose(found, rows.squared_distances[row, :-1], rtol=1e-6)
    values[3, 1] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        InputRows(values, np.ones(6)).squared_distances_from(0)


@pytest.mark.parametrize("common", [1e3, 1e4])
def test_where_cdist_cancels_no_byzantine_update_is_chosen(common: float) -> None:
    """Models whose common part is `common` times an update: 24 honest ones, and 8 poisoned ones farther apart."""
    rng = np.random.default_rng(int(common))
    base = rng.standard_normal(20_000) * common
    spread = rng.standard_normal((32, 20_000))
    spread[:8] *= 1.5
    models = (base + spread).astype(np.float32)
    exact = models.astype(np.float64)
    direct = np.array([((exact - row) ** 2).sum(axis=1) for row in exact])
    np.testing.assert_allclose(squared_distances(models), direct, rtol=1e-6)
    others = ~np.eye(32, dtype=bool)
    torch_squares = torch.cdist(torch.from_numpy(models), torch.from_numpy(models)).numpy().astype(np.float64) ** 2
    assert (np.abs(torch_squares - direct) / np.maximum(direct, 1))[others].max() > 0.1
    chosen = np.argsort(krum_scores(models, np.ones(32), f=0.25))[:24]
    assert int((chosen < 8).sum()) == 0
    np.testing.assert_allclose(multi_krum(models, np.ones(32), f=0.25), exact[8:].mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-38, 1e-25, 1e-12, 1e15, 1e30])
def test_distances_at_any_scale(size: float) -> None:
    values = (np.random.default_rng(1).standard_normal((6, 700)) * size).astype(np.float32)
    exact = values.astype(np.float64)
    direct = ((exact[:, None] - exact[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(values), direct, rtol=1e-6)
    rows = InputRows(values, np.ones(6))
    np.testing.assert_allclose(rows.norms, np.linalg.norm(exact, axis=1), rtol=1e-6)


def test_inner_products_are_right_beside_a_giant_and_a_common_part() -> None:
    rng = np.random.default_rng(2)
    values = (1e3 * rng.standard_normal(3000) + rng.standard_normal((8, 3000))).astype(np.float32)
    values[7] *= 1e9
    rows = InputRows(values, np.ones(8))
    exact = np.vstack([values.astype(np.float64), np.zeros(3000)])
    gram = rows.gram
    origin = exact[int(np.argmin(np.diag(gram)))]
    direct = (exact - origin) @ (exact - origin).T
    lengths = np.sqrt(np.diag(direct))
    assert (np.abs(gram - direct) <= 1e-6 * lengths[:, None] * lengths[None, :]).all()


# --- sums and products --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (4, 512), (7, 1100)])
def test_sums_and_products_equal_numpy(rows: int, columns: int) -> None:
    rng = np.random.default_rng(columns)
    values = rng.standard_normal((rows, columns)).astype(np.float32)
    weights, picked = rng.standard_normal(rows), rng.permutation(rows)
    out = np.empty(columns, np.float32)
    weighted_rows(values, picked, weights, out)
    np.testing.assert_allclose(out, (weights @ values[picked].astype(np.float64)).astype(np.float32), rtol=1e-6)
    weighted_rows(values, picked[:0], weights[:0], out)
    assert (out == 0).all()
    for height in (1, 6, 13):
        matrix = rng.standard_normal((height, rows))
        mixed = ProductMixer(matrix, columns).mix(values)
        np.testing.assert_allclose(mixed, matrix @ values.astype(np.float64), atol=1e-5)


@pytest.mark.parametrize(("height", "rows"), [(1, 1), (3, 5), (9, 4), (70, 66), (6, 131)])
def test_sums_of_subsets_equal_numpy(height: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    matrix = (rng.random((height, rows)) < 0.7) * rng.uniform(0.5, 1, rows)
    matrix[:, 0] *= np.linspace(1, 0.1, height)  # a row that was cut to fit
    mixer = SubsetMixer(matrix, 100)
    for columns in (100, 1, 16, 77):
        values = rng.standard_normal((rows, columns)).astype(np.float32)
        np.testing.assert_allclose(mixer.mix(values), matrix @ values.astype(np.float64), atol=2e-5)
    values[:] = 3e38  # sums of what is not chosen overflow, and nobody sees them
    alone = SubsetMixer(np.eye(height, rows), 77).mix(values)
    assert np.isfinite(alone).all()


def test_a_matrix_that_is_not_of_subsets_is_refused() -> None:
    with pytest.raises(ValueError, match="neither 0 nor"):
        SubsetMixer(np.random.default_rng(1).random((9, 9)), 10)


def test_bytes_do_not_depend_on_where_a_block_begins() -> None:
    """Columns are independent of one another, so a rule may be streamed in blocks of any size."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((9, 1000)).astype(np.float32)
    ranks, matrix = rng.uniform(size=9), rng.uniform(size=(9, 9))
    whole, part = np.empty(1000, np.float32), np.empty(1000 - 37, np.float32)
    rank_sum(values, ranks, whole)
    rank_sum(values[:, 37:], ranks, part)
    assert (whole[37:] == part).all()
    weighted_rows(values, np.arange(9), ranks, whole)
    weighted_rows(values[:, 37:], np.arange(9), ranks, part)
    assert (whole[37:] == part).all()
    for mixer in (ProductMixer(matrix, 1000), SubsetMixer((matrix > 0.5).astype(float), 1000)):
        whole = mixer.mix(values)[:, 37:].copy()
        assert (whole == mixer.mix(values[:, 37:])).all()
