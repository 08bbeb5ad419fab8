"""Reads the vectors that the Solidity tests share; an independent model made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "vectors"


def load(name: str) -> Any:
    """The vector file `name`.json."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def raw(text: str) -> bytes:
    """Bytes of a 0x string, whatever its number of digits."""
    return bytes.fromhex(text[2:].zfill(len(text[2:]) + len(text) % 2))


def number(text: str | int) -> int:
    """Integer of a 0x string or a number."""
    return int(text, 16) if isinstance(text, str) else text
