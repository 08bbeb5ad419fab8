"""Accuracy of every gossip strategy by graph, what is sent, and what happens when four fifths of the nodes die at once.

Under two minutes on a free core; `--quick`: one graph, one seed, few rounds. `--docs` writes
docs/topology.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node import report_plots as style
from node.matrix.topology import Outcome, Setting, run_setting
from node.weight.participation import PARTICIPATIONS
from scripts.bench.page import table, verdict, write_page

GRAPHS = ("ring:2", "geometric:0.35", "barabasi:2")
ALPHAS = ("0.1", "0.5")
STRATEGIES: dict[str, dict[str, Any]] = {
    "mean": {"mixing": "mean"},
    "default (clip, clusters, trimmed mean)": {"mixing": "default"},
    "monna": {"mixing": "monna"},
    "sybilwall": {"mixing": "sybilwall"},
    "metropolis": {"mixing": "metropolis"},
    "dfedsam": {"mixing": "dfedsam"},
    "dfedsam_mgs": {"mixing": "dfedsam_mgs"},
    "variance_corrected": {"mixing": "variance_corrected"},
    "mean, final_merge": {"mixing": "mean", "ending": "final_merge"},
    "mean, robust_merge": {"mixing": "mean", "ending": "robust_merge"},
    "mean, frozen trunk": {"mixing": "mean", "frozen": True},
    "bristle (frozen trunk)": {"mixing": "bristle"},
}
WIDE = Setting(graph="geometric:0.2", mixing="mean", nodes=99, rounds=30, partition="dirichlet:0.5")
ROUTES: dict[str, dict[str, Any]] = {
    "gossip": {"topology": "gossip"},
    "sampled, 13 of 99": {"topology": "sampled"},
    "committee, all 99": {"topology": "committee"},
}
TARGET, PUBLISHED = 0.85, (3.0, 14.0)
KILLED_AT, LOST = 11, 0.8
SCHEDULE = "random:0.5+slow:0.3+uneven:3"


def measure(*, quick: bool) -> dict[str, Any]:
    """Everything, as docs/topology.json keeps it."""
    base = Setting(nodes=20, rounds=3 if quick else 12)
    graphs, seeds = (GRAPHS[:1], (1,)) if quick else (GRAPHS, (1, 2))
    wide = replace(WIDE, rounds=12) if quick else WIDE
    cells = [(g, a, s) for g in graphs for a in ALPHAS for s in STRATEGIES]
    with tqdm(total=len(cells) * len(seeds), file=sys.stderr, unit="run", disable=not sys.stderr.isatty()) as bar:

        def cell(graph: str, alpha: str, name: str) -> dict[str, float]:
            setting = replace(base, graph=graph, partition=f"dirichlet:{alpha}", **STRATEGIES[name])
            found = []
            for seed in seeds:
                found.append(run_setting(replace(setting, seed=seed)))
                bar.update()
            return summary(found, setting.rounds)

        accuracy = [{"graph": g, "alpha": a, "strategy": s, **cell(g, a, s)} for g, a, s in cells]
    routes = {name: run_setting(replace(wide, **change)) for name, change in ROUTES.items()}
    dying = replace(wide, topology="sampled", rounds=KILLED_AT + 9, schedule=f"kill:{KILLED_AT}:{LOST}")
    partial = replace(base, topology="sampled", schedule=SCHEDULE, rounds=3 if quick else 20)
    return {
        "accuracy": accuracy,
        "rounds": base.rounds,
        "nodes": base.nodes,
        "seeds": list(seeds),
        "traffic": {name: route(outcome, wide.rounds) for name, outcome in routes.items()},
        "killed": killed(run_setting(dying), dying),
        "participation": {
            name: summary([run_setting(replace(partial, participation=name, seed=s)) for s in seeds], partial.rounds)
            for name in PARTICIPATIONS
        },
    }


def summary(found: Sequence[Outcome], rounds: int) -> dict[str, float]:
    """Means over seeds; the worst node is the worst of all."""
    return {
        "accuracy": float(np.mean([outcome.accuracy for outcome in found])),
        "worst": min(outcome.worst for outcome in found),
        "spread": float(np.mean([outcome.spread for outcome in found])),
        "kilobytes": float(np.mean([outcome.sent_bytes for outcome in found])) / rounds / 1e3,
        "completed": sum(outcome.completed for outcome in found) / rounds / len(found),
    }


def route(outcome: Outcome, rounds: int) -> dict[str, Any]:
    """What a node sends a round, on average and the busiest, and until the mean accuracy first reaches the target."""
    reached = next((point for point in outcome.trace if point.accuracy >= TARGET), None)
    return {
        "kilobytes": outcome.trace[-1].sent_bytes / rounds / 1e3,
        "busiest": outcome.sent_most / rounds / 1e3,
        "rounds to target": reached.round if reached else None,
        "kilobytes to target": reached.sent_bytes / 1e3 if reached else None,
        "accuracy": outcome.trace[-1].accuracy,
        "trace": [[point.round, point.accuracy, point.sent_bytes / 1e3] for point in outcome.trace],
    }


def killed(outcome: Outcome, setting: Setting) -> dict[str, Any]:
    """Accuracy of the shared model before the round of the deaths, after that round, and at the end."""
    trace = [point.accuracy for point in outcome.trace]
    return {
        "nodes": setting.nodes,
        "round": KILLED_AT,
        "lost": round(LOST * setting.nodes),
        "completed": outcome.completed,
        "rounds": setting.rounds,
        "before": trace[KILLED_AT - 2],
        "after": trace[KILLED_AT - 1],
        "end": trace[-1],
        "trace": trace,
    }


def ratios(results: Mapping[str, Any]) -> tuple[float, float | None]:
    """How many times less a sampled node sends than a gossiping one: a round, and until the target."""
    gossip, sampled = (results["traffic"][name] for name in list(ROUTES)[:2])
    pair = (gossip["kilobytes to target"], sampled["kilobytes to target"])
    return gossip["kilobytes"] / sampled["kilobytes"], pair[0] / pair[1] if None not in pair else None


def accuracy_rows(results: Mapping[str, Any], graph: str) -> list[list[str]]:
    """A row a strategy: accuracy (worst node) at each alpha, spread at the first, traffic."""
    rows = []
    for name in STRATEGIES:
        cells = [c for c in results["accuracy"] if c["graph"] == graph and c["strategy"] == name]
        if cells:
            reached = [f"{cell['accuracy']:.3f} ({cell['worst']:.3f})" for cell in cells]
            rows.append([name, *reached, f"{cells[0]['spread']:.3f}", f"{cells[0]['kilobytes']:.1f}"])
    return rows


def traffic_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """A row a topology."""
    rows = []
    for name, row in results["traffic"].items():
        until = row["kilobytes to target"]
        reached = ["never", "-"] if until is None else [str(row["rounds to target"]), f"{until:.0f}"]
        rows.append([name, f"{row['kilobytes']:.1f}", f"{row['busiest']:.1f}", *reached, f"{row['accuracy']:.3f}"])
    return rows


def page(results: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["strategy", *(f"Dirichlet {alpha}" for alpha in ALPHAS), f"spread at {ALPHAS[0]}", "kB a node and round"]
    graphs = list(dict.fromkeys(cell["graph"] for cell in results["accuracy"]))
    tables = "\n\n".join(f"### {graph}\n\n{table(head, accuracy_rows(results, graph))}" for graph in graphs)
    each, until = ratios(results)
    dead = results["killed"]
    partial = [
        [name, f"{row['accuracy']:.3f}", f"{row['completed']:.0%}"] for name, row in results["participation"].items()
    ]
    traffic = ["topology", "kB a node and round", "busiest node", f"rounds to {TARGET}", "kB a node until then", "end"]
    return f"""# Topologies

