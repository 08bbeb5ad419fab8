"""Yuma in plain numpy floats, a line for each of its equations: reference of the tests, bar of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FloatEpoch:
    """What `float_epoch` finds, each normalised as subtensor has it."""

    consensus: np.ndarray
    incentive: np.ndarray
    dividends: np.ndarray
    bonds: np.ndarray


def float_quantile(stakes: np.ndarray, weights: np.ndarray, kappa: float = 0.5) -> np.ndarray:
    """Equation 3 by sorting columns; stakes sum to 1."""
    order = np.argsort(weights, axis=0, kind="stable")
    ordered = np.take_along_axis(weights, order, axis=0)
    below = np.cumsum(stakes[order], axis=0) - stakes[order]
    last = (below <= 1 - kappa).sum(axis=0) - 1
    return np.take_along_axis(ordered, last[None], axis=0)[0]


def float_epoch(
    stakes: np.ndarray,
    weights: np.ndarray,
    bonds: np.ndarray,
    *,
    kappa: float = 0.5,
    rate: float = 0.1,
    beta: float = 1,
) -> FloatEpoch:
    """Equations 3–7 of subtensor docs/consensus.md, bonds stored by unit of stake."""
    stakes = stakes / stakes.sum()
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    consensus = float_quantile(stakes, weights, kappa)
    clipped = np.minimum(weights, consensus)
    ranks = stakes @ clipped
    incentive = ranks / ranks.sum()
    bonds = (1 - rate) * bonds + rate * ((1 - beta) * weights + beta * clipped)
    held = stakes[:, None] * bonds
    columns = held.sum(axis=0)
    dividends = (held / np.where(columns > 0, columns, 1)) @ incentive
    return FloatEpoch(consensus, incentive, dividends / dividends.sum(), bonds)
