"""Train over a gossip graph, beacon-drawn samples or a committee: accuracy, worst node, spread and traffic."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, replace

import numpy as np
from tqdm import tqdm

from node.errors import ConfigError, UnknownName
from node.matrix.topology import TOPOLOGIES, Outcome, Setting, run_setting
from node.topology.gossip import ENDINGS, MIXINGS
from node.topology.graph import SYNTAX as GRAPH_SYNTAX
from node.topology.modest import Fault
from node.topology.schedule import SYNTAX as SCHEDULE_SYNTAX
from node.weight.participation import PARTICIPATIONS

NUMBERS = {
    "nodes": "how many",
    "rounds": "how many",
    "epochs": "local epochs a round",
    "hidden": "units of the hidden layer",
    "sample": "nodes a sampled round",
    "aggregators": "of a sample; they compute one step each and must agree",
}
MOST_SEEDS = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence topology`."""
    default = Setting()
    parser.add_argument("--topology", default=default.topology, metavar="|".join(TOPOLOGIES))
    parser.add_argument("--graph", default=default.graph, metavar="NAME", help=f"of gossip: {GRAPH_SYNTAX}")
    parser.add_argument(
        "--mixing", action="append", metavar="NAME", help=f"of gossip, repeatable (one row each): {', '.join(MIXINGS)}"
    )
    parser.add_argument("--ending", default=default.ending, metavar="NAME", help=f"of gossip: {', '.join(ENDINGS)}")
    parser.add_argument(
        "--participation",
        default=default.participation,
        metavar="NAME",
        help=f"of sampled and committee: {', '.join(PARTICIPATIONS)}",
    )
    parser.add_argument("--schedule", default=default.schedule, metavar="NAME", help=f"who is there: {SCHEDULE_SYNTAX}")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME:COUNT", help=f"of sampled: {', '.join(Fault)}; repeatable"
    )
    parser.add_argument("--task", default=default.task, metavar="NAME")
    parser.add_argument("--partition", default=default.partition, metavar="NAME")
    for name, text in NUMBERS.items():
        value = getattr(default, name)
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N", help=f"{text} (default {value})")
    parser.add_argument("--share", type=float, default=default.share, metavar="X", help="of a sample, enough to go on")
    parser.add_argument("--frozen", action="store_true", help="an output layer over a trunk trained on public data")
    parser.add_argument("--seed", type=int, default=default.seed, metavar="N", help="of the first run")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs a row, from --seed on")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def settings_of(args: argparse.Namespace) -> list[Setting]:
    """One setting a mixing, with the first seed. Raises ConfigError for values that make no sense."""
    if not 1 <= args.seeds <= MOST_SEEDS:
        raise ConfigError(f"--seeds {args.seeds} is out of range", hint=f"1 to {MOST_SEEDS}")
    if args.mixing and args.topology in TOPOLOGIES.names() and args.topology != "gossip":
        raise ConfigError(f"--mixing is for gossip, not {args.topology}", hint="--topology gossip")
    given = {
        field.name: getattr(args, field.name) for field in fields(Setting) if field.name not in ("mixing", "faults")
    }
    base = Setting(**given, faults=tuple(_fault(text) for text in args.fault))
    return [replace(base, mixing=mixing) for mixing in args.mixing or [base.mixing]]


def _fault(text: str) -> tuple[Fault, int]:
    name, _, count = text.partition(":")
    if name not in set(Fault):
        raise UnknownName("fault", name, [str(kind) for kind in Fault])
    if count and not (count.isdecimal() and int(count) >= 1):
        raise ConfigError(f"--fault {text!r}: {count!r} is no number of nodes", hint=f"{name}:2")
    return Fault(name), int(count or 1)


def run(args: argparse.Namespace) -> int:
    """Run every row's seeds, then print a table, or JSON with the accuracy after each round."""
    settings = settings_of(args)
    total = len(settings) * args.seeds * args.rounds
    rows = []
    with tqdm(total=total, file=sys.stderr, unit="round", disable=not sys.stderr.isatty()) as bar:

        def tick(done: int, total: int) -> None:
            bar.update()

        for setting in settings:
            seeds = range(setting.seed, setting.seed + args.seeds)
            rows.append([run_setting(replace(setting, seed=seed), tick) for seed in seeds])
    if args.json:
        print(json.dumps([_json(setting, found) for setting, found in zip(settings, rows, strict=True)]))
        return 0
    print(
        f"{'strategy':20} {'accuracy':>8} {'worst':>6} {'spread':>6} {'kB/node/round':>13} {'busiest':>8} {'rounds':>7}"
    )
    for setting, found in zip(settings, rows, strict=True):
        print(_line(setting, found))
    for text in _remarks(rows):
        print(text)
    return 0


def _json(setting: Setting, found: Sequence[Outcome]) -> dict[str, object]:
    return {"setting": asdict(setting), "runs": [asdict(outcome) for outcome in found]}


def _line(setting: Setting, found: Sequence[Outcome]) -> str:
    """Means over seeds, but the worst node is the worst of all."""
    name = setting.mixing if setting.topology == "gossip" else setting.topology
    mean = {key: float(np.mean([getattr(o, key) for o in found])) for key in ("accuracy", "spread", "sent_bytes")}
    busiest = max(outcome.sent_most for outcome in found) / setting.rounds / 1e3
    rounds = f"{sum(outcome.completed for outcome in found)}/{setting.rounds * len(found)}"
    return (
        f"{name:20} {mean['accuracy']:8.3f} {min(outcome.worst for outcome in found):6.3f} {mean['spread']:6.3f}"
        f" {mean['sent_bytes'] / setting.rounds / 1e3:13.1f} {busiest:8.1f} {rounds:>7}"
    )


def _remarks(rows: Sequence[Sequence[Outcome]]) -> list[str]:
    """What a table cannot say: the graph's contraction, who was caught, and why rounds were skipped."""
    outcomes = [outcome for found in rows for outcome in found]
    texts = []
    if outcomes[0].contraction is not None:
        texts.append(f"graph      an exchange shrinks disagreement by {outcomes[0].contraction:.3f} at least")
    caught = sorted({node for outcome in outcomes for node in outcome.caught})
    if caught:
        texts.append(f"caught     nodes {', '.join(map(str, caught))}")
    reasons = [reason for outcome in outcomes for reason in outcome.skipped]
    if reasons:
        texts.append(f"skipped    {len(reasons)} rounds, the first: {reasons[0]}")
    return texts
