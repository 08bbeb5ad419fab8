"""Three verifiers and a majority on a generated output, by sketch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.sketch.trials import trials

VERIFIERS = 3


def majority_matches(
    claims: FloatArray, verifiers: Sequence[FloatArray], *, seeds: Sequence[bytes], tau: float, grid: float, k: int
) -> NDArray[np.bool_]:
    """(s, n) bool: whether at least two of three verifiers find claim i the same output as their own.

    `claims` (n, d) float32; `verifiers`: three times (n, d), each verifier's own output for the same n jobs. All
    three compare under the same rows, fresh for each of the s seeds. Raises ValueError unless there are three.
    """
    if len(verifiers) != VERIFIERS:
        raise ValueError(f"a majority of {VERIFIERS} has {VERIFIERS} verifiers, not {len(verifiers)}")
    count = len(claims)
    votes = trials(
        np.concatenate(verifiers),
        np.concatenate([claims] * VERIFIERS),
        range(VERIFIERS * count),
        seeds=seeds,
        tau=tau,
        grid=grid,
        k=k,
    )
    return np.asarray(votes.reshape(len(seeds), VERIFIERS, count).sum(axis=1) * 2 > VERIFIERS)
