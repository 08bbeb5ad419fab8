"""One comparison under many seeds at once: how often a claim passes when its rows are drawn afresh."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from node.sketch.projection import CHUNK, INT32_MAX, INT32_MIN, check_rows, stream

_BLOCK = 1 << 22
"""Signs held at once: 16 MiB of float32."""

_SIGNS = 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.float32) - 1


def trials(
    references: NDArray[np.float32],
    claims: NDArray[np.float32],
    of: Sequence[int],
    *,
    seeds: Sequence[bytes],
    tau: float,
    grid: float,
    k: int,
) -> NDArray[np.bool_]:
    """(s, m) bool: whether claim j agrees with reference `of[j]` under each seed, as `agrees` says of sketches.

    `references` (r, n), `claims` (m, n), s seeds, whose rows serve all claims. Only <sigma, u - v> decides, so the
    differences are projected, in float32: their relative error is some 1e-6, and where a distance is that close to
    the limit the answer may differ from the exact one. Cost: s hashes of n k / 8 bytes and one matrix product.
    """
    base = np.asarray(references, dtype=np.float64)
    stacked = np.concatenate([base, np.asarray(claims, dtype=np.float64) - base[of]])
    results = [np.empty((0, len(claims)), np.bool_)]
    for products in project_many(stacked, seeds=seeds, k=k):
        true = products[:, of]
        apart = products[:, len(base) :]
        results.append(agree_many(rounded((true + apart) / grid), rounded(true / grid), tau=tau))
    return np.concatenate(results)


def agree_many(claims: NDArray[np.float64], references: NDArray[np.float64], *, tau: float) -> NDArray[np.bool_]:
    """`agrees` along the last axis, for sketches as float64 (whole numbers) of shapes that broadcast."""
    apart = np.sqrt(((claims - references) ** 2).sum(axis=-1))
    allowed = tau * np.sqrt((references**2).sum(axis=-1)) + math.sqrt(references.shape[-1])
    return np.asarray(apart <= allowed)


def project_many(vectors: NDArray[np.float64], *, seeds: Sequence[bytes], k: int) -> Iterator[NDArray[np.float64]]:
    """(b, m, k) float64 products of `vectors` (m, n) with the rows of b seeds at a time, in order of the seeds.

    Float32 products: see `trials`.
    """
    check_rows(k)
    width, n = k // 8, vectors.shape[1]
    narrow = vectors.astype(np.float32)
    together = max(1, _BLOCK // max(1, min(n, CHUNK) * k))
    for first in range(0, len(seeds), together):
        some = seeds[first : first + together]
        total = np.zeros((len(some), len(vectors), k))
        for number, start in enumerate(range(0, n, CHUNK)):
            part = narrow[:, start : start + CHUNK]
            octets = b"".join(stream(seed, number, part.shape[1] * width) for seed in some)
            signs = _SIGNS[np.frombuffer(octets, np.uint8)].reshape(len(some), part.shape[1], k)
            total += np.matmul(part, signs)
        yield total


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products over the grid as a sketch has them: half to even, saturated; still float64."""
    return np.clip(np.rint(values), INT32_MIN, INT32_MAX)
