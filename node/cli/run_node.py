"""Run one node: a trainer or verifier with its stake, or the project owner. Start it again to resume."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from node.cli.simulate import parse_options
from node.errors import ConfigError
from node.identity import DEFAULT_HOME, ask_password
from node.service import NodeOptions, run_node
from node.source import DEFAULT_DEPLOYMENTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence node`."""
    parser.add_argument("--role", required=True, choices=("trainer", "verifier", "owner"))
    parser.add_argument("--chain", required=True, metavar="URL", help="JSON-RPC endpoint or IPC path")
    parser.add_argument("--store", default="disk", metavar="disk[:DIR]|URL")
    parser.add_argument("--deployments", type=Path, default=DEFAULT_DEPLOYMENTS, metavar="FILE")
    parser.add_argument("--task-id", type=int, metavar="T", help="default the newest")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR", help="keys, secret and journal")
    parser.add_argument("--name", required=True, help="this node's key, created on first use")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="else $CREDENCE_PASSWORD, else asked")
    parser.add_argument(
        "--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="0 = any free port, kept for later"
    )
    parser.add_argument("--advertise", metavar="URL", help="where peers reach this node, when not where it listens")
    parser.add_argument("--share", metavar="I/N", help="trainer of a built-in task: train on part I of N")
    parser.add_argument("--partition", default="iid", metavar="iid|dirichlet:ALPHA|label:K", help="with --share")
    parser.add_argument("--seed", type=int, default=7, help="with --share: the task's data seed")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="trainer: own data files")
    parser.add_argument("--attack", metavar="NAME[=STRENGTH]", help="misbehave, for experiments")
    parser.add_argument("--json", action="store_true", help="print one JSON object when the task is over")


def run(args: argparse.Namespace) -> int:
    """Run to the end of the task."""
    options = NodeOptions(
        role=args.role,
        chain=args.chain,
        store=args.store,
        deployments=args.deployments,
        task=args.task_id,
        home=args.home,
        name=args.name,
        listen=args.listen,
        advertise=args.advertise,
        share=_share(args.share),
        partition=args.partition,
        seed=args.seed,
        options=parse_options(args.option),
        attack=args.attack,
    )
    out = sys.stderr if args.json else sys.stdout
    result = run_node(options, ask_password(args.password_file), say=lambda text: print(text, file=out, flush=True))
    if args.json:
        print(json.dumps(result))
    return 0


def _share(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    part, slash, total = text.partition("/")
    if not slash or not part.isdecimal() or not total.isdecimal() or not 1 <= int(part) <= int(total):
        raise ConfigError(f"--share {text!r} is not I/N", hint="for example 1/3")
    return int(part), int(total)
