"""FoolsGold: whoever moves in another's direction round after round loses its say (Fung et al. 2020, algorithm 1)."""

from __future__ import annotations

import numpy as np

from node.data import FloatArray
from node.weight.cosine import cosines
from node.weight.stake import stake
from node.weight.weighting import WEIGHTINGS, Weighting, Weights

PARDON_EPS = 1e-5
"""Added to every largest similarity before pardoning, as the authors do: a quotient of zeros is 1."""


def foolsgold_scores(histories: FloatArray) -> Weights:
    """(n,) float64 in [0, 1]: one score for each of `histories` (n, d) float32, the sums of a node's updates.

    With s_ij the cosines of two rows and m_i = max_j s_ij: pardoning scales s_ij by m_i/m_j where m_i < m_j; a_i =
    clip(1 - max_j s_ij, 0, 1), over its maximum; the score is clip(ln(a_i/(1 - a_i)) + 1/2, 0, 1).
    Known limits, all under test: one attacker alone keeps 1; an outlier among similar honest rows takes their say; a
    copied row falls with its copy. Where everyone is alike nobody can be told apart and each keeps 1. A row that is
    not finite scores 0.
    """
    finite = np.asarray(np.isfinite(histories).all(axis=1), dtype=bool)
    if len(histories) < 2:
        return np.asarray(finite, dtype=np.float64)
    alike = cosines(histories)
    np.fill_diagonal(alike, 0.0)
    alike[~finite], alike[:, ~finite] = 0.0, 0.0
    largest = alike.max(axis=1) + PARDON_EPS
    ratio = largest[:, None] / largest[None, :]
    pardoned = np.where(largest[:, None] < largest[None, :], alike * ratio, alike)
    distinct = np.clip(1.0 - pardoned.max(axis=1), 0.0, 1.0) * finite
    if distinct.max() <= PARDON_EPS:
        return np.asarray(finite, dtype=np.float64)
    distinct /= distinct.max()
    with np.errstate(divide="ignore"):
        logit = np.log(distinct) - np.log1p(-distinct)
    return np.asarray(np.clip(logit + 0.5, 0.0, 1.0) * finite, dtype=np.float64)


def _discount(histories: FloatArray, shares: Weights) -> Weights:
    return shares * foolsgold_scores(histories)


WEIGHTINGS.register("foolsgold")(Weighting(stake, _discount, on_history=True))
