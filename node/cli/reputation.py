"""Who contributed what, and why any score is what it is."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ledger import Role
from node.cli.sources import add_source, opened
from node.errors import ConfigError
from node.explain import explain, lines
from node.round.standing import genesis_standing, standing_before
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
