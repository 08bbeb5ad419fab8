"""Which updates of a round are let in: near-copies of an earlier one and what points away from the others are not.

Pure functions on arrays: a committee member applies them to revealed submissions (`node.verify`), the matrix to
simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray


def later_duplicates(updates: Sequence[FloatArray], *, tau: float) -> NDArray[np.bool_]:
    """(n,) bool: which rows lie within relative L2 distance `tau` of an earlier row that is none itself.

    `updates` come in order of commitment: the first commit wins. Relative to the later one's own norm.
    """
    late = np.zeros(len(updates), dtype=bool)
    for row, update in enumerate(updates):
        limit = tau * float(np.linalg.norm(update.astype(np.float64)))
        earlier = (updates[other] for other in range(row) if not late[other])
        late[row] = any(float(np.linalg.norm((update - other).astype(np.float64))) <= limit for other in earlier)
    return late


def pointing_away(
    cosines: NDArray[np.float64], gains: NDArray[np.float64] | None = None, *, margin: float
) -> NDArray[np.bool_]:
    """(n,) bool: rows to turn away by their cosines to the weighted median of the others (DESIGN §3.6) and their gains.

    Below -`margin` the direction alone decides; between that and 0 it takes both an opposite direction and no gain on
    the probe shard (`gains` (n,), the round's utilities; NaN is none; without gains nobody is in doubt). Converged
    updates are noise around zero: a bare sign turns half of the honest ones away, a margin alone lets reversed ones in.
    """
    clearly = cosines < -margin
    if gains is None:
        return np.asarray(clearly, dtype=bool)
    return np.asarray(clearly | ((cosines < 0) & ~(gains > 0)), dtype=bool)
