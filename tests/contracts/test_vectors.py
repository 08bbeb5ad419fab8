"""The golden vectors are what the model gives, and the model knows the edges."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts import model
from tests.contracts.make_vectors import make_vectors

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


@pytest.mark.parametrize("name", ["words", "tree", "sumtree", "report", "header", "draw", "digests"])
def test_vectors_are_current(name: str) -> None:
    assert (VECTORS / f"{name}.json").read_text() == make_vectors()[name]


@pytest.mark.parametrize(
    ("rep", "score", "trainer", "verifier"),
    [
        (40_000, 0, 39_375, 40_000),  # not due
        (40_000, 1, 30_000, 30_000),  # failed
        (1, 1, 0, 0),
        (2, 1, 1, 1),
        (0, 65_535, 4_095, 4_095),
        (65_535, 2, 49_152, 49_152),
        (100, 100, 100, 100),
        (63, 0, 63, 63),
    ],
)
def test_lane(rep: int, score: int, trainer: int, verifier: int) -> None:
    assert model.step_lane(rep, score, trainer=True) == trainer
    assert model.step_lane(rep, score, trainer=False) == verifier


def test_lower_median_goes_down_on_ties() -> None:
    assert model.lower_median([]) == 0
    assert model.lower_median([0, 0]) == 0
    assert model.lower_median([9, 5]) == 5
    assert model.lower_median([0, 9, 5, 7]) == 7


def test_draw_is_a_permutation() -> None:
    assert sorted(model.draw(b"\1" * 32, 50, 50)) == list(range(50))
