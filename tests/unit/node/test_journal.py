"""The write-ahead journal: killed at any byte it reopens to what was finished; damaged it says where."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import JournalError
from node.journal import Journal

STAGES = [
    (1, 1, "trained", {"manifest": {"digest": "ab", "length": 3}}),
    (1, 1, "said:claim:0", {"body": {"text": "line\nbreak é \u2028", "n": 2**70, "yes": True}}),
    (1, 1, "trained", {"manifest": {"digest": "cd", "length": 4}}),  # replaces the first
    (1, 2, "trained", {}),
    (2, 1, "trained", {"list": [1, [2, "x"]]}),
]


def write(folder: Path, stages: list[tuple[int, int, str, dict[str, Any]]] = STAGES) -> bytes:
    journal = Journal(folder)
    for task, round_, stage, data in stages:
        journal.record(task, round_, stage, **data)
    journal.close()
    return journal.path.read_bytes()


def contents(journal: Journal) -> dict[tuple[int, int, str], Any]:
    keys = {(task, round_, stage) for task, round_, stage, _ in STAGES}
    return {key: journal.get(*key) for key in keys if journal.done(*key)}


def expected(count: int) -> dict[tuple[int, int, str], Any]:
    return {(task, round_, stage): data for task, round_, stage, data in STAGES[:count]}


def test_what_was_recorded_is_there_at_once_and_after_reopening(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "home")
    assert journal.get(1, 1, "trained") is None
    assert not journal.done(1, 1, "trained")
    for count, (task, round_, stage, data) in enumerate(STAGES, 1):
        journal.record(task, round_, stage, **data)
        assert contents(journal) == expected(count)
    journal.close()
    again = Journal(tmp_path / "new" / "home")
    assert contents(again) == expected(len(STAGES))
    assert again.stages(1, 1) == ["trained", "said:claim:0"]
    assert again.stages(3, 1) == []
    again.close()


def test_an_entry_is_on_the_disk_when_record_returns(tmp_path: Path) -> None:
    """Another process that dies with the first one open sees every finished stage."""
    journal = Journal(tmp_path)
    journal.record(1, 1, "committed")
    assert journal.path.read_bytes().count(b"\n") == 1
    journal.close()


def test_what_is_read_is_what_a_restart_would_read(tmp_path: Path) -> None:
    """Tuples come back as lists at once, so that no stage behaves differently after a restart."""
    journal = Journal(tmp_path)
    given = {"false": (3, 1)}
    journal.record(1, 1, "checked", **given)
    given["false"] = ()
    assert journal.get(1, 1, "checked") == {"false": [3, 1]}
    journal.close()


def test_a_kill_at_any_byte_leaves_a_prefix_and_a_journal_that_goes_on(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole")
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for offset in range(len(whole) + 1):
        folder = tmp_path / str(offset)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(whole[:offset])
        journal = Journal(folder)
        finished = sum(end <= offset for end in ends)
        assert contents(journal) == expected(finished)
        journal.record(9, 9, "after")
        journal.close()
        reopened = Journal(folder)
        assert reopened.done(9, 9, "after")
        assert {key: value for key, value in contents(reopened).items() if key[0] != 9} == expected(finished)
        reopened.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"{}",
        b"[]",
        b"5",
        b"null",
        b"\xff\xfe",
        b'{"task":1,"round":1,"stage":"x"}',
        b'{"task":"one","round":1,"stage":"x","data":{}}',
        b'{"task":null,"round":1,"stage":"x","data":{}}',
        b'{"task":1e999,"round":1,"stage":"x","data":{}}',
        b'{"task":1,"round":1,"stage":"x","data":{}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    write(tmp_path)
    path = tmp_path / "journal.jsonl"
    lines = path.read_bytes().splitlines()
    lines[2] = line
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl line 3 is not a journal entry") as caught:
        Journal(tmp_path)
    assert "backup" in caught.value.hint
    assert path.read_bytes().splitlines() == lines  # evidence is left as it is


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_changed_byte_gives_a_journal_or_a_journal_error(data: st.DataObject, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("journal")
    whole = bytearray(write(folder))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "journal.jsonl").write_bytes(whole)
    with suppress(JournalError):
        Journal(folder).close()


# -- blobs -----------------------------------------------------------------------------------------------


def test_a_blob_is_kept_replaced_and_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for data in (b"first", b"", bytes(range(256))):
        journal.write_blob("update-1", data)
        assert journal.read_blob("update-1") == data
    journal.drop_blob("update-1")
    journal.drop_blob("update-1")
    with pytest.raises(JournalError, match="update-1 is missing") as caught:
        journal.read_blob("update-1")
    assert caught.value.hint
    journal.close()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_blob_whose_writing_was_cut_off_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    journal = Journal(tmp_path)
    journal.write_blob("update-1", b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(OSError, match="no space left"):
            journal.write_blob("update-1", b"new")
    assert journal.read_blob("update-1") == b"old"
    journal.write_blob("update-1", b"new")
    assert journal.read_blob("update-1") == b"new"
    journal.close()


def test_a_blob_is_on_the_disk_under_its_name_before_the_stage_that_relies_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the directory must know the new name too: it is synced after the rename."""
    events: list[str] = []
    sync, rename = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        events.append("folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "file")
        sync(descriptor)

    def watched_rename(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    journal = Journal(tmp_path)
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_rename)
    journal.write_blob("update-1", b"data")
    journal.close()
    assert events == ["file", "rename", "folder"]


def test_blobs_and_entries_do_not_mix(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write_blob("observation-1", b"\n\n")
    journal.record(1, 1, "observed")
    journal.close()
    again = Journal(tmp_path)
    assert again.stages(1, 1) == ["observed"]
    assert again.read_blob("observation-1") == b"\n\n"
    again.close()
