"""Recommendations follow the raters that one agrees with, and Sybils without stake move nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from node.reputation.recommend import Liking, recommend
from node.reputation.walk import MASS
from tests.unit.node.reputation.graphs import chances

STAKES = {1: 10, 2: 10, 3: 10}
LIKINGS = [
    Liking(1, "update:a", 5),
    Liking(2, "update:a", 5),
    Liking(2, "update:b", 5),
    Liking(3, "update:c", 9),
    Liking(3, "update:d", 1),
]


def test_by_taste_and_by_hand() -> None:
    """Rater 1 reaches b through a and rater 2, never c or d, which it shares with nobody."""
    found = recommend(LIKINGS, STAKES, 1, ranking="hitting")
    edges = [
        (0, 3, 5),
        (1, 3, 5),
        (1, 4, 5),
        (2, 5, 9),
        (2, 6, 1),
        (3, 0, 5),
        (3, 1, 5),
        (4, 1, 5),
        (5, 2, 9),
        (6, 2, 1),
    ]
    expected = chances(7, edges, Fraction(17, 20))[0]
    assert [(item.item, item.known) for item in found] == [("update:a", True), ("update:b", False)]
    assert [item.score / MASS for item in found] == pytest.approx(expected[[3, 4]].tolist(), abs=3e-6)


def test_a_stranger_sees_what_the_stakes_see() -> None:
    found = recommend(LIKINGS, {**STAKES, 3: 1000}, 42)
    assert found[0].item == "update:c"
    assert {item.item for item in found} == {"update:a", "update:b", "update:c", "update:d"}
    assert not any(item.known for item in found)
    assert recommend(LIKINGS, {}, 42) == []
    assert recommend([], STAKES, 1) == []


@pytest.mark.parametrize("seed", range(20))
def test_sybils_without_stake_change_no_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    likings = [Liking(int(r), f"update:{i}", int(w)) for r, i, w in rng.integers(1, 9, (25, 3))]
    stakes = dict.fromkeys(range(1, 9), 10)
    sybils = [Liking(100 + i, item, 1000) for i in range(30) for item in ("update:evil", "update:1", "update:2")]
    before, after = (recommend(rows, stakes, 1) for rows in (likings, likings + sybils))
    assert [(i.item, i.score) for i in after] == [(i.item, i.score) for i in before]


@pytest.mark.parametrize("seed", range(20))
def test_what_one_rater_alone_pushes_gains_no_more_than_walks_come_to_it(seed: int) -> None:
    """A rater with an eighth of the stake likes 20 items of its own besides; decay leaves them a tenth of that."""
    rng = np.random.default_rng(seed)
    likings = [Liking(int(r), f"update:{i}", int(w)) for r, i, w in rng.integers(1, 9, (40, 3))]
    stakes = dict.fromkeys(range(1, 9), 10)
    pushed = [Liking(8, f"evil:{i}", 50) for i in range(20)]
    after = recommend([*likings, *pushed], stakes, 1)
    evil = sum(item.score for item in after if item.item.startswith("evil"))
    assert evil <= 0.1 * float(Fraction(17, 20) / Fraction(3, 20)) * MASS
    honest = sum(item.score for item in after if not item.item.startswith("evil"))
    assert evil < honest / 5
