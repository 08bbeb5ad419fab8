"""The same bytes for any order of the clients, from arrays, memory maps and chunks alike; in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from node.aggregate import AGGREGATORS, PREAGGREGATORS, aggregate
from node.aggregate.order import content_keys
from node.aggregate.rows import BLOCK

CHAINS = [
    *AGGREGATORS,
    *(f"{step}+{rule}" for step in PREAGGREGATORS for rule in AGGREGATORS),
    "arc+nnm+meamed",
    "clipping+bucketing+nnm+multi_krum",
]


class Chunks:
    """Rows that come from a list of chunks, as from a store."""

    def __init__(self, values: np.ndarray, size: int) -> None:
        self.chunks = [values[:, at : at + size].copy() for at in range(0, values.shape[1], size)]
        self.shape, self.size = values.shape, size

    def block(self, start: int, stop: int) -> np.ndarray:
        first, last = start // self.size, -(-stop // self.size)
        joined = np.concatenate(self.chunks[first:last], axis=1)
        return joined[:, start - first * self.size : stop - first * self.size]


def clients() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    values = (rng.standard_normal(700) + rng.standard_normal((13, 700))).astype(np.float32)
    values[12] = values[3]  # two clients with the same update and different weights
    values[5] *= 30
    return values, rng.uniform(1, 2, 13)


@pytest.mark.parametrize("name", CHAINS)
def test_permuted_clients_give_the_same_bytes(name: str) -> None:
    values, weights = clients()
    expected = aggregate(name, values, weights, f=0.1, seed=b"beacon")
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(13)
        found = aggregate(name, values[order], weights[order], f=0.1, seed=b"beacon")
        assert found.tobytes() == expected.tobytes()
    assert np.isfinite(expected).all()


def test_keys_are_the_digests_that_the_caller_has() -> None:
    values, weights = clients()
    keys = content_keys(values)
    assert len(set(keys)) == 12
    for name in ("geometric_median", "nnm+trimmed_mean"):
        own = aggregate(name, values, weights, f=0.1)
        assert (aggregate(name, values, weights, f=0.1, keys=keys) == own).all()
        order = [7, 2, *(row for row in range(13) if row not in (7, 2))]
        assert (aggregate(name, values[order], weights[order], f=0.1, keys=[keys[row] for row in order]) == own).all()


def test_the_pivot_moves_along() -> None:
    values, weights = clients()
    expected = aggregate("monna", values, weights, f=0.2, pivot=4)
    order = np.random.default_rng(1).permutation(13)
    found = aggregate("monna", values[order], weights[order], f=0.2, pivot=int(np.flatnonzero(order == 4)[0]))
    assert found.tobytes() == expected.tobytes()
    absent = weights.copy()
    absent[0] = 0
    assert (
        aggregate("monna", values, absent, f=0.2, pivot=4) != aggregate("monna", values, absent, f=0.2, pivot=9)
    ).any()
    with pytest.raises(ValueError, match="pivot 0 is not one of 12 rows with weight"):
        aggregate("monna", values, absent, f=0.2, pivot=0)
    with pytest.raises(ValueError, match="krum has no pivot"):
        aggregate("krum", values, weights, f=0.2, pivot=0)
    with pytest.raises(ValueError, match="2 keys"):
        aggregate("krum", values, weights, f=0.2, keys=[b"a", b"b"])


@pytest.mark.parametrize("name", [*AGGREGATORS, "nnm+median", "clipping+meamed", "arc+frl"])
def test_arrays_maps_and_chunks_are_the_same_to_a_rule(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    values = rng.standard_normal((6, BLOCK + 77)).astype(np.float32)
    weights = np.array([1.0, 2, 1, 0, 1, 1])
    expected = AGGREGATORS.get(name)(values, weights, f=0.1)
    mapped = np.memmap(tmp_path / "rows", np.float32, "w+", shape=values.shape)
    mapped[:] = values
    odd = np.zeros((12, 2 * values.shape[1]), np.float32)[::2, ::2]
    odd[:] = values
    kept = values.copy()
    for source in (
        mapped,
        odd,
        np.asfortranarray(values),
        Chunks(values, 1000),
        values[::-1][::-1],
        values.astype(np.float64),
    ):
        found = AGGREGATORS.get(name)(source, weights, f=0.1)
        assert found.tobytes() == expected.tobytes()
    assert (values == kept).all()


@pytest.mark.parametrize("name", [*AGGREGATORS, "nnm+median", "bucketing+krum", "clipping+meamed", "arc+caf"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nothing_that_is_not_finite_gets_through(name: str, bad: float) -> None:
    values = np.random.default_rng(13).standard_normal((8, BLOCK + 9)).astype(np.float32)
    for weights in (np.ones(8), np.arange(1.0, 9)):
        for column in (0, BLOCK + 8):
            broken = values.copy()
            broken[5, column] = bad
            with pytest.raises(ValueError, match="NaN or infinite"):
                AGGREGATORS.get(name)(broken, weights, f=0.05)
    values[5, 0] = 0
    values[:, 7] = 3e38  # the largest finite values pass
    assert np.isfinite(AGGREGATORS.get(name)(values, np.ones(8), f=0.05)).all()


MEASURE = """
import resource, sys, tempfile
import numpy as np
from node.aggregate import AGGREGATORS
name, n, d = sys.argv[1], 256, 60_000
rng = np.random.default_rng(0)
with tempfile.NamedTemporaryFile() as file:
    values = np.memmap(file.name, np.float32, "w+", shape=(n, d))
    for row in values:
        row[:] = rng.standard_normal(d)
    values[0] *= 1e6  # so far away that its inner products are measured
    weights = rng.uniform(1, 2, n)
    rule = AGGREGATORS.get(name)
    rule(values[:, :1024], weights, f=0.1)  # everything is compiled and mapped
    assert np.isfinite(values.sum(axis=1)).all()  # every page of the map is in memory
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rule(values, weights, f=0.1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", ["nnm+trimmed_mean", "clipping+geometric_median", "meamed"])
def test_memory_beyond_the_input_does_not_grow_with_it(name: str) -> None:
    """256 rows, 61 MB: the peak rises by less than 24 MiB, the output (4 bytes a column) included.

    What rules hold is blocks of BLOCK columns (8 MiB each at 256 rows), matrices of rows x rows, and the output,
    40 MB at ten million columns: 64 MB together. Bench and unit differ in nothing but the number of blocks.
    """
    done = subprocess.run([sys.executable, "-c", MEASURE, name], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 24 * 1024
