"""`credence simulate` end to end: the JSON contract, the numbers it promises, and that a seed fixes everything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import DEMO, SMALL, credence, simulate_json, without_times

pytestmark = pytest.mark.xdist_group("demo")
Run = tuple[Path, dict[str, Any]]


class TestDemo:
    def test_defended_accuracy_is_that_of_clean_training(self, demo_run: Run) -> None:
        _, result = demo_run
        assert result["final_accuracy"] >= 0.95
        assert abs(result["final_accuracy"] - result["clean_accuracy"]) <= 0.015
        assert result["undefended_accuracy"] <= result["final_accuracy"] - 0.2

    def test_attackers_end_last_with_reputation_zero_and_a_reason(self, demo_run: Run) -> None:
        _, result = demo_run
        attackers = [node for node in result["nodes"] if not node["honest"]]
        honest = [node for node in result["nodes"] if node["honest"]]
        assert [node["attack"] for node in attackers] == ["sign_flip", "sign_flip"]
        for node in attackers:
            assert (node["reputation"], node["contribution"], node["reward"]) == (0, 0, 0)
            assert [r["reason"] for r in node["rejections"]] == ["negative_cosine"] * 5
        assert min(node["reputation"] for node in honest) > 0
        assert all(not node["rejections"] for node in honest)

    def test_nobody_is_slashed_without_a_proof(self, demo_run: Run) -> None:
        _, result = demo_run
        assert all(node["stake_end"] == node["stake_start"] for node in result["nodes"])

    def test_json_has_the_contracted_fields(self, demo_run: Run) -> None:
        _, result = demo_run
        top = {
            "run", "seed", "chain", "task", "final_accuracy", "clean_accuracy", "undefended_accuracy", "rounds",
            "nodes", "wall_s", "phase_s",
        }  # fmt: skip
        assert top <= set(result)
        assert set(result["chain"]) == {"kind", "chain_id", "contracts"}
        assert set(result["phase_s"]) == {"train", "encode", "store", "verify", "agree", "aggregate", "chain"}
        for row in result["rounds"]:
            assert {"round", "accuracy", "accepted", "rejected", "gas_used", "gas_per_score", "tx"} <= set(row)
            assert row["gas_used"] > row["gas_per_score"] > 0
        assert [row["accepted"] for row in result["rounds"]] == [6] * 5
        names = {
            "node", "role", "honest", "attack", "stake_start", "stake_end", "reputation", "contribution", "reward",
            "rejections",
        }  # fmt: skip
        assert all(names <= set(node) for node in result["nodes"])

    def test_run_folder_is_complete(self, demo_run: Run) -> None:
        folder, _ = demo_run
        for name in ("config.json", "archive.jsonl", "deployment.json", "index.sqlite", "result.json", "report.html"):
            assert (folder / name).stat().st_size > 0, name
        assert any((folder / "store").rglob("*"))

    def test_same_seed_gives_the_same_result(self, demo_run: Run, tmp_path: Path) -> None:
        _, result = demo_run
        assert without_times(simulate_json(tmp_path / "again", DEMO)) == without_times(result)

    def test_rewards_are_paid_by_contribution(self, demo_run: Run) -> None:
        _, result = demo_run
        trainers = [node for node in result["nodes"] if node["role"] == "trainer"]
        assert sum(node["contribution"] for node in trainers) <= 5 * 1_000_000
        for node in trainers:
            assert node["reward"] == node["contribution"] * 100 * 10**18 // 1_000_000


class TestReputationCommand:
    def test_table_is_sorted_best_first(self, small_run: Run) -> None:
        folder, result = small_run
        rows = json.loads(credence("reputation", "--run", str(folder), "--json").stdout)
        assert [set(row) for row in rows] == [{"node", "role", "reputation", "contribution", "stake", "rounds"}] * 7
        keys = [(-row["reputation"], -row["contribution"]) for row in rows]
        assert keys == sorted(keys)
        assert {row["node"]: row["reputation"] for row in rows} == {
            node["node"]: node["reputation"] for node in result["nodes"]
        }

    @pytest.mark.parametrize(("node", "accepted"), [(4, False), (1, True)])
    def test_explanation_names_every_link(self, small_run: Run, node: int, accepted: bool) -> None:
        folder, _ = small_run
        args = ("reputation", "--run", str(folder), "--node", str(node), "--explain", "1")
        steps = json.loads(credence(*args, "--json").stdout)
        by_name: dict[str, list[dict[str, Any]]] = {}
        for step in steps:
            by_name.setdefault(step["step"], []).append(step)
        for name in ("finalise", "report", "draw", "reveal", "commit"):
            (step,) = by_name[name]
            assert step["tx"].startswith("0x")
            assert step["gas"] > 21_000
            assert step["block"] > 0
        (score,) = by_name["score"]
        assert (score["score"] > 1) is accepted
        assert score["contribution_part"] == 0 if not accepted else score["contribution_part"] >= 0
        assert score["reason"] == ("accepted" if accepted else "negative_cosine")
        assert len(by_name["observation"]) == 3
        assert all(len(step["digest"]) == 64 for step in by_name["observation"])
        assert by_name["reveal"][0]["update"].startswith("b")
        text = credence(*args).stdout
        assert all(step["tx"] in text for step in steps if step["tx"])


def test_first_run_transcript_shows_six_things(tmp_path: Path) -> None:
    lines = credence("simulate", *SMALL, "--out", str(tmp_path / "run")).stdout.splitlines()
    heads = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert heads == ["chain", "contracts", "rounds", "slashed", "reputation", "accuracy", "next"]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [("copycat:1", "commitment_mismatch"), ("lazy_verifier:1", "false_observation"), ("vote_copier:1", "silent")],
)
def test_protocol_attacks_are_rejected_with_their_reason(tmp_path: Path, attack: str, reason: str) -> None:
    options = ("--task", "breast_cancer", "--nodes", "4", "--verifiers", "4", "--rounds", "2", "--attack", attack)
    result = simulate_json(tmp_path / "run", options)
    (attacker,) = [node for node in result["nodes"] if not node["honest"]]
    assert [r["reason"] for r in attacker["rejections"]] == [reason] * 2
    assert (attacker["reputation"], attacker["reward"]) == (0, 0)
    assert all(not node["rejections"] for node in result["nodes"] if node["honest"])


def test_broken_submissions_are_rejected_with_a_reason_and_the_round_goes_on(tmp_path: Path) -> None:
    expected = {
        "truncated": "truncated", "oversized": "oversized", "wrong_shape": "wrong_shape", "non_finite": "non_finite",
        "withheld": "unavailable", "unrevealed": "unrevealed",
    }  # fmt: skip
    attacks = [word for kind in expected for word in ("--attack", f"malformed={kind}:1")]
    options = ("--task", "breast_cancer", "--nodes", "9", "--rounds", "1", *attacks)
    result = simulate_json(tmp_path / "run", options)
    reasons = [[r["reason"] for r in node["rejections"]] for node in result["nodes"] if not node["honest"]]
    assert reasons == [[reason] for reason in expected.values()]
    assert result["rounds"][0]["settled"]
    assert result["rounds"][0]["accepted"] == 3
    credence("audit", "--run", str(tmp_path / "run"), "--replay")


@pytest.mark.parametrize("aggregator", ["mean", "median", "multi_krum"])
def test_every_aggregator_settles_a_run_that_audits(tmp_path: Path, aggregator: str) -> None:
    options = (
        "--task", "breast_cancer", "--nodes", "6", "--rounds", "1", "--partition", "dirichlet:1.0",
        "--aggregator", aggregator, "--codec", "fp16", "--utility", "first_order",
    )  # fmt: skip
    result = simulate_json(tmp_path / "run", options)
    assert result["rounds"][0]["settled"]
    credence("audit", "--run", str(tmp_path / "run"), "--replay")


def test_a_finished_run_starts_over_and_a_foreign_folder_is_left_alone(small_run: Run, tmp_path: Path) -> None:
    folder, result = small_run
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    assert without_times(simulate_json(copy, SMALL)) == without_times(result)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    refused = credence("simulate", *SMALL, "--out", str(tmp_path / "mine"), check=False)
    assert refused.returncode == 2
    assert "holds no run" in refused.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
