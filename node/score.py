"""Scores: the uint16 code of one node in one round. Integers only."""

from __future__ import annotations

import math

NOT_DUE = 0
"""Nothing was due from the node."""
REJECTED = 1
"""Due, and rejected, silent, or committed without reveal."""
ACCEPTED_BASE = 32_768
"""The score of an accepted contribution of utility 0; accepted scores are 2..65,535."""

_LIMIT_LOW, _LIMIT_HIGH = -32_766, 32_767


def utility_lane(utility: float, *, scale: float) -> int:
    """The score of an accepted contribution: 32,768 + round(utility / scale * 32,767), clipped to 2..65,535.

    `scale` > 0 is the utility that earns the top score; halves round to even. A utility that
    is NaN or infinite cannot be measured and scores lowest, 2: a hostile update must not stop a verifier.
    Raises ValueError for a scale that is not positive and finite.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale {scale} is not a positive number")
    if not math.isfinite(utility):
        return ACCEPTED_BASE + _LIMIT_LOW
    # Clipped before rounding, because the quotient of two finite floats may be infinite.
    part = min(max(utility / scale * 32_767, _LIMIT_LOW), _LIMIT_HIGH)
    return ACCEPTED_BASE + round(part)


def positive_part(score: int) -> int:
    """What a score earns a share of the pool for: max(0, score - 32,768)."""
    return max(0, score - ACCEPTED_BASE)
