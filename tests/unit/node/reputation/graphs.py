"""Graphs for the tests of reputation, and a dense reference solved by numpy, independent of the code under test."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from node.reputation.links import Links, links_of

Edge = tuple[int, int, int]


def visits(nodes: int, edges: list[Edge], a: Fraction) -> NDArray[np.float64]:
    """G = (I − aP)⁻¹ (n, n) by dense inversion."""
    weights = np.zeros((nodes, nodes))
    for source, target, weight in edges:
        weights[source, target] += weight
    given = weights.sum(axis=1, keepdims=True)
    steps = np.divide(weights, given, out=np.zeros_like(weights), where=given > 0)
    return np.asarray(np.linalg.inv(np.eye(nodes) - float(a) * steps))


def chances(nodes: int, edges: list[Edge], a: Fraction) -> NDArray[np.float64]:
    """H (n, n): Pr(a walk from row visits column)."""
    found = visits(nodes, edges, a)
    return found / np.diag(found)


def random_edges(rng: np.random.Generator, nodes: int, out: int) -> list[Edge]:
    """Up to `out` links from each node to random others, weights 1 to 1000."""
    edges = []
    for node in range(nodes):
        for target in rng.choice(nodes, size=rng.integers(0, out + 1), replace=False):
            if target != node:
                edges.append((node, int(target), int(rng.integers(1, 1001))))
    return edges


def lcg_links(nodes: int, edges: int, *, seed: int) -> Links:
    """A graph from a linear congruential generator, the same whatever the libraries."""
    state, rows = seed, []
    while len(rows) < edges:
        draws = []
        for _ in range(3):
            state = (6364136223846793005 * state + 1442695040888963407) % 2**64
            draws.append(state >> 33)
        source, target = draws[0] % nodes, draws[1] % nodes
        if source != target:
            rows.append((source, target, 1 + draws[2] % 1000))
    return links_of(nodes, rows)


WIRINGS = ("path", "cycle", "parallel", "both", "complete", "random")


@dataclass(frozen=True)
class Attack:
    """Honest links, and the same with attackers: `entry` is the node that honest links lead to; Sybils follow after the
    honest nodes. `crossing` are the links from honest nodes to attackers (source, target, weight).
    """

    nodes: int
    honest: list[Edge]
    attacked: list[Edge]
    entry: int
    attackers: list[int]
    crossing: list[Edge]


def attack(rng: np.random.Generator, *, entries: int = 0) -> Attack:
    """A random graph with a random attacker and up to 12 Sybils wired at random; `entries` honest links are tricked
    into leading to Sybils besides. Node 0 is the ego and stays honest; so do tricked nodes' other links.
    """
    honest_nodes = int(rng.integers(5, 16))
    sybils = int(rng.integers(1, 13))
    honest = random_edges(rng, honest_nodes, 5)
    honest.append((0, int(rng.integers(1, honest_nodes)), 300))
    entry = int(rng.integers(1, honest_nodes))
    ring = list(range(honest_nodes, honest_nodes + sybils))
    group = [entry, *ring]
    kept = [edge for edge in honest if edge[0] != entry]
    attacked = kept + _wiring(rng, entry, ring, str(rng.choice(WIRINGS)))
    back = [(int(rng.choice(group)), int(rng.integers(0, honest_nodes))) for _ in range(rng.integers(0, 4))]
    attacked += [(s, t, int(rng.integers(1, 300))) for s, t in back if t not in (s, entry)]
    outside = [v for v in range(honest_nodes) if v != entry]
    tricked = [(int(rng.choice(outside)), int(rng.choice(ring)), int(rng.integers(1, 500))) for _ in range(entries)]
    attacked += tricked
    crossing = [edge for edge in kept if edge[1] == entry] + tricked
    return Attack(honest_nodes + sybils, honest, attacked, entry, group, crossing)


def _wiring(rng: np.random.Generator, entry: int, ring: list[int], kind: str) -> list[Edge]:
    chain = [entry, *ring]
    path = [(s, t, 100) for s, t in pairwise(chain)]
    star = [(entry, s, 100) for s in ring]
    if kind == "path":
        return path
    if kind == "cycle":
        return [*path, (ring[-1], entry, 100)]
    if kind == "parallel":
        return star + [(s, entry, 100) for s in ring]
    if kind == "both":
        return path + star + [(ring[-1], entry, 100)]
    if kind == "complete":
        return [(s, t, 100) for s in chain for t in chain if s != t]
    return [(s, t, int(rng.integers(1, 1000))) for s in chain for t in chain if s != t and rng.random() < 0.4] or path
