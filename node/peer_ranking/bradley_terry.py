"""Bradley-Terry strengths of answers from weighted pairwise comparisons. Strengths are integers: they are settled.

P(i beats j) = s_i / (s_i + s_j) (Bradley and Terry 1952). Fitted by minorise-maximise (Hunter 2004, Annals of
Statistics 32, equation 3), s_i <- W_i / sum_j n_ij / (s_i + s_j), which raises the likelihood at every step. Every
answer also meets a virtual one of strength 1, half of whose comparisons it wins: this keeps an unbeaten answer finite
and fixes the scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntVector = NDArray[np.int64]
IntMatrix = NDArray[np.int64]

ONE = 1 << 24
"""Strength 1, that of the virtual answer. Strengths are Q24."""
UNIT = 1 << 16
"""One comparison by a judge of full weight: wins are Q16."""
MAX_WINS = 1 << 28
_ITERATIONS = 400
_SPARE = 10


@dataclass(frozen=True)
class Interval:
    """Natural logarithm of a strength over the answers' geometric mean, with confidence limits.

    Information only, in floating point.
    """

    low: float
    estimate: float
    high: float


def strengths(wins: IntMatrix, *, prior: int = UNIT) -> IntVector:
    """(n,) int64 Q24 from `wins` (n, n) Q16: wins[i, j] is the weight with which i was preferred to j.

    `prior` > 0 is the weight of comparisons with the virtual answer. At most 400 steps, integers only: the same bytes
    everywhere. Raises ValueError on a negative entry or an answer with more than 2^28 / 2^16 comparisons.
    """
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or np.diagonal(wins).any():
        raise ValueError(f"wins {wins.shape} are a square matrix with nothing on the diagonal")
    met = wins + wins.T
    if wins.min(initial=0) < 0 or prior <= 0 or met.sum(axis=1).max(initial=0) + prior >= MAX_WINS:
        raise ValueError(f"wins are not negative, prior is positive, and an answer's stay below {MAX_WINS}")
    won = wins.sum(axis=1) + prior // 2
    found = np.full(len(wins), ONE, dtype=np.int64)
    for _ in range(_ITERATIONS):
        load = ((met << (24 + _SPARE)) // (found[:, None] + found)).sum(axis=1)
        load += (prior << (24 + _SPARE)) // (found + ONE)
        stepped = np.maximum((won << (24 + _SPARE)) // load, 1)
        if (stepped == found).all():
            break
        found = stepped
    return found


def intervals(
    wins: IntMatrix, squares: IntMatrix, found: IntVector, *, prior: int = UNIT, z: float = 1.96
) -> list[Interval]:
    """Confidence intervals of log-strengths against their mean, `z` standard errors to each side.

    `squares` (n, n) has the sums of squared weights, Q32, for the same comparisons as `wins`: weighting makes the
    variance H^-1 J H^-1, H the curvature of the weighted log-likelihood, J the variance of its slope.
    """
    strength = found / ONE
    odds = strength[:, None] * strength / (strength[:, None] + strength) ** 2
    pull = prior / UNIT * strength / (strength + 1) ** 2
    curvature = _laplacian(odds * (wins + wins.T) / UNIT) + np.diag(pull)
    spread = _laplacian(odds * (squares + squares.T) / UNIT**2) + np.diag(pull)
    centre = np.eye(len(found)) - 1 / len(found)
    root = centre @ np.linalg.inv(curvature)
    error = np.sqrt(np.diagonal(root @ spread @ root.T))
    middle = centre @ np.log(strength)
    return [Interval(float(m - z * e), float(m), float(m + z * e)) for m, e in zip(middle, error, strict=True)]


def _laplacian(links: NDArray[np.float64]) -> NDArray[np.float64]:
    away = links - np.diag(np.diagonal(links))
    return np.diag(away.sum(axis=1)) - away
