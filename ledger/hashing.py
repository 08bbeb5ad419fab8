"""Keccak-256, as quick as this installation has it: a tree of 100,000 leaves is 200,000 hashes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from eth_utils.crypto import keccak as _portable


def _quickest() -> Callable[[bytes], bytes]:
    """The C extension of safe-pysha3 (0.7 µs for a node) where it is installed and right, else eth-utils'."""
    try:
        fast: Any = import_module("sha3").keccak_256
        if fast(b"").digest() == _portable(b""):
            return lambda data: bytes(fast(data).digest())
    except (ImportError, AttributeError):
        pass  # another package may be called sha3; the portable one gives the same bytes, seven times slower
    return _portable


keccak = _quickest()
