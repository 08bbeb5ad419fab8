"""Personalised PageRank, hitting scores and updates on graphs of about ten links a node, ours beside five peers.

Runs as a process of its own in .venv-reputation-bench (scripts/bench/reputation.py starts it), on one core: contestants
take turns in the same rounds, so that what else the machine does cancels in the ratios. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import igraph
import networkx
import numpy as np
from meritrank_python.rank import IncrementalMeritRank
from numpy.typing import NDArray
from scipy import sparse
from sknetwork.ranking import PageRank

from node.reputation.decay import Passages, gates, kept
from node.reputation.hitting import Returns, as_chance, hits, reach, returns
from node.reputation.links import Links, link
from node.reputation.walk import MASS, SEARCH, ego, relaxed, relaxed_egos, spread, spread_egos

SIZES = (1_000, 10_000, 100_000)
EGO = 7
A = float(SEARCH)
WALKS = 10_000  # meritrank-python's default
CHANGES = (1, 100, 1_000)
EGOS = 256
Vector = NDArray[np.float64]


def columns(nodes: int, seed: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ten links from each node, half to Zipf(0.8)-popular nodes, half uniform; integer weights 1 to 1000."""
    rng = np.random.default_rng(seed)
    popular = 1 / np.arange(1, nodes + 1) ** 0.8
    targets = rng.integers(0, nodes, 10 * nodes)
    half = rng.random(10 * nodes) < 0.5
    targets[half] = rng.permutation(nodes)[rng.choice(nodes, half.sum(), p=popular / popular.sum())]
    sources = np.repeat(np.arange(nodes), 10)
    keep = sources != targets
    weights = rng.integers(1, 1001, 10 * nodes)
    return sources[keep], targets[keep], weights[keep]


def transposed(links: Links) -> sparse.csr_matrix:
    """Pᵀ for scipy, rows sorted."""
    data = links.weights / links.totals[links.sources]
    return sparse.csr_matrix(
        (data, links.sources.astype(np.int32), links.starts.astype(np.int32)), shape=(links.nodes, links.nodes)
    )


def power_iteration(matrix: sparse.csr_matrix, tolerance: float, start: Vector | None = None) -> Vector:
    """The bar: x ← a·Pᵀx, the rest back to the ego, until a step moves at most `tolerance` in L1."""
    x = np.zeros(matrix.shape[0])
    x[EGO] = 1
    if start is not None:
        x = start
    for _ in range(1000):
        y = A * (matrix @ x)
        y[EGO] += 1 - y.sum()
        moved = np.abs(y - x).sum()
        x = y
        if moved <= tolerance:
            break
    return x


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds of processor time of one call: everybody has one thread, and other processes do not count."""
    started = time.process_time()
    work()
    return 1e3 * (time.process_time() - started)


def interleaved(contestants: dict[str, Callable[[], Any]], bar: str, rounds: int) -> dict[str, dict[str, float]]:
    """Median time (ms) of each over `rounds` in which all take turns, and the median ratio to the bar in a round."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(timed(work))
    return {
        name: {
            "ms": statistics.median(taken),
            "best_ms": min(taken),
            "ratio": statistics.median(mine / theirs for mine, theirs in zip(taken, times[bar], strict=True)),
        }
        for name, taken in times.items()
    }


def error(found: Vector, exact: Vector) -> float:
    """L1 distance of normalised vectors."""
    return float(np.abs(found / found.sum() - exact).sum())


