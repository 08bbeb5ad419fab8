"""What members of a committee are paid: for innovation, and at most a twentieth for bonds. Pure integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BOND_SHARE = 20
"""Bonds get one part in this many of what is paid."""


@dataclass(frozen=True)
class MemberPay:
    """Wei by member: for innovation and for bonds. What nobody earned stays in the pool."""

    innovation: tuple[int, ...]
    bonds: tuple[int, ...]

    @property
    def total(self) -> tuple[int, ...]:
        """Both together, by member."""
        return tuple(a + b for a, b in zip(self.innovation, self.bonds, strict=True))


def member_pay(pool: int, stakes: Sequence[int], scores: Sequence[int], dividends: Sequence[int]) -> MemberPay:
    """Split `pool` wei: 19/20 by stake x positive innovation score, 1/20 by dividends (see `yuma_epoch`).

    Rounded down. Where nobody innovated nothing is paid, for bonds neither: they never exceed a twentieth of the pay.
    Raises ValueError on a negative pool, stake or dividend, or lengths that differ.
    """
    if pool < 0 or any(stake < 0 for stake in stakes) or any(value < 0 for value in dividends):
        raise ValueError("pool, stakes and dividends are not negative")
    earned = [stake * max(0, score) for stake, score in zip(stakes, scores, strict=True)]
    if len(dividends) != len(earned):
        raise ValueError(f"{len(dividends)} dividends for {len(earned)} members")
    innovation = _split(pool - pool // BOND_SHARE, earned)
    bonds = _split(min(pool // BOND_SHARE, sum(innovation) // (BOND_SHARE - 1)), dividends)
    return MemberPay(innovation, bonds)


def _split(amount: int, parts: Sequence[int]) -> tuple[int, ...]:
    total = sum(parts)
    return tuple(amount * part // total if total else 0 for part in parts)
