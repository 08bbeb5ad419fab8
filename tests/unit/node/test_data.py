"""Data sets, stratified splits and shard arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.data import Dataset, from_tensors, split, to_tensors
from node.errors import DataError


def numbered(counts: list[int]) -> Dataset:
    """One feature, the sample's own number; `counts[c]` samples of class c."""
    y = np.repeat(np.arange(len(counts)), counts)
    return Dataset(np.arange(len(y), dtype=np.float32)[:, None], y, len(counts))


def test_arrays_are_converted_and_subset_copies_in_order() -> None:
    data = Dataset(np.asfortranarray(np.ones((3, 2, 2))), np.array([0, 1, 2], dtype=np.uint8), 3)  # type: ignore[arg-type]
    assert (data.x.dtype, data.y.dtype, data.shape, len(data)) == (np.float32, np.int64, (2, 2), 3)
    assert data.x.flags.c_contiguous
    part = data.subset(np.array([2, 0]))
    assert part.y.tolist() == [2, 0]
    part.x[:] = 7
    assert (data.x == 1).all()


@pytest.mark.parametrize(
    ("x", "y", "classes", "message"),
    [
        (np.ones((2, 1)), np.zeros(3), 1, "not n samples"),
        (np.ones(2), np.zeros(2), 1, "not n samples"),
        (np.ones((2, 1)), np.zeros((2, 1)), 1, "not n samples"),
        (np.ones((2, 1)), np.array([0, 2]), 2, r"labels span 0\.\.2, outside 0\.\.1"),
        (np.ones((2, 1)), np.array([-1, 0]), 2, r"labels span -1\.\.0"),
        (np.array([[1.0], [np.nan]]), np.zeros(2), 1, "sample 1 has a value that is NaN"),
    ],
)
def test_wrong_arrays_are_refused(x: np.ndarray, y: np.ndarray, classes: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(x, y, classes)


@given(st.lists(st.integers(5, 40), min_size=1, max_size=5), st.integers(0, 2**63 - 1))
def test_split_is_disjoint_covering_and_stratified(counts: list[int], seed: int) -> None:
    data = numbered(counts)
    parts = split(data, seed=seed, probe_fraction=0.2, test_fraction=0.3)
    numbers = [set(part.x[:, 0].astype(int).tolist()) for part in (parts.train, parts.probe, parts.test)]
    assert sum(map(len, numbers)) == len(data)
    assert set.union(*numbers) == set(range(len(data)))
    for label, count in enumerate(counts):
        assert int((parts.probe.y == label).sum()) == round(0.2 * count)
        assert int((parts.test.y == label).sum()) == round(0.3 * count)


def test_split_depends_on_the_seed_alone_and_is_shuffled() -> None:
    data = numbered([30, 30])
    parts = [split(data, seed=seed, probe_fraction=0.2, test_fraction=0.2) for seed in (1, 1, 2)]
    assert (parts[0].train.x == parts[1].train.x).all()
    assert (parts[0].train.x != parts[2].train.x).any()
    assert 0 < parts[0].probe.y[:6].sum() < 6


def test_split_without_probe_or_test() -> None:
    parts = split(numbered([3]), seed=0, probe_fraction=0, test_fraction=0)
    assert (len(parts.train), len(parts.probe), len(parts.test)) == (3, 0, 0)


@pytest.mark.parametrize(("probe", "test"), [(0.5, 0.5), (-0.1, 0.2), (1.0, 0.0), (float("nan"), 0.1)])
def test_split_refuses_fractions(probe: float, test: float) -> None:
    with pytest.raises(DataError, match="leave nothing to train on"):
        split(numbered([9]), seed=0, probe_fraction=probe, test_fraction=test)


def test_split_refuses_an_empty_part() -> None:
    with pytest.raises(DataError, match="the probe part of 3 samples is empty"):
        split(numbered([3]), seed=0, probe_fraction=0.1, test_fraction=0.4)
    with pytest.raises(DataError, match="the train part of 0 samples is empty"):
        split(numbered([0]), seed=0, probe_fraction=0.1, test_fraction=0.4)


def test_shard_arrays_round_trip() -> None:
    data = numbered([2, 3])
    back = from_tensors(to_tensors(data))
    assert (back.x == data.x).all()
    assert (back.y == data.y).all()
    assert back.classes == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.zeros(1)}, "a shard holds arrays"),
        ({"x": np.zeros((5, 1))}, "x float64"),
        ({"y": np.zeros(5, np.int32)}, "y int32"),
        ({"classes": np.array([2, 2])}, r"classes int64 \(2,\)"),
        ({"classes": np.array([0])}, "declares 0 classes"),
        ({"classes": np.array([1])}, "labels span"),
    ],
)
def test_malformed_shards_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_tensors({**to_tensors(numbered([2, 3])), **change})


def test_missing_array_is_refused() -> None:
    with pytest.raises(DataError, match="a shard holds"):
        from_tensors({"x": np.zeros((1, 1), np.float32)})
