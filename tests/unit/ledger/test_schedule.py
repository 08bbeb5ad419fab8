"""Turns of proposers: one sender at a time, everybody's turn comes, and nothing is sent twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Schedule, staged_order
from ledger.errors import BadArgument, NotNeeded

SEED = b"\x66" * 32


def schedule(nodes: list[int], *, length: int = 1_000, attempt_s: int = 100) -> Schedule:
    return Schedule.of(nodes, SEED, starts_at=5_000, ends_at=5_000 + length, attempt_s=attempt_s)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 400), st.integers(1, 3_000))
def test_exactly_one_node_may_send_at_any_time(nodes: list[int], attempt_s: int, length: int) -> None:
    made = schedule(nodes, length=length, attempt_s=attempt_s)
    assert list(made.order) == staged_order(nodes, SEED)
    for now in range(5_000, 5_000 + length, max(1, length // 40)):
        senders = [node for node in set(nodes) if made.may_send(node, now)]
        assert senders == [made.order[((now - 5_000) // attempt_s) % len(made.order)]]
        turn = made.turn_at(now)
        assert turn is not None
        assert turn.starts_at <= now < turn.ends_at <= made.ends_at
        assert made.next_turn(turn.node, now) == turn
    for now in (4_999, 5_000 + length):
        assert not any(made.may_send(node, now) for node in nodes)
        assert made.turn_at(now) is None


def test_the_order_goes_round_and_ends_with_the_phase() -> None:
    made = schedule([5, 3, 9, 3], length=450)
    first, second, third = made.order
    assert [made.turn(attempt).node for attempt in range(5)] == [first, second, third, first, second]
    assert made.turn(4).ends_at == 5_450
    assert made.next_turn(third, 5_300) is None
    assert made.next_turn(second, 5_200) == made.turn(4)
    assert made.next_turn(77, 5_000) is None
    for attempt in (-1, 5):
        with pytest.raises(BadArgument, match="no turn"):
            made.turn(attempt)


def test_a_guard_asks_again_just_before_sending() -> None:
    made = schedule([1, 2])
    node = made.order[0]
    now, needed = [5_050], [True]
    still_needed = made.guard(node, lambda: now[0], lambda: needed[0])
    assert still_needed()
    now[0] = 5_100
    assert not still_needed()  # the next proposer's turn
    now[0] = 5_210
    assert still_needed()  # its own second turn
    needed[0] = False
    assert not still_needed()  # somebody was first
    with pytest.raises(NotNeeded):
        made.guard(node, lambda: now[0], lambda: needed[0])


def test_a_schedule_needs_proposers_and_time() -> None:
    for order, ends_at, attempt_s in (((), 10, 1), ((1,), 10, 0), ((1,), 0, 1)):
        with pytest.raises(BadArgument):
            Schedule(order, 0, ends_at, attempt_s)
