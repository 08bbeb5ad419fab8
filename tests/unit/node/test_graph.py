"""Communication graphs: by hand, reproducible, and spread attack edges."""

import pytest

from node.errors import ConfigError, UnknownName
from node.topology.graph import attacked, components, distances_from, from_edges, graph_of


@pytest.mark.parametrize("spec", ["ring", "ring:2", "geometric:0.2", "geometric:0.01", "barabasi", "barabasi:3"])
def test_graphs_are_symmetric_connected_and_reproducible(spec: str) -> None:
    graph = graph_of(spec, 30, seed=4)
    assert graph == graph_of(spec, 30, seed=4)
    assert len(components(graph)) == 1
    for node, neighbours in enumerate(graph):
        assert node not in neighbours
        assert list(neighbours) == sorted(set(neighbours))
        assert all(node in graph[other] for other in neighbours)


def test_graphs_by_hand() -> None:
    assert graph_of("ring", 4, seed=0) == ((1, 3), (0, 2), (1, 3), (0, 2))
    assert graph_of("edges:0-1,2-3", 4, seed=0) == ((1, 2), (0,), (0, 3), (2,))
    assert sum(map(len, graph_of("barabasi:2", 20, seed=0))) == 2 * (2 + 2 * 17)
    assert max(map(len, graph_of("geometric:0.9", 40, seed=0))) <= 7
    assert distances_from(from_edges(4, [(0, 1), (1, 2)]), 0) == [0, 1, 2, -1]


@pytest.mark.parametrize(
    "spec", ["ring:x", "ring:-1", "geometric:0", "barabasi:9", "edges:0", "edges:0-9", "edges:1-1"]
)
def test_a_graph_that_makes_no_sense_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        graph_of(spec, 5, seed=0)


def test_graph_names_and_sizes() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ring'"):
        graph_of("rng", 5, seed=0)
    with pytest.raises(ConfigError, match="no edges"):
        graph_of("ring", 1, seed=0)


def test_attack_edges_are_spread() -> None:
    graph = graph_of("ring", 12, seed=0)
    assert attacked(graph, 2) == [2] * 12
    spread = [node for node, count in enumerate(attacked(graph, 0.25)) if count]
    assert spread == [0, 3, 6]
    assert sum(attacked(graph, 1.5)) == 18