def solves(links: Links, back: Returns, *, rounds: int, slow_rounds: int) -> dict[str, Any]:
    """One ego's personalised PageRank by everybody, after one warm-up each."""
    matrix = transposed(links)
    exact = power_iteration(matrix, 1e-15)
    rows = sparse.csr_matrix(
        (links.weights.astype(float), links.sources.astype(np.int32), links.starts.astype(np.int32)),
        shape=matrix.shape,
    ).T.tocsr()
    by_source = rows.tocoo()
    pairs = np.column_stack([by_source.row, by_source.col])
    graph = igraph.Graph(links.nodes, pairs, directed=True)
    weights = list(by_source.data)
    peer = networkx.DiGraph()
    peer.add_nodes_from(range(links.nodes))
    peer.add_weighted_edges_from(zip(by_source.row.tolist(), by_source.col.tolist(), weights, strict=True))
    sknetwork = PageRank(damping_factor=A, solver="piteration", n_iter=200, tol=1e-6)
    fast: dict[str, Callable[[], Vector]] = {
        "scipy power iteration": lambda: power_iteration(matrix, 1e-6),
        "ours, floating point": lambda: relaxed(links, ego(EGO), SEARCH).shares,
        "ours, fixed point": lambda: spread(links, ego(EGO), SEARCH).mass / MASS,
        "scikit-network": lambda: np.asarray(sknetwork.fit_predict(rows, weights={EGO: 1})),
        "igraph": lambda: np.array(
            graph.personalized_pagerank(reset_vertices=EGO, damping=A, weights=weights, implementation="prpack")
        ),
    }
    slow: dict[str, Callable[[], Vector]] = {
        "scipy power iteration": fast["scipy power iteration"],
        "networkx": lambda: dense(networkx.pagerank(peer, alpha=A, personalization={EGO: 1}, dangling={EGO: 1},
                                                    tol=1e-6 / links.nodes), links.nodes),
    }  # fmt: skip
    errors = {name: error(work(), exact) for name, work in {**fast, **slow}.items()}
    found = interleaved(fast, "scipy power iteration", rounds)
    found["networkx"] = interleaved(slow, "scipy power iteration", slow_rounds)["networkx"]
    for name, value in errors.items():
        found[name]["error"] = value
    found["meritrank-python"] = public_engine(peer, links, matrix, back)
    return found


def dense(by_node: dict[int, float], nodes: int) -> Vector:
    """A dictionary as a vector."""
    found = np.zeros(nodes)
    found[list(by_node)] = list(by_node.values())
    return found


def public_engine(peer: networkx.DiGraph, links: Links, matrix: sparse.csr_matrix, back: Returns) -> dict[str, float]:
    """meritrank-python: 10,000 walks and its ranks, against the hitting score that they estimate; then changes."""
    random.seed(1)
    engine = IncrementalMeritRank(peer.copy())
    started = time.process_time()
    engine.calculate(EGO, WALKS)
    walked = time.process_time()
    ranks = engine.get_ranks(EGO)
    took = 1e3 * (time.process_time() - started)
    bar = timed(lambda: power_iteration(matrix, 1e-6))
    visited = np.array(list(ranks), dtype=np.int64)
    chance = hits(spread(links, ego(EGO), SEARCH), back).astype(float)
    found: dict[str, float] = {
        "ms": took,
        "best_ms": took,
        "ratio": took / bar,
        "walks_ms": 1e3 * (walked - started),
        "error": error(dense({n: v for n, v in ranks.items() if v > 0}, links.nodes), chance / chance.sum()),
        "nodes_seen": len(visited),
    }
    rng = np.random.default_rng(3)
    hot = np.argsort(-chance)[1:21]
    found["add_edge_random_ms"] = statistics.mean(
        timed(lambda s=int(s), t=int(t): engine.add_edge(s, t, 500.0))
        for s, t in rng.integers(0, links.nodes, (100, 2))
        if s != t
    )
    found["add_edge_hot_ms"] = statistics.mean(
        timed(lambda s=int(s), t=int(t): engine.add_edge(s, t, 500.0))
        for s, t in zip(hot, rng.integers(0, links.nodes, len(hot)), strict=True)
        if s != t
    )
    found["add_edge_ego_ms"] = timed(lambda: engine.add_edge(EGO, int(rng.integers(8, links.nodes)), 500.0))
    return found


