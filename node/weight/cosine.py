"""Cosines of all pairs of rows, by one Gram matrix in float64: what every similarity discount starts from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray

BLOCK = 8192
"""Columns a pass: fixed, because it fixes the rounding."""


def cosines(rows: FloatArray) -> NDArray[np.float64]:
    """(n, n) float64 in [-1, 1]: cosine of each pair of `rows` (n, d) float32; 0 where a row is zero or not finite.

    Rows are brought to their largest value 1 first, so that squares neither overflow nor vanish. n d + n^2 d
    multiplications, two passes over memory; n x 8,192 float64 of working memory.
    """
    largest = np.array([float(np.abs(row).max(initial=0.0)) for row in rows])
    largest[~np.isfinite(largest)] = 0.0
    used = largest > 0
    inverse = np.divide(1.0, largest, out=np.zeros_like(largest), where=used)
    gram = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], BLOCK):
        block = rows[:, start : start + BLOCK].astype(np.float64)
        block[~used] = 0.0
        block *= inverse[:, None]
        gram += block @ block.T
    lengths = np.sqrt(np.diag(gram))
    products = np.outer(lengths, lengths)
    found = np.divide(gram, products, out=np.zeros_like(gram), where=products > 0)
    return np.asarray(np.clip(found, -1.0, 1.0), dtype=np.float64)
