"""What a store promises, and how the user's ``--store`` becomes one."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from storage.cid import Cid
from storage.errors import TooLarge, UnknownStore

DEFAULT_ROOT = Path(".credence") / "store"
_KINDS = ("disk", "disk:PATH", "http://127.0.0.1:5001", "https://HOST:PORT", "/ip4/127.0.0.1/tcp/5001")


class Store(ABC):
    """Content by CID. Every implementation names the same bytes alike, so stores are interchangeable.

    Nothing that a store returns is trusted by source: ``get`` hashes what it read before it returns.
    """

    @abstractmethod
    def put(self, data: bytes) -> Cid:
        """Store and pin content, durably; storing it again changes nothing.

        Raises:
            StoreFull: no space is left; nothing of ``data`` remains.
            StoreUnavailable: the store cannot be reached.
            CidMismatch: the store names the bytes otherwise than this package does.
        """

    @abstractmethod
    def get(self, cid: Cid, *, max_bytes: int) -> bytes:
        """Return content that hashes to ``cid``, reading at most about ``max_bytes`` of what is offered.

        Raises:
            MissingContent: nobody has it, or nobody sent it in time.
            TooLarge: it exceeds ``max_bytes``.
            CidMismatch: what was read does not hash to ``cid``.
            InvalidCid: ``cid`` is malformed.
            StoreUnavailable: the store cannot be reached.
        """

    @abstractmethod
    def has(self, cid: Cid) -> bool:
        """Say whether the store itself holds the root block of ``cid``; its bytes are not re-hashed."""

    @abstractmethod
    def pin(self, cid: Cid) -> None:
        """Protect content from collection, fetching it first where the store can.

        Raises:
            MissingContent: nobody has it.
        """

    @abstractmethod
    def unpin(self, cid: Cid) -> None:
        """Give content up for collection; does nothing where it is not pinned."""

    @abstractmethod
    def pins(self) -> frozenset[Cid]:
        """Return what is pinned, leaving out what a daemon holds under other profiles."""

    @abstractmethod
    def describe(self) -> str:
        """Return one line for people: kind and place, without any password."""

    def close(self) -> None:
        """Release connections; the store is not used afterwards. Nothing to release by default."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(spec: str, *, timeout_s: float = 60.0, root: Path | None = None) -> Store:
    """Open the store that a user named.

    Args:
        spec: ``disk`` (under ``root``, or ``.credence/store``), ``disk:PATH``, or the RPC address of an
            IPFS daemon as URL (``http://127.0.0.1:5001``) or multiaddr (``/ip4/127.0.0.1/tcp/5001``).
        timeout_s: deadline of every call to a daemon, in seconds.
        root: directory of the store when the spec is plain ``disk``.

    Raises:
        UnknownStore: the spec is none of these.
    """
    # Imported here because both modules import this one for the interface.
    if spec == "disk" or re.fullmatch(r"disk:.+", spec):
        from storage.disk import DiskStore

        return DiskStore(Path(spec[len("disk:") :]).expanduser() if ":" in spec else root or DEFAULT_ROOT)
    if spec.startswith(("http://", "https://", "/")):
        from storage.ipfs import IpfsStore

        return IpfsStore(spec, timeout_s=timeout_s)
    near = difflib.get_close_matches(spec, _KINDS, n=1, cutoff=0.4)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownStore(f"{spec!r} names no store", f"{guess}valid are {', '.join(_KINDS)}")


def too_large(cid: Cid, *, max_bytes: int, size: int | None = None) -> TooLarge:
    """Build the error for content above the caller's limit; ``size`` is None where it is not known."""
    held = f"{size} bytes, more" if size is not None else "more"
    return TooLarge(
        f"{cid} holds {held} than the limit of {max_bytes} bytes",
        "raise max_bytes if the task allows content of this size",
    )
