"""A store behind any Kubo-style IPFS daemon, through its RPC.

The daemon is asked for the profile of :mod:`storage.cid` in full, because defaults differ between daemons and
change between versions; what it answers is compared with our own CID all the same.
"""

from __future__ import annotations

import io
import re
import urllib.parse
from collections.abc import Callable
from typing import TypeVar

import ipfshttpclient
import requests
from ipfshttpclient import exceptions as rpc

from storage.cid import CHUNK_BYTES, MAX_LINKS, Cid, canonical, check, cid_of, parse
from storage.errors import (
    CidMismatch,
    InvalidCid,
    MissingContent,
    StorageError,
    StoreFull,
    StoreUnavailable,
    UnknownStore,
)
from storage.ipfs_body import Budget, OverdueError, OversizedError
from storage.store import Store, too_large

_T = TypeVar("_T")
_REPLY_BYTES = 1 << 20
_PINS_BYTES = 1 << 28
# A daemon that ignores `offline` searches its peers before it says no; looking locally takes milliseconds.
_LOCAL_LOOKUP_S = 1.0
_LOOPBACK = re.compile(r"/(ip4/127\.|ip6/::1/|dns[46]?/localhost/)")
_START = "start the daemon (`ipfs daemon`) or use --store disk"
_MISSING = ("timed out", "deadline exceeded", "not found", "could not find")
# What the client library raises, or what we raise, on a reply that is JSON but not the expected one.
_MISSHAPEN = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)
_FULL = ("no space left", "enospc", "disk quota")


