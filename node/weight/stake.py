"""Aggregation weights from stake and reputation: integers, linear in stake, so splitting gains nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from node.errors import TooFewUpdates
from node.weight.weighting import WEIGHTINGS, Weighting

NEWCOMER = 4096
"""Added to every reputation (0..65,535), so that newcomers count: 1/17 of the best."""


def stake(stakes: Sequence[int], reputations: Sequence[int]) -> list[int]:
    """stake_wei x (4096 + reputation). Additive under a split of stake at equal reputation."""
    _check(stakes, reputations)
    return [wei * (NEWCOMER + reputation) for wei, reputation in zip(stakes, reputations, strict=True)]


def stake_only(stakes: Sequence[int], reputations: Sequence[int]) -> list[int]:
    """stake_wei."""
    _check(stakes, reputations)
    return list(stakes)


def uniform(stakes: Sequence[int], reputations: Sequence[int]) -> list[int]:
    """1 for every node with stake, 0 for the others. A baseline: it rewards splitting."""
    _check(stakes, reputations)
    return [int(wei > 0) for wei in stakes]


def normalise(weights: Sequence[int]) -> NDArray[np.float64]:
    """(n,) float64 summing to 1 up to rounding, each the correctly rounded quotient of exact integers.

    A node of weight 0 stays at 0; rules that demand positive weights are called without it. Raises
    TooFewUpdates if all are zero (the round is skipped), ValueError if one is negative.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative")
    total = sum(weights)
    if total == 0:
        raise TooFewUpdates(
            f"all {len(weights)} weights are zero: the round is skipped", hint="trainers need stake to count"
        )
    return np.array([weight / total for weight in weights], dtype=np.float64)


def _check(stakes: Sequence[int], reputations: Sequence[int]) -> None:
    if len(stakes) != len(reputations):
        raise ValueError(f"{len(stakes)} stakes and {len(reputations)} reputations")
    if any(value < 0 for value in (*stakes, *reputations)):
        raise ValueError("a stake or reputation is negative")


WEIGHTINGS.register("stake")(Weighting(stake))
WEIGHTINGS.register("stake_only")(Weighting(stake_only))
WEIGHTINGS.register("uniform")(Weighting(uniform))
