"""A network as its users run it: a chain that mines by itself, and every node a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.anvil import anvil
from tests.support.ipfs_daemon import ipfs_daemon
from tests.support.runs import ROOT, credence, environment

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("processes"), pytest.mark.timeout(600)]

PHASES = ("--commit-s", "14", "--reveal-s", "7", "--post-s", "28", "--window-s", "3", "--attempt-s", "14")
TRAINERS = VERIFIERS = 2
DEADLINE_S = 420


class Node:
    """One node's process; its streams go to files, so that nothing blocks."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.args, self.folder = args, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "out").open("ab") as out, (self.folder / "err").open("ab") as err:
            command = [sys.executable, str(ROOT / "scripts" / "run_node.py"), *self.args, "--json"]
            return subprocess.Popen(command, cwd=self.folder, env=environment(), stdout=out, stderr=err)

    def errors(self) -> str:
        return (self.folder / "err").read_text()[-3000:]

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "out").read_text())
        return found


@contextmanager
def network(folder: Path, chain: str, store: str) -> Iterator[dict[str, Node]]:
    """Deploy with scripts/deploy.py and start owner, trainers and verifiers."""
    shared = ("--chain", chain, "--store", store, "--deployments", str(folder / "deployments.json"))
    command = [
        sys.executable, str(ROOT / "scripts" / "deploy.py"), *shared, "--home", str(folder / "owner"),
        "--task", "breast_cancer", "--rounds", "2", "--seats", str(VERIFIERS), "--start-in", "50", *PHASES, "--json",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == 1
    nodes: dict[str, Node] = {}

    def start(name: str, role: str, *extra: str) -> None:
        home = folder / name
        nodes[name] = Node(home, "--role", role, "--name", name, "--home", str(home), *shared, *extra)

    start("owner", "owner")
    for number in range(1, TRAINERS + 1):
        start(f"trainer-{number}", "trainer", "--share", f"{number}/{TRAINERS}")
    for number in range(1, VERIFIERS + 1):
        start(f"verifier-{number}", "verifier")
    try:
        yield nodes
    finally:
        for node in nodes.values():
            node.process.kill()
            node.process.wait(timeout=30)


def wait_for_all(nodes: dict[str, Node]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    for name, node in nodes.items():
        try:
            status = node.process.wait(timeout=max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logs = "\n".join(f"{other}: {n.errors()}" for other, n in nodes.items())
            raise AssertionError(f"{name} is still running after {DEADLINE_S} s\n{logs}") from None
        assert status == 0, f"{name}: {node.errors()}"


def wait_for_text(node: Node, text: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while text not in node.errors():
        assert node.process.poll() is None, node.errors()
        assert time.monotonic() < deadline, f"{text!r} never came: {node.errors()}"
        try:
            node.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue


def check_outcome(folder: Path, chain: str, store: str, nodes: dict[str, Node]) -> None:
    """Both rounds settled, everyone was scored, and an outsider can audit it from chain and store."""
    assert nodes["owner"].result()["rounds"] == 2
    for name, node in nodes.items():
        if name != "owner":
            assert node.result()["reputation"] > 0, name
            assert node.result()["contribution"] > 0 or name.startswith("trainer"), name
    source = ("--chain", chain, "--store", store, "--deployments", str(folder / "deployments.json"))
    rows = json.loads(credence("reputation", *source, "--json").stdout)
    assert [row["rounds"] for row in rows] == [2] * (TRAINERS + VERIFIERS)
    report = json.loads(credence("audit", *source, "--replay", "--json").stdout)
    assert report["rounds"] == [1, 2]
    steps = json.loads(
        credence("reputation", *source, "--node", str(rows[-1]["node"]), "--explain", "2", "--json").stdout
    )
    assert all(step["gas"] for step in steps if step["tx"])


@pytest.mark.ipfs
def test_separate_processes_finish_two_rounds_over_ipfs(tmp_path: Path) -> None:
    with ExitStack() as stack:
        chain = stack.enter_context(anvil(block_time_s=1, start_time=None)).url
        store = stack.enter_context(ipfs_daemon()).url
        nodes = stack.enter_context(network(tmp_path, chain, store))
        wait_for_all(nodes)
        check_outcome(tmp_path, chain, store, nodes)


def test_a_killed_verifier_resumes_and_the_run_finishes_over_disk(tmp_path: Path) -> None:
    store = f"disk:{tmp_path / 'store'}"
    with ExitStack() as stack:
        running = stack.enter_context(anvil(block_time_s=1, start_time=None, ipc=True))
        nodes = stack.enter_context(network(tmp_path, running.url, store))
        victim = nodes["verifier-1"]
        wait_for_text(victim, "round 1 final")
        victim.process.kill()
        victim.process.wait(timeout=30)
        victim.process = victim.start()
        wait_for_all(nodes)
        check_outcome(tmp_path, running.spec, store, nodes)


def test_a_simulation_settles_on_a_live_chain(tmp_path: Path) -> None:
    options = ("--task", "breast_cancer", "--nodes", "2", "--verifiers", "1", "--rounds", "1")
    with anvil(block_time_s=1, start_time=None) as chain:
        folder = tmp_path / "run"
        done = credence(
            "simulate", "--json", "--chain", chain.url, "--out", str(folder), *options, timeout_s=DEADLINE_S
        )
        result = json.loads(done.stdout)
        assert result["chain"]["kind"] == "rpc"
        assert result["rounds"][0]["settled"]
        assert result["rounds"][0]["accepted"] == 2
        assert json.loads(credence("audit", "--run", str(folder), "--json").stdout)["rounds"] == [1]
