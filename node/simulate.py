"""A whole network in one process: real contracts on a real EVM, real training, the real protocol, step by step.

The scheduler is cooperative: each actor does what it can; when nobody can do more, the clock moves to the next
deadline. The actors are the ones that real nodes run, so what holds here holds there. With the in-process chain the
same seed gives the same blocks, updates and scores; an interrupted run resumes from its folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ledger import Chain, Index, Phase, Role, TesterChain, open_chain
from node.baseline import plain_averaging
from node.config import SimulationConfig
from node.data import Dataset
from node.errors import ConfigError, NodeError
from node.identity import ensure_gas_money, require_live
from node.journal import Journal
from node.message import Kind, Scope
from node.metrics import Metrics
from node.model import Evaluator, initial_parameters
from node.network import BEGUN, Network, establish, funded_addresses, key_seed, timing_for
from node.partition import partition
from node.peers import Board
from node.reputation.evaluations import GRAPH_FILE, latest_graph, save_graph
from node.round.actor import Actor, Context
from node.round.adversary import make_trainer, make_verifier
from node.round.claim import claim_earned
from node.round.collect import COLLECT_BY, DIRECT_FROM, collect_time
from node.round.gather import fetch_record, load_model
from node.round.owner import Owner
from node.round.turns import due_shares
from node.round.view import TaskView
from node.seeds import derive_seed
from node.summary import RunSummary, load_round_record, round_row, summarise
from node.task import TASKS
from storage import Store, open_store

POLL_S = 0.2

Report = Callable[[str, int, int], None]  # stage, done, total


def _quiet(stage: str, done: int, total: int) -> None:
    return


@dataclass(frozen=True)
class Run:
    """A finished simulation: its folder and its results."""

    folder: Path
    summary: RunSummary


def simulate(
    config: SimulationConfig,
    folder: Path,
    *,
    progress: Report = _quiet,
    announce: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Run:
    """Run a network to the end of its task and summarise it.

    `announce` receives one mapping for the chain and one for each round as it becomes final. Raises ConfigError when
    `folder` holds another configuration, LedgerError or StorageError when chain or store fail.
    """
    started = time.perf_counter()
    torch.set_num_threads(1)  # sums in another order are other bytes: one thread is part of the numeric profile
    prepare_folder(config, folder)
    metrics = Metrics()
    chain = _open_chain(config, folder)
    store = open_store(config.store, root=folder / "store")
    try:
        network = establish(chain, store, config, folder, step=lambda text: progress(text, 0, 0))
        shards = trainer_shards(config, network)
        view = TaskView(network.ledger, network.task, lambda digest: fetch_record(store, digest))
        actors = make_actors(config, network, shards, view=view, store=store, folder=folder, metrics=metrics)
        scorer = Scorer(network, view, store)
        announce({"kind": "network", "network": network})
        _drive(actors, view, scorer, progress=progress, announce=announce, metrics=metrics)
        _claim_rewards(network, view)
        with Index(folder / "index.sqlite") as index:
            index.follow(chain, network.ledger.deployment)
        summary = summarise(
            config,
            network,
            view=view,
            store=store,
            accuracies=[scorer.accuracy_after(round_) for round_ in range(1, config.rounds + 1)],
            baselines=_baselines(config, network, shards, progress),
            phase_s=metrics.seconds(),
            folder=folder,
        )
        save_graph(latest_graph(view, store, network.published.spec), folder / GRAPH_FILE)
        for actor in actors:
            actor.context.journal.close()
    finally:
        chain.close()
        store.close()
    summary = summary.timed(wall_s=time.perf_counter() - started)
    write_json(folder / "result.json", summary.to_json())
    return Run(folder, summary)


def prepare_folder(config: SimulationConfig, folder: Path) -> None:
    """Make the run folder. An unfinished run of the same configuration resumes; a finished one starts over.

    Raises ConfigError when the folder holds something else: nothing of the user's is ever overwritten.
    """
    marker = folder / "config.json"
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise ConfigError(f"{folder} is not empty and holds no run", hint="choose another --out")
        held = SimulationConfig.from_json(json.loads(marker.read_text()))
        if held != config:
            raise ConfigError(f"{folder} holds a run with another configuration", hint="choose another --out")
        if not (folder / "result.json").exists():
            return
        _remove_run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(marker, config.to_json())


def _remove_run(folder: Path) -> None:
    """Clear what a run writes, and only that, so that the same run can be made again."""
    import shutil

    for name in (
        "archive.jsonl",
        "deployment.json",
        BEGUN,
        "index.sqlite",
        GRAPH_FILE,
        "result.json",
        "report.html",
        "config.json",
    ):
        (folder / name).unlink(missing_ok=True)
    for name in ("store", "nodes"):
        shutil.rmtree(folder / name, ignore_errors=False) if (folder / name).exists() else None


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    os.replace(temporary, path)


def _open_chain(config: SimulationConfig, folder: Path) -> Chain:
    if config.chain != "tester":
        chain = open_chain(config.chain)
        require_live(chain)
        for address in funded_addresses(config):
            ensure_gas_money(chain, address)
        return chain
    archive = folder / "archive.jsonl"
    seed = key_seed(config.seed)
    if archive.exists():
        return TesterChain.open(archive, seed=seed)
    return TesterChain.create(seed=seed, funded=funded_addresses(config), archive=archive)


def trainer_shards(config: SimulationConfig, network: Network) -> list[Dataset]:
    """Each trainer's own data, in slot order."""
    data = network.published.train
    parts = partition(data.y, config.nodes, config.partition, seed=derive_seed(config.seed, "partition"))
    return [data.subset(part) for part in parts]


