"""The IPFS store against a real daemon: the contract, equal names, and a daemon that dies."""

from __future__ import annotations

import io
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipfshttpclient
import pytest

from storage import cid as cids
from storage.cid import CHUNK_BYTES, Cid, cid_of, iter_blocks
from storage.disk import DiskStore
from storage.errors import CidMismatch, MissingContent, StoreUnavailable
from storage.ipfs import IpfsStore
from storage.store import Store, open_store
from tests.support import ipfs_daemon as support
from tests.support.ipfs_daemon import DaemonMissing, IpfsDaemon
from tests.support.store_contract import StoreContract
from tests.unit.storage.cid_vectors import Vector, content, load

pytestmark = pytest.mark.ipfs


class TestIpfsStore(StoreContract):
    @pytest.fixture
    def store(self, ipfs_daemon: IpfsDaemon) -> Iterator[Store]:
        with open_store(ipfs_daemon.url, timeout_s=5) as opened:
            yield opened


@pytest.fixture
def store(ipfs_daemon: IpfsDaemon) -> Iterator[IpfsStore]:
    with IpfsStore(ipfs_daemon.multiaddr, timeout_s=30) as opened:
        yield opened


@contextmanager
def bare_client(daemon: IpfsDaemon) -> Iterator[Any]:
    """Open the client below the store, to bring the daemon into states that a store cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        with ipfshttpclient.Client(daemon.multiaddr, timeout=30) as opened:
            yield opened


@pytest.fixture
def client(ipfs_daemon: IpfsDaemon) -> Iterator[Any]:
    with bare_client(ipfs_daemon) as opened:
        yield opened


@pytest.mark.parametrize("vector", load(), ids=lambda vector: str(vector.size_bytes))
def test_golden_vectors(store: IpfsStore, tmp_path: Path, vector: Vector) -> None:
    data = content(vector.size_bytes)
    assert store.put(data) == vector.cid == DiskStore(tmp_path).put(data)
    assert store.get(Cid(vector.cid), max_bytes=len(data)) == data


def test_deep_trees_are_those_of_the_daemon(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The daemon's own width is 174 and cannot be set; small chunks make a tree of two levels cheap.
    monkeypatch.setattr(cids, "CHUNK_BYTES", 64)
    monkeypatch.setattr(cids, "MAX_LINKS", 174)
    for chunks in (174, 175, 3 * 174 + 1):
        data = content(64 * chunks)
        reply = client.add(
            io.BytesIO(data), cid_version=1, raw_leaves=True, chunker="size-64", opts={"cid-base": "base32"}
        )
        assert cid_of(data) == reply["Hash"]


def test_lost_leaf_is_missing_content() -> None:
    # A daemon of its own: js-ipfs answers correctly about a DAG with a hole, and then ends.
    with (
        support.ipfs_daemon() as daemon,
        IpfsStore(daemon.url, timeout_s=2) as store,
        bare_client(daemon) as client,
    ):
        data = content(2 * CHUNK_BYTES + 5)
        cid = store.put(data)
        store.unpin(cid)
        leaf = next(iter(iter_blocks(data))).cid
        client._client.request("/block/rm", (leaf,), opts={"force": "true"}, decoder="json")
        start_s = time.monotonic()
        with pytest.raises(MissingContent, match=cid):
            store.get(cid, max_bytes=len(data))
        assert time.monotonic() - start_s < 4


def test_a_directory_is_not_content(store: IpfsStore, client: Any) -> None:
    reply = client.add(io.BytesIO(b"x"), cid_version=1, wrap_with_directory=True, opts={"cid-base": "base32"})
    directory = Cid(reply[-1]["Hash"])
    with pytest.raises(CidMismatch, match="directory"):
        store.get(directory, max_bytes=10)


def test_success_prints_no_warning(ipfs_daemon: IpfsDaemon) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with IpfsStore(ipfs_daemon.url, timeout_s=30) as store:
            cid = store.put(b"quiet")
            assert store.get(cid, max_bytes=5) == b"quiet"
            store.unpin(cid)
            store.pins()


def test_a_daemon_that_is_killed_is_unavailable() -> None:
    with support.ipfs_daemon() as daemon, IpfsStore(daemon.url, timeout_s=5) as store:
        cid = store.put(b"before")
        os.kill(daemon.pid, signal.SIGKILL)
        with pytest.raises(StoreUnavailable, match=daemon.url):
            store.get(cid, max_bytes=6)
        with pytest.raises(StoreUnavailable, match="--store disk"):
            store.put(b"after")


def test_a_missing_daemon_fails_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(support, "CLI", tmp_path / "nothing")
    with pytest.raises(DaemonMissing, match="make setup-test"), support.ipfs_daemon():
        pytest.fail("a daemon was started from nothing")
