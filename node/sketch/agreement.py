"""Whether two sketches are of the same thing, and the one sketch that seats agree on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.sketch.projection import Sketch, int32


def agrees(claim: Sketch, reference: Sketch, *, tau: float) -> bool:
    """Whether |claim - reference|_2 <= tau |reference|_2 + sqrt(k); k is the rounding allowance.

    Squared norms are exact integers, so every machine decides alike. A claim of another length agrees with nothing.
    Raises ValueError for a tau that is negative or not finite.
    """
    if not (math.isfinite(tau) and tau >= 0):
        raise ValueError(f"tau {tau} is not a number >= 0")
    return claim.shape == reference.shape and distance(claim, reference) <= tau * norm(reference) + math.sqrt(
        len(claim)
    )


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
    return int32(middle)
