"""The Johnson-Lindenstrauss sketch that decides whether two machines computed the same thing.

k rows of random signs, drawn after the vector was committed to; S_i = round(<sigma_i, u> / g) as int32, not
normalised, so that a rescaled vector has another sketch. (Johnson and Lindenstrauss 1984 with the +-1 rows of
Achlioptas 2003; as a p-stable hash: Datar et al. 2004.) With E[<sigma_i, u>^2] = |u|^2, two sketches differ
by about |u - v| sqrt(k) / g. With rows known beforehand a forgery is free: any change in their null space.

Byte-exact definition, for seeds of any length, k a multiple of 8 and n coordinates:
- Coordinates are numbered from 0 in C order and cut into chunks of 65,536. Chunk c has the byte stream
  SHAKE-256(seed || uint64_be(c)). (The counter is there because hashlib's SHAKE cannot squeeze on.)
- Coordinate j of a chunk (from 0) and row i own bit number j*k + i of its stream, the least significant bit
  of each byte first; 1 is +1 and 0 is -1. So a coordinate owns k/8 whole bytes.
- Arithmetic is float64 and in this order, so every IEEE 754 machine gets the same bits: per chunk, for each
  of the k/8 byte places q and each byte value v, B[q, v] = the sum of u_j, j ascending, whose byte q is v;
  the chunks' B are added, c ascending; <sigma_i, u> is the correctly rounded sum (math.fsum) over v of
  +-B[i // 8, v], the sign being bit i % 8 of v. It is divided by g, rounded half to even, and saturated.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Sketch = NDArray[np.int32]

K = 16
"""Rows of a sketch: 64 bytes; honest drift and the smallest cheat stay a factor 70 away from tau = 1e-4."""

CHUNK = 65_536
"""Coordinates a stream block: at k = 16 the working memory is below 2 MB for any n."""

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


class Domain(IntEnum):
    """What a sketch is for. Sketches of different domains share no row."""

    OUTPUT = 1
    """Outputs of base + update on the probe batch; names the trainer."""
    REPLAY = 2
    """A replayed update segment; names the trainer."""
    MEMBER = 3
    """A committee member's second sketch, useless to a copier; names the trainer and the member."""
    DUPLICATE = 4
    """The same rows for all updates of a round, so that near-duplicates show; names nobody."""


def sketch_seed(
    domain: Domain,
    *,
    beacon: bytes,
    task: int,
    round_: int,
    node: int | None = None,
    member: str | None = None,
) -> bytes:
    """The 77-byte seed of a sketch's rows.

    uint8 domain || 32 bytes beacon || uint64_be task || uint64_be round || uint64_be node || 20 bytes member.
    Fields that the domain leaves out are zero: the domain says which are present, so nothing is ambiguous.
    `member` is a 0x-prefixed address in any case. Raises ValueError for a field that is missing, superfluous
    or out of range.
    """
    if len(beacon) != 32:
        raise ValueError(f"a beacon has 32 bytes, not {len(beacon)}")
    names_node = domain in (Domain.OUTPUT, Domain.REPLAY, Domain.MEMBER)
    names_member = domain is Domain.MEMBER
    if (node is not None) != names_node or (member is not None) != names_member:
        raise ValueError(f"domain {domain.name}: node={node!r}, member={member!r}: one is missing or superfluous")
    numbers = (task, round_, node or 0)
    if not all(0 <= number < 2**64 for number in numbers):
        raise ValueError(f"task, round and node are uint64, not {numbers}")
    address = bytes(20) if member is None else _address(member)
    return bytes([domain]) + beacon + b"".join(number.to_bytes(8, "big") for number in numbers) + address


def _address(text: str) -> bytes:
    if not (text.startswith("0x") and len(text) == 42 and all(c in "0123456789abcdefABCDEF" for c in text[2:])):
        raise ValueError(f"{text!r} is no 0x-prefixed address of 20 bytes")
    return bytes.fromhex(text[2:])


def stream(seed: bytes, chunk: int, length: int) -> bytes:
    """The first `length` bytes of the sign stream of one chunk."""
    return hashlib.shake_256(seed + chunk.to_bytes(8, "big")).digest(length)


