"""Words against the shared vectors and against a scalar model, lane by lane."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Role
from ledger.errors import BadArgument
from ledger.words import (
    ACCEPTED,
    LANES,
    UNITS,
    contribution_lanes,
    contribution_units,
    lower_median,
    pack_scores,
    reputation_lanes,
    stamp,
    step_lane,
    step_word,
    unpack_scores,
    words_for,
)
from tests.unit.ledger.vectors import load, number

WORD = st.integers(0, 2**256 - 1)
SCORE = st.integers(0, 65_535)


def test_steps_equal_the_shared_vectors() -> None:
    steps = load("words")["step"]
    for position, before in enumerate(steps["before"]):
        scores, round_ = number(steps["scores"][position]), number(steps["round"][position])
        for role, key in ((Role.TRAINER, "trainer"), (Role.VERIFIER, "verifier")):
            after = step_word(number(before), scores, round=round_, role=role)
            assert after == number(steps[key][position])


def test_contributions_equal_the_shared_vectors() -> None:
    for case in load("words")["contribution"]:
        lanes = [lane for word in case["scores"] for lane in reputation_lanes(number(word))]
        expected = [lane for word in case["words"] for lane in contribution_lanes(number(word))]
        units = contribution_units(lanes)
        assert units == expected[: len(units)]
        assert sum(units) == case["units"]


def test_medians_equal_the_shared_vectors() -> None:
    for case in load("words")["median"]:
        weights: list[Any] = case.get("weights") or [1] * len(case["votes"])
        votes = [vote for vote, times in zip(case["votes"], weights, strict=True) for _ in range(times)]
        assert lower_median(votes) == case["median"]


@given(st.lists(SCORE, max_size=60))
def test_packing_is_undone(scores: list[int]) -> None:
    words = pack_scores(scores)
    assert len(words) == words_for(len(scores))
    assert unpack_scores(words, len(scores)) == scores


@pytest.mark.parametrize("score", [-1, 65_536])
def test_a_score_out_of_range_is_refused(score: int) -> None:
    with pytest.raises(BadArgument, match="slot 1"):
        pack_scores([0, score])


def test_bits_behind_the_last_score_are_refused() -> None:
    with pytest.raises(BadArgument):
        unpack_scores([1 << 16], 1)
    with pytest.raises(BadArgument):
        unpack_scores([1 << 240], LANES)
    with pytest.raises(BadArgument):
        unpack_scores([1], LANES + 1)


@given(WORD, WORD, st.integers(0, 65_535), st.sampled_from(Role), st.integers(0, 14))
def test_a_lane_is_the_scalar_model_and_touches_no_other(
    word: int, scores: int, round_: int, role: Role, lane: int
) -> None:
    after = step_word(word, scores, round=round_, role=role)
    assert stamp(after) == round_
    before, due = reputation_lanes(word)[lane], reputation_lanes(scores)[lane]
    assert reputation_lanes(after)[lane] == step_lane(before, due, role=role)
    changed = step_word(word, scores ^ (0xFFFF << (16 * lane)), round=round_, role=role)
    others = 2**256 - 1 - (0xFFFF << (16 * lane))
    assert changed & others == after & others


@given(SCORE, SCORE, st.sampled_from(Role))
def test_a_step_stays_in_range_and_moves_the_right_way(reputation: int, score: int, role: Role) -> None:
    after = step_lane(reputation, score, role=role)
    assert 0 <= after <= 65_535
    if score == 1:
        assert after < reputation or reputation == 0
    elif score > 1:
        assert min(reputation, score) <= after <= max(reputation, score)
    else:
        assert after <= reputation


def test_failure_reaches_zero_and_falls_faster_than_success_climbs() -> None:
    reputation, rounds = 65_535, 0
    while reputation:
        reputation, rounds = step_lane(reputation, 1, role=Role.TRAINER), rounds + 1
    assert rounds < 50
    assert step_lane(0, 65_535, role=Role.TRAINER) == 65_535 // 16
    assert step_lane(65_535, 1, role=Role.VERIFIER) == 65_535 - 16_384
    assert step_lane(640, 0, role=Role.TRAINER) == 630
    assert step_lane(640, 0, role=Role.VERIFIER) == 640


@given(st.lists(SCORE, max_size=60))
def test_units_share_at_most_a_million(scores: list[int]) -> None:
    units = contribution_units(scores)
    assert sum(units) <= UNITS
    assert all((share == 0) for share, score in zip(units, scores, strict=True) if score <= ACCEPTED)
    if any(score > ACCEPTED for score in scores):
        assert sum(units) > UNITS - len(scores)


@given(st.lists(SCORE, max_size=40))
def test_half_of_the_votes_cannot_raise_the_median(votes: list[int]) -> None:
    median = lower_median(votes)
    cast = [vote for vote in votes if vote]
    assert (median in cast) if cast else (median == 0)
    assert sum(vote > median for vote in cast) * 2 <= len(cast)
    assert sum(vote < median for vote in cast) * 2 < max(1, len(cast))
