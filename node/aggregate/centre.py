"""Rules that look for a centre: geometric median and centred clipping.

Both only ever move among combinations of the rows, so they run on n x n numbers and touch the rows twice: once for
the Gram matrix, once for the result, however many iterations they take.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.aggregate.rule import AGGREGATORS, Updates, Weights, checked, middle
from node.data import FloatArray

_STEPS = 1000
_STILL = 1e-9
_SMOOTH = 1e-6


@AGGREGATORS.register("geometric_median")
def geometric_median(updates: Updates, weights: Weights, *, f: float, seed: bytes = b"") -> FloatArray:
    """(d,) float32: the z of least sum_i w_i |x_i - z| (Pillutla et al. 2022, "Robust Aggregation for Federated
    Learning", the smoothed Weiszfeld algorithm 2).

    z <- sum_i b_i x_i / sum_i b_i with b_i = w_i / max(v, |x_i - z|), from the neighbourhood of the best row on, until
    z moves less than 1e-9 of the middle distance (at most 1,000 times: further ones do not show in float32); v is 1e-6
    of it. The published implementations take three steps, from 0. Tolerates every f < 1/2 (breakdown point one half).
    Splitting a row into identical rows changes nothing.
    """
    rows, weights = checked(updates, weights, f=f)
    gram = rows.gram
    distances = np.sqrt(rows.squared_distances[:-1, :-1])
    best = int(np.argmin((distances * weights).sum(axis=1)))
    scale = middle(distances[best], weights)
    if scale == 0:
        return rows.row(best)  # half of the weight lies there
    # Not from the row itself: it would hold z with all but infinite weight.
    pull = weights / np.maximum(distances[best], scale)
    at = pull / pull.sum()
    for _ in range(_STEPS):
        pull = weights / np.maximum(_distances_to(gram, at), _SMOOTH * scale)
        after = pull / pull.sum()
        moved = after - at
        at = after
        if moved @ gram[:-1, :-1] @ moved <= (_STILL * scale) ** 2:
            break
    return rows.combine(at)


def centered_clipping(
    updates: Updates,
    weights: Weights,
    *,
    f: float,
    seed: bytes = b"",
    radius: float | None = None,
    steps: int = 3,
) -> FloatArray:
    """(d,) float32: v <- v + sum_i w_i min(1, radius / |x_i - v|) (x_i - v), `steps` times from v = 0 (Karimireddy et
    al. 2021, "Learning from History", algorithm 2).

    v starts at 0, the parent model, and nothing is kept between calls. Without `radius` it is, at every step, the
    weighted median of the distances |x_i - v|, so that it follows the scale of the updates. Each row moves v by w_i
    radius at most. The published guarantee holds for f <= 0.1; enforced is f < 1/2. Splitting a row into identical
    rows changes nothing. Raises ValueError for a radius or a number of steps that is not positive.
    """
    if steps < 1 or (radius is not None and not radius > 0):
        raise ValueError(f"radius {radius} and steps {steps} are positive")
    rows, weights = checked(updates, weights, f=f)
    gram = rows.gram
    at = np.zeros(len(rows) + 1)
    at[-1] = 1.0  # the origin
    for _ in range(steps):
        distances = _distances_to(gram, at)
        bound = middle(distances, weights) if radius is None else radius
        share = weights * np.minimum(1.0, bound / np.maximum(distances, np.finfo(np.float64).tiny))
        at = np.append(share, 0.0) + (1.0 - share.sum()) * at
    return rows.combine(at[:-1])


AGGREGATORS.register("centered_clipping")(
    centered_clipping
)  # not as a decorator, which would hide its own options from the checker


def _distances_to(gram: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) distances of the rows from the combination `at` of the rows, or of the rows and the origin."""
    used = gram[:, : len(at)]
    pulled = used @ at
    squares = np.diag(gram) - 2 * pulled + at @ pulled[: len(at)]
    return np.asarray(np.sqrt(np.maximum(squares[:-1], 0.0)))