def projections(u: NDArray[Any], *, seed: bytes, k: int) -> NDArray[np.float64]:
    """(k,) float64 dot products of the sign rows with `u` (any shape, float32 or rounded to it).

    One pass over u in chunks; 6 ms for 10^6 coordinates at k = 16. Raises ValueError if k is no positive
    multiple of 8 or a value is not finite.
    """
    if k < 8 or k % 8:
        raise ValueError(f"k = {k} is not a positive multiple of 8")
    flat = np.asarray(u, dtype=np.float32).reshape(-1)
    width = k // 8
    sums = np.zeros((width, 256), dtype=np.float64)
    for number, start in enumerate(range(0, flat.size, CHUNK)):
        values = flat[start : start + CHUNK].astype(np.float64)
        octets = np.frombuffer(stream(seed, number, len(values) * width), np.uint8).reshape(-1, width)
        for place in range(width):
            # bincount adds in index order: no BLAS, so no machine-dependent summation order.
            sums[place] += np.bincount(octets[:, place].astype(np.intp), weights=values, minlength=256)
    if not np.isfinite(sums).all():
        raise ValueError("a vector with a NaN or infinite value has no sketch")
    values_of_bit = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    signs = values_of_bit.T.astype(np.float64) * 2 - 1
    return np.array([math.fsum(signs[row % 8] * sums[row // 8]) for row in range(k)], dtype=np.float64)


def sketch(u: NDArray[Any], *, seed: bytes, k: int = K, grid: float) -> Sketch:
    """(k,) int32: `projections` divided by `grid` > 0, rounded half to even, saturated. ValueError."""
    if not (math.isfinite(grid) and grid > 0):
        raise ValueError(f"grid {grid} is not a positive number")
    with np.errstate(over="ignore"):  # an overflow to infinity saturates like any other large value
        scaled = np.rint(projections(u, seed=seed, k=k) / grid)
    return np.clip(scaled, INT32_MIN, INT32_MAX).astype(np.int32)


def grid_of(norm_bound: float) -> float:
    """The grid step g = 8 C / 2^31 for vectors of norm at most C.

    A row's dot product has standard deviation |u| <= C and int32 holds 8 C either way, so that an honest row
    saturates with odds below 1e-13 (Hoeffding). Raises ValueError unless C is positive and finite.
    """
    if not (math.isfinite(norm_bound) and norm_bound > 0):
        raise ValueError(f"norm bound {norm_bound} is not a positive number")
    return 8.0 * norm_bound / 2**31


def agrees(claim: Sketch, reference: Sketch, *, tau: float) -> bool:
    """Whether |claim - reference|_2 <= tau |reference|_2 + sqrt(k); k is the rounding allowance.

    Squared norms are exact integers, so every machine decides alike. Raises ValueError for different lengths
    or a tau that is negative or not finite.
    """
    if claim.shape != reference.shape or claim.ndim != 1:
        raise ValueError(f"sketches of shapes {claim.shape} and {reference.shape} cannot be compared")
    if not (math.isfinite(tau) and tau >= 0):
        raise ValueError(f"tau {tau} is not a number >= 0")
    return distance(claim, reference) <= tau * norm(reference) + math.sqrt(len(claim))


def norm(values: Sketch) -> float:
    """Euclidean norm from the exact integer sum of squares."""
    return math.sqrt(sum(int(value) ** 2 for value in values))


def distance(left: Sketch, right: Sketch) -> float:
    """Euclidean distance from the exact integer sum of squares."""
    return math.sqrt(sum((int(a) - int(b)) ** 2 for a, b in zip(left, right, strict=True)))


def lower_median(sketches: NDArray[Any]) -> Sketch:
    """(k,) int32 coordinate-wise lower median of `sketches` (s, k) int; a row for each seat, s >= 1.

    The element of rank floor((s - 1) / 2) from 0, which is always one that somebody sent. Errors: ValueError.
    """
    if sketches.ndim != 2 or len(sketches) == 0 or sketches.dtype.kind not in "iu":
        raise ValueError(f"a median needs rows of integers, not {sketches.dtype} {sketches.shape}")
    middle = np.sort(sketches, axis=0)[(len(sketches) - 1) // 2]
    return _int32(middle.tolist())


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


def decode_sketch(text: str, *, k: int = K) -> Sketch:
    """The inverse of `encode_sketch`. Raises ValueError unless `text` is the one encoding of k values."""
    if len(text) != 8 * k or any(c not in "0123456789abcdef" for c in text):
        raise ValueError(f"a sketch of {k} values is {8 * k} lower-case hex digits")
    return np.frombuffer(bytes.fromhex(text), dtype=">i4").astype(np.int32)


def _int32(values: Sequence[int]) -> Sketch:
    if any(not INT32_MIN <= value <= INT32_MAX for value in values):
        raise ValueError("a sketch value is outside int32")
    return np.array(values, dtype=np.int32)


def _big_endian(values: Sketch) -> bytes:
    return _int32(values.tolist()).astype(">i4").tobytes()