class IpfsStore(Store):
    """Content in an IPFS node. May be shared between threads. No call is made before the first use.

    Every call has a deadline: no more than ``timeout_s`` of silence, and a body that is still arriving after
    ``timeout_s`` is cut off, so a call ends within twice ``timeout_s``; only an upload that keeps moving
    may take longer.

    Args:
        addr: URL (``http://127.0.0.1:5001``, with ``user:password@`` if need be) or multiaddr of the RPC.
        timeout_s: deadline in seconds, as above.

    Raises:
        UnknownStore: the address is neither.
    """

    def __init__(self, addr: str, *, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._shown, multiaddr, auth = _address(addr)
        try:
            self._client = ipfshttpclient.Client(
                multiaddr, session=True, timeout=timeout_s, chunk_size=CHUNK_BYTES, auth=auth
            )
        except rpc.AddressError as error:
            raise _bad_address(addr) from error
        self._budget = Budget()
        session = self._client._client._session
        session.hooks["response"].append(self._budget.bound)
        # Bodies arrive as they are stored: a compressed reply could unfold beyond any limit.
        session.headers["Accept-Encoding"] = "identity"
        # A proxy for the web, set in the environment, cannot reach this machine's own daemon.
        session.trust_env = _LOOPBACK.match(multiaddr) is None
        for adapter in session.adapters.values():
            # The client passes urllib3 an argument that urllib3 2 warns about and ignores.
            adapter.poolmanager.connection_pool_kw.pop("strict", None)

    def put(self, data: bytes) -> Cid:
        """Upload and pin content, and compare the daemon's CID with ours.

        Raises:
            CidMismatch: the daemon built another DAG (below Kubo 0.35, and in js-ipfs, content above
                174 MiB: they cannot be told the number of links); its pin is taken back.
        """
        cid = cid_of(data)
        options = {"cid-base": "base32", "max-file-links": str(MAX_LINKS)}

        def add() -> str:
            reply = self._client.add(
                io.BytesIO(data),
                cid_version=1,
                raw_leaves=True,
                chunker=f"size-{CHUNK_BYTES}",
                pin=True,
                opts=dict(options),
            )
            return str(reply["Hash"])

        named = self._call(f"adding {cid}", add)
        if named != cid:
            raise self._disagreement(cid, named)
        return cid

    def get(self, cid: Cid, *, max_bytes: int) -> bytes:
        """Fetch content, from the daemon's peers if need be, and re-hash it."""
        parse(cid)
        # One byte more than allowed is asked for, so that too large is told from just fitting.
        options = self._patience() | {"length": str(max_bytes + 1)}

        def read() -> bytes:
            try:
                data: bytes = self._client.cat(cid, opts=dict(options))
            except OversizedError as error:
                raise too_large(cid, max_bytes=max_bytes) from error
            return data

        data = self._call(f"reading {cid}", read, missing=cid, max_bytes=max_bytes)
        check(cid, data)
        return data

    def has(self, cid: Cid) -> bool:
        """Say whether the daemon holds the root block; a "no" may take a second."""
        parse(cid)
        wait = f"{int(1000 * min(_LOCAL_LOOKUP_S, self.timeout_s))}ms"
        try:
            self._call(
                f"looking up {cid}",
                lambda: self._client.block.stat(cid, opts={"offline": "true", "timeout": wait}),
                missing=cid,
            )
        except MissingContent:
            return False
        return True

    def pin(self, cid: Cid) -> None:
        """Pin recursively; the daemon fetches what it lacks."""
        parse(cid)
        self._call(f"pinning {cid}", lambda: self._client.pin.add(cid, opts=self._patience()), missing=cid)

    def unpin(self, cid: Cid) -> None:
        """Take back the pin; the daemon's own garbage collection frees the space."""
        parse(cid)
        self._unpin(cid)

    def pins(self) -> frozenset[Cid]:
        """List recursive pins whose CIDs are of this profile, whoever set them."""

        def names() -> list[str]:
            return list(self._client.pin.ls(type="recursive").as_json()["Keys"] or ())

        found = set()
        for text in self._call("listing pins", names, max_bytes=_PINS_BYTES):
            try:
                found.add(canonical(text))
            except InvalidCid:
                # A daemon shared with other programs pins content of other profiles (CIDv0, say).
                continue
        return frozenset(found)

    def describe(self) -> str:
        """Return ``IPFS daemon at ADDRESS``."""
        return f"IPFS daemon at {self._shown}"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _patience(self) -> dict[str, str]:
        # The daemon gives up before the socket does, so that "nobody has it" is told from "daemon hangs".
        return {"timeout": f"{max(1, int(900 * self.timeout_s))}ms"}

    def _disagreement(self, cid: Cid, named: str) -> CidMismatch:
        mismatch = CidMismatch(
            f"the daemon at {self._shown} stores the content of {cid} as {named}",
            "use Kubo 0.35 or later, or --store disk; older daemons cannot store files above 174 MiB alike",
        )
        try:
            self._unpin(named)
        except StorageError as error:
            mismatch.add_note(f"The pin that the daemon set could not be taken back: {error}")
        return mismatch

    def _unpin(self, text: str) -> None:
        def remove() -> None:
            try:
                self._client.pin.rm(text)
            except rpc.ErrorResponse as error:
                if "not pinned" not in str(error):
                    raise

        self._call(f"unpinning {text}", remove)

    def _call(
        self,
        action: str,
        request: Callable[[], _T],
        *,
        missing: Cid | None = None,
        max_bytes: int = _REPLY_BYTES,
    ) -> _T:
        self._budget.start(max_bytes=max_bytes, timeout_s=self.timeout_s)
        try:
            try:
                return request()
            except rpc.ProtocolError:
                # A daemon closes idle connections, which shows on the next use; all calls may be repeated.
                self._budget.start(max_bytes=max_bytes, timeout_s=self.timeout_s)
                return request()
        except StorageError:
            raise
        except rpc.ErrorResponse as error:
            raise self._refusal(action, error, missing) from error
        except (rpc.Error, requests.RequestException, OverdueError, OversizedError, *_MISSHAPEN) as error:
            if isinstance(error, rpc.TimeoutError) or self._budget.overdue():
                said = f"no complete answer within {self.timeout_s:g} s"
            else:
                said = _root_cause(error)
            raise self._unavailable(action, said) from error

    def _refusal(self, action: str, error: rpc.ErrorResponse, missing: Cid | None) -> StorageError:
        said = str(error)
        if missing is not None and any(sign in said.lower() for sign in _MISSING):
            return MissingContent(
                f"{missing} was not found through the IPFS daemon at {self._shown} ({said})",
                "check that a node which holds it is running and connected",
            )
        if any(sign in said.lower() for sign in _FULL):
            return StoreFull(
                f"the IPFS daemon at {self._shown} has no space left ({said})",
                "free some space or unpin old rounds, then repeat",
            )
        if "directory" in said.lower():
            return CidMismatch(f"{action} found no file ({said})", "refuse it: only files are content here")
        return self._unavailable(action, said, "look into the daemon's log or use --store disk")

    def _unavailable(self, action: str, said: str, hint: str = _START) -> StoreUnavailable:
        return StoreUnavailable(f"{action} failed at the IPFS daemon {self._shown} ({said})", hint)


def _root_cause(error: BaseException) -> str:
    # The HTTP stack wraps "connection refused" five times, each time repeating the whole URL.
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"[:200]


def _address(addr: str) -> tuple[str, str, tuple[str, str] | None]:
    if addr.startswith("/"):
        return addr, addr, None
    url = urllib.parse.urlsplit(addr)
    try:
        host, port = url.hostname, url.port
    except ValueError as error:
        raise _bad_address(addr) from error
    if url.scheme not in ("http", "https") or not host or url.path.strip("/") not in ("", "api/v0"):
        raise _bad_address(addr)
    kind = "ip6" if ":" in host else "ip4" if host.replace(".", "").isdigit() else "dns"
    port = port or (443 if url.scheme == "https" else 5001)
    shown = f"{url.scheme}://{f'[{host}]' if kind == 'ip6' else host}:{port}"
    auth = (urllib.parse.unquote(url.username), urllib.parse.unquote(url.password or "")) if url.username else None
    return shown, f"/{kind}/{host}/tcp/{port}/{url.scheme}", auth


def _bad_address(addr: str) -> UnknownStore:
    return UnknownStore(
        f"{addr!r} is not the RPC address of an IPFS daemon",
        "pass a URL such as http://127.0.0.1:5001 or a multiaddr such as /ip4/127.0.0.1/tcp/5001",
    )
