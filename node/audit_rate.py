"""How often to check a member so that honesty pays: from stake, reward, the cost of work, and reputation."""

from __future__ import annotations

from fractions import Fraction

from node.errors import ConfigError

MAX_REPUTATION = 65_535


def deterring_probability(*, cost: Fraction, reward: Fraction, stake: Fraction, colluding: Fraction) -> Fraction:
    """p* = C / ((1 − r)(R + S)): checked more often than this, cheating loses to honesty.

    `cost` C is what a round's work costs and cheating saves, `reward` R what a round pays, `stake` S what a proof of
    fault takes (one unit for all three), `colluding` r in [0, 1) the share of checks that the member's friends make or
    see through. From p (1 − r)(R + S) > C, the condition of proof of sampling (Zhang and Wang 2024, 2405.00295). Raises
    ConfigError where values are out of range, or where even checking every round deters nobody.
    """
    if cost < 0 or reward < 0 or stake < 0 or not 0 <= colluding < 1:
        raise ConfigError(
            f"cost {cost}, reward {reward}, stake {stake}, colluding share {colluding}: out of range",
            hint="amounts are >= 0 and the share lies in [0, 1)",
        )
    at_risk = (1 - colluding) * (reward + stake)
    if cost >= at_risk:
        raise ConfigError(
            f"work that costs {float(cost):g} cannot be enforced where {float(at_risk):g} is at risk",
            hint="raise the slash or the reward, or lower the work of a round",
        )
    return cost / at_risk


def audit_probability(
    reputation: int, *, deterring: Fraction, floor: Fraction, margin: Fraction = Fraction(2)
) -> Fraction:
    """The probability with which a member of this reputation (0..65,535) is checked in a round.

    Falls in a straight line from 1 for a newcomer to max(floor, margin · p*) at the highest reputation, and never below
    that: what reputation buys is fewer checks, never a cheat that pays. `deterring` is p*. Raises ConfigError.
    """
    if not 0 <= reputation <= MAX_REPUTATION:
        raise ConfigError(f"a reputation of {reputation} is no lane", hint=f"0 to {MAX_REPUTATION}")
    if not (0 <= deterring < 1 and 0 < floor <= 1 and margin >= 1):
        raise ConfigError(
            f"p* {deterring}, floor {floor}, margin {margin}: out of range", hint="0 < floor <= 1 <= margin"
        )
    lowest = min(Fraction(1), max(floor, margin * deterring))
    return lowest + (1 - lowest) * (1 - Fraction(reputation, MAX_REPUTATION))
