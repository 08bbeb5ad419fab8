"""Fitting calls and words under a cap: nothing is lost, nothing is above it, and what cannot fit is said."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadArgument
from ledger.gas import (
    FINALISE,
    TX_CAP,
    CallCost,
    batch_gas,
    batches,
    call_cost,
    calldata_gas,
    finalise_parts,
    transaction_gas,
)

COSTS = st.builds(
    lambda further, more, floor: CallCost(further + more, further, floor),
    st.integers(1, 5_000), st.integers(0, 5_000), st.integers(0, 8_000),
)  # fmt: skip


@given(st.lists(COSTS, max_size=40), st.integers(45_000, 90_000))
def test_batches_keep_order_lose_nothing_and_fit(costs: list[CallCost], cap: int) -> None:
    parts = batches(costs, cap)
    assert [position for part in parts for position in part] == list(range(len(costs)))
    assert all(batch_gas([costs[position] for position in part]) <= cap for part in parts)
    for part, following in pairwise(parts):  # greedy: one more would not have fitted
        assert batch_gas([costs[position] for position in (*part, following.start)]) > cap


def test_a_call_above_the_cap_is_named() -> None:
    small = CallCost(10, 10, 10)
    for large in (CallCost(70_000, 10, 10), CallCost(10, 10, 70_000)):
        with pytest.raises(BadArgument, match="call 1"):
            batches([small, large], 60_000)


def test_calldata_is_priced_by_byte_and_floor() -> None:
    assert calldata_gas(b"\0\1\2") == (4 + 32, 10 + 80)
    assert transaction_gas(b"\1" * 100, 1_000) == 21_000 + 4_000
    assert transaction_gas(b"\1" * 100, 90_000) == 21_000 + 1_600 + 90_000
    assert call_cost("drawCommittee", b"") is None
    one, three = (call_cost("takeSeats", bytes(36) + n.to_bytes(32, "big")) for n in (1, 3))
    assert one is not None
    assert three is not None
    assert three.first - one.first == 140_000


@given(st.lists(st.integers(0, 2**240 - 1), min_size=1, max_size=60), st.data())
def test_parts_cover_the_words_in_order_under_the_cap(words: list[int], data: st.DataObject) -> None:
    costs = [data.draw(st.integers(1, 70_000)) for _ in words]
    start, cap = data.draw(st.integers(0, len(words) - 1)), 400_000
    parts = finalise_parts(words, costs, start=start, cap=cap)
    ends = [end for end, _ in parts]
    assert ends == sorted(set(ends))
    assert ends[-1] == len(words)
    assert ends[0] > start
    assert all(gas <= cap for _, gas in parts)
    whole = finalise_parts(words, costs, start=start, cap=10**9)
    assert len(whole) == 1
    assert len(parts) == 1 or whole[0][1] > cap


def test_words_that_cannot_fit_point_to_root_mode() -> None:
    with pytest.raises(BadArgument, match="root mode"):
        finalise_parts([1], [10**6], start=0, cap=500_000)
    # Their call data alone are above the cap: 100,000 nodes.
    words = [2**240 - 1] * 14_000
    steady = FINALISE.word(new=False, steady_totals=2, contributions=True)
    with pytest.raises(BadArgument, match="root mode"):
        finalise_parts(words, [steady] * len(words), start=0, cap=TX_CAP)
    assert finalise_parts([], [], start=0, cap=TX_CAP)[0][0] == 0
