"""Sampled learning: views, orders, agreement, and whole rounds with nodes that die, lie and lag."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import ConfigError, TooFewUpdates
from node.topology.sampled import Entry, aggregators, aggregators_agree, enough, merge, order, sample

ENTRY = st.builds(Entry, st.integers(0, 5), st.integers(0, 3), st.booleans())
VIEW = st.dictionaries(st.integers(0, 5), ENTRY, max_size=6)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VIEW, VIEW, VIEW)
def test_views_merge_in_any_order(one: dict[int, Entry], two: dict[int, Entry], three: dict[int, Entry]) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one


def test_a_leave_outlasts_the_join_of_its_counter() -> None:
    assert merge({1: Entry(9, 2, True)}, {1: Entry(3, 2, False)}) == {1: Entry(9, 2, False)}
    assert merge({1: Entry(3, 2, False)}, {1: Entry(3, 3, True)}) == {1: Entry(3, 3, True)}


FULL = {node: Entry(10, 1, True) for node in range(100)}
BEACON = bytes(range(32))


def test_eighty_of_a_hundred_die_at_once_and_the_next_round_completes() -> None:
    """Four fifths stop answering between two rounds: sample, three aggregators and their agreement still come about."""
    alive = set(range(0, 100, 5))
    chosen = sample(FULL, 11, BEACON, size=13, alive=alive)
    assert len(chosen) == 13
    assert set(chosen) <= alive
    step = np.ones(4, np.float32)
    agreed, wrong = aggregators_agree(dict.fromkeys(aggregators(chosen, 3), step))
    assert (agreed == step).all()
    assert wrong == []
    assert enough(10, 13)
    assert not enough(9, 13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(node=st.integers(0, 99), round_=st.integers(10, 60), size=st.integers(1, 20))
def test_views_that_differ_in_one_entry_give_samples_that_differ_in_one(node: int, round_: int, size: int) -> None:
    other = {**FULL, node: Entry(10, 2, False)}
    one, two = (set(sample(view, round_, BEACON, size=size, alive=range(100))) for view in (FULL, other))
    assert len(one - two) <= 1
    assert len(two - one) <= 1


def test_the_order_is_fresh_each_round_and_each_beacon() -> None:
    orders = {tuple(order(FULL, round_, beacon)) for round_ in (11, 12) for beacon in (BEACON, bytes(32))}
    assert len(orders) == 4
    assert all(sorted(found) == list(range(100)) for found in orders)
    assert order({1: Entry(10, 1, True), 2: Entry(70, 1, True), 3: Entry(70, 2, False)}, 71, BEACON) == [2]


def test_a_minority_of_aggregators_is_found_out() -> None:
    right, wrong = np.ones(3, np.float32), np.zeros(3, np.float32)
    agreed, liars = aggregators_agree({4: wrong, 5: right, 6: right})
    assert (agreed == right).all()
    assert liars == [4]
    with pytest.raises(TooFewUpdates, match="no majority"):
        aggregators_agree({1: right, 2: wrong, 3: np.full(3, 2, np.float32)})
    with pytest.raises(TooFewUpdates, match="2 aggregators"):
        aggregators_agree({1: right, 2: right})
    with pytest.raises(ConfigError, match="cannot check"):
        aggregators([1, 2, 3], 2)
    with pytest.raises(TooFewUpdates, match="no 3 aggregators"):
        aggregators([1, 2], 3)
    with pytest.raises(TooFewUpdates, match="no candidate"):
        sample(FULL, 11, BEACON, size=3, alive=())
