"""Golden CIDs: contents that any language can rebuild, and the names that a real daemon gave them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "vectors" / "cid.json"
SIZES = (0, 1, 262_144, 262_145, 1 << 20, (1 << 20) + 1, 50_000_000)
GENERATOR = 'the first size_bytes bytes of SHAKE-256("credence/cid/" + decimal size_bytes, ASCII)'


@dataclass(frozen=True, slots=True)
class Vector:
    """Content by size, and its CID."""

    size_bytes: int
    cid: str


def content(size_bytes: int) -> bytes:
    """Rebuild the content of a vector, as ``GENERATOR`` says."""
    return hashlib.shake_256(f"credence/cid/{size_bytes}".encode("ascii")).digest(size_bytes)


def load() -> list[Vector]:
    """Read the committed vectors."""
    return [Vector(**entry) for entry in json.loads(PATH.read_text())["vectors"]]
