"""Every threat by number, and how a test says which of them it shows."""

from __future__ import annotations

import pytest

NUMBERS = range(1, 49)
# Threats that only a model of behaviour can show: what people do, not what a contract refuses.
BEHAVIOUR = frozenset({8, 43})
# Attacks that have a name instead of a number.
NAMED = (
    "several commits of one node",
    "a forged collector leaf for a victim",
    "two reveals",
    "bytes served to some members only",
    "a void after half the window",
    "a later attempt after a proposer's time-out",
    "one stake behind two draws",
    "seats of one node counted by one signature",
    "replay of a signature",
)


def threat(key: int | str, attack: str) -> pytest.MarkDecorator:
    """The test carries out `attack` of a threat (its number, or one of `NAMED`); its docstring's first line is the
    counter-measure. THREATS.md is made of both."""
    return pytest.mark.threat(key, attack)