def updates(links: Links, *, rounds: int) -> dict[str, Any]:
    """Changes of random links absorbed: ours edits the links and solves warm, scipy is given the edited matrix."""
    before = relaxed(links, ego(EGO), SEARCH, tolerance=1e-9).shares
    found = {}
    for count in CHANGES:
        rng = np.random.default_rng(count)
        sources = rng.integers(0, links.nodes // 2, count)
        targets = rng.integers(links.nodes // 2, links.nodes, count)
        weights = rng.integers(1, 1001, count)
        changed = links.with_changes(sources, targets, weights)
        matrix = transposed(changed)
        exact = power_iteration(matrix, 1e-15)

        def ours(change: tuple[Any, ...] = (sources, targets, weights)) -> Vector:
            return relaxed(links.with_changes(*change), ego(EGO), SEARCH, start=before).shares

        def bar(matrix: sparse.csr_matrix = matrix) -> Vector:
            return power_iteration(matrix, 1e-6, start=before)

        def rebuilt(change: tuple[Any, ...] = (sources, targets, weights)) -> Vector:
            return power_iteration(transposed(links.with_changes(*change)), 1e-6, start=before)

        contestants = {"scipy, warm": bar, "ours, with the edit": ours, "scipy, with the edit": rebuilt}
        errors = {name: error(work(), exact) for name, work in contestants.items()}
        timings = interleaved(contestants, "scipy, warm", rounds)
        found[str(count)] = {name: {**row, "error": errors[name]} for name, row in timings.items()}
    return found


def many(links: Links, *, egos: int) -> dict[str, float]:
    """Seconds for many egos; floats and integers take turns in blocks of 32."""
    seconds = {"floating point": 0.0, "fixed point": 0.0}
    for first in range(0, egos, 32):
        block = list(range(first, min(egos, first + 32)))
        seconds["floating point"] += timed(lambda b=block: [0 for _ in relaxed_egos(links, b, SEARCH)]) / 1e3
        seconds["fixed point"] += timed(lambda b=block: [0 for _ in spread_egos(links, b, SEARCH)]) / 1e3
    return seconds


def hitting(links: Links, back: Returns, *, samples: int) -> dict[str, float]:
    """One ego's hitting score on the shared diagonal, and connectivity decay: times, errors stated and measured."""
    found = spread(links, ego(EGO), SEARCH)
    score_ms = statistics.median(timed(lambda: hits(found, back)) for _ in range(5))
    scores = hits(found, back)
    worst = 0.0
    for node in np.random.default_rng(2).choice(np.flatnonzero(back.chances), samples, replace=False):
        # G(v,v) of a node from its neighbours' exact chances of a visit: the return that `returns` bounds from below.
        chance = reach(links, SEARCH, int(node))
        starts, targets, weights = links.by_source
        row = slice(int(starts[node]), int(starts[node + 1]))
        true = A * float(np.dot(weights[row], chance[targets[row]])) / float(links.totals[node])
        worst = max(worst, (1 - as_chance(back.chances[node : node + 1])[0]) / (1 - true) - 1)
    started = time.process_time()
    keep = kept(scores, ego(EGO), Passages(links, SEARCH, back))
    return {
        "score_ms": score_ms,
        "stated_error": back.error,
        "measured_error": worst,
        "samples": samples,
        "gates": len(gates(scores, ego(EGO), links)),
        "decay_s": time.process_time() - started,
        "decayed": int((keep < 1).sum()),
        "reached": int((scores > 0).sum()),
    }


def warm_up() -> None:
    """Compile what is not in the cache yet."""
    links = link(50, *columns(50))
    for limit in (0, 50):
        back = returns(links, SEARCH, exact_nodes=limit)
    scores = hits(spread(links, ego(EGO), SEARCH), back)
    kept(scores, ego(EGO), Passages(links, SEARCH, Returns(back.chances, 0)))
    relaxed(links.with_changes([0], [1], [5]), ego(EGO), SEARCH)
    list(relaxed_egos(links, [1], SEARCH))


def measure(*, quick: bool) -> dict[str, Any]:
    """Everything, keyed by the number of nodes as text."""
    warm_up()
    found: dict[str, Any] = {"sizes": {}}
    for nodes in SIZES[:2] if quick else SIZES:
        print(f"{nodes:,} nodes", file=sys.stderr, flush=True)
        links = link(nodes, *columns(nodes))
        large = nodes == SIZES[-1]
        started = time.process_time()
        back = returns(links, SEARCH)
        diagonal_s = time.process_time() - started
        found["sizes"][str(nodes)] = {
            "links": links.count,
            "solves": solves(links, back, rounds=15 if large else 31, slow_rounds=3),
            "updates": updates(links, rounds=15),
            "hitting": {"diagonal_s": diagonal_s, **hitting(links, back, samples=16)},
        }
    found["egos"] = {"nodes": nodes, "count": EGOS, **many(links, egos=EGOS)}
    found["versions"] = {
        module.__name__: module.__version__ for module in (np, networkx, igraph, sys.modules["scipy"])
    } | {"scikit-network": sys.modules["sknetwork"].__version__, "meritrank-python": "0.2.10"}
    return found


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10,000 nodes")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(measure(quick=options.quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
