"""The embedded store: one file per object under a directory, no daemon.

Layout: ``objects/<last two letters of the CID>/<CID>`` holds whole objects, ``pins/<CID>`` is an empty file.
Any number of processes may share the directory: objects appear by rename, and a file lock keeps collection
away from writers. POSIX only (``flock``), and not for old network file systems.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.cid import Cid, check, cid_of, parse
from storage.errors import InvalidCid, MissingContent, StorageError, StoreFull, StoreUnavailable
from storage.store import Store, too_large

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPORARY = ".partial-"


class DiskStore(Store):
    """Content in files. A write is on the disk, under its final name, when ``put`` returns.

    Args:
        root: directory of the store; created when missing.

    Raises:
        StoreUnavailable: the directory cannot be created or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._pins = root / "pins"
        with _translated(f"the store at {root}"):
            self._objects.mkdir(parents=True, exist_ok=True)
            self._pins.mkdir(exist_ok=True)

    def put(self, data: bytes) -> Cid:
        """Write and pin content: temporary file, fsync, rename, fsync of the directory."""
        cid = cid_of(data)
        with _translated(f"{len(data)} bytes as {cid} in {self.root}"), self._locked(fcntl.LOCK_SH):
            path = self._path(cid)
            if not _holds(path, data):
                _write(path, data)
            _touch(self._pins / cid)
        return cid

    def get(self, cid: Cid, *, max_bytes: int) -> bytes:
        """Read content and re-hash it; the size on disk is compared before anything is read."""
        path = self._path(cid)
        with _translated(f"{cid} in {self.root}"):
            try:
                with path.open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if size > max_bytes:
                        raise too_large(cid, max_bytes=max_bytes, size=size)
                    data = file.read(size)
            except FileNotFoundError as error:
                raise self._missing(cid) from error
        check(cid, data)
        return data

    def has(self, cid: Cid) -> bool:
        """Say whether a file of this name exists."""
        path = self._path(cid)
        with _translated(f"{cid} in {self.root}"):
            return path.is_file()

    def pin(self, cid: Cid) -> None:
        """Mark an object that is present."""
        with _translated(f"a pin in {self.root}"), self._locked(fcntl.LOCK_SH):
            if not self.has(cid):
                raise self._missing(cid)
            _touch(self._pins / cid)

    def unpin(self, cid: Cid) -> None:
        """Remove the mark; the bytes stay until :meth:`collect`."""
        parse(cid)
        with _translated(f"a pin in {self.root}"), self._locked(fcntl.LOCK_SH):
            (self._pins / cid).unlink(missing_ok=True)
            _sync_directory(self._pins)

    def pins(self) -> frozenset[Cid]:
        """List the marks whose objects are present."""
        with _translated(f"the pins in {self.root}"):
            names = [Cid(entry.name) for entry in self._pins.iterdir() if _is_cid(entry.name)]
        return frozenset(cid for cid in names if self.has(cid))

    def collect(self) -> int:
        """Delete objects without a pin and what killed writers left behind; return the bytes freed.

        Waits until running writers are done and keeps new ones waiting meanwhile.
        """
        freed = 0
        with _translated(f"a collection in {self.root}"), self._locked(fcntl.LOCK_EX):
            pinned = self.pins()
            for path in self._objects.glob("*/*"):
                stale = path.name.startswith(_TEMPORARY)
                if stale or (_is_cid(path.name) and path.name not in pinned):
                    freed += path.stat().st_size
                    path.unlink()
        return freed

    def describe(self) -> str:
        """Return ``disk store at PATH``."""
        return f"disk store at {self.root}"

    def _path(self, cid: Cid) -> Path:
        # Parsing first keeps a name such as "../x" from ever becoming a path.
        parse(cid)
        return self._objects / cid[-2:] / cid

    def _missing(self, cid: Cid) -> MissingContent:
        return MissingContent(
            f"{cid} is not in the disk store at {self.root}",
            "check the path, or read from the store that it was put in",
        )

    @contextmanager
    def _locked(self, mode: int) -> Iterator[None]:
        # A descriptor of its own per call: flock then excludes threads as well as processes.
        descriptor = os.open(self.root / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, mode)
            yield
        finally:
            os.close(descriptor)


def _is_cid(name: str) -> bool:
    try:
        parse(name)
    except InvalidCid:
        return False
    return True


def _holds(path: Path, data: bytes) -> bool:
    # Comparing bytes, not existence, lets a second put repair a damaged object.
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes) -> None:
    if not path.parent.is_dir():
        path.parent.mkdir(exist_ok=True)
        _sync_directory(path.parent.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; other users of a shared store may read objects.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _touch(path: Path) -> None:
    if not path.exists():
        path.touch()
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(
                f"no space left for {what}", "free some space or unpin and collect old rounds, then repeat"
            ) from error
        raise StoreUnavailable(
            f"{what} cannot be accessed ({error.strerror or error})", "check the path and its permissions"
        ) from error
