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
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.sketch.tally import tally

Sketch = NDArray[np.int32]

K = 16
"""Rows of a sketch unless the task says otherwise: 64 bytes."""

MAX_K = 128
"""Most rows of a sketch; the number is a multiple of 8."""

CHUNK = 65_536
"""Coordinates a stream block: at k = 16 the working memory is below 2 MB for any n."""

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def check_rows(k: int) -> None:
    """Raise ValueError unless a sketch can have k rows."""
    if not 8 <= k <= MAX_K or k % 8:
        raise ValueError(f"k = {k} is not a positive multiple of 8 up to {MAX_K}")


def stream(seed: bytes, chunk: int, length: int) -> bytes:
    """The first `length` bytes of the sign stream of one chunk."""
    return hashlib.shake_256(seed + chunk.to_bytes(8, "big")).digest(length)


def projections(u: NDArray[Any] | Iterable[Any], *, seed: bytes, k: int) -> NDArray[np.float64]:
    """(k,) float64 dot products of the sign rows with `u`: an array or tensor of any shape, or an iterable of such.

    Values are float32 or rounded to it. The pieces of an iterable count as one vector, whatever its cuts; one piece
    and one chunk are held at a time. One pass; 6 ms for 10^6 coordinates at k = 16. Raises ValueError if k is not
    a permitted number of rows or a value is not finite.
    """
    check_rows(k)
    width = k // 8
    sums = np.zeros((width, 256), dtype=np.float64)
    for number, chunk in enumerate(_chunks(u)):
        sums += tally(chunk, np.frombuffer(stream(seed, number, len(chunk) * width), np.uint8), width)
    if not np.isfinite(sums).all():
        raise ValueError("a vector with a NaN or infinite value has no sketch")
    signs = _SIGNS_OF_BYTE.astype(np.float64)
    return np.array([math.fsum(signs[row % 8] * sums[row // 8]) for row in range(k)], dtype=np.float64)


def sketch(u: NDArray[Any] | Iterable[Any], *, seed: bytes, k: int = K, grid: float) -> Sketch:
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


def sign_rows(n: int, *, seed: bytes, k: int) -> NDArray[np.int8]:
    """(k, n) int8 rows of +-1 that `projections` multiplies with: k n bytes, for attacks and simulations."""
    check_rows(k)
    blocks = []
    for number, start in enumerate(range(0, n, CHUNK)):
        length = min(CHUNK, n - start)
        octets = np.frombuffer(stream(seed, number, length * k // 8), np.uint8)
        blocks.append(np.unpackbits(octets, bitorder="little").reshape(length, k).T)
    bits = np.concatenate(blocks, axis=1) if blocks else np.empty((k, 0), np.uint8)
    return (2 * bits.astype(np.int8) - 1).astype(np.int8)


def int32(values: NDArray[Any]) -> Sketch:
    """`values` (k,) of any integer dtype as int32. Raises ValueError if one does not fit."""
    if any(not INT32_MIN <= int(value) <= INT32_MAX for value in values):
        raise ValueError("a sketch value is outside int32")
    return values.astype(np.int32)


_SIGNS_OF_BYTE = 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").T.astype(int) - 1


def _chunks(u: NDArray[Any] | Iterable[Any]) -> Iterator[NDArray[np.float32]]:
    """The coordinates of `u` in pieces of CHUNK, the last one shorter; copies only where a piece spans two parts."""
    held: list[NDArray[np.float32]] = []
    length = 0
    for part in [u] if hasattr(u, "dtype") else u:
        plain = part.detach() if hasattr(part, "detach") else part
        rest = np.asarray(plain, dtype=np.float32).reshape(-1)
        while length + rest.size >= CHUNK:
            head, rest = rest[: CHUNK - length], rest[CHUNK - length :]
            yield np.concatenate([*held, head]) if held else head
            held, length = [], 0
        if rest.size:
            held.append(rest)
            length += rest.size
    if held:
        yield np.concatenate(held) if len(held) > 1 else held[0]
