"""Sketches as bytes: the digest that the chain binds, and the text that records hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from node.sketch.projection import MAX_K, Sketch, int32


def sketch_digest(sketches: Mapping[int, Sketch]) -> bytes:
    """32 bytes: SHA-256 over the agreed sketches by node id.

    uint32_be count || uint32_be k || for each node ascending: uint64_be node || k times int32_be.
    k is 0 for an empty mapping. Raises ValueError if lengths differ or an id is no uint64.
    """
    lengths = {len(values) for values in sketches.values()}
    if len(lengths) > 1:
        raise ValueError(f"sketches of lengths {sorted(lengths)} have no common digest")
    if any(not 0 <= node < 2**64 for node in sketches):
        raise ValueError("node ids are uint64")
    head = len(sketches).to_bytes(4, "big") + (lengths.pop() if lengths else 0).to_bytes(4, "big")
    rows = (node.to_bytes(8, "big") + _big_endian(sketches[node]) for node in sorted(sketches))
    return hashlib.sha256(head + b"".join(rows)).digest()


def encode_sketch(values: Sketch) -> str:
    """Lower-case hex of k big-endian int32, 8 digits each, without 0x."""
    return _big_endian(values).hex()


def decode_sketch(text: str) -> Sketch:
    """(k,) int32: the inverse of `encode_sketch`. Raises ValueError unless `text` is one of a permitted k."""
    if len(text) % 64 or not 64 <= len(text) <= 8 * MAX_K or any(c not in "0123456789abcdef" for c in text):
        raise ValueError(f"a sketch is 64 lower-case hex digits for every 8 of its 8 to {MAX_K} rows")
    return np.frombuffer(bytes.fromhex(text), dtype=">i4").astype(np.int32)


def _big_endian(values: Sketch) -> bytes:
    return int32(values).astype(">i4").tobytes()
