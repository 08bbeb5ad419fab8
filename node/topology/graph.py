"""Communication graphs by name: undirected, connected, and which of their nodes an attacker gets edges to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from node.errors import ConfigError
from node.registry import Registry

Graph = tuple[tuple[int, ...], ...]
"""The neighbours of each node, ascending; symmetric, nobody its own neighbour."""
Edges = set[tuple[int, int]]
Maker = Callable[[int, str, np.random.Generator], Edges]

GRAPHS: Registry[Maker] = Registry("graph")
SYNTAX = "ring[:K] | geometric[:RADIUS] | barabasi[:M] | edges:A-B,C-D,…"
MAX_DEGREE = 7
"""Of a random geometric graph: nearest first, as in the SybilWall experiments."""


def graph_of(spec: str, nodes: int, *, seed: int) -> Graph:
    """The graph called NAME[:ARGUMENT] over `nodes` nodes; parts that are not connected are joined by one edge each.

    Deterministic in `seed`. Raises UnknownName, or ConfigError for an argument that makes no sense.
    """
    name, _, argument = spec.partition(":")
    maker = GRAPHS.get(name)
    if nodes < 2:
        raise ConfigError(f"a graph of {nodes} nodes has no edges", hint="at least 2")
    edges = maker(nodes, argument, np.random.default_rng(seed))
    graph = from_edges(nodes, edges)
    parts = components(graph)
    joints = {(parts[0][0], part[0]) for part in parts[1:]}
    return from_edges(nodes, edges | joints)


def from_edges(nodes: int, edges: Iterable[tuple[int, int]]) -> Graph:
    """The graph with these edges, in either direction. Raises ConfigError for a node beyond the last, or a loop."""
    neighbours: list[set[int]] = [set() for _ in range(nodes)]
    for one, other in edges:
        if one == other or not (0 <= one < nodes and 0 <= other < nodes):
            raise ConfigError(f"edge {one}-{other} does not join two of {nodes} nodes", hint="nodes count from 0")
        neighbours[one].add(other)
        neighbours[other].add(one)
    return tuple(tuple(sorted(found)) for found in neighbours)


def distances_from(graph: Graph, start: int) -> list[int]:
    """Hops from `start` to each node, -1 where there is no path. Breadth first."""
    hops = [-1] * len(graph)
    hops[start], queue = 0, deque([start])
    while queue:
        node = queue.popleft()
        for neighbour in graph[node]:
            if hops[neighbour] < 0:
                hops[neighbour] = hops[node] + 1
                queue.append(neighbour)
    return hops


def components(graph: Graph) -> list[list[int]]:
    """Connected parts, each ascending, in order of their first node."""
    left, parts = set(range(len(graph))), []
    while left:
        part = [node for node, hops in enumerate(distances_from(graph, min(left))) if hops >= 0]
        parts.append(part)
        left -= set(part)
    return parts


def attacked(graph: Graph, edges_a_node: float) -> list[int]:
    """How many attack edges each honest node gets when there are `edges_a_node` (phi) of them on average.

    Whole numbers: every node gets so many. The fraction goes to nodes spread over the graph: each next one is furthest
    from those chosen (farthest-first k-centre, Gonzalez 1985; lowest number among equals).
    """
    whole, rest = divmod(edges_a_node, 1)
    counts = [int(whole)] * len(graph)
    chosen: list[int] = []
    nearest = [math.inf] * len(graph)
    for _ in range(round(rest * len(graph))):
        furthest = max(range(len(graph)), key=lambda node: (nearest[node], -node))
        chosen.append(furthest)
        nearest = [min(pair) for pair in zip(nearest, distances_from(graph, furthest), strict=True)]
        counts[furthest] += 1
        nearest[furthest] = -1
    return counts


def _number(argument: str, default: float, name: str) -> float:
    try:
        value = float(argument) if argument else default
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"graph {name!r} needs a positive number, got {argument!r}", hint=SYNTAX)
    return value


@GRAPHS.register("ring")
def ring(nodes: int, argument: str, generator: np.random.Generator) -> Edges:
    """Each node and its K (1) next ones."""
    reach = int(_number(argument, 1, "ring"))
    return {(node, (node + step) % nodes) for node in range(nodes) for step in range(1, min(reach, nodes - 1) + 1)}


@GRAPHS.register("geometric")
def geometric(nodes: int, argument: str, generator: np.random.Generator) -> Edges:
    """Points drawn in the unit square, joined within RADIUS (0.2), nearest pairs first, at most seven edges a node."""
    radius = _number(argument, 0.2, "geometric")
    points = generator.random((nodes, 2))
    apart = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    pairs = [(apart[i, j], i, j) for i in range(nodes) for j in range(i + 1, nodes) if apart[i, j] <= radius]
    degree, edges = [0] * nodes, set()
    for _, one, other in sorted(pairs):
        if degree[one] < MAX_DEGREE and degree[other] < MAX_DEGREE:
            edges.add((one, other))
            degree[one] += 1
            degree[other] += 1
    return edges


@GRAPHS.register("barabasi")
def barabasi(nodes: int, argument: str, generator: np.random.Generator) -> Edges:
    """Preferential attachment (Barabási and Albert 1999): each new node joins M (2) others, likelier of high degree."""
    each = int(_number(argument, 2, "barabasi"))
    if each >= nodes:
        raise ConfigError(f"graph 'barabasi:{each}' needs more than {each} nodes, got {nodes}", hint=SYNTAX)
    edges = {(0, node) for node in range(1, each + 1)}
    ends = [end for edge in sorted(edges) for end in edge]
    for node in range(each + 1, nodes):
        targets: set[int] = set()
        while len(targets) < each:
            targets.add(ends[int(generator.integers(len(ends)))])
        edges |= {(target, node) for target in targets}
        ends += [*sorted(targets), *[node] * each]
    return edges


@GRAPHS.register("edges")
def given(nodes: int, argument: str, generator: np.random.Generator) -> Edges:
    """A graph that is known: A-B,C-D,…"""
    edges = set()
    for text in argument.split(","):
        one, dash, other = text.partition("-")
        if not (dash and one.isdecimal() and other.isdecimal()):
            raise ConfigError(f"graph 'edges' cannot read {text!r}", hint=SYNTAX)
        edges.add((int(one), int(other)))
    return edges
