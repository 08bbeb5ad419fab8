"""Who contributed what, and why any score is what it is."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ledger import Role
from node.cli.sources import add_source, opened
from node.errors import ConfigError
from node.explain import explain, lines
from node.source import Source
from node.transcript import tokens


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence reputation`."""
    add_source(parser)
    parser.add_argument("--node", type=int, metavar="N", help="one node only")
    parser.add_argument("--explain", type=int, metavar="ROUND", help="walk the node's score of a round to its causes")
    parser.add_argument("--json", action="store_true")


def rows(source: Source) -> list[dict[str, Any]]:
    """{node, role, reputation, contribution, stake, rounds} of every joined node, best first. Stake in wei."""
    view, ledger = source.view, source.ledger
    found = []
    finals = range(1, view.state.params.rounds + 1)
    for role in Role:
        reputations = ledger.reputations(view.task, role)
        for node, slot in view.slots(role).items():
            info = ledger.node(node)
            due = [r for r in finals if view.events("Finalised", r) and _scored(view, role, slot, r)]
            found.append(
                {
                    "node": node,
                    "role": role.name.lower(),
                    "reputation": reputations[node],
                    "contribution": ledger.contribution(view.task, role, node),
                    "stake": info.bonded + info.exiting,
                    "rounds": len(due),
                }
            )
    return sorted(found, key=lambda row: (-row["reputation"], -row["contribution"], row["node"]))


def _scored(view: Any, role: Role, slot: int, round_: int) -> bool:
    name = "trainerWords" if role is Role.TRAINER else "verifierWords"
    words = view.events("Posted", round_)[-1].args[name]
    return slot // 15 < len(words) and bool((int(words[slot // 15]) >> (16 * (slot % 15))) & 0xFFFF)


def run(args: argparse.Namespace) -> int:
    """Print the table, or the explanation of one score."""
    if args.explain is not None and args.node is None:
        raise ConfigError("--explain needs --node", hint="credence reputation --run DIR --node 3 --explain 1")
    with opened(args) as source:
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
