"""Where a query or an audit reads from: a finished run's folder, or a live chain with its store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ledger import Chain, Ledger, TesterChain, deployments, open_chain
from node.config import SimulationConfig
from node.errors import ConfigError
from node.message import Scope
from node.round.gather import fetch_record
from node.round.view import TaskView
from node.spec import TaskSpec
from storage import Store, open_store

DEFAULT_DEPLOYMENTS = Path("deployments.json")


@dataclass
class Source:
    """One task on one chain, with the store that its artefacts are in."""

    chain: Chain
    store: Store
    ledger: Ledger
    view: TaskView
    attacks: dict[int, str]  # labels of a simulation's attackers; empty for a live chain
    folder: Path | None

    @property
    def scope(self) -> Scope:
        """Chain and contract, part of every message signature."""
        return Scope(self.chain.chain_id, self.ledger.deployment.contracts["RoundBook"])

    def spec(self) -> TaskSpec:
        """The task's spec, fetched by the digest that the chain holds."""
        return TaskSpec.from_bytes(fetch_record(self.store, self.view.state.params.spec_digest))

    def close(self) -> None:
        """Let go of chain and store."""
        self.chain.close()
        self.store.close()


def open_run(folder: Path) -> Source:
    """Reopen a run: replay its archive (every block hash and signature is checked) and open its store."""
    config_path, result_path = folder / "config.json", folder / "result.json"
    if not config_path.exists():
        raise ConfigError(f"{folder} holds no run", hint="give the folder that `credence simulate` printed")
    config = SimulationConfig.from_json(json.loads(config_path.read_text()))
    if config.chain == "tester":
        chain: Chain = TesterChain.open(folder / "archive.jsonl")
    else:
        chain = open_chain(config.chain)
    ledger = Ledger(chain, deployments.load(folder / "deployment.json", chain))
    store = open_store(config.store, root=folder / "store")
    attacks = {}
    if result_path.exists():
        nodes = json.loads(result_path.read_text())["nodes"]
        attacks = {node["node"]: node["attack"] for node in nodes if node["attack"]}
    view = TaskView(ledger, ledger.task_count(), lambda digest: fetch_record(store, digest))
    return Source(chain, store, ledger, view, attacks, folder)


def open_live(chain_url: str, *, store: str, book: Path, task: int | None) -> Source:
    """A live chain by its deployments file `book`. `task` defaults to the newest."""
    chain = open_chain(chain_url)
    ledger = Ledger(chain, deployments.load(book, chain))
    count = ledger.task_count()
    chosen = count if task is None else task
    if not 1 <= chosen <= count:
        raise ConfigError(f"there is no task {chosen} on this chain", hint=f"tasks 1 to {count} exist")
    opened = open_store(store)
    view = TaskView(ledger, chosen, lambda digest: fetch_record(opened, digest))
    return Source(chain, opened, ledger, view, {}, None)
