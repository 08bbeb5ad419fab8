"""One daemon for all tests of this directory: starting it takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ipfs_daemon import IpfsDaemon
from tests.support.ipfs_daemon import ipfs_daemon as running_daemon


@pytest.fixture(scope="session")
def ipfs_daemon() -> Iterator[IpfsDaemon]:
    """Return a real daemon with an empty repository and no peers."""
    with running_daemon() as daemon:
        yield daemon
