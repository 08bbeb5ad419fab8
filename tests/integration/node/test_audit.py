"""`credence audit` passes on an honest run and names the first thing that is not what it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import Role
from node.errors import AuditFailed
from node.message import Kind
from node.record import Manifest, RoundRecord
from node.round.gather import fetch, fetch_record
from node.source import open_run
from node.spec import Artefact
from storage import from_digest
from tests.support.runs import credence

pytestmark = pytest.mark.xdist_group("demo")
Run = tuple[Path, dict[str, Any]]


@pytest.fixture
def copy(small_run: Run, tmp_path: Path) -> Path:
    """The small run, free to be damaged."""
    folder = tmp_path / "run"
    shutil.copytree(small_run[0], folder)
    return folder


def flip_byte(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def stored_file(folder: Path, cid: str) -> Path:
    (found,) = [path for path in (folder / "store").rglob(f"*{cid}*") if path.is_file() and path.stat().st_size > 200]
    return found


def update_of(folder: Path, node: int, round_: int) -> str:
    source = open_run(folder)
    try:
        (entry,) = [c for c in source.view.commitments(round_) if c.node == node]
        assert entry.manifest is not None
        data = fetch(source.store, Artefact(entry.manifest, entry.length))
        update = Manifest.from_bytes(data).update
        return from_digest(update.digest, update.length)
    finally:
        source.close()


def model_of(folder: Path, round_: int) -> str:
    source = open_run(folder)
    try:
        digest = source.view.parent(round_ + 1)
        return from_digest(digest, source.spec().genesis.length)
    finally:
        source.close()


@pytest.mark.parametrize("depth", [(), ("--replay",)])
def test_an_honest_run_passes_both_depths(small_run: Run, depth: tuple[str, ...]) -> None:
    report = json.loads(credence("audit", "--run", str(small_run[0]), "--json", *depth).stdout)
    assert report["ok"]
    assert report["rounds"] == [1, 2]
    counts = {item["item"]: item["count"] for item in report["items"]}
    assert counts["score"] == 2 * 7
    assert counts["draw"] == 2
    if depth:
        assert counts["model"] == 2
        assert counts["sketch"] == 2 * 3
        assert counts["vote"] == 2 * 4


def assert_audit_fails(folder: Path, *words: str) -> None:
    done = credence("audit", "--run", str(folder), check=False)
    assert done.returncode == 3, done.stderr
    for word in words:
        assert word in done.stderr


def test_one_byte_of_a_stored_update_names_round_and_node(copy: Path) -> None:
    path = stored_file(copy, update_of(copy, node=2, round_=1))
    flip_byte(path, path.stat().st_size - 3)
    assert_audit_fails(copy, "round 1", "node 2", "update")


def test_one_byte_of_a_stored_model_names_the_round(copy: Path) -> None:
    path = stored_file(copy, model_of(copy, round_=1))
    flip_byte(path, path.stat().st_size - 3)
    assert_audit_fails(copy, "round 1", "model")


def test_one_byte_of_a_raw_transaction_names_block_and_transaction(copy: Path) -> None:
    archive = copy / "archive.jsonl"
    lines = archive.read_text().splitlines(keepends=True)
    number, line = next((i, text) for i, text in enumerate(lines) if i > 60 and '"raw":"0x' in text)
    at = line.index('"raw":"0x') + 200
    lines[number] = line[:at] + ("0" if line[at] != "0" else "1") + line[at + 1 :]
    archive.write_text("".join(lines))
    assert_audit_fails(copy, "block", "transaction")


def test_a_changed_observation_names_round(copy: Path) -> None:
    source = open_run(copy)
    try:
        report = source.view.events("Posted", 2)[0].args["report"]
        record = RoundRecord.from_bytes(fetch_record(source.store, report.record))
        revealed = next(m for m in record.evidence if m.kind is Kind.REVEALED)
        cid = from_digest(Artefact.from_json(revealed.body["record"]).digest, 0)
    finally:
        source.close()
    flip_byte(stored_file(copy, cid), 150)
    assert_audit_fails(copy, "round 2", "evidence")


def test_a_missing_artefact_is_named(copy: Path) -> None:
    stored_file(copy, update_of(copy, node=3, round_=2)).unlink()
    assert_audit_fails(copy, "round 2", "node 3")


def test_failure_as_json(copy: Path) -> None:
    stored_file(copy, model_of(copy, round_=2)).unlink()
    done = credence("audit", "--run", str(copy), "--json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 3
    assert not report["ok"]
    assert "round 2" in report["difference"]


class TestDerivation:
    """Each derived quantity is compared: an auditor whose books differ anywhere says so."""

    def run_with(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any], module: str = "audit"
    ) -> str:
        import node.audit

        source = open_run(folder)
        monkeypatch.setattr(f"node.{module}.{name}", wrong)
        try:
            with pytest.raises(AuditFailed) as failure:
                node.audit.audit(source, replay=True)
        finally:
            source.close()
        return str(failure.value)

    def test_beacon(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "beacon" in self.run_with(small_run[0], monkeypatch, "seed_of", lambda *a: bytes(32))

    def test_draw(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "committee" in self.run_with(small_run[0], monkeypatch, "expected_draw", lambda *a: [])

    def test_signature(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "signer of the report" in self.run_with(
            small_run[0], monkeypatch, "recover", lambda *a: "0x0", "audit_settlement"
        )

    def test_word_step(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        text = self.run_with(small_run[0], monkeypatch, "_stored", lambda *a: 7, "audit_settlement")
        assert "trainer word 0" in text

    def test_posted_words(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        text = self.run_with(small_run[0], monkeypatch, "pack_scores", lambda *a: [7], "audit_settlement")
        assert "trainer words" in text

    def test_payment(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        text = self.run_with(small_run[0], monkeypatch, "UNITS", 10**7, "audit_settlement")
        assert "payment" in text

    def test_weights(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "weights" in self.run_with(small_run[0], monkeypatch, "integer_weights", lambda *a: {})

    def test_model(self, small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        text = self.run_with(small_run[0], monkeypatch, "next_model", lambda parent, *a, **k: parent)
        assert "aggregate" in text


def test_roles_have_their_own_lanes(small_run: Run) -> None:
    source = open_run(small_run[0])
    try:
        trainers, verifiers = source.view.slots(Role.TRAINER), source.view.slots(Role.VERIFIER)
    finally:
        source.close()
    assert sorted(trainers.values()) == [0, 1, 2, 3]
    assert sorted(verifiers.values()) == [0, 1, 2]
    assert not set(trainers) & set(verifiers)
