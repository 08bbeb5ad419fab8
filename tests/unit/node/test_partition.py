"""Partitions: disjoint, covering, nobody empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ConfigError, DataError, UnknownName
from node.partition import PARTITIONS, partition

LABELS = np.repeat(np.arange(10), 40)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(1, 12),
    st.sampled_from(["iid", "dirichlet:0.01", "dirichlet:1e-300", "dirichlet:1", "dirichlet:100"]),
    st.integers(0, 2**63 - 1),
)
def test_disjoint_covering_never_empty(labels: list[int], nodes: int, spec: str, seed: int) -> None:
    if len(labels) < nodes:
        with pytest.raises(DataError, match="too few"):
            partition(np.array(labels), nodes, spec, seed=seed)
        return
    parts = partition(np.array(labels), nodes, spec, seed=seed)
    assert len(parts) == nodes
    assert min(map(len, parts)) >= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)


@given(st.integers(1, 10), st.integers(1, 20), st.integers(0, 99))
def test_label_gives_each_node_exactly_k_classes(each: int, nodes: int, seed: int) -> None:
    if each * nodes < 10:
        with pytest.raises(ConfigError, match="cannot hold 10 classes"):
            partition(LABELS, nodes, f"label:{each}", seed=seed)
        return
    parts = partition(LABELS, nodes, f"label:{each}", seed=seed)
    assert {len(np.unique(LABELS[part])) for part in parts} == {each}
    assert sorted(np.concatenate(parts).tolist()) == list(range(400))


def test_shapes_of_the_kinds() -> None:
    assert PARTITIONS.names() == ["dirichlet", "iid", "label"]
    assert {len(part) for part in partition(LABELS, 7, "iid", seed=0)} == {57, 58}
    skewed = [len(np.unique(LABELS[part])) for part in partition(LABELS, 8, "dirichlet:0.05", seed=0)]
    even = [len(np.unique(LABELS[part])) for part in partition(LABELS, 8, "dirichlet:1000", seed=0)]
    assert np.mean(skewed) < 5
    assert np.mean(even) == 10


@pytest.mark.parametrize("spec", ["iid", "dirichlet:0.5", "label:3"])
def test_deterministic_in_the_seed(spec: str) -> None:
    runs = [[part.tolist() for part in partition(LABELS, 5, spec, seed=seed)] for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "spec",
    [
        "iid:2",
        "dirichlet",
        "dirichlet:",
        "dirichlet:0",
        "dirichlet:-1",
        "dirichlet:nan",
        "dirichlet:x",
        "label",
        "label:0",
        "label:11",
        "label:1.5",
    ],
)
def test_bad_arguments_show_the_syntax(spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        partition(LABELS, 4, spec, seed=0)
    assert "iid | dirichlet:ALPHA" in caught.value.hint


def test_other_errors() -> None:
    with pytest.raises(UnknownName, match="did you mean 'dirichlet'"):
        partition(LABELS, 4, "dirichlt:1", seed=0)
    with pytest.raises(ConfigError, match="0 nodes cannot share"):
        partition(LABELS, 0, "iid", seed=0)
    with pytest.raises(DataError, match=r"class \d has 1 samples for 4 nodes"):
        partition(np.array([0, 0, 0, 0, 0, 1]), 4, "label:2", seed=0)
