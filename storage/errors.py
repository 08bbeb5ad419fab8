"""Everything that the store can refuse, under one root.

Each error also inherits the built-in that a reader expects (``KeyError`` for missing content), carries a
``code`` that never changes (the documentation has a section per code) and a ``hint`` that says what to do.
"""

from __future__ import annotations

import errno
from enum import StrEnum


class Reject(StrEnum):
    """Why received bytes were refused; recorded as the reason of a rejection, so the values never change."""

    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    WRONG_NAMES = "wrong_names"
    WRONG_SHAPE = "wrong_shape"
    WRONG_DTYPE = "wrong_dtype"
    NON_FINITE = "non_finite"
    MALFORMED = "malformed"


class StorageError(Exception):
    """Root of the package's errors: ``str()`` is one sentence with the offending value and the fix."""

    code = "STORE_ERROR"

    def __init__(self, problem: str, hint: str = "") -> None:
        # One positional argument reaches the built-in base, so that OSError does not read a pair as
        # (errno, strerror) and copying an error between processes keeps its text.
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.hint = hint

    def __str__(self) -> str:
        # KeyError would print the repr of the sentence.
        return str(self.args[0])


class CidMismatch(StorageError, ValueError):
    """The bytes do not hash to the CID that names them: damage, a lie, or a DAG cut otherwise."""

    code = "STORE_MISMATCH"


class MissingContent(StorageError, KeyError):
    """No reachable store holds the content of this CID, or none sent it before the deadline."""

    code = "STORE_MISSING"


class TooLarge(StorageError, ValueError):
    """The content exceeds the caller's ``max_bytes``; nothing of it is returned."""

    code = "STORE_TOO_LARGE"


class InvalidCid(StorageError, ValueError):
    """The text or digest does not name content under the profile that this package uses."""

    code = "STORE_INVALID_CID"


class UnknownStore(StorageError, ValueError):
    """The text given as a store names no kind of store."""

    code = "STORE_UNKNOWN"


class StoreUnavailable(StorageError, ConnectionError):
    """The store cannot be reached, does not answer in time, or answers with an error of its own."""

    code = "STORE_UNAVAILABLE"


class StoreFull(StorageError, OSError):
    """There is no space left; what was being written has been removed. ``errno`` is ``ENOSPC``."""

    code = "STORE_FULL"

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.errno = errno.ENOSPC


class CodecError(StorageError, ValueError):
    """Received bytes are not what was asked for; ``reason`` says in which way."""

    code = "CODEC_REJECTED"

    def __init__(self, problem: str, hint: str = "", *, reason: Reject = Reject.MALFORMED) -> None:
        super().__init__(problem, hint)
        self.reason = reason
