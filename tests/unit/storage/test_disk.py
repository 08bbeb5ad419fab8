"""The disk store: the contract, and what disks do to it."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storage import disk
from storage.cid import CHUNK_BYTES, Cid, cid_of
from storage.disk import DiskStore
from storage.errors import CidMismatch, MissingContent, StoreFull, StoreUnavailable
from storage.store import Store
from tests.support.store_contract import StoreContract
from tests.unit.storage.cid_vectors import content


class TestDiskStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return DiskStore(tmp_path / "store")


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


def files(store: DiskStore) -> list[str]:
    return sorted(path.name for path in (store.root / "objects").glob("*/*"))


def object_path(store: DiskStore, cid: Cid) -> Path:
    (path,) = (store.root / "objects").glob(f"*/{cid}")
    return path


def test_content_outlives_the_process(store: DiskStore) -> None:
    cid = store.put(b"durable")
    again = DiskStore(store.root)
    assert again.get(cid, max_bytes=7) == b"durable"
    assert again.pins() == {cid}


@pytest.mark.parametrize("position", [0, 3, -1])
def test_one_flipped_byte_is_named(store: DiskStore, position: int) -> None:
    cid = store.put(b"precious")
    damaged = bytearray(b"precious")
    damaged[position] ^= 1
    object_path(store, cid).write_bytes(damaged)
    with pytest.raises(CidMismatch, match=cid):
        store.get(cid, max_bytes=8)
    store.put(b"precious")
    assert store.get(cid, max_bytes=8) == b"precious"


def test_truncated_object_is_named(store: DiskStore) -> None:
    cid = store.put(b"precious")
    object_path(store, cid).write_bytes(b"prec")
    with pytest.raises(CidMismatch, match=cid):
        store.get(cid, max_bytes=8)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_full_disk_leaves_nothing_half_written(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    kept = store.put(b"before")

    def full(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(disk.os, step, full)
    with pytest.raises(StoreFull) as caught:
        store.put(b"x" * 1000)
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, OSError)
    monkeypatch.undo()
    assert files(store) == [kept]
    assert not store.has(cid_of(b"x" * 1000))
    assert store.pins() == {kept}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
def test_full_device_while_writing(store: DiskStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_full_device(**named: Any) -> tuple[int, str]:
        name = str(Path(named["dir"]) / ".partial-test")
        Path(name).touch()
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(disk.tempfile, "mkstemp", on_full_device)
    with pytest.raises(StoreFull):
        store.put(b"x" * CHUNK_BYTES)
    assert files(store) == []


def test_unwritable_root(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="permissions") as caught:
        DiskStore(tmp_path / "file" / "store")
    assert isinstance(caught.value, ConnectionError)


def test_collect_removes_what_is_unpinned(store: DiskStore) -> None:
    kept, dropped = store.put(b"kept"), store.put(b"dropped")
    store.unpin(dropped)
    stale = object_path(store, kept).parent / ".partial-killed"
    stale.write_bytes(b"half")
    foreign = stale.parent / "README"
    foreign.write_bytes(b"not ours")
    assert store.collect() == len(b"dropped") + len(b"half")
    assert store.get(kept, max_bytes=4) == b"kept"
    assert foreign.exists()
    assert not stale.exists()
    with pytest.raises(MissingContent):
        store.get(dropped, max_bytes=7)
    assert store.collect() == 0


def test_pin_without_its_object_is_no_pin(store: DiskStore) -> None:
    cid = store.put(b"lost")
    object_path(store, cid).unlink()
    assert store.pins() == frozenset()


def _put_many(root: Path, worker: int) -> None:
    store = DiskStore(root)
    for number in range(40):
        store.put(b"shared %d" % number)
        own = store.put(b"own %d of %d" % (number, worker))
        store.unpin(own)
        if number % 8 == worker:
            store.collect()


def test_processes_share_a_store(store: DiskStore) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_put_many, args=(store.root, worker)) for worker in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join(60)
    assert [process.exitcode for process in workers] == [0, 0, 0]
    store.collect()
    shared = {cid_of(b"shared %d" % number) for number in range(40)}
    assert store.pins() == shared
    assert set(files(store)) == shared
    for number in range(40):
        assert store.get(cid_of(b"shared %d" % number), max_bytes=99) == b"shared %d" % number


def test_killed_writer_leaves_no_object(store: DiskStore) -> None:
    script = (
        "import os, signal, sys, pathlib\n"
        "from storage import disk\n"
        "disk.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "disk.DiskStore(pathlib.Path(sys.argv[1])).put(b'never finished')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(store.root)], check=False, timeout=60)
    assert done.returncode == -9
    cid = cid_of(b"never finished")
    assert not store.has(cid)
    assert [name[:9] for name in files(store)] == [".partial-"]
    store.put(b"never finished")
    store.collect()
    assert files(store) == [cid]


def test_fifty_megabytes(store: DiskStore) -> None:
    data = content(50_000_000)
    cid = store.put(data)
    assert store.get(cid, max_bytes=len(data)) == data
