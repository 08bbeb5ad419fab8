"""A real node: one actor in one process, on a live chain, with peers over HTTP.

The loop calls the same `advance` that a simulation calls. A chain or store that is briefly away is retried until the
node has made no progress for `PATIENCE_S`; then it stops with the reason, and starting it again resumes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ledger import Ledger, Role, Signer, deployments, open_chain
from ledger.errors import ChainUnavailable
from node.attacks import ATTACKS, AttackSpec, parse_attack
from node.data import Dataset
from node.errors import ConfigError
from node.http_peers import HttpPeers, parse_listen
from node.identity import ensure_gas_money, node_secret, own_key, require_live
from node.journal import Journal
from node.message import Scope
from node.metrics import Metrics
from node.network import SEAT_STAKE
from node.partition import partition
from node.publish import task_split
from node.round.actor import Actor, Context
from node.round.adversary import make_trainer, make_verifier
from node.round.claim import claim_earned
from node.round.gather import fetch_record
from node.round.owner import Owner
from node.round.standing import standing_before
from node.round.view import TaskView
from node.seeds import derive_bytes, derive_seed
from node.spec import TaskSpec
from node.task import TASKS
from storage import Store, StoreUnavailable, open_store

log = logging.getLogger("credence.node")

TICK_S = 0.25
PATIENCE_S = 120.0


@dataclass(frozen=True)
class NodeOptions:
    """What a node is told at start; see `credence node --help`."""

    role: str
    chain: str
    store: str
    deployments: Path
    task: int | None
    home: Path
    name: str
    listen: str
    advertise: str | None
    share: tuple[int, int] | None
    partition: str
    seed: int
    options: Mapping[str, str]
    attack: str | None


def run_node(options: NodeOptions, password: str, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Join the task if needed, work until it is over, claim what was earned. Returns what the node ends with."""
    torch.set_num_threads(1)  # part of the numeric profile, as in simulation
    attack = _attack_of(options)
    chain = open_chain(options.chain)
    try:
        require_live(chain)
        ledger = Ledger(chain, deployments.load(options.deployments, chain))
        signer = own_key(options.home, options.name, password)
        ensure_gas_money(chain, signer.address)
        task = _task_of(ledger, options.task)
        store = open_store(options.store)
        try:
            return _serve(options, ledger, store, signer, task, attack, say)
        finally:
            store.close()
    finally:
        chain.close()


def _attack_of(options: NodeOptions) -> AttackSpec | None:
    if options.attack is None:
        return None
    attack = parse_attack(f"{options.attack}:1")
    if ATTACKS.get(attack.name).role != options.role:
        raise ConfigError(f"attack {attack.name!r} is not one of a {options.role}")
    return attack


def _task_of(ledger: Ledger, task: int | None) -> int:
    count = ledger.task_count()
    chosen = count if task is None else task
    if not 1 <= chosen <= count:
        hint = f"tasks 1 to {count} exist" if count else "create one: credence deploy --chain URL"
        raise ConfigError(f"there is no task {chosen} on this chain", hint=hint)
    return chosen


