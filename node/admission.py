"""Which updates of a round are let in: near-copies of an earlier one and what points away from the others are not.

Pure functions on arrays: a committee member applies them to revealed submissions (`node.verify`), the matrix to
simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.aggregate import weighted_median
from node.data import FloatArray

Values = NDArray[np.float64]

SPREAD = 2.0


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


def pointing_away(cosines: Values, weights: Values, gains: Values | None = None, *, margin: float) -> NDArray[np.bool_]:
    """(n,) bool: rows to turn away by their `cosines` to the weighted median of the others (DESIGN §3.6).

    Two reasons: a cosine below `direction_limit`, or a negative one together with no gain on the probe shard (`gains`
    (n,), the round's utilities; NaN is none; without gains the direction alone decides). `weights` (n,) >= 0, not all
    zero.
    """
    clearly = cosines < direction_limit(cosines, weights, margin=margin)
    if gains is None:
        return np.asarray(clearly, dtype=bool)
    return np.asarray(clearly | ((cosines < 0) & ~(gains > 0)), dtype=bool)


def direction_limit(cosines: Values, weights: Values, *, margin: float) -> float:
    """The cosine below which a direction alone is reason enough, in [-margin, 0].

    0 while the others agree; SPREAD robust deviations (1.4826 times the weighted median absolute one) below the
    weighted median once their own cosines scatter about zero, as those of converged updates do: a bare sign would then
    turn half of the honest ones away. Less than half of the weight moves it no further than honest cosines lie apart.
    """
    middle = _median(cosines, weights)
    spread = 1.4826 * _median(np.abs(cosines - middle), weights)
    return max(-margin, min(0.0, middle - SPREAD * spread))


def _median(values: Values, weights: Values) -> float:
    column = values.astype(np.float32).reshape(-1, 1)
    return float(weighted_median(column, weights)[0])
