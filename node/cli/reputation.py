"""Who contributed what, and why any score is what it is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ledger import Role
from node.cli.sources import add_source, opened
from node.errors import ConfigError
from node.explain import explain, lines
from node.round.standing import genesis_standing, standing_before
from node.source import Source
from node.transcript import tokens

UNITS = float(1 << 40)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence reputation`."""
    add_source(parser)
    parser.add_argument("--node", type=int, metavar="N", help="one node only")
    parser.add_argument("--explain", type=int, metavar="ROUND", help="walk the node's score of a round to its causes")
    parser.add_argument("--for", dest="ego", type=int, metavar="N", help="rank everybody as node N sees them")
    parser.add_argument("--top", type=int, metavar="K", help="the best K, in general or with --for")
    parser.add_argument(
        "--history", nargs="?", const="", metavar="PNG", help="general score after each round, with a plot"
    )
    parser.add_argument("--ranking", default="meritrank", metavar="NAME", help="default meritrank")
    parser.add_argument("--json", action="store_true")


def rows(source: Source) -> list[dict[str, Any]]:
    """{node, role, reputation, contribution, stake, rounds} of every joined node, best first. Stake in wei."""
    view, ledger = source.view, source.ledger
    found = []
    rounds = [r for r in range(1, view.state.params.rounds + 1) if view.settled(r) is not None]
    standings = [standing_before(view, r + 1) for r in rounds]
    standing = standings[-1] if standings else genesis_standing(view.state.params)
    for role in Role:
        for node, slot in view.slots(role).items():
            info = ledger.node(node)
            due = [after for after in standings if after.scored(role, slot)]
            found.append(
                {
                    "node": node,
                    "role": role.name.lower(),
                    "reputation": standing.reputation(role, slot),
                    "contribution": standing.contribution(role, slot),
                    "stake": info.bonded + info.exiting,
                    "rounds": len(due),
                }
            )
    return sorted(found, key=lambda row: (-row["reputation"], -row["contribution"], row["node"]))


def run(args: argparse.Namespace) -> int:
    """Print the table, a ranking, the history, or the explanation of one score."""
    if args.explain is not None and args.node is None:
        raise ConfigError("--explain needs --node", hint="credence reputation --run DIR --node 3 --explain 1")
    if args.top is not None and args.top < 1:
        raise ConfigError(f"--top {args.top} shows nobody", hint="a number from 1 on")
    with opened(args) as source:
        if args.history is not None:
            return show_history(args, source)
        if args.ego is not None or args.top is not None:
            return show_ranking(args, source)
        if args.explain is not None:
            steps = explain(source, node=args.node, round_=args.explain)
            print(json.dumps([step.to_json() for step in steps]) if args.json else "\n".join(lines(steps)))
            return 0
        table = rows(source)
    if args.node is not None:
        table = [row for row in table if row["node"] == args.node]
        if not table:
            raise ConfigError(f"node {args.node} has not joined this task")
    if args.json:
        print(json.dumps(table))
        return 0
    print(f"{'node':>4}  {'role':8}  {'reputation':>10}  {'units':>9}  {'stake':>8}  rounds")
    for row in table:
        print(
            f"{row['node']:>4}  {row['role']:8}  {row['reputation']:>10}  {row['contribution']:>9}  "
            f"{tokens(row['stake']):>8}  {row['rounds']}"
        )
    return 0


def roles_of(source: Source) -> dict[int, str]:
    """Each member's role; trainer for who is both."""
    return {node: role.name.lower() for role in reversed(Role) for node in source.view.slots(role)}


def show_ranking(args: argparse.Namespace, source: Source) -> int:
    """Walks on the evaluation graph, from one node or from the raters by stake."""
    from node.reputation.evaluations import latest_graph  # compiles loops: only who asks waits for it
    from node.reputation.views import Views

    graph = latest_graph(source.view, source.store, source.spec())
    ranked = Views(graph, args.ranking).ranked(args.ego)[: args.top]
    roles = roles_of(source)
    if args.json:
        listed = [{"node": node, "role": roles[node], "score": units / UNITS, "units": units} for node, units in ranked]
        head = {"for": args.ego, "ranking": args.ranking, "round": graph.round, "graph": graph.digest()}
        print(json.dumps({**head, "nodes": listed}))
        return 0
    seen = "in general" if args.ego is None else f"as node {args.ego} sees them"
    print(f"{args.ranking} {seen}, after round {graph.round}")
    print(f"{'rank':>4}  {'node':>4}  {'role':8}  {'score':>10}")
    for rank, (node, units) in enumerate(ranked, 1):
        print(f"{rank:>4}  {node:>4}  {roles[node]:8}  {units / UNITS:>10.6f}")
    return 0


def show_history(args: argparse.Namespace, source: Source) -> int:
    """The general view after each final round, as a table and a plot."""
    from node.reputation.evaluations import read_evaluations
    from node.reputation.history import draw_history, score_history

    evaluations = read_evaluations(source.view, source.store, source.spec())
    rounds, scores = score_history(source.view, evaluations, args.ranking)
    if not rounds:
        raise ConfigError("no round is final yet", hint="ask again after the first challenge window")
    path = Path(args.history) if args.history else (source.folder or Path()) / "reputation.png"
    draw_history(rounds, scores, roles_of(source), path)
    if args.json:
        print(json.dumps({"rounds": rounds, "scores": {str(n): row for n, row in scores.items()}, "plot": str(path)}))
        return 0
    print(f"{'node':>4}  " + "".join(f"{f'round {round_}':>11}" for round_ in rounds))
    for node, row in sorted(scores.items(), key=lambda item: (-item[1][-1], item[0])):
        print(f"{node:>4}  " + "".join(f"{value:>11.6f}" for value in row))
    print(f"plot: {path}")
    return 0
