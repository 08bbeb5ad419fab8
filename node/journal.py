"""Write-ahead journal of one node: every finished stage is a line on disk before the next one starts.

A node killed at any instant reopens its journal, drops a half-written last line and resumes at the first unfinished
stage. Blobs (the bytes a commitment binds before they may be published) are files beside it, written atomically.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.errors import JournalError


class Journal:
    """Append-only JSON lines, keyed by (task, round, stage). Not shared between processes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "journal.jsonl"
        self._entries: dict[tuple[int, int, str], dict[str, Any]] = {}
        self._replay()
        self._file = self.path.open("ab")

    def _replay(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        complete = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:complete].splitlines(), 1):
            try:
                entry = json.loads(line)
                key = (int(entry["task"]), int(entry["round"]), str(entry["stage"]))
                self._entries[key] = entry["data"]
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                raise JournalError(
                    f"{self.path} line {number} is not a journal entry",
                    hint="restore the file from a backup, or start the node with a new --home",
                ) from error
        if complete != len(data):
            with self.path.open("rb+") as file:
                file.truncate(complete)
                os.fsync(file.fileno())

    def record(self, task: int, round_: int, stage: str, **data: Any) -> None:
        """Append one finished stage and flush it to disk before returning. Recording a stage again replaces it."""
        line = json.dumps({"task": task, "round": round_, "stage": stage, "data": data}, sort_keys=True)
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._entries[(task, round_, stage)] = json.loads(line)["data"]

    def get(self, task: int, round_: int, stage: str) -> Mapping[str, Any] | None:
        """What the stage recorded, or None when it has not finished."""
        return self._entries.get((task, round_, stage))

    def done(self, task: int, round_: int, stage: str) -> bool:
        """Whether the stage has finished."""
        return (task, round_, stage) in self._entries

    def stages(self, task: int, round_: int) -> list[str]:
        """Names of the finished stages of a round, in the order in which they finished."""
        return [stage for (t, r, stage) in self._entries if (t, r) == (task, round_)]

    def write_blob(self, name: str, data: bytes) -> None:
        """Keep bytes that may not be published yet; atomic: a reader sees all of them or none."""
        temporary = self.folder / f".{name}.part"
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # after a power cut the folder must know the new name too
        finally:
            os.close(folder)

    def read_blob(self, name: str) -> bytes:
        """Bytes kept by `write_blob`. Raises JournalError when they are gone."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise JournalError(
                f"{self.folder / name} is missing", hint="the node's home was changed by hand"
            ) from error

    def drop_blob(self, name: str) -> None:
        """Forget bytes that are published by now."""
        (self.folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file. The journal may be opened again."""
        self._file.close()
