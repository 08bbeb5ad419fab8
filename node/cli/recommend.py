"""Which updates and data sets a node may like, from what raters it trusts found good."""

from __future__ import annotations

import argparse
import json

from node.cli.reputation import UNITS
from node.cli.sources import add_source, opened
from node.errors import ConfigError

KINDS = ("update", "data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence recommend`."""
    add_source(parser)
    parser.add_argument("--for", dest="ego", type=int, required=True, metavar="N", help="the node that asks")
    parser.add_argument("--kind", choices=KINDS, help="updates or data sets only")
    parser.add_argument("--top", type=int, default=10, metavar="K", help="how many (default 10)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Print items, best first."""
    from node.reputation.evaluations import graph_after, read_evaluations  # compiles loops: only who asks waits
    from node.reputation.likings import likings_of
    from node.reputation.recommend import recommend

    if args.top < 1:
        raise ConfigError(f"--top {args.top} shows nothing", hint="a number from 1 on")
    with opened(args) as source:
        view = source.view
        evaluations = read_evaluations(view, source.store, source.spec())
        graph = graph_after(view, evaluations, view.latest_final or 0)
        if args.ego not in graph.members:
            raise ConfigError(f"node {args.ego} has not joined this task", hint=f"nodes: {list(graph.members)}")
        advised = recommend(likings_of(view, source.store, evaluations), graph.stakes, args.ego)
    kept = [item for item in advised if args.kind in (None, item.item.split(":")[0])][: args.top]
    if args.json:
        rows = [{"item": i.item, "score": i.score / UNITS, "units": i.score, "known": i.known} for i in kept]
        print(json.dumps(rows))
        return 0
    print(f"{'score':>10}  known  item")
    for item in kept:
        print(f"{item.score / UNITS:>10.6f}  {'yes' if item.known else 'no':5}  {item.item}")
    return 0
