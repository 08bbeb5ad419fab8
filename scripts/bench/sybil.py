"""What Sybils gain, measured: a stake split over many identities, and attack edges in a gossip graph.

Ten minutes; `--quick` (fewer counts and rounds) under one. `--docs` writes docs/sybil.md, docs/sybil.png and
docs/sybil.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node.matrix.sybil import COUNTS, DISGUISES, MIXED, PHIS, EdgeResult, edge_run, split_sweep

DOCS = Path(__file__).resolve().parents[2] / "docs"
SPLIT_BOUND, ACCURACY_BOUND = 1.02, 0.02
SEEDS = (1, 2, 3)


def measure(*, quick: bool, workers: int) -> dict[str, Any]:
    """Everything, as docs/sybil.json keeps it."""
    counts, rounds = ((1, 10, 100), 4) if quick else (COUNTS, 12)
    phis = (0.0, 1.0) if quick else (0.0, *PHIS)
    splits = {name: [asdict(row) for row in split_sweep(name, seed=1, counts=counts)] for name in DISGUISES}
    seeds = SEEDS[:1] if quick else SEEDS
    with ProcessPoolExecutor(max_workers=workers) as pool:
        futures = {
            (mixing, phi): [pool.submit(edge_run, mixing, phi, seed=seed, rounds=rounds) for seed in seeds]
            for mixing in MIXED
            for phi in phis
        }
        edges = {mixing: {str(phi): _mean(futures[mixing, phi]) for phi in phis} for mixing in MIXED}
    return {"splits": splits, "edges": edges, "rounds": rounds, "seeds": seeds}


def _mean(runs: Sequence[Future[EdgeResult]]) -> dict[str, float]:
    """Of every field over the runs."""
    rows = [asdict(run.result()) for run in runs]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def checks(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What was promised, what came out, and whether it held."""
    found = []
    for name, rows in results["splits"].items():
        whole = rows[0]
        for key in ("weight", "movement", "reward"):
            got = max(row[key] / whole[key] if whole[key] else 0.0 for row in rows)
            found.append(_check(f"split stake, updates {name}: {key} over the whole's, at most", got, SPLIT_BOUND))
    edges = results["edges"]
    for phi in edges["default"]:
        if float(phi) == 0:
            continue
        for other in ("mean", "foolsgold", "krum", "median"):
            what = f"backdoor success at phi {phi}, default against {other}"
            found.append(_check(what, edges["default"][phi]["success"], edges[other][phi]["success"]))
        lost = edges["default"]["0.0"]["accuracy"] - edges["default"][phi]["accuracy"]
        found.append(_check(f"accuracy lost at phi {phi} against no attack", lost, ACCURACY_BOUND))
    return found


def _check(what: str, got: float, limit: float) -> dict[str, Any]:
    return {"what": what, "got": got, "limit": limit, "met": bool(got <= limit + 1e-9)}


PAGE = """\
# What Sybils gain

Written by `python scripts/bench/sybil.py --docs`.

![Split stake and attack edges](sybil.png)

## One stake of ten, split

Nine honest trainers of `digits` (one epoch) and one of equal stake, split over identities; their updates are equal, or
differ by independent noise relative to the update's length. Weight and movement are those of the reversed update,
reward that of an honest one (the product's Shapley values, in the mean over 32 beacons, near-copies rejected). Each
over the value of the whole stake.

| updates | identities | weight | movement of the step | reward |
|---|---|---|---|---|
{splits}

## Attack edges on a graph of 99 nodes

Random geometric graph, radius 0.2, at most seven neighbours; Dirichlet 0.1; {rounds} rounds of 5 local epochs,
seeds {seeds}; a patch that is to mean class 1. Mean over honest nodes and seeds: accuracy (backdoor success). Phi is
the number of attack edges a node; 0 is no attack, whose success is plain error, so that figures of its size tell how
well the nodes learnt rather than how well they withstand.

{edges}

## What was promised

| | got | limit | |
|---|---|---|---|
{checks}
"""


def page(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    splits = [
        f"| {name} | {row['count']} | "
        + " | ".join(f"{row[key] / rows[0][key]:.3f}" for key in ("weight", "movement", "reward"))
        + " |"
        for name, rows in results["splits"].items()
        for row in rows
    ]
    phis = list(results["edges"]["default"])
    edges = [f"| mixing | {' | '.join('phi ' + phi for phi in phis)} |", "|---" * (len(phis) + 1) + "|"]
    for mixing, row in results["edges"].items():
        cells = " | ".join(f"{row[phi]['accuracy']:.3f} ({row[phi]['success']:.3f})" for phi in phis)
        edges.append(f"| {mixing} | {cells} |")
    promised = [
        f"| {row['what']} | {row['got']:.3f} | {row['limit']:.3f} | {'met' if row['met'] else 'NOT MET'} |"
        for row in checks(results)
    ]
    return PAGE.format(
        splits="\n".join(splits),
        edges="\n".join(edges),
        checks="\n".join(promised),
        rounds=results["rounds"],
        seeds=", ".join(map(str, results["seeds"])),
    )


def draw(results: dict[str, Any], path: Path) -> None:
    """Left: what a split stake gets, over the whole's; right: backdoor success by attack edges."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name, rows in results["splits"].items():
        counts = [row["count"] for row in rows]
        for key, style in (("movement", "-o"), ("reward", "--s")):
            left.plot(counts, [row[key] / rows[0][key] for row in rows], style, label=f"{key}, {name}")
    left.axhline(SPLIT_BOUND, color="black", linewidth=0.8)
    left.set(xscale="log", xlabel="identities", ylabel="over the whole stake's", title="One stake, split")
    for mixing, row in results["edges"].items():
        right.plot([float(phi) for phi in row], [cell["success"] for cell in row.values()], "-o", label=mixing)
    right.set(xlabel="attack edges a node (phi)", ylabel="backdoor success", title="99 nodes, backdoor", ylim=(0, 1))
    for axis in (left, right):
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    results = measure(quick=args.quick, workers=args.workers)
    if args.docs:
        (DOCS / "sybil.md").write_text(page(results))
        (DOCS / "sybil.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        draw(results, DOCS / "sybil.png")
    print(json.dumps(results) if args.json else page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
