"""What every weighting shares: an exact integer part from the chain, and a discount for updates that are too alike.

The integers (stake, reputation) are recorded and re-derived exactly by an auditor; the discount is a function of the
updates alone and is re-executed with the aggregate that it belongs to (DESIGN §6, §9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.registry import Registry

Weights = NDArray[np.float64]
Base = Callable[[Sequence[int], Sequence[int]], list[int]]
"""(stakes in wei, reputations) -> one non-negative integer weight a node."""
Discount = Callable[[FloatArray, Weights], Weights]
"""(what is compared (n, d) float32, shares (n,) of sum 1) -> (n,) float64 >= 0, not normalised."""


def no_discount(histories: FloatArray, shares: Weights) -> Weights:
    """The shares as they are: updates may be as alike as they like."""
    return shares


@dataclass(frozen=True)
class Weighting:
    """A named weighting. Calling it gives the integers; `shares` turns them into influence.

    `on_history`: the discount compares what each node has sent over all rounds, where the caller keeps that.
    """

    base: Base
    discount: Discount = no_discount
    on_history: bool = False

    def __call__(self, stakes: Sequence[int], reputations: Sequence[int]) -> list[int]:
        """One integer weight a node. Raises ValueError for negative values or lists of two lengths."""
        return self.base(stakes, reputations)

    def shares(self, updates: FloatArray, weights: Weights, *, history: FloatArray | None = None) -> Weights:
        """(n,) float64 of sum 1: the discounted `weights` (n,) >= 0 of `updates` (n, d) float32.

        `history` (n, d) float32 holds each node's sum of updates so far, this one included; without it this round's
        updates stand for it. Where the discount leaves nobody anything, nobody can be told apart, and `weights` stand.
        Raises ValueError where shapes do not belong together.
        """
        compared = history if self.on_history and history is not None else updates
        if compared.shape != updates.shape or weights.shape != (len(updates),):
            raise ValueError(f"updates {updates.shape}, history {compared.shape} and weights {weights.shape}")
        whole = weights / weights.sum()
        discounted = self.discount(compared, whole)
        total = float(discounted.sum())
        return np.asarray(discounted / total if total > 0 else whole, dtype=np.float64)


WEIGHTINGS: Registry[Weighting] = Registry("weighting")
