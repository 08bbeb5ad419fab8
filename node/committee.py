"""How likely a drawn committee is captured, moved or stalled: exact rationals from the binomial or hypergeometric law.

A seat is hostile with the probability that its stake is (equal seats, DESIGN §3.4): X ~ Binomial(k, f) where seats are
many, X ~ Hypergeometric(N, M, k) where N seats are known to be in the draw and M = ⌈f·N⌉ of them are hostile. A seed
that can be ground by b bits multiplies every figure by up to 2^b.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil, comb

from node.errors import ConfigError

MAX_SIZE = 128
"""Seats that one report can carry (`Quorum.sol`)."""


class CommitteeWarning(UserWarning):
    """A task's committee is weaker than the bound that the task states."""


@dataclass(frozen=True)
class CommitteeRisk:
    """Exact probabilities of one committee of `size` seats of which `quorum` settle."""

    size: int
    quorum: int
    stake_bad: Fraction
    seats: int | None  # seats in the draw; None = many more than drawn
    capture: Fraction  # P(X >= q): the hostile seats settle what they like
    median: Fraction  # P(X >= ceil(k/2)): they move the lower median of votes, at least down
    stall: Fraction  # P(X > k - q): by silence they keep the others below the quorum


def committee_risk(*, stake_bad: str | Fraction, size: int, quorum: int, seats: int | None = None) -> CommitteeRisk:
    """The exact capture, median-capture and stall probabilities.

    `stake_bad` is the hostile share of stake in [0, 1] (decimal text keeps it exact); `seats`, where given, is the
    number of equal seats that `size` are drawn from without replacement. Raises ConfigError on values out of range.

    >>> float(committee_risk(stake_bad="0.2", size=21, quorum=15).capture) < 5e-6
    True
    """
    share = _share(stake_bad)
    if not 1 <= size <= MAX_SIZE or not 1 <= quorum <= size:
        raise ConfigError(
            f"{quorum} of {size} seats is no committee", hint=f"1 <= quorum <= size <= {MAX_SIZE} are possible"
        )
    if seats is not None and seats < size:
        raise ConfigError(f"{size} seats cannot be drawn from {seats}", hint="lower --size or raise --seats")
    law = hostile_law(share, size, seats)
    return CommitteeRisk(
        size=size,
        quorum=quorum,
        stake_bad=share,
        seats=seats,
        capture=_tail(law, quorum),
        median=_tail(law, (size + 1) // 2),
        stall=_tail(law, size - quorum + 1),
    )


def hostile_law(share: Fraction, size: int, seats: int | None = None) -> list[Fraction]:
    """P(X = x) for x = 0..size hostile seats; sums to one exactly."""
    if seats is None:
        return [comb(size, x) * share**x * (1 - share) ** (size - x) for x in range(size + 1)]
    hostile = ceil(share * seats)
    return [Fraction(comb(hostile, x) * comb(seats - hostile, size - x), comb(seats, size)) for x in range(size + 1)]


def warn_if_weak(risk: CommitteeRisk, *, capture_bound: float, stall_bound: float) -> None:
    """Warn (`CommitteeWarning`) where the committee is captured or stalled more often than the task says it bears."""
    for name, value, bound in (("capture", risk.capture, capture_bound), ("stall", risk.stall, stall_bound)):
        if value > Fraction(bound):
            warnings.warn(
                f"{risk.quorum} of {risk.size} seats: {name} probability {float(value):.3g} exceeds the task's bound "
                f"{bound:.3g} where {float(risk.stake_bad):.3g} of the stake is hostile: draw more seats",
                CommitteeWarning,
                stacklevel=3,
            )


def _tail(law: Sequence[Fraction], least: int) -> Fraction:
    return sum(law[least:], Fraction(0))


def _share(value: str | Fraction) -> Fraction:
    try:
        share = value if isinstance(value, Fraction) else Fraction(Decimal(value))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ConfigError(f"stake_bad must be a decimal, got {value!r:.99}", hint="for example 0.2") from error
    if not 0 <= share <= 1:
        raise ConfigError(f"stake_bad {value} is no share", hint="give 0 to 1")
    return share
