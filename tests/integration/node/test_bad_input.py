"""Wrong input and a broken environment: one sentence that names it and the fix, status >= 2, nothing half-written."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from node.cli.main import main
from node.journal import Journal
from storage import DiskStore, StoreFull
from tests.support.anvil import anvil
from tests.support.runs import SMALL, credence, simulate_json, without_times

Run = tuple[Path, dict[str, Any]]


def refuse(*args: str, status: int = 2) -> str:
    """Run a command that must fail; its one sentence."""
    done = credence(*args, check=False)
    lines = [line for line in done.stderr.splitlines() if line.strip() and "\r" not in line]
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert lines[-1].startswith("error: "), done.stderr
    assert done.stdout == ""
    return lines[-1]


@pytest.mark.parametrize(
    ("option", "value", "guess", "valid"),
    [
        ("--task", "digit", "digits", "breast_cancer"),
        ("--aggregator", "trimed_mean", "trimmed_mean", "multi_krum"),
        ("--attack", "sign_flop:2", "sign_flip", "copycat"),
        ("--partition", "dirchlet:0.5", "dirichlet", "label"),
        ("--utility", "lo", "loo", "first_order"),
        ("--codec", "fp61", "fp16", "raw"),
        ("--weighting", "stak", "stake", "uniform"),
    ],
)
def test_unknown_value_lists_the_valid_ones(tmp_path: Path, option: str, value: str, guess: str, valid: str) -> None:
    text = refuse("simulate", option, value, "--out", str(tmp_path / "run"))
    assert f"did you mean {guess!r}" in text
    assert valid in text
    assert not (tmp_path / "run").exists()


def test_unknown_command_and_unknown_chain_and_store(tmp_path: Path) -> None:
    assert "did you mean 'simulate'" in refuse("simulat")
    out = ("--out", str(tmp_path / "run"))
    assert "tester" in refuse("simulate", "--chain", "testr", *out)
    assert "disk" in refuse("simulate", "--store", "dsk", *SMALL, "--out", str(tmp_path / "other"))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--nodes", "0"), "--nodes 0"),
        (("--verifiers", "1000"), "--verifiers 1000"),
        (("--attack", "sign_flip"), "syntax"),
        (("--attack", "sign_flip:9"), "there are only 8"),
        (("--attack", "sign_flip=big:1"), "factor > 0"),
        (("--rounds", "60"), "one-time shards"),
        (("--option", "path"), "KEY=VALUE"),
        (("--partition", "dirichlet:-1"), "ALPHA"),
    ],
)
def test_out_of_range_values_are_named(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    assert words in refuse("simulate", *args, "--out", str(tmp_path / "run"))


def test_unknown_column_of_a_file_is_named_with_a_guess(tmp_path: Path) -> None:
    table = tmp_path / "wine.csv"
    table.write_text("acid,sugar,quality\n" + "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(200)) + "\n")
    data = ("--task", "files", "--option", f"path={table}")
    out = ("--out", str(tmp_path / "run"))
    text = refuse("simulate", *data, "--option", "label=qualty", *out)
    assert "qualty" in text
    assert "quality" in text


def test_a_csv_of_the_users_own_trains_and_settles(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    rows = [f"{(i * 37) % 11},{(i * 17) % 13},{int((i * 37) % 11 > 5)}" for i in range(400)]
    table.write_text("left,right,side\n" + "\n".join(rows) + "\n")
    options = (
        "--task", "files", "--option", f"path={table}", "--option", "label=side", "--nodes", "3", "--rounds", "1",
    )  # fmt: skip
    result = json.loads(credence("simulate", "--json", *options, "--out", str(tmp_path / "run")).stdout)
    assert result["rounds"][0]["settled"]
    credence("audit", "--run", str(tmp_path / "run"), "--replay")


class TestMissingThings:
    def test_missing_daemon(self, tmp_path: Path) -> None:
        text = refuse("simulate", "--store", "http://127.0.0.1:9", *SMALL, "--out", str(tmp_path / "run"))
        assert "127.0.0.1:9" in text
        assert "disk" in text

    def test_missing_chain(self, tmp_path: Path) -> None:
        assert "127.0.0.1:9" in refuse("reputation", "--chain", "http://127.0.0.1:9")

    def test_missing_run(self, tmp_path: Path) -> None:
        assert "holds no run" in refuse("audit", "--run", str(tmp_path))

    def test_two_sources_or_none(self, tmp_path: Path) -> None:
        assert "either" in refuse("audit")
        assert "either" in refuse("audit", "--run", "a", "--chain", "b")

    def test_unknown_node_and_round(self, small_run: Run) -> None:
        run = ("reputation", "--run", str(small_run[0]))
        assert "node 99" in refuse(*run, "--node", "99")
        assert "node 99" in refuse(*run, "--node", "99", "--explain", "1")
        assert "rounds 1 to 2" in refuse(*run, "--node", "1", "--explain", "9")
        assert "--node" in refuse(*run, "--explain", "1")


@pytest.mark.anvil
class TestForeignChain:
    def test_deployment_of_another_chain(self, small_run: Run, tmp_path: Path) -> None:
        entry = tmp_path / "deployments.json"
        shutil.copy(small_run[0] / "deployment.json", entry)
        with anvil() as chain:
            text = refuse("reputation", "--chain", chain.url, "--deployments", str(entry))
        assert "deploy" in text

    def test_clock_that_stands_still(self, tmp_path: Path) -> None:
        deployments = ("--deployments", str(tmp_path / "deployments.json"))
        with anvil() as chain:
            home = ("--home", str(tmp_path / "home"))
            store = ("--store", f"disk:{tmp_path / 'store'}")
            credence("deploy", "--chain", chain.url, "--task", "none", *deployments, *home, *store)
            text = refuse(
                "node", "--role", "trainer", "--name", "t", "--share", "1/2", "--chain", chain.url, *deployments, *home,
                *store,
            )  # fmt: skip
        assert "block-time" in text

    def test_no_task_and_wrong_password(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        deployments = ("--deployments", str(tmp_path / "deployments.json"))
        home = ("--home", str(tmp_path / "home"))
        store = ("--store", f"disk:{tmp_path / 'store'}")
        with anvil(block_time_s=1, start_time=None) as chain:
            credence("deploy", "--chain", chain.url, "--task", "none", *deployments, *home, *store)
            node = ("node", "--role", "owner", "--name", "owner", "--chain", chain.url, *deployments, *home, *store)
            assert "credence deploy" in refuse(*node)
            (tmp_path / "wrong").write_text("not it\n")
            assert "password" in refuse(*node, "--password-file", str(tmp_path / "wrong"))


class TestKeysAndDoctor:
    def test_keys_are_encrypted_and_listed_without_secrets(self, tmp_path: Path) -> None:
        home = ("--home", str(tmp_path / "home"))
        created = json.loads(credence("keys", "create", "alice", *home, "--json").stdout)
        assert json.loads(credence("keys", "list", *home, "--json").stdout) == created
        (file,) = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert json.loads(file.read_text())["crypto"]["kdf"] == "scrypt"
        assert file.stat().st_mode & 0o077 == 0
        assert "alice" in refuse("keys", "create", "alice", *home)

    def test_doctor_reports_each_check_with_its_fix(self, tmp_path: Path) -> None:
        home = ("--home", str(tmp_path))
        checks = json.loads(credence("doctor", *home, "--json").stdout)
        names = [check["name"] for check in checks]
        assert names == ["python", "torch", "contracts", "chain", "clock", "store", "keys", "disk"]
        assert all(check["ok"] for check in checks)
        done = credence("doctor", *home, "--store", "http://127.0.0.1:9", "--chain", "http://127.0.0.1:9", check=False)
        assert done.returncode == 2
        assert done.stdout.count("BAD") == 2
        assert done.stdout.count("fix:") == 2


class TestFullDisk:
    def test_a_full_disk_is_named_and_the_run_resumes(
        self, small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        write = Journal.write_blob

        def full(self: Journal, name: str, data: bytes) -> None:
            if name == "observation-1":
                raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / name))
            write(self, name, data)

        monkeypatch.setattr(Journal, "write_blob", full)
        assert main(["simulate", *SMALL, "--out", str(folder)]) == 2
        text = capsys.readouterr().err
        assert "the disk is full" in text
        assert "observation-1" in text
        assert not (folder / "result.json").exists()
        monkeypatch.undo()
        assert without_times(simulate_json(folder, SMALL)) == without_times(small_run[1])

    def test_a_full_store_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def full(self: DiskStore, data: bytes) -> str:
            raise StoreFull("the disk of the store is full", "free some space")

        monkeypatch.setattr(DiskStore, "put", full)
        assert main(["simulate", *SMALL, "--out", str(tmp_path / "run")]) == 2
        assert "free some space" in capsys.readouterr().err
