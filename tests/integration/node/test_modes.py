"""Both settlement modes, with and without a collector: one protocol, one pure step, one audit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ledger import Role
from ledger.posts import Post
from ledger.rootstate import decode_data, matches
from node.round.gather import fetch_record
from node.round.standing import standing_before
from node.source import open_run
from storage import from_digest
from tests.integration.node.test_audit import assert_audit_fails, flip_byte, stored_file
from tests.support.runs import credence

pytestmark = pytest.mark.xdist_group("demo")
Run = tuple[Path, dict[str, Any]]


def test_root_mode_settles_pays_and_audits(small_root_run: Run) -> None:
    folder, result = small_root_run
    assert all(row["settled"] for row in result["rounds"])
    report = json.loads(credence("audit", "--run", str(folder), "--json", "--replay").stdout)
    counts = {item["item"]: item["count"] for item in report["items"]}
    assert report["ok"]
    assert counts["root"] == 2
    assert counts["record"] == 1
    assert counts["payment"] == 6  # three honest trainers and three members
    honest = [node for node in result["nodes"] if node["honest"]]
    assert all(node["reward"] > 0 and node["stake_end"] == node["stake_start"] for node in honest)
    assert all(node["reward"] == 0 == node["reputation"] for node in result["nodes"] if not node["honest"])


def test_root_mode_pays_all_of_the_pools_but_dust(small_root_run: Run) -> None:
    source = open_run(small_root_run[0])
    try:
        params = source.view.state.params
        state = standing_before(source.view, params.rounds + 1).state
        for role, pool in ((Role.TRAINER, params.trainer_pool), (Role.VERIFIER, params.verifier_pool)):
            slots = len(source.view.slots(role))
            assert params.rounds * (pool - slots) < sum(state.pay[role]) <= params.rounds * pool
        paid = sum(int(event.args["amount"]) for event in source.view.events("Claimed"))
        assert paid == sum(map(sum, state.pay))
        (closed,) = source.view.events("TaskClosed")
        assert int(closed.args["refunded"]) + paid == params.rounds * params.pools
        assert source.ledger.task(source.view.task).escrow == 0
    finally:
        source.close()


def test_both_modes_agree_on_scores_reputation_and_units(small_run: Run, small_root_run: Run) -> None:
    # Other contracts, hence another beacon: scores differ by the probes drawn, but who is rejected does not.
    words, root = small_run[1], small_root_run[1]
    assert [n["rejections"] for n in words["nodes"]] == [n["rejections"] for n in root["nodes"]]
    for folder, mode in ((small_run[0], False), (small_root_run[0], True)):
        source = open_run(folder)
        try:
            assert source.view.root_mode is mode
            standing = standing_before(source.view, 3)
            assert standing.round == 2
            for role in Role:
                earned = [standing.contribution(role, slot) for slot in source.view.slots(role).values()]
                # A round in which nobody has a part pays nobody; the others share a million less dust.
                assert any(k * (1_000_000 - len(earned)) < sum(earned) <= k * 1_000_000 for k in (1, 2))
        finally:
            source.close()


def test_the_state_behind_a_root_is_in_the_store(small_root_run: Run) -> None:
    source = open_run(small_root_run[0])
    try:
        for round_ in (1, 2):
            root = Post.of(source.view.events("Posted", round_)[0]).state
            assert matches(decode_data(fetch_record(source.store, root.data), expected=root), root)
    finally:
        source.close()


def test_one_byte_of_a_state_names_the_round(small_root_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_root_run[0], folder)
    source = open_run(folder)
    try:
        root = Post.of(source.view.events("Posted", 2)[0]).state
        cid = from_digest(root.data, 0)
    finally:
        source.close()
    flip_byte(stored_file(folder, cid), 100)
    assert_audit_fails(folder, "round 2", "state")


def test_a_collector_saves_a_transaction_for_each_trainer(small_run: Run, small_root_run: Run) -> None:
    for (folder, _), collected in ((small_run, True), (small_root_run, False)):
        source = open_run(folder)
        try:
            for round_ in (1, 2):
                names = {name: len(source.view.events(name, round_)) for name in ("Collected", "Committed", "Revealed")}
                expected = {"Collected": 2, "Committed": 0, "Revealed": 0} if collected else {
                    "Collected": 0, "Committed": 4, "Revealed": 4,
                }  # fmt: skip
                assert names == expected
                assert [c.node for c in source.view.commitments(round_)] == [1, 2, 3, 4]
        finally:
            source.close()


def test_explain_names_the_bundle_or_the_own_transaction(small_run: Run, small_root_run: Run) -> None:
    for (folder, _), words in ((small_run, "in bundle 0x"), (small_root_run, "by the clock")):
        text = credence("reputation", "--run", str(folder), "--node", "1", "--explain", "2").stdout
        assert words in text
        assert text.count("tx 0x") >= 4