def _serve(
    options: NodeOptions,
    ledger: Ledger,
    store: Store,
    signer: Signer,
    task: int,
    attack: AttackSpec | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    view, metrics = TaskView(ledger, task, lambda digest: fetch_record(store, digest)), Metrics()
    spec = TaskSpec.from_bytes(fetch_record(store, view.state.params.spec_digest))
    data = _own_data(options, spec) if options.role == "trainer" else None
    folder = options.home / "nodes" / options.name
    journal = Journal(folder)
    scope = Scope(ledger.chain.chain_id, ledger.deployment.contracts["RoundBook"])
    peers = HttpPeers(scope, view.signer_of, task=task, listen=_sticky(options.listen, folder), metrics=metrics)
    try:
        _remember_port(folder, peers.url)
        node = 0
        if options.role != "owner":
            node = _join(ledger, signer, task, Role[options.role.upper()], options.advertise or peers.url)
        peers.endpoints = view.endpoints
        context = Context(view, store, peers, journal, signer, node, spec, metrics)
        actor = _actor(context, options, data, attack)
        starts_in = max(0, view.state.params.starts_at - view.now)
        say(f"{options.role} {options.name}: node {node}, task {task}, at {peers.url}, first round in {starts_in} s")
        _loop(actor, view, say)
        return _farewell(view, signer, node, options, say)
    finally:
        peers.close()
        journal.close()


def _sticky(listen: str, folder: Path) -> str:
    """A node that lets the system choose its port keeps it, because peers know it from the chain."""
    host, port = parse_listen(listen)
    saved = folder / "port"
    return f"{host}:{saved.read_text().strip()}" if port == 0 and saved.exists() else listen


def _remember_port(folder: Path, url: str) -> None:
    (folder / "port").write_text(url.rpartition(":")[2])


def _own_data(options: NodeOptions, spec: TaskSpec) -> Dataset:
    """The trainer's own data: files of its own, or its share of a built-in set."""
    if options.options:
        data = TASKS.get("files").load(options.options)
    elif options.share is None:
        raise ConfigError("a trainer needs data", hint="--option path=FILE ..., or --share I/N of a built-in task")
    else:
        dataset = TASKS.get(spec.name).load({})
        pool = task_split(dataset, options.seed).train
        part, total = options.share
        parts = partition(pool.y, total, options.partition, seed=derive_seed(options.seed, "partition"))
        data = pool.subset(parts[part - 1])
    if data.shape != spec.shape or data.classes > spec.classes:
        raise ConfigError(
            f"own samples have shape {data.shape} and {data.classes} classes",
            hint=f"the task has shape {spec.shape} and {spec.classes} classes",
        )
    return data


def _join(ledger: Ledger, signer: Signer, task: int, role: Role, endpoint: str) -> int:
    node = ledger.node_of_signer(signer.address)
    if node == 0:
        if ledger.token_balance(signer.address) < SEAT_STAKE:
            ledger.mint(signer, signer.address, SEAT_STAKE)
        node, _ = ledger.register(signer, signer, SEAT_STAKE)
    if role is Role.VERIFIER and ledger.node(node).seats == 0:
        ledger.take_seats(signer, node, 1)
    if node not in ledger.members(task, role):
        ledger.join(signer, task, node, role, endpoint)
    return node


def _actor(context: Context, options: NodeOptions, data: Dataset | None, attack: AttackSpec | None) -> Actor:
    secret = node_secret(options.home)
    if options.role == "owner":
        return Owner(context, secret=derive_bytes(secret, "probe secret"))
    if options.role == "verifier":
        slot = context.view.slots(Role.VERIFIER).get(context.node, 0)
        turn = context.view.state.params.attempt_s // 10
        return make_verifier(context, run_seed=secret, attack=attack, patience_s=(slot + 1) * max(1, turn))
    assert data is not None
    return make_trainer(context, data, run_seed=secret, attack=attack)


def _loop(actor: Actor, view: TaskView, say: Callable[[str], None]) -> None:
    told, last_progress = 0, time.monotonic()
    while True:
        try:
            if actor.finished():
                return
            worked = actor.advance()
            head = view.ledger.chain.block_number()
            told = _tell_rounds(view, told, say)
        except (ChainUnavailable, StoreUnavailable) as error:
            if time.monotonic() - last_progress > PATIENCE_S:
                raise
            log.warning("waiting: %s", error)
            worked, head = False, -1
        if worked or head >= 0:
            last_progress = time.monotonic()
        if not worked:
            time.sleep(TICK_S)


def _tell_rounds(view: TaskView, told: int, say: Callable[[str], None]) -> int:
    for round_ in range(told + 1, view.state.params.rounds + 1):
        if view.now < view.window_end(round_):
            break
        final = view.settled(round_)
        if final is None:
            say(f"round {round_} skipped: the parent model stands")
        else:
            say(f"round {round_} final: model {final.args['report'].model.hex()[:16]}…")
        told = round_
    return told


def _farewell(
    view: TaskView, signer: Signer, node: int, options: NodeOptions, say: Callable[[str], None]
) -> dict[str, Any]:
    rounds = sum(view.settled(round_) is not None for round_ in range(1, view.state.params.rounds + 1))
    if options.role == "owner":
        say("task over: unspent pools returned")
        return {"role": "owner", "task": view.task, "rounds": rounds}
    role = Role[options.role.upper()]
    claim_earned(view, signer, role, node)
    standing, slot = standing_before(view, view.state.params.rounds + 1), view.slots(role)[node]
    result = {
        "role": options.role,
        "task": view.task,
        "node": node,
        "reputation": standing.reputation(role, slot),
        "contribution": standing.contribution(role, slot),
        "reward": view.ledger.token_balance(signer.address),
    }
    say(f"task over: reputation {result['reputation']}, contribution {result['contribution']} units")
    return result