Written by `python scripts/bench/topology.py --docs`. `digits`, networks of 32 hidden units, two local epochs a round;
bytes are counted where the loops send them, views, pings and digests among them. One run by hand: `credence topology`.

![Accuracy by bytes sent, and after most nodes died](topology.png)

## Gossip: accuracy by strategy and graph

{results["nodes"]} nodes, {results["rounds"]} rounds, seeds {", ".join(map(str, results["seeds"]))}: mean test accuracy
over nodes (worst node of any seed). Nobody attacks here: attacks are what `scripts/bench/sybil.py` measures. A frozen
trunk is trained on public data beforehand and never sent; compare `bristle` with `mean` over it. At 0.1 a node has few
classes, neighbours share none of them, and Bristle has nothing to measure them by.

{tables}

## Traffic

{WIDE.nodes} nodes, `{WIDE.graph}`, `{WIDE.partition}`, a sample of {WIDE.sample}, {WIDE.aggregators} aggregators.

{table(traffic, traffic_rows(results))}

A sampled node sends {each:.1f} times less a round than a gossiping one, and until {TARGET} {_less(until)} (published: 3
to 14). At least {PUBLISHED[0]:g} times a round: {verdict(each, PUBLISHED[0], least=True)}.

## Four fifths die at once

{dead["lost"]} of {dead["nodes"]} nodes are gone from round {dead["round"]} on, without a word. Accuracy of the shared
model before: {dead["before"]:.3f}; after that round: {dead["after"]:.3f}; at the end: {dead["end"]:.3f}.
{dead["completed"]} of {dead["rounds"]} rounds were completed: {verdict(dead["completed"], dead["rounds"], least=True)}.

## Who is there when

Sampled, `{SCHEDULE}`: each node there by its own chance, half on average;
three in ten late by one to three rounds; one to three epochs each. Late work is dropped by `uniform` and `fedau`.

{table(["participation", "accuracy", "rounds completed"], partial)}
"""


def _less(ratio: float | None) -> str:
    return "nothing can be said" if ratio is None else f"{ratio:.1f} times less"


def draw(results: Mapping[str, Any], figure: Figure) -> None:
    """Left: accuracy by bytes sent; right: the shared model before and after most nodes died."""
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.25})
    colours = (style.ATTACKER, style.HONEST, style.VERIFIER)
    for (name, row), colour in zip(results["traffic"].items(), colours, strict=True):
        left.plot([p[2] for p in row["trace"]], [p[1] for p in row["trace"]], color=colour, label=name)
    left.set(xscale="log", xlabel="kB sent a node", ylim=(0, 1))
    left.set_title("Mean test accuracy by traffic", loc="left", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    dead = results["killed"]
    right.plot(range(1, len(dead["trace"]) + 1), dead["trace"], "-o", color=style.HONEST, markersize=3)
    right.axvline(dead["round"] - 0.5, color=style.ATTACKER, linewidth=1)
    right.set(xlabel="round", ylim=(0, 1))
    right.set_title(f"{dead['lost']} of {dead['nodes']} nodes die at the line", loc="left", fontsize=9)
    figure.subplots_adjust(left=0.06, right=0.99, top=0.9, bottom=0.16)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one graph, one seed, few rounds")
    parser.add_argument("--docs", action="store_true", help="write docs/topology.md, .png and .json")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    results = measure(quick=args.quick)
    if args.docs:
        write_page("topology", page(results), results, lambda figure: draw(results, figure), (8.8, 3.2))
    print(json.dumps(results) if args.json else page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
