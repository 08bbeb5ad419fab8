"""The replayable archive of an in-process chain: a line of genesis parameters, then a line a block, as JSON.

A block's line is written and flushed before its transaction is acknowledged, so a killed process loses at
most a block that nobody was told of; a half-written last line is dropped on reopening. The mixHash stands in
every line: whoever replays needs no seed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ledger.errors import ArchiveCorrupt, ArchiveInUse, BadArgument

FORMAT = "credence-chain-archive"
VERSION = 1


@dataclass(frozen=True)
class Genesis:
    """What block 0 is made of. Balances in wei of the chain's coin."""

    chain_id: int
    fork: str
    gas_limit: int
    start_time: int
    mix_hash: bytes
    funded: tuple[tuple[str, int], ...]
    block_hash: bytes = b""


@dataclass(frozen=True)
class ArchivedTx:
    """A transaction as archived: its hash and sender as they were recovered when it was mined."""

    hash: bytes
    sender: str
    raw: bytes


@dataclass(frozen=True)
class ArchivedBlock:
    """A block as archived."""

    number: int
    timestamp: int
    mix_hash: bytes
    txs: tuple[ArchivedTx, ...]
    block_hash: bytes


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{value!r} is no 0x string")
    return bytes.fromhex(value[2:])


class ArchiveWriter:
    """Appends to an archive; holds an exclusive lock on the file while open."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        """Internal: use `create` or `reopen`."""
        self._file = file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ArchiveInUse(f"another process appends to {path}") from None

    @classmethod
    def create(cls, path: Path, genesis: Genesis) -> ArchiveWriter:
        """A new file with its genesis line. Raises `BadArgument` where it exists."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file: IO[bytes] = path.open("xb", buffering=0)
        except FileExistsError:
            raise BadArgument(f"the archive {path} exists", hint="open it, or choose another path") from None
        writer = cls(file, path)
        writer._write(
            {
                "format": FORMAT,
                "version": VERSION,
                "chainId": genesis.chain_id,
                "fork": genesis.fork,
                "gasLimit": genesis.gas_limit,
                "startTime": genesis.start_time,
                "mixHash": _hex(genesis.mix_hash),
                "funded": [[address, str(balance)] for address, balance in genesis.funded],
                "hash": _hex(genesis.block_hash),
            }
        )
        return writer

    @classmethod
    def reopen(cls, path: Path) -> ArchiveWriter:
        """Lock an existing file; `cut` it to its whole lines before appending."""
        try:
            return cls(path.open("r+b", buffering=0), path)
        except FileNotFoundError:
            raise BadArgument(f"there is no archive {path}", hint="check the run's folder") from None

    def cut(self, keep_bytes: int) -> None:
        """Drop what stands behind the first `keep_bytes`, a half-written line, and append from there."""
        self._file.truncate(keep_bytes)
        self._file.seek(0, os.SEEK_END)

    def _write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        # Unbuffered: one system call a line, so a killed process leaves at most one partial line, the last.
        while line:
            line = line[self._file.write(line) :]

    def append(self, block: ArchivedBlock) -> None:
        """Write one block in a single system call."""
        self._write(
            {
                "number": block.number,
                "timestamp": block.timestamp,
                "mixHash": _hex(block.mix_hash),
                "txs": [{"hash": _hex(tx.hash), "from": tx.sender, "raw": _hex(tx.raw)} for tx in block.txs],
                "hash": _hex(block.block_hash),
            }
        )

    def close(self) -> None:
        """Flush to the disk and release the lock; idempotent."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()


class ArchiveReader:
    """Reads an archive that may still be growing; `complete_bytes` is the end of the last whole line."""

    def __init__(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise BadArgument(f"there is no archive {path}", hint="check the run's folder") from None
        self.complete_bytes = content.rfind(b"\n") + 1
        self._lines = content[: self.complete_bytes].splitlines()
        self.genesis = self._genesis()

    def _genesis(self) -> Genesis:
        try:
            head = json.loads(self._lines[0])
            if head["format"] != FORMAT or head["version"] != VERSION:
                raise ValueError(f"format {head['format']} version {head['version']}")
            return Genesis(
                chain_id=int(head["chainId"]),
                fork=str(head["fork"]),
                gas_limit=int(head["gasLimit"]),
                start_time=int(head["startTime"]),
                mix_hash=_bytes(head["mixHash"]),
                funded=tuple((str(address), int(balance)) for address, balance in head["funded"]),
                block_hash=_bytes(head["hash"]),
            )
        except (IndexError, KeyError, TypeError, ValueError) as failure:
            raise ArchiveCorrupt(
                f"the first line is no genesis record: {failure}", block=0, artefact="genesis"
            ) from failure

    def blocks(self) -> Iterator[ArchivedBlock]:
        """Every whole block line in order. Raises `ArchiveCorrupt` naming the block that does not parse."""
        for number, line in enumerate(self._lines[1:], start=1):
            artefact = "record"
            try:
                record = json.loads(line)
                txs = []
                for position, tx in enumerate(record["txs"]):
                    artefact = f"transaction {position}"
                    txs.append(ArchivedTx(_bytes(tx["hash"]), str(tx["from"]), _bytes(tx["raw"])))
                artefact = "record"
                if record["number"] != number:
                    raise ValueError(f"its number is {record['number']!r}")
                yield ArchivedBlock(
                    number=number,
                    timestamp=int(record["timestamp"]),
                    mix_hash=_bytes(record["mixHash"]),
                    txs=tuple(txs),
                    block_hash=_bytes(record["hash"]),
                )
            except (KeyError, TypeError, ValueError) as failure:
                raise ArchiveCorrupt(f"it does not parse: {failure}", block=number, artefact=artefact) from failure
