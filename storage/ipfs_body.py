"""Limits on what a daemon may send: bytes and seconds, enforced while the body is read.

The HTTP stack below the IPFS client reads a body of announced length in one piece, however long it is, and
its time-outs restart with every packet. A response hook puts this module's reader in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import requests

_READ_BYTES = 1 << 16
_MESSAGE_BYTES = 1 << 16


class OversizedError(Exception):
    """The body went beyond the limit of the current call."""


class OverdueError(Exception):
    """The body was still arriving after the deadline of the current call."""


class Budget(threading.local):
    """What the current call of this thread may still use."""

    def __init__(self) -> None:
        self.max_bytes = 0
        self.deadline_s = 0.0

    def start(self, *, max_bytes: int, timeout_s: float) -> None:
        """Open a call: bodies of at most ``max_bytes``, complete within ``timeout_s`` seconds from now."""
        self.max_bytes = max_bytes
        self.deadline_s = time.monotonic() + timeout_s

    def overdue(self) -> bool:
        """Say whether the current call of this thread has used up its time."""
        return time.monotonic() > self.deadline_s

    def bound(self, response: requests.Response, **_: object) -> None:
        """Response hook of a ``requests`` session: replace the body by one that keeps to the budget."""
        # An error message may be longer than the content that was asked for.
        limit = self.max_bytes if response.ok else max(self.max_bytes, _MESSAGE_BYTES)
        response.raw = _BoundedBody(response.raw, max_bytes=limit, deadline_s=self.deadline_s)


class _BoundedBody:
    def __init__(self, raw: Any, *, max_bytes: int, deadline_s: float) -> None:
        self._raw = raw
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body as it arrives, ignoring the requested piece size."""
        seen = 0
        # read1 returns after one packet, so a sender of single bytes cannot outlast the deadline.
        while piece := self._raw.read1(_READ_BYTES, decode_content=False):
            seen += len(piece)
            if seen > self._max_bytes:
                raise OversizedError(f"more than {self._max_bytes} bytes")
            if time.monotonic() > self._deadline_s:
                raise OverdueError(f"{seen} bytes so far")
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
