"""The in-process chain: the same seed gives the same bytes, and a changed byte in the archive is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from ledger import Ledger, TesterChain, open_chain
from ledger.errors import (
    ArchiveCorrupt,
    ArchiveInUse,
    BadArgument,
    LedgerError,
    OutOfGas,
    ReadOnlyChain,
    SeedMismatch,
    TransactionFailed,
)
from ledger.evm import mix_hash_of
from tests.integration.ledger import world as w

SEED = b"archive"
ROOT = Path(__file__).resolve().parents[3]


def _make(path: Path, *, seed: bytes = SEED) -> w.World:
    chain = TesterChain.create(seed=seed, funded=w.ACCOUNTS, archive=path)
    world = w.World(chain, chain.advance_to, chain.mine).populate()
    world.submit(1)
    world.settlement(1, world.draw(1)).post()
    world.finish(1)
    chain.close()
    return world


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, w.World]:
    """An archive of one whole round."""
    path = tmp_path_factory.mktemp("archive") / "run" / "archive.jsonl"
    return path, _make(path)


@pytest.fixture
def copy(finished: tuple[Path, w.World], tmp_path: Path) -> Path:
    """The archive, to be damaged."""
    path = tmp_path / "archive.jsonl"
    path.write_bytes(finished[0].read_bytes())
    return path


def _edit(path: Path, block: int, change: Any) -> None:
    lines = path.read_text().splitlines()
    record = json.loads(lines[block])
    change(record)
    lines[block] = json.dumps(record, separators=(",", ":"))
    path.write_text("\n".join(lines) + "\n")


def _flip(text: str, position: int) -> str:
    return text[:position] + format(int(text[position], 16) ^ 1, "x") + text[position + 1 :]


def test_the_same_seed_gives_the_same_archive(finished: tuple[Path, w.World], tmp_path: Path) -> None:
    _make(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == finished[0].read_bytes()
    _make(tmp_path / "other.jsonl", seed=b"other")
    assert (tmp_path / "other.jsonl").read_bytes() != finished[0].read_bytes()


def test_a_replay_is_the_same_chain(finished: tuple[Path, w.World]) -> None:
    path, world = finished
    with TesterChain.open(path) as chain:
        assert chain.block_number() == world.chain.block_number()
        for number in range(chain.block_number() + 1):
            assert chain.block(number) == world.chain.block(number)
            assert chain.block(number).mix_hash == mix_hash_of(SEED, number)
        assert chain.get_logs() == world.chain.get_logs()
        ledger = Ledger(chain, world.ledger.deployment)
        assert ledger.task(1) == world.ledger.task(1)
        assert chain.genesis == world.chain.genesis  # type: ignore[attr-defined]


def test_without_the_seed_it_is_read_only(finished: tuple[Path, w.World]) -> None:
    with TesterChain.open(finished[0]) as chain:
        with pytest.raises(ReadOnlyChain):
            chain.mine(1)
        with pytest.raises(ReadOnlyChain):
            Ledger(chain, finished[1].ledger.deployment).mint(w.owner(0), w.owner(1).address, 1)


def test_with_the_seed_it_goes_on_as_if_never_closed(copy: Path, tmp_path: Path) -> None:
    deployment = _make(tmp_path / "whole.jsonl").ledger.deployment
    for path in (copy, tmp_path / "whole.jsonl"):
        with open_chain("tester", archive=path, seed=SEED) as chain:
            Ledger(chain, deployment).mint(w.owner(0), w.owner(1).address, 1)
            chain.mine(2)
    assert copy.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    TesterChain.open(copy).close()


def test_another_seed_is_refused(copy: Path) -> None:
    with pytest.raises(SeedMismatch):
        TesterChain.open(copy, seed=b"other")
    TesterChain.open(copy, seed=SEED).close()  # the lock is free again


def test_a_half_written_line_is_dropped(copy: Path) -> None:
    whole = copy.read_bytes()
    for cut in (1, 40, 200):
        copy.write_bytes(whole[:-cut])
        with TesterChain.open(copy) as chain:
            before = chain.block_number()
        with TesterChain.open(copy, seed=SEED) as chain:
            assert chain.block_number() == before
            chain.mine(1)
        with TesterChain.open(copy) as chain:
            assert chain.block_number() == before + 1


def test_every_byte_of_a_transaction_counts(copy: Path) -> None:
    lines = copy.read_text().splitlines()
    block = next(number for number in range(40, len(lines)) if json.loads(lines[number])["txs"])
    raw = json.loads(lines[block])["txs"][0]["raw"]
    for position in (2, 4, 9, len(raw) // 2, len(raw) - 1):
        copy.write_text("\n".join(lines) + "\n")
        _edit(copy, block, lambda record, at=position: record["txs"][0].update(raw=_flip(raw, at)))
        with pytest.raises(ArchiveCorrupt) as caught:
            TesterChain.open(copy)
        assert caught.value.block == block
        assert caught.value.artefact.startswith("transaction 0")


@pytest.mark.parametrize(
    ("field", "artefact"),
    [("hash", "block hash"), ("mixHash", "block hash"), ("timestamp", "block hash"), ("number", "record")],
)
def test_every_field_of_a_block_counts(copy: Path, field: str, artefact: str) -> None:
    def change(record: dict[str, Any]) -> None:
        old = record[field]
        record[field] = old + 1 if isinstance(old, int) else _flip(old, 10)

    _edit(copy, 50, change)
    with pytest.raises(ArchiveCorrupt) as caught:
        TesterChain.open(copy)
    assert (caught.value.block, caught.value.artefact) == (50, artefact)


def test_transactions_cannot_be_swapped_dropped_or_reattributed(copy: Path) -> None:
    lines = copy.read_text().splitlines()
    block = next(number for number in range(40, len(lines)) if json.loads(lines[number])["txs"])
    other = json.loads(lines[block - 2])["txs"] or json.loads(lines[block - 3])["txs"]
    changes: list[tuple[Any, str]] = [
        (lambda record: record.update(txs=[]), "block hash"),
        (lambda record: record.update(txs=other), "transaction 0"),
        (lambda record: record["txs"][0].update({"from": w.owner(3).address}), "transaction 0"),
        (lambda record: record["txs"][0].update(hash="0x" + "11" * 32), "transaction 0"),
        (lambda record: record["txs"][0].pop("raw"), "transaction 0"),
        (lambda record: record["txs"][0].update(raw="02"), "transaction 0"),
        (lambda record: record.update(timestamp=1), "timestamp"),
    ]
    for change, artefact in changes:
        copy.write_text("\n".join(lines) + "\n")
        _edit(copy, block, change)
        with pytest.raises(ArchiveCorrupt) as caught:
            TesterChain.open(copy)
        assert caught.value.block == block
        assert caught.value.artefact.startswith(artefact)


def test_the_genesis_line_counts(copy: Path) -> None:
    lines = copy.read_text().splitlines()
    changes: list[Any] = [
        lambda record: record["funded"].pop(),
        lambda record: record.update(startTime=record["startTime"] + 1),
        lambda record: record.update(gasLimit=record["gasLimit"] + 1),
        lambda record: record.update(hash="0x" + "11" * 32),
        lambda record: record.update(version=2),
        lambda record: record.pop("mixHash"),
    ]
    for change in changes:
        copy.write_text("\n".join(lines) + "\n")
        _edit(copy, 0, change)
        with pytest.raises(ArchiveCorrupt) as caught:
            TesterChain.open(copy)
        assert (caught.value.block, caught.value.artefact) == (0, "genesis")
    copy.write_text("\n".join(lines) + "\n")
    _edit(copy, 0, lambda record: record.update(fork="frontier"))
    with pytest.raises(BadArgument, match="frontier"):
        TesterChain.open(copy)
    copy.write_bytes(b"")
    with pytest.raises(ArchiveCorrupt):
        TesterChain.open(copy)


def test_one_writer_and_any_number_of_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with TesterChain.create(seed=SEED, funded=w.ACCOUNTS, archive=path) as chain:
        chain.mine(3)
        with pytest.raises(ArchiveInUse):
            TesterChain.open(path, seed=SEED)
        with TesterChain.open(path) as reader:
            assert reader.block_number() == 3
    chain.close()
    with pytest.raises(BadArgument, match="exists"):
        TesterChain.create(seed=SEED, funded=[], archive=path)
    for opening in (
        lambda: TesterChain.open(tmp_path / "none"),
        lambda: TesterChain.open(tmp_path / "none", seed=SEED),
    ):
        with pytest.raises(BadArgument, match="no archive"):
            opening()


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = (
        "import sys\n"
        "from ledger import TesterChain\n"
        f"chain = TesterChain.create(seed=b'kill', funded=[], archive={str(path)!r})\n"
        "while True:\n"
        "    chain.mine(1)\n"
        "    print(chain.block_number(), flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        told = 0
        while told < 20 and time.monotonic() < deadline:
            told = int(process.stdout.readline() or 0)
        os.kill(process.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in process.stdout.read().split(b"\n")[:-1] if line)])
    with TesterChain.open(path, seed=b"kill") as chain:
        assert chain.block_number() >= told >= 20
        chain.mine(1)


def test_invalid_input_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with pytest.raises(BadArgument, match="seed"):
        TesterChain.create(seed=b"", funded=[])
    with TesterChain.create(seed=SEED, funded=[w.owner(0).address], archive=path) as chain:
        head, size = chain.block(0), path.stat().st_size
        transaction = {
            "to": w.owner(1).address, "value": 1, "gas": 21_000, "type": 2,
            "nonce": 3, "chainId": chain.chain_id, **chain.fees(),
        }  # fmt: skip
        with pytest.raises(TransactionFailed, match="nonce"):
            chain.send_raw(w.owner(0).sign_transaction(transaction))
        assert (chain.block_number(), chain.block(0), path.stat().st_size) == (0, head, size)
        transaction["nonce"] = 0
        chain.send_raw(w.owner(0).sign_transaction(transaction))
        assert chain.balance(w.owner(1).address) == 1
        chain.advance_to(chain.now())  # no time has passed: no block
        assert chain.block_number() == 1
        with pytest.raises(OutOfGas):
            chain.call(to=None, data=b"\xfe")
    TesterChain.open(path).close()


def test_web3_goes_through_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with TesterChain.create(seed=SEED, funded=[w.owner(0).address], archive=path) as chain:
        tester: Any = chain.w3.provider.ethereum_tester  # type: ignore[attr-defined]
        transaction = {
            "to": w.owner(1).address, "value": 1, "gas": 21_000, "type": 2,
            "nonce": 0, "chainId": chain.chain_id, **chain.fees(),
        }  # fmt: skip
        raw = w.owner(0).sign_transaction(transaction)
        assert bytes(chain.w3.eth.send_raw_transaction(raw)) == keccak(raw)
        tester.mine_blocks(2)
        tester.time_travel(chain.now() + 100)
        with pytest.raises(BadArgument, match="snapshots"):
            tester.take_snapshot()
        head = chain.block(chain.block_number())
        assert head.number == 4
    with TesterChain.open(path) as again:
        assert again.block(4) == head


def test_a_replayed_archive_is_fast(finished: tuple[Path, w.World]) -> None:
    started = time.monotonic()
    TesterChain.open(finished[0]).close()
    assert time.monotonic() - started < 5


def test_chain_specs(tmp_path: Path) -> None:
    for spec, hint in (
        ("testr", "did you mean 'tester'"),
        ("htp://127.0.0.1:8545", "did you mean 'http://127.0.0.1:8545'"),
        (str(tmp_path / "geth.ipc"), "is the node running"),
        ("qqqq", "valid are"),
    ):
        with pytest.raises(BadArgument) as caught:
            open_chain(spec)
        assert hint in str(caught.value)
        assert "valid are: tester" in str(caught.value)
    with pytest.raises(BadArgument, match="needs a seed"):
        open_chain("tester")
    with open_chain("tester", seed=SEED, archive=tmp_path / "x" / "new.jsonl") as chain:
        assert chain.block_number() == 0
    with open_chain("tester", seed=SEED) as chain, pytest.raises(LedgerError):
        super(TesterChain, chain).advance_to(5)  # type: ignore[misc]
