"""Yuma consensus in integers: one epoch from stakes and weights to incentives, dividends and bonds.

The order is that of subtensor's epoch (docs/consensus.md, equations 3 to 7): permits and activity, masks, row
normalisation, stake-weighted quantile, clip, ranks, bonds with penalty, dividends. Two things differ. Bonds are kept by
unit of stake and weighted by stake only when they are paid out, so that splitting or merging a stake changes nothing,
to the last bit; and the bonds of a row that takes no part are carried over instead of decaying.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntVector = NDArray[np.int64]
IntMatrix = NDArray[np.int64]
BoolVector = NDArray[np.bool_]

ONE = 1 << 32
"""A weight or bond of 1: both are Q32, and every row sums to at most ONE."""
UNIT = 1 << 16
"""1 of the rules: kappa, penalty and rate are Q16."""
MAX_TOTAL_STAKE = (1 << 30) - 1
"""Stakes come in whole units (seats, tokens); with at most this many together no sum of products leaves int64."""
MAX_WEIGHT = 65_535
MAX_ROWS = 1 << 16

_LIMB = 30
_BLOCK = 1 << 15  # integers sorted at a time
_LIMB_MASK = (1 << _LIMB) - 1
_FACTOR_BITS = 56


@dataclass(frozen=True)
class Rules:
    """Constants of the game. `kappa`, `penalty` (beta) and `rate` (alpha of the bonds' average) are in 1/65,536."""

    kappa: int = UNIT // 2
    penalty: int = UNIT
    rate: int = UNIT // 10
    permits: int = 64
    cutoff: int = 5  # rounds after which an unrenewed row is inactive

    def __post_init__(self) -> None:
        for name in ("kappa", "penalty", "rate"):
            if not 0 <= getattr(self, name) <= UNIT:
                raise ValueError(f"{name} {getattr(self, name)} is outside 0..{UNIT}")
        if self.kappa == 0 or self.permits < 1 or self.cutoff < 0:
            raise ValueError("kappa and permits are at least 1, cutoff at least 0")


@dataclass(frozen=True)
class Reports:
    """What an epoch is computed from: n members (rows) weigh m nodes (columns).

    `stakes` (n,) >= 0; `weights` (n, m) 0..65,535; `committed` (n,) the round in which each row was committed to (-1 =
    never); `registered` (m,) the round in which a column's id got its present holder; `joined` (n,) the same of a row;
    `own` (n,) the column that is the member itself, -1 where it has none. All int64.
    """

    stakes: IntVector
    weights: IntMatrix
    committed: IntVector
    registered: IntVector
    joined: IntVector
    own: IntVector

    def __post_init__(self) -> None:
        n, m = self.weights.shape
        shapes = {"stakes": n, "committed": n, "joined": n, "own": n, "registered": m}
        for name, length in shapes.items():
            if getattr(self, name).shape != (length,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, ({length},) fits the weights")
        if any(getattr(self, name).dtype != np.int64 for name in (*shapes, "weights")):
            raise ValueError("every array of an epoch is int64")
        if not 0 < n <= MAX_ROWS or m == 0:
            raise ValueError(f"{n} rows and {m} columns: 1 to {MAX_ROWS} rows and at least one column")
        if self.stakes.min() < 0 or self.stakes.sum(dtype=np.float64) > MAX_TOTAL_STAKE:
            raise ValueError(f"stakes are not negative and sum to at most {MAX_TOTAL_STAKE} units")
        if self.weights.min() < 0 or self.weights.max() > MAX_WEIGHT:
            raise ValueError(f"weights are 0..{MAX_WEIGHT}")


@dataclass(frozen=True)
class Carry:
    """What one epoch leaves to the next: `bonds` (n, m) Q32 by unit of stake, `permits` (n,), and its round."""

    bonds: IntMatrix
    permits: BoolVector
    round: int

    @staticmethod
    def genesis(reports: Reports, rules: Rules) -> Carry:
        """Before the first epoch: no bonds, permits by the stakes as they stand."""
        return Carry(np.zeros_like(reports.weights), top_stakes(reports.stakes, rules.permits), -1)


@dataclass(frozen=True)
class Epoch:
    """Result of an epoch. `ranks` and `dividends` are exact and unnormalised: pay in proportion to them.

    `consensus` (m,) Q32; `ranks` (m,) int64, stake x Q32; `trust` (n,) Q32, what the clip left of each row;
    `dividends` n integers of any size, additive under a split of stake.
    """

    consensus: IntVector
    ranks: IntVector
    trust: IntVector
    dividends: tuple[int, ...]
    carry: Carry


def yuma_epoch(reports: Reports, carry: Carry, rules: Rules, *, round_: int) -> Epoch:
    """One epoch. Pure, and equal on every machine. Raises ValueError where `carry` does not fit or lies ahead."""
    if carry.bonds.shape != reports.weights.shape or carry.permits.shape != reports.stakes.shape:
        raise ValueError(f"carried bonds {carry.bonds.shape} do not fit weights {reports.weights.shape}")
    if round_ <= carry.round:
        raise ValueError(f"round {round_} is not after {carry.round}")
    fresh = (reports.committed >= 0) & (round_ - reports.committed <= rules.cutoff)
    active = carry.permits & fresh & (reports.stakes > 0)
    stakes = np.where(active, reports.stakes, 0)
    weights = _normalise_rows(_mask(reports, active))
    consensus = quantile(weights, stakes, kappa=rules.kappa)
    clipped = np.minimum(weights, consensus)
    ranks = stakes @ clipped
    bonds = _step_bonds(reports, carry, rules, active, weights, clipped)
    return Epoch(
        consensus=consensus,
        ranks=ranks,
        trust=clipped.sum(axis=1),
        dividends=_dividends(stakes, bonds, ranks),
        carry=Carry(bonds, top_stakes(reports.stakes, rules.permits), round_),
    )


def top_stakes(stakes: IntVector, count: int) -> BoolVector:
    """(n,) bool: the `count` largest stakes that are not 0, ties to the lower row. They vote from the next epoch on."""
    order = np.argsort(-stakes, kind="stable")[:count]
    chosen = np.zeros(len(stakes), dtype=np.bool_)
    chosen[order] = stakes[order] > 0
    return chosen


def quantile(values: IntMatrix, stakes: IntVector, *, kappa: int) -> IntVector:
    """(m,) int64: for each column of `values` (n, m) >= 0 the largest w with stake(values >= w) >= kappa x stake.

    Equation 3. `stakes` (n,) int64; `kappa` in 1/65,536. 0 where there is no stake. Values stay below 2^33.
    """
    return supported(values, stakes, need=-(-kappa * int(stakes.sum()) // UNIT))


def supported(values: IntMatrix, stakes: IntVector, *, need: int) -> IntVector:
    """(m,) int64: for each column the largest value that at least `need` > 0 units of stake support; 0 without stake.

    `need` = total // 2 + 1 gives the lower weighted median. One sort of n integers a column.
    """
    rows = np.flatnonzero(stakes)
    total = int(stakes.sum())
    if len(rows) == 0:
        return np.zeros(values.shape[1], dtype=np.int64)
    # Value and row in one integer: sorting plain int64 is several times faster than sorting indices. Blocks of columns
    # stay in cache, which halves the time again.
    bits = int(len(rows) - 1).bit_length()
    held, index = stakes[rows], np.arange(len(rows))
    found = np.empty(values.shape[1], dtype=np.int64)
    width = max(1, _BLOCK // len(rows))
    for start in range(0, values.shape[1], width):
        keys = values[rows, start : start + width].T << bits | index
        keys.sort(axis=1)
        reached = np.cumsum(held[keys & ((1 << bits) - 1)], axis=1)
        place = np.count_nonzero(reached[:, :-1] <= total - need, axis=1)
        found[start : start + width] = keys[np.arange(len(keys)), place] >> bits
    return found


def _mask(reports: Reports, active: BoolVector) -> IntMatrix:
    """Weights that count: of active rows, not on oneself, not from before the column's id changed hands."""
    kept = np.where(active[:, None] & (reports.committed[:, None] > reports.registered), reports.weights, 0)
    owners = np.flatnonzero(reports.own >= 0)
    kept[owners, reports.own[owners]] = 0
    return kept


def _normalise_rows(weights: IntMatrix) -> IntMatrix:
    """Rows in Q32, rounded down."""
    normal: IntMatrix = (weights << 32) // np.maximum(weights.sum(axis=1, keepdims=True), 1)
    return normal


def _step_bonds(
    reports: Reports, carry: Carry, rules: Rules, active: BoolVector, weights: IntMatrix, clipped: IntMatrix
) -> IntMatrix:
    """Equations 4 and 6 by unit of stake: B + rate x (W~ - B), to the nearest; rows that take no part keep theirs."""
    bonds = carry.bonds.copy()
    bonds[reports.joined > carry.round] = 0
    bonds[:, reports.registered > carry.round] = 0
    penalised = clipped
    if rules.penalty < UNIT:
        penalised = ((UNIT - rules.penalty) * weights + rules.penalty * clipped) >> 16
    # A row's rounding never lifts its sum above ONE by more than half a unit a column.
    moved = bonds + ((rules.rate * (penalised - bonds) + UNIT // 2) >> 16)
    return np.where(active[:, None], moved, bonds)


def _dividends(stakes: IntVector, bonds: IntMatrix, ranks: IntVector) -> tuple[int, ...]:
    """Equations 5 and 7: D_i = S_i sum_j B_ij I_j / sum_k S_k B_kj, exact but for one rounding a column.

    The factor of a column, I_j / sum_k S_k B_kj, has more bits than int64, so it is cut into limbs whose products with
    the bonds still add up within int64; it is the same however the stake of a row is split.
    """
    columns, total = (stakes @ bonds).tolist(), int(ranks.sum())
    if total == 0:
        return tuple(stakes.tolist())
    factors = [
        (rank << _FACTOR_BITS) // column if column else 0 for rank, column in zip(ranks.tolist(), columns, strict=True)
    ]
    unit = [0] * len(stakes)
    shift = 0
    while any(factors):
        limb = np.array([factor & _LIMB_MASK for factor in factors], dtype=np.int64)
        unit = [sofar + (part << shift) for sofar, part in zip(unit, (bonds @ limb).tolist(), strict=True)]
        factors = [factor >> _LIMB for factor in factors]
        shift += _LIMB
    return tuple(stake * value for stake, value in zip(stakes.tolist(), unit, strict=True))
