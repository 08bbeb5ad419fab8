"""Tasks on a chain: list them, look at one, pay for more rounds, cancel before the start, close after the end."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ledger import Ledger, Role, deployments, open_chain
from ledger.types import Mode
from node.errors import ConfigError
from node.identity import DEFAULT_HOME, ask_password, own_key
from node.source import DEFAULT_DEPLOYMENTS
from node.transcript import tokens

ACTIONS = ("list", "fund", "cancel", "close")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence tasks`."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", metavar="|".join(ACTIONS))
    parser.add_argument("--chain", required=True, metavar="URL", help="JSON-RPC endpoint or IPC path")
    parser.add_argument("--deployments", type=Path, default=DEFAULT_DEPLOYMENTS, metavar="FILE")
    parser.add_argument("--task", type=int, metavar="N", help="one task; fund, cancel and close need it")
    parser.add_argument("--rounds", type=int, metavar="R", help="fund: how many more rounds to pay for")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR", help="keys")
    parser.add_argument("--name", default="owner", help="the key that pays")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="else $CREDENCE_PASSWORD, else asked")
    parser.add_argument("--json", action="store_true")


def row(ledger: Ledger, task: int) -> dict[str, Any]:
    """One task as plain values; amounts in wei of the token, times in seconds of the chain's clock."""
    found, live, clock = ledger.task(task), ledger.live(task), ledger.clock(task)
    params = found.params
    state = "closed" if found.closed else "waiting" if clock.round == 0 else clock.phase.name.lower()
    return {
        "task": task,
        "owner": found.owner,
        "state": state,
        "settlement": Mode(params.mode).name.lower(),
        "round": clock.round,
        "rounds": params.rounds,
        "funded_rounds": live.funded_rounds,
        "finalised": found.finalised,
        "starts_at": params.starts_at,
        "seats": params.seats,
        "quorum": params.quorum,
        "trainers": live.slots(Role.TRAINER),
        "verifiers": live.slots(Role.VERIFIER),
        "trainer_pool": params.trainer_pool,
        "verifier_pool": params.verifier_pool,
        "escrow": found.escrow,
        "spec": params.spec_digest.hex(),
        "model": found.model.hex(),
    }


def _act(args: argparse.Namespace, ledger: Ledger) -> None:
    if args.action == "list":
        return
    if args.task is None:
        raise ConfigError(f"{args.action} needs --task", hint="see `credence tasks --chain URL`")
    if args.action == "fund" and args.rounds is None:
        raise ConfigError("fund needs --rounds", hint="how many more rounds to pay for")
    signer = own_key(args.home, args.name, ask_password(args.password_file))
    if args.action == "fund":
        ledger.fund_task(signer, args.task, args.rounds)
    elif args.action == "cancel":
        ledger.cancel_task(signer, args.task)
    else:
        ledger.close_task(signer, args.task)


def run(args: argparse.Namespace) -> int:
    """Do what is asked, then print the tasks as they stand."""
    chain = open_chain(args.chain)
    try:
        ledger = Ledger(chain, deployments.load(args.deployments, chain))
        count = ledger.task_count()
        if args.task is not None and not 1 <= args.task <= count:
            raise ConfigError(f"there is no task {args.task} on this chain", hint=f"tasks 1 to {count} exist")
        _act(args, ledger)
        rows = [row(ledger, task) for task in range(1, count + 1) if args.task in (None, task)]
    finally:
        chain.close()
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{'task':>4}  {'state':8}  {'mode':5}  {'round':>9}  {'funded':>6}  {'nodes':>9}  {'pools':>9}  escrow")
    for item in rows:
        pools = tokens(item["trainer_pool"] + item["verifier_pool"])
        print(
            f"{item['task']:>4}  {item['state']:8}  {item['settlement']:5}  "
            f"{item['round']:>4}/{item['rounds']:<4}  {item['funded_rounds']:>6}  "
            f"{item['trainers']:>4}+{item['verifiers']:<4}  {pools:>9}  {tokens(item['escrow'])}"
        )
    return 0