def make_actors(
    config: SimulationConfig,
    network: Network,
    shards: Sequence[Dataset],
    *,
    view: TaskView,
    store: Store,
    folder: Path,
    metrics: Metrics,
) -> list[Actor]:
    """One actor for each participant, the owner first; they share view, store and board."""
    scope = Scope(network.ledger.chain.chain_id, network.ledger.deployment.contracts["RoundBook"])
    board = Board(scope, view.signer_of)

    def context(label: str, node: int, signer: Any) -> Context:
        journal = Journal(folder / "nodes" / label)
        return Context(view, store, board, journal, signer, node, network.published.spec, metrics)

    actors: list[Actor] = [Owner(context("owner", 0, network.owner), secret=network.secret)]
    for member, shard in zip(network.of_role(Role.TRAINER), shards, strict=True):
        person = member.identity
        own = context(person.label, member.node, person.hot)
        actors.append(make_trainer(own, shard, run_seed=config.seed, attack=person.attack))
    patience = timing_for(config, moves_clock=network.ledger.chain.can_move_clock).attempt_s // 10
    for member in network.of_role(Role.VERIFIER):
        person = member.identity
        own = context(person.label, member.node, person.hot)
        actors.append(make_verifier(own, run_seed=config.seed, attack=person.attack, patience_s=patience))
    return actors


def _drive(
    actors: Sequence[Actor],
    view: TaskView,
    scorer: Scorer,
    *,
    progress: Report,
    announce: Callable[[Mapping[str, Any]], None],
    metrics: Metrics,
) -> None:
    """Let every actor do what it can; when nobody can do more, move the clock to the next deadline."""
    rounds = view.state.params.rounds
    told = 0
    while not all(actor.finished() for actor in actors):
        worked = [actor.advance() for actor in actors]
        current = min(view.clock.round, rounds)
        progress(f"round {current} {view.clock.phase.name.lower()}", max(0, current - 1), rounds)
        while told < rounds and (told + 1 < view.clock.round or view.clock.phase is Phase.OVER):
            if view.pending_round == told + 1:
                break
            told += 1
            row = round_row(
                view, load_round_record(view, scorer.store, told), told, accuracy=scorer.accuracy_after(told)
            )
            announce({"kind": "round", "row": row, "total": rounds})
        if any(worked):
            continue
        if view.ledger.chain.can_move_clock:
            with metrics.phase("chain"):
                view.ledger.chain.advance_to(_next_deadline(view, (0.0, *due_shares(scorer.spec))))
        else:
            time.sleep(POLL_S)


def _next_deadline(view: TaskView, shares: Sequence[float]) -> int:
    """The earliest future instant at which some actor's rules may let it do more; `shares` of turns among them."""
    now, clock, params = view.now, view.clock, view.state.params
    if clock.phase is Phase.OVER:
        raise NodeError("the task is over but an actor still waits", hint="this is a defect: please report the seed")
    if clock.round == 0:
        return params.starts_at
    times = {clock.ends_at}
    for kind in (Kind.COMMITTED, Kind.DISCLOSED):
        times |= {collect_time(view, clock.round, kind, share) for share in (COLLECT_BY, DIRECT_FROM)}
    opened = view.post_start(clock.round)
    for attempt in range(params.post_s // params.attempt_s + 1):
        turn = opened + attempt * params.attempt_s
        times |= {turn + -int(-share * params.attempt_s // 1) for share in shares}
        times.add(turn + params.attempt_s // 10)
    return min(instant for instant in times if instant > now)


def _claim_rewards(network: Network, view: TaskView) -> None:
    """Every node takes what it has earned, so that the table shows money that has moved."""
    for member in network.members:
        claim_earned(view, member.identity.cold, member.identity.role, member.node)


class Scorer:
    """Test accuracy of the model that stands after each round; an unsettled round keeps its parent's."""

    def __init__(self, network: Network, view: TaskView, store: Store) -> None:
        spec = network.published.spec
        self.store = store
        self.spec = spec
        self._view, self._test = view, network.published.test
        self._evaluator = Evaluator(TASKS.get(spec.name).module(spec.shape, spec.classes))
        self._known: dict[bytes, float] = {}

    def accuracy_after(self, round_: int) -> float:
        """Share of the test set classified rightly, in [0, 1]."""
        digest = self._view.parent(round_ + 1)
        if digest not in self._known:
            model = load_model(self.store, self.spec, digest)
            self._known[digest] = self._evaluator.accuracy(model, self._test)
        return self._known[digest]


def _baselines(
    config: SimulationConfig, network: Network, shards: Sequence[Dataset], progress: Report
) -> dict[str, list[float]]:
    """Accuracy per round of clean training and of the undefended mean under the same attack."""
    trainers = network.of_role(Role.TRAINER)
    attacks = [m.identity.attack for m in trainers]
    spec = network.published.spec
    module = TASKS.get(spec.name).module
    genesis = initial_parameters(lambda: module(spec.shape, spec.classes), derive_seed(config.seed, "genesis"))
    results: dict[str, list[float]] = {}
    total = 2 * config.rounds * config.nodes
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        progress("reference curves", count, total)

    for name, chosen in (("clean", [None] * len(trainers)), ("undefended", attacks)):
        if name == "undefended" and not any(chosen):
            results[name] = results["clean"]
            continue
        results[name] = plain_averaging(
            shards,
            network.published.test,
            spec,
            genesis,
            node_ids=[m.node for m in trainers],
            attacks=chosen,
            rounds=config.rounds,
            run_seed=config.seed,
            tick=tick,
        )
    return results
