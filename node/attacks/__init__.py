"""Attacks as product features: the same code serves tests, the matrix and `simulate --attack`."""

from node.attacks import collude, poison
from node.attacks.kind import (
    ATTACKS,
    SYNTAX,
    TINY,
    AttackKind,
    AttackSpec,
    ForgeContext,
    Malformation,
    parse_attack,
)

__all__ = [
    "ATTACKS",
    "SYNTAX",
    "TINY",
    "AttackKind",
    "AttackSpec",
    "ForgeContext",
    "Malformation",
    "collude",
    "parse_attack",
    "poison",
]
