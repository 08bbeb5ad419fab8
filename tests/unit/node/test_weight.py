"""Weights: exact integers, additive in stake."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import TooFewUpdates
from node.weight import NEWCOMER, WEIGHTINGS, normalise

WEI = st.integers(0, 10**27)
LANE = st.integers(0, 65_535)


def test_by_hand() -> None:
    stakes, reputations = [2 * 10**18, 0, 5], [0, 9, 65_535]
    assert WEIGHTINGS.names() == ["clusters", "foolsgold", "stake", "stake_only", "sybilwall", "uniform"]
    assert WEIGHTINGS.get("stake")(stakes, reputations) == [2 * 10**18 * 4096, 0, 5 * (4096 + 65_535)]
    assert WEIGHTINGS.get("stake_only")(stakes, reputations) == stakes
    assert WEIGHTINGS.get("uniform")(stakes, reputations) == [1, 0, 1]
    assert NEWCOMER == 4096


@given(WEI, WEI, LANE)
def test_splitting_stake_changes_nothing(first: int, second: int, reputation: int) -> None:
    weigh = WEIGHTINGS.get("stake")
    assert sum(weigh([first, second], [reputation] * 2)) == weigh([first + second], [reputation])[0]


@pytest.mark.parametrize("name", WEIGHTINGS.names())
def test_errors(name: str) -> None:
    weigh = WEIGHTINGS.get(name)
    with pytest.raises(ValueError, match="2 stakes and 1 reputations"):
        weigh([1, 2], [0])
    with pytest.raises(ValueError, match="negative"):
        weigh([-1], [0])
    with pytest.raises(ValueError, match="negative"):
        weigh([1], [-1])


@given(st.lists(st.integers(0, 10**33), min_size=1, max_size=9).filter(any))
def test_normalise_is_correctly_rounded(weights: list[int]) -> None:
    shares = normalise(weights)
    assert shares.dtype == np.float64
    assert shares.tolist() == [float(Fraction(weight, sum(weights))) for weight in weights]
    assert shares.sum() == pytest.approx(1, abs=1e-15 * len(weights))


def test_normalise_errors() -> None:
    for weights in ([], [0, 0]):
        with pytest.raises(TooFewUpdates, match="the round is skipped"):
            normalise(weights)
    with pytest.raises(ValueError, match="negative"):
        normalise([1, -1])
