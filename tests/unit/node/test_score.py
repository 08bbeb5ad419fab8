"""Score codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED, positive_part, utility_lane


def test_codes() -> None:
    assert (NOT_DUE, REJECTED, ACCEPTED_BASE) == (0, 1, 32_768)


@pytest.mark.parametrize(
    ("utility", "score"),
    [
        (0.0, 32_768),
        (0.25, 65_535),
        (-0.25, 2),
        (9.0, 65_535),
        (-9.0, 2),
        (1e308, 65_535),
        (0.125, 32_768 + 16_384),  # 16,383.5 rounds to even
        (0.25 / 32_767, 32_769),
        (float("nan"), 2),
        (float("inf"), 2),
        (float("-inf"), 2),
    ],
)
def test_by_hand(utility: float, score: int) -> None:
    assert utility_lane(utility, scale=0.25) == score


def test_an_overflowing_quotient_saturates() -> None:
    assert utility_lane(1e300, scale=1e-300) == 65_535
    assert utility_lane(-1e300, scale=1e-300) == 2


@given(st.floats(), st.floats(1e-9, 1e9))
def test_accepted_scores_are_uint16_and_at_least_2(utility: float, scale: float) -> None:
    assert 2 <= utility_lane(utility, scale=scale) <= 65_535


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_monotone(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert utility_lane(low, scale=1.0) <= utility_lane(high, scale=1.0)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        utility_lane(0.0, scale=scale)


def test_positive_part() -> None:
    assert [positive_part(score) for score in (0, 1, 2, 32_768, 32_769, 65_535)] == [0, 0, 0, 0, 1, 32_767]
