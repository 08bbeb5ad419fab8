"""Deploy the contracts to a chain and create a task on them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ledger import Ledger, Signer, deploy, deployments, open_chain
from ledger.errors import NoCode, StaleDeployment
from node.calibrate import Calibration
from node.cli.simulate import parse_options
from node.identity import DEFAULT_HOME, ask_password, ensure_gas_money, node_secret, own_key
from node.network import MIN_STAKE, SEAT_STAKE, UNBONDING_S
from node.publish import Timing, publish_task, task_params
from node.seeds import derive_bytes
from node.source import DEFAULT_DEPLOYMENTS
from node.spec import NO_CANARIES
from storage import open_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence deploy`. Times are seconds of chain time."""
    parser.add_argument("--chain", required=True, metavar="URL", help="JSON-RPC endpoint or IPC path")
    parser.add_argument("--store", default="disk", metavar="disk[:DIR]|URL", help="where artefacts go")
    parser.add_argument("--deployments", type=Path, default=DEFAULT_DEPLOYMENTS, metavar="FILE")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR", help="keys and the owner's secret")
    parser.add_argument("--name", default="owner", help="the owner's key, created on first use")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="else $CREDENCE_PASSWORD, else asked")
    parser.add_argument("--task", default="digits", metavar="NAME", help="`none` deploys the contracts only")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="task option")
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="what `credence calibrate --out` wrote")
    parser.add_argument("--aggregator", default="nnm+trimmed_mean", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seats", type=int, default=3, help="committee size k")
    parser.add_argument("--settlement", default="words", choices=("words", "root"), help="see docs/gas.md")
    parser.add_argument("--capacity", type=int, default=1_000, metavar="N", help="root: room for N nodes in each role")
    parser.add_argument("--fund", type=int, metavar="ROUNDS", help="pay for the first ROUNDS now (default: all)")
    parser.add_argument("--collector", default="owner", choices=("owner", "none"), help="who logs commits for all")
    parser.add_argument("--stake-bad", default="0.2", metavar="SHARE", help="hostile share of stake to reckon with")
    parser.add_argument(
        "--capture-bound", default="1", metavar="P", help="warn where a committee is captured more often"
    )
    parser.add_argument("--stall-bound", default="1", metavar="P", help="warn where a committee is stalled more often")
    parser.add_argument(
        "--canary-rate",
        default=NO_CANARIES,
        metavar="SHARE",
        help="share of submissions that trainers plant to catch lazy verifiers, 0 (none) to 0.5",
    )
    parser.add_argument("--shards", type=int, metavar="N", help="replay mode: publish the training data in N shards")
    parser.add_argument("--seed", type=int, default=7, help="splits the data; trainers of built-in tasks need it")
    parser.add_argument("--commit-s", type=int, default=25)
    parser.add_argument("--reveal-s", type=int, default=10)
    parser.add_argument("--post-s", type=int, default=60)
    parser.add_argument("--window-s", type=int, default=5)
    parser.add_argument("--attempt-s", type=int, default=30, help="a proposer's turn within the post phase")
    parser.add_argument("--start-in", type=int, default=120, help="until the first round opens; nodes join before")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Deploy (or reuse a valid deployment), publish and create the task, print what nodes need."""
    password = ask_password(args.password_file)
    chain = open_chain(args.chain)
    try:
        owner = own_key(args.home, args.name, password)
        ensure_gas_money(chain, owner.address)
        try:
            deployment = deployments.load(args.deployments, chain)
        except (FileNotFoundError, NoCode, StaleDeployment):
            deployment = deploy(chain, owner, seat_stake=SEAT_STAKE, min_stake=MIN_STAKE, unbonding_s=UNBONDING_S)
            deployments.save(args.deployments, deployment)
        result: dict[str, Any] = {
            "chain_id": chain.chain_id,
            "contracts": dict(sorted(deployment.contracts.items())),
            "owner": owner.address,
            "task": None if args.task == "none" else _create(args, Ledger(chain, deployment), owner),
        }
    finally:
        chain.close()
    if args.json:
        print(json.dumps(result))
        return 0
    print(f"chain id   {result['chain_id']}")
    for name, address in result["contracts"].items():
        print(f"  {name:15} {address}")
    if result["task"]:
        print(f"task       {result['task']} ({args.task}, {args.rounds} rounds, {args.seats} seats)")
        print("next       credence node --role owner|verifier|trainer, each in its own terminal")
    return 0


def _create(args: argparse.Namespace, ledger: Ledger, owner: Signer) -> int:
    store = open_store(args.store)
    try:
        published = publish_task(
            store,
            name=args.task,
            options=parse_options(args.option),
            rounds=args.rounds,
            seed=args.seed,
            secret=derive_bytes(node_secret(args.home), "probe secret"),
            overrides={
                "aggregator": args.aggregator,
                "collector": args.collector,
                "stake_bad": args.stake_bad,
                "capture_bound": args.capture_bound,
                "stall_bound": args.stall_bound,
                "canary_rate": args.canary_rate,
            },
            public=None if args.shards is None else ("iid", args.shards),
            calibration=Calibration.from_text(args.calibration.read_text()) if args.calibration else None,
        )
    finally:
        store.close()
    timing = Timing(args.commit_s, args.reveal_s, args.post_s, args.window_s, args.attempt_s)
    starts_at = ledger.chain.now() + args.start_in
    params = task_params(
        published,
        rounds=args.rounds,
        seats=args.seats,
        timing=timing,
        starts_at=starts_at,
        settlement=args.settlement,
        capacity=args.capacity,
    )
    funded = args.rounds if args.fund is None else args.fund
    budget = funded * params.pools
    if ledger.token_balance(owner.address) < budget:
        ledger.mint(owner, owner.address, budget)
    task, _ = ledger.create_task(owner, params, funded)
    return task
