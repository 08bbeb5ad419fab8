"""Reliability of sources: votes, settlement by the contracts' rule, weighted draws, and the example's outcome."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Role, new_root_state
from ledger.words import step_lane
from node.reliability import draw_sources, settle_sources, source_vote, voices, weigh_answers
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.weight.stake import stake
from scripts.source_corpus import Passage, Source, corpus, question
from scripts.source_reliability import accuracy

SEED = bytes(range(32))


@pytest.mark.parametrize(
    ("right", "wrong", "lane"),
    [(0, 0, NOT_DUE), (0, 3, REJECTED), (2, 2, REJECTED), (4, 0, 65_535), (3, 1, ACCEPTED_BASE + 16_383)],
)
def test_votes_by_hand(right: int, wrong: int, lane: int) -> None:
    assert source_vote(right, wrong) == lane


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="wrong"):
        source_vote(1, -1)


def test_settlement_is_that_of_trainers() -> None:
    """Lower medians, the contracts' step, and pay by score: what a liar among five votes changes nothing."""
    honest = [65_535, REJECTED, NOT_DUE]
    votes = [honest] * 3 + [[REJECTED, 65_535, 65_535], honest]
    first = settle_sources(new_root_state(1), votes, round_=1, pool=1_000)
    expected = [step_lane(0, lane, role=Role.TRAINER) for lane in (65_535, REJECTED, 65_535)]
    assert first.reputations(Role.TRAINER)[:3] == expected  # nobody else voted on the third: the liar's vote stands
    assert first.pay[0][:2] == (500, 0)
    quiet = settle_sources(first, [[NOT_DUE] * 3] * 5, round_=2)
    assert quiet.reputations(Role.TRAINER)[0] == expected[0] - expected[0] // 64


def test_draws_go_by_reputation_and_still_reach_newcomers() -> None:
    reputations = [40_960, 0, 0, 40_960]
    weights = stake([1] * 4, reputations)
    counts = Counter(draw_sources(weights, 1, seed=k.to_bytes(32, "big"))[0] for k in range(2_000))
    assert counts[0] / counts[1] == pytest.approx(11, rel=0.4)
    assert counts[1] > 0 < counts[2]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 65_535), max_size=9), st.integers(0, 9), st.binary(min_size=32, max_size=32))
def test_a_draw_has_different_slots_and_depends_on_the_seed_alone(
    reputations: list[int], count: int, seed: bytes
) -> None:
    drawn = draw_sources(reputations, count, seed=seed)
    assert len(set(drawn)) == len(drawn) == min(count, sum(r > 0 for r in reputations))
    assert drawn == draw_sources(reputations, count, seed=seed)


def test_answers_weigh_by_the_voices_behind_them() -> None:
    assert voices([1, 1, 2], [40_000, 100, 20_000]) == [10_001, 101, 20_002]
    assert voices([], []) == []
    assert weigh_answers({0: "a", 1: "b", 2: "b"}, voices([1, 1, 1], [30_000, 0, 0])) == "a"
    assert weigh_answers({0: "a", 1: "b", 2: "b"}, voices([1, 1, 1], [0, 0, 0])) == "b"
    assert weigh_answers({1: "b", 0: "a"}, [7, 7]) == "a"
    assert weigh_answers({}, [1]) is None


def test_a_source_finds_its_passages_by_their_words() -> None:
    source = Source([Passage("x", ("alpha", "beta", "gamma")), Passage("y", ("gamma", "delta", "delta"))])
    assert source.answer(("beta",)) == "x"
    assert source.answer(("delta", "gamma")) == "y"
    assert source.answer(("omega",)) is None


def test_the_corpus_can_be_answered_when_all_of_it_is_held() -> None:
    passages, rng = corpus(), np.random.default_rng(0)
    whole = Source(passages)
    asked = [passages[int(k)] for k in rng.integers(0, len(passages), 40)]
    assert len(passages) > 150
    assert sum(whole.answer(question(p, rng)) == p.name for p in asked) >= 30


def test_reliability_beats_blind_sources_when_most_are_polluted_and_costs_nothing_when_none_is() -> None:
    polluted = accuracy(60, rounds=15, questions=60, seeds=1)
    assert polluted["by reliability"] >= polluted["blind"] + 0.2
    clean = accuracy(0, rounds=3, questions=60, seeds=1)
    assert clean["by reliability"] >= clean["blind"] - 0.1
