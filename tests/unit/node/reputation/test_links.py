"""Links are sorted, summed, scaled within bounds; changes in place equal a fresh start; bad input is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import GraphError
from node.reputation.links import LARGEST_TOTAL, Links, link, links_of

TRIPLES = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 50)).filter(lambda row: row[0] != row[1]),
    max_size=40,
)


def as_dict(links: Links) -> dict[tuple[int, int], int]:
    return {(s, t): w for t in range(links.nodes) for s in range(links.nodes) if (w := links.weight(s, t))}


def summed(rows: list[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for source, target, weight in rows:
        found[source, target] = found.get((source, target), 0) + weight
    return found


@given(rows=TRIPLES)
def test_links_hold_what_was_given_by_target_and_by_source(rows: list[tuple[int, int, int]]) -> None:
    links = links_of(8, rows)
    expected = summed(rows)
    assert as_dict(links) == expected
    assert [int(total) for total in links.totals] == [
        sum(w for (s, _), w in expected.items() if s == v) for v in range(8)
    ]
    starts, targets, weights = links.by_source
    again = {
        (source, int(targets[at])): int(weights[at])
        for source in range(8)
        for at in range(int(starts[source]), int(starts[source + 1]))
    }
    assert again == expected


@given(rows=TRIPLES, changes=TRIPLES, removed=st.integers(0, 10))
def test_changes_equal_a_fresh_start(
    rows: list[tuple[int, int, int]], changes: list[tuple[int, int, int]], removed: int
) -> None:
    changes = [*changes, *[(s, t, 0) for s, t, _ in rows[:removed]]]
    links = links_of(8, rows).with_changes(*(np.array([c[i] for c in changes], np.int64) for i in range(3)))
    expected = summed(rows)
    for source, target, weight in changes:
        expected[source, target] = weight
    fresh = links_of(8, [(s, t, w) for (s, t), w in expected.items() if w])
    assert links.digest() == fresh.digest()
    assert np.array_equal(links.totals, fresh.totals)


def test_a_generous_row_is_scaled_and_keeps_every_link() -> None:
    links = links_of(4, [(0, 1, 1 << 30), (0, 2, 1 << 29), (0, 3, 1), (1, 0, 5)])
    assert LARGEST_TOTAL - 4 <= links.totals[0] <= LARGEST_TOTAL
    assert links.weight(0, 1) / links.weight(0, 2) == pytest.approx(2, rel=1e-5)
    assert (links.weight(0, 3), links.weight(1, 0)) == (1, 5)


def test_the_digest_tells_one_weight_from_another() -> None:
    one, other = links_of(3, [(0, 1, 5)]), links_of(3, [(0, 1, 6)])
    assert one.digest() == links_of(3, [(0, 1, 2), (0, 1, 3)]).digest()
    assert one.digest() != other.digest()
    assert one.digest() != links_of(4, [(0, 1, 5)]).digest()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([0], [0], [1]), "links to itself"),
        (([0], [3], [1]), "target 3 is not a node"),
        (([-1], [1], [1]), "source -1 is not a node"),
        (([0], [1], [0]), "weight 0"),
        (([0], [1], [-4]), "weight -4"),
        (([0], [1], [1 << 41]), "weight 2199023255552"),
        (([0, 1], [1], [1]), "targets have shape"),
        (([0], [1], [0.5]), "weights are float64"),
    ],
)
def test_bad_links_are_named(columns: tuple[list[int], list[int], list[int]], words: str) -> None:
    with pytest.raises(GraphError, match=words):
        link(3, *columns)


def test_bad_changes_are_named() -> None:
    links = links_of(3, [(0, 1, 4_000_000)])
    with pytest.raises(GraphError, match="would give"):
        links.with_changes([0], [2], [1_000_000])
    with pytest.raises(GraphError, match="weight 4194305"):
        links.with_changes([0], [2], [LARGEST_TOTAL + 1])
    with pytest.raises(GraphError, match="0 nodes"):
        links_of(0, [])
