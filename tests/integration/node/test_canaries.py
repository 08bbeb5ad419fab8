"""What canaries are for, end to end: who takes leaked outputs is caught when a canary opens, an honest member never.

With seed 7 and a rate of 0.3 four trainers plant nothing in round 1, three canaries in round 2 and one in round 3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from node.source import open_run
from node.summary import load_round_record
from node.verify import Reason
from tests.integration.node.test_resume import start, wait_for_blocks
from tests.support.runs import credence, simulate_json, without_times

NETWORK = ("--task", "breast_cancer", "--nodes", "4", "--verifiers", "4")
TAKER = 8
LEAKS = ("--attack", "leak:3", "--attack", "leak_taker:1")
CAUGHT = (*NETWORK, *LEAKS, "--rounds", "3", "--canary-rate", "0.3")
Run = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("canaries") / "run"
    return folder, simulate_json(folder, CAUGHT)


def canaries(folder: Path, rounds: int = 3) -> list[set[int]]:
    """By round: trainers whose canary opened."""
    source = open_run(folder)
    try:
        records = [load_round_record(source.view, source.store, r) for r in range(1, rounds + 1)]
        assert all(records)
        return [{n for n, why in record.reasons.items() if why is Reason.CANARY} for record in records if record]
    finally:
        source.close()


def rejections(result: dict[str, Any]) -> dict[int, list[tuple[int, str]]]:
    found = {row["node"]: [(item["round"], item["reason"]) for item in row["rejections"]] for row in result["nodes"]}
    return {node: items for node, items in found.items() if items}


def audited(folder: Path) -> dict[tuple[str, str], int]:
    rows = json.loads(credence("audit", "--run", str(folder), "--replay", "--json").stdout)["items"]
    return {(row["item"], row["verdict"]): row["count"] for row in rows}


def test_without_canaries_nobody_can_tell_a_leak_from_work(tmp_path: Path) -> None:
    result = simulate_json(tmp_path / "run", (*NETWORK, *LEAKS, "--rounds", "2"))
    assert rejections(result) == {}
    (taker,) = [row for row in result["nodes"] if row["node"] == TAKER]
    assert taker["reward"] > 0
    assert not any(item == "canary" for item, _ in audited(tmp_path / "run"))


def test_leak_takers_are_caught_in_every_round_with_a_canary_and_nobody_else_is(caught: Run) -> None:
    folder, result = caught
    opened = canaries(folder)
    assert [len(found) for found in opened] == [0, 3, 1]
    assert rejections(result) == {TAKER: [(2, "canary_fault"), (3, "canary_fault")]}
    assert audited(folder)[("canary", "exact")] == 4
    steps = credence("reputation", "--run", str(folder), "--node", str(TAKER), "--explain", "3").stdout
    assert "not what the canary's bytes give" in steps


@pytest.mark.parametrize("mode", [("--settlement", "root"), ("--verification", "replay", "--task", "smooth_digits")])
def test_canaries_open_in_both_settlements_and_both_modes(tmp_path: Path, mode: tuple[str, ...]) -> None:
    folder = tmp_path / "run"
    options = ("--nodes", "4", "--verifiers", "3", "--rounds", "2", "--task", "breast_cancer", *mode)
    result = simulate_json(folder, (*options, "--canary-rate", "0.3"))
    assert [len(found) for found in canaries(folder, 2)] == [0, 3]
    assert rejections(result) == {}
    assert sum(audited(folder)[key] for key in audited(folder) if key[0] == "canary") == 3


def test_a_killed_run_resumes_with_the_same_decisions(caught: Run, tmp_path: Path) -> None:
    cut = tmp_path / "run"
    process = start(cut, CAUGHT)
    wait_for_blocks(process, cut / "archive.jsonl", 75)
    process.kill()
    process.wait(timeout=30)
    assert not (cut / "result.json").exists()
    assert without_times(simulate_json(cut, CAUGHT)) == without_times(caught[1])
