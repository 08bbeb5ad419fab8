"""Agreement: hand-computed medians, the sketch rule, members' scores, and what colluders cannot do."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import lower_median, pack_scores, reputation_lanes
from node.consensus import AGREEMENT_RANGE, MAX_PART, Evidence, Outcome, agree, false_members
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.verify import Observation, Reason
from tests.support.protocol import observation, row

TAU = 0.0001
LOW, MIDDLE, HIGH = 30_000, 40_000, 50_000
TOP = ACCEPTED_BASE + MAX_PART


def evidence(
    observations: Mapping[int, Observation],
    *,
    seats: Mapping[int, int] | None = None,
    claims: Mapping[int, np.ndarray] | None = None,
    checks: Mapping[int, frozenset[int]] | None = None,
    trainers: Sequence[int] = (1,),
) -> Evidence:
    """Trainers 1, 2, ... in slot order; by default every member holds one seat and trainers claim 7s."""
    held = dict.fromkeys(observations, 1) if seats is None else dict(seats)
    return Evidence(
        slots={node: slot for slot, node in enumerate(trainers)},
        verifier_slots={node: slot for slot, node in enumerate(sorted(held))},
        seats=held,
        observations=observations,
        claims=dict.fromkeys(trainers, row(7)) if claims is None else claims,
        checks=checks or {},
    )


def outcome(found: Evidence, public: Sequence[int] = ()) -> Outcome:
    lanes = {"trainer_lanes": len(found.slots), "verifier_lanes": len(found.verifier_slots)}
    return agree(found, tau=TAU, public=public, **lanes)


def views(*votes: int, first: int = 11) -> dict[int, Observation]:
    """One member for each vote on the one trainer; those who accept have its sketch."""
    return {
        first + i: observation(vote, sketches={1: row(7)} if vote > REJECTED else {}) for i, vote in enumerate(votes)
    }


# -- medians ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ((LOW,), LOW),
        ((LOW, HIGH), LOW),  # ties go down
        ((HIGH, LOW, MIDDLE), MIDDLE),
        ((HIGH, HIGH, LOW, LOW), LOW),
        ((NOT_DUE, NOT_DUE, HIGH), HIGH),  # abstentions do not count
        ((NOT_DUE, LOW, HIGH), LOW),
        ((REJECTED, HIGH), REJECTED),
        ((REJECTED, MIDDLE, HIGH), MIDDLE),
        ((NOT_DUE, NOT_DUE), NOT_DUE),
    ],
)
def test_a_score_is_the_lower_median_of_the_votes_cast(votes: tuple[int, ...], expected: int) -> None:
    assert outcome(evidence(views(*votes))).trainer_scores == (expected,)


def test_a_vote_counts_once_for_each_seat() -> None:
    seen = views(LOW, MIDDLE, HIGH)
    by_head = outcome(evidence(seen))
    by_seat = outcome(evidence(seen, seats={11: 1, 12: 1, 13: 3}))
    assert (by_head.trainer_scores, by_seat.trainer_scores) == ((MIDDLE,), (HIGH,))


def test_a_silent_seat_does_not_vote() -> None:
    found = outcome(evidence(views(LOW, HIGH), seats={11: 1, 12: 1, 99: 5}))
    assert found.trainer_scores == (LOW,)


def test_sketches_of_another_length_do_not_count() -> None:
    seen = views(MIDDLE, MIDDLE, MIDDLE)
    seen[11] = observation(MIDDLE, sketches={1: np.full(8, 7, np.int32)})
    assert outcome(evidence(seen)).accepted == (1,)
    short = outcome(evidence(views(MIDDLE), claims={1: np.full(8, 7, np.int32)}))
    assert short.reasons == {1: Reason.SKETCH_MISMATCH}
    wide = agree(evidence(views(MIDDLE)), tau=TAU, trainer_lanes=1, verifier_lanes=1, sketch_rows=24)
    assert wide.trainer_scores == (REJECTED,)


def test_without_observations_nobody_is_due() -> None:
    found = outcome(evidence({}, seats={11: 1}))
    assert found.trainer_scores == (NOT_DUE,)
    assert found.reasons == {1: Reason.NOT_DUE}
    assert found.accepted == ()


def test_a_vote_vector_that_is_too_short_abstains_on_the_rest() -> None:
    seen = {
        11: observation(MIDDLE, sketches={1: row(7)}),
        12: observation(LOW, HIGH, sketches={1: row(7), 2: row(7)}),
    }
    assert outcome(evidence(seen, trainers=(1, 2))).trainer_scores == (LOW, HIGH)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    honest=st.lists(st.integers(REJECTED, 65_535), min_size=1, max_size=6),
    lies=st.lists(st.integers(REJECTED, 65_535), max_size=6),
)
def test_half_of_the_seats_cannot_raise_anyone(honest: list[int], lies: list[int]) -> None:
    colluders = lies[: len(honest)]
    found = outcome(evidence(views(*honest) | views(*colluders, first=51)))
    assert found.trainer_scores[0] <= max(honest)
    united = outcome(evidence(views(*[MIDDLE] * len(honest)) | views(*[65_535] * len(colluders), first=51)))
    assert united.trainer_scores == (MIDDLE,)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    data=st.data(),
    members=st.lists(st.tuples(st.integers(0, 65_535), st.integers(1, 4)), min_size=1, max_size=4),
)
def test_splitting_a_seat_holder_changes_no_trainer(data: st.DataObject, members: list[tuple[int, int]]) -> None:
    values = [row(data.draw(st.integers(-50, 50))) for _ in members]
    seats = {11 + i: held for i, (_, held) in enumerate(members)}
    seen = {11 + i: observation(vote, sketches={1: values[i]}) for i, (vote, _) in enumerate(members)}
    whole = outcome(evidence(seen, seats=seats))
    split_seats, split_seen = {}, {}
    for node, held in seats.items():
        first = data.draw(st.integers(0, held))
        for part, count in ((node, first), (node + 100, held - first)):
            if count:
                split_seats[part], split_seen[part] = count, seen[node]
    split = outcome(evidence(split_seen, seats=split_seats))
    assert split.trainer_scores == whole.trainer_scores
    assert split.reasons == whole.reasons
    assert split.accepted == whole.accepted
    assert {n: s.tolist() for n, s in split.sketches.items()} == {n: s.tolist() for n, s in whole.sketches.items()}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(votes=st.lists(st.lists(st.integers(0, 65_535), min_size=17, max_size=17), min_size=1, max_size=4))
def test_no_posted_word_is_a_fault_by_the_contract_s_rule(votes: list[list[int]]) -> None:
    """`challengeScore` takes the lower median over seats of every lane, unless the lane is posted as 1."""
    trainers = tuple(range(1, 18))
    sketches = dict.fromkeys(trainers, row(7))
    seen = {11 + i: observation(*lanes, sketches=sketches) for i, lanes in enumerate(votes)}
    found = outcome(evidence(seen, trainers=trainers))
    posted = pack_scores(found.trainer_scores)
    signed = [pack_scores(observed.votes) for observed in seen.values()]
    for index, word in enumerate(posted):
        lanes = [reputation_lanes(words[index]) for words in signed]
        for at, score in enumerate(reputation_lanes(word)):
            assert score == REJECTED or score == lower_median([lane[at] for lane in lanes])


# -- the sketch rule -------------------------------------------------------------------------------------


def claimed(claim: np.ndarray | None, *members: np.ndarray) -> Outcome:
    seen = {11 + i: observation(MIDDLE, sketches={1: sketch}) for i, sketch in enumerate(members)}
    return outcome(evidence(seen, claims={} if claim is None else {1: claim}))


def test_an_accepted_trainer_without_a_claim_is_rejected() -> None:
    found = claimed(None, row(7), row(7))
    assert found.trainer_scores == (REJECTED,)
    assert found.reasons == {1: Reason.NO_CLAIM}
    assert found.accepted == ()
    assert found.sketches[1].tolist() == [7] * 16


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (1_000_000, Reason.ACCEPTED),
        (1_000_100, Reason.ACCEPTED),  # 4 x 100 <= 4 x 100 + 4
        (1_000_101, Reason.ACCEPTED),  # 4 x 101 = 404: just inside
        (1_000_102, Reason.SKETCH_MISMATCH),
        (-1_000_000, Reason.SKETCH_MISMATCH),
    ],
)
def test_a_claim_counts_within_tau_and_rounding(claim: int, reason: Reason) -> None:
    found = claimed(row(claim), row(1_000_000))
    assert found.reasons == {1: reason}
    assert found.trainer_scores == (MIDDLE if reason is Reason.ACCEPTED else REJECTED,)
    assert found.accepted == ((1,) if reason is Reason.ACCEPTED else ())


def test_the_agreed_sketch_is_the_lower_median_over_seats() -> None:
    seen = {
        11: observation(MIDDLE, sketches={1: row(-9_000)}),
        12: observation(MIDDLE, sketches={1: row(7)}),
        13: observation(MIDDLE, sketches={1: row(9_000)}),
    }
    assert outcome(evidence(seen)).sketches[1].tolist() == [7] * 16
    heavy = outcome(evidence(seen, seats={11: 1, 12: 1, 13: 3}))
    assert heavy.sketches[1].tolist() == [9_000] * 16
    assert heavy.reasons == {1: Reason.SKETCH_MISMATCH}


def test_one_liar_cannot_turn_a_sketch_against_an_honest_claim() -> None:
    assert claimed(row(7), row(7), row(7), row(2_000_000_000)).reasons == {1: Reason.ACCEPTED}


def test_votes_that_no_sketch_supports_reject_and_do_not_crash() -> None:
    found = outcome(evidence({11: observation(MIDDLE), 12: observation(MIDDLE)}))
    assert found.trainer_scores == (REJECTED,)
    assert found.reasons[1] in (Reason.SKETCH_MISMATCH, Reason.NO_CLAIM)
    assert 1 not in found.sketches


# -- reasons ---------------------------------------------------------------------------------------------


def rejecting(*reasons: Reason, seats: Mapping[int, int] | None = None) -> Outcome:
    seen = {11 + i: Observation((REJECTED,), {1: reason}, {}, {}) for i, reason in enumerate(reasons)}
    return outcome(evidence(seen, seats=seats))


def test_the_reason_is_the_one_that_most_seats_gave() -> None:
    three = (Reason.NON_FINITE, Reason.UNAVAILABLE, Reason.UNAVAILABLE)
    assert rejecting(*three).reasons == {1: Reason.UNAVAILABLE}
    assert rejecting(*three, seats={11: 3, 12: 1, 13: 1}).reasons == {1: Reason.NON_FINITE}


def test_tied_reasons_go_by_name_in_whatever_order_members_come() -> None:
    assert rejecting(Reason.TRUNCATED, Reason.DUPLICATE).reasons == {1: Reason.DUPLICATE}
    assert rejecting(Reason.DUPLICATE, Reason.TRUNCATED).reasons == {1: Reason.DUPLICATE}


def test_a_rejection_for_which_nobody_gave_a_reason_is_unrevealed() -> None:
    assert outcome(evidence({11: observation(REJECTED)})).reasons == {1: Reason.UNREVEALED}


def test_an_acceptance_is_no_reason_for_a_rejection() -> None:
    seen = {
        11: Observation((MIDDLE,), {1: Reason.ACCEPTED}, {1: row(7)}, {}),
        12: Observation((REJECTED,), {1: Reason.NORM_BOUND}, {}, {}),
    }
    assert outcome(evidence(seen)).reasons == {1: Reason.NORM_BOUND}


def test_accepted_trainers_ascend_and_scores_stand_by_slot() -> None:
    seen = {11: observation(REJECTED, MIDDLE, HIGH, sketches={5: row(7), 3: row(7)})}
    found = outcome(evidence(seen, trainers=(9, 5, 3)))
    assert found.trainer_scores == (REJECTED, MIDDLE, HIGH)
    assert found.accepted == (3, 5)


# -- members ---------------------------------------------------------------------------------------------


def test_a_silent_member_is_rejected() -> None:
    found = outcome(evidence(views(MIDDLE), seats={11: 1, 12: 1}))
    assert found.member_reasons == {11: Reason.ACCEPTED, 12: Reason.SILENT}
    assert found.verifier_scores == (TOP, REJECTED)


@pytest.mark.parametrize(
    ("missed", "expected"), [(1, Reason.ACCEPTED), (2, Reason.ACCEPTED), (3, Reason.UNSEEN), (4, Reason.UNSEEN)]
)
def test_a_member_that_was_served_less_than_half_of_what_counts_has_failed(missed: int, expected: Reason) -> None:
    """Of four accepted trainers; what the others rejected as well is no matter."""
    trainers = (1, 2, 3, 4, 5)
    full = observation(*[MIDDLE] * 4, REJECTED, sketches={node: row(7) for node in trainers[:4]})
    short = Observation(
        votes=tuple([REJECTED] * missed + [MIDDLE] * (4 - missed) + [REJECTED]),
        reasons={node: Reason.UNAVAILABLE if node <= missed or node == 5 else Reason.ACCEPTED for node in trainers},
        sketches={node: row(7) for node in trainers[missed:4]},
        member_sketches={},
    )
    found = outcome(evidence({11: full, 12: full, 13: short}, trainers=trainers))
    assert found.accepted == (1, 2, 3, 4)
    assert found.member_reasons[13] is expected
    assert (found.verifier_scores[2] == REJECTED) == (expected is Reason.UNSEEN)


def test_agreement_is_paid_by_distance() -> None:
    quarter = AGREEMENT_RANGE // 4
    found = outcome(evidence(views(MIDDLE - quarter, MIDDLE, MIDDLE + AGREEMENT_RANGE)))
    assert found.trainer_scores == (MIDDLE,)
    assert found.verifier_scores == (ACCEPTED_BASE + MAX_PART * 3 // 4, TOP, ACCEPTED_BASE)


def test_the_opposite_verdict_earns_nothing_however_near_the_vote() -> None:
    found = outcome(evidence(views(REJECTED, 2, 2)))
    assert found.verifier_scores == (ACCEPTED_BASE, TOP, TOP)


def test_agreement_counts_only_lanes_on_which_the_member_voted() -> None:
    sketches = {1: row(7), 2: row(7)}
    seen = {
        11: observation(MIDDLE, NOT_DUE, sketches=sketches),
        12: observation(MIDDLE, HIGH, sketches=sketches),
        13: observation(NOT_DUE, NOT_DUE, sketches=sketches),
    }
    found = outcome(evidence(seen, trainers=(1, 2)), public=(MIDDLE, HIGH))
    assert found.verifier_scores == (TOP, TOP, ACCEPTED_BASE)
    # and where there is news, one that nobody else reported on is not held against the member
    assert outcome(evidence(seen, trainers=(1, 2))).verifier_scores == (ACCEPTED_BASE, TOP, ACCEPTED_BASE)


def test_agreement_is_with_the_votes_and_not_with_the_sketch_rule() -> None:
    """Who verified honestly is not punished because the trainer never opened its claim."""
    found = outcome(evidence(views(MIDDLE, MIDDLE), claims={}))
    assert found.trainer_scores == (REJECTED,)
    assert found.verifier_scores == (TOP, TOP)


def test_a_member_without_a_verifier_slot_gets_a_reason_and_no_lane() -> None:
    found = Evidence({1: 0}, {11: 0}, {11: 1, 12: 1}, views(MIDDLE, MIDDLE), {1: row(7)}, {})
    result = outcome(found)
    assert result.verifier_scores == (TOP,)
    assert result.member_reasons[12] is Reason.ACCEPTED


# -- news ------------------------------------------------------------------------------------------------

OLD, NEW = (MIDDLE, LOW, HIGH, LOW), (MIDDLE + 900, LOW - 700, HIGH + 300, LOW)


def paid(*votes: Sequence[int], public: Sequence[int] = OLD, first: int = 11, **rest: Any) -> list[int]:
    """Parts of the members' scores, 0..MAX_PART."""
    rows = {trainer: row(7) for trainer in (1, 2, 3, 4)}
    seen = {first + i: observation(*vote, sketches=rows) for i, vote in enumerate(votes)}
    found = evidence(seen, trainers=(1, 2, 3, 4), **rest)
    result = agree(found, tau=TAU, trainer_lanes=4, verifier_lanes=len(seen), public=public, seed=bytes(32))
    return [score - ACCEPTED_BASE for score in result.verifier_scores]


def test_honest_members_earn_in_full_and_republished_scores_nothing() -> None:
    assert paid(NEW, NEW, NEW) == [MAX_PART] * 3
    assert paid(NEW, NEW, NEW, OLD) == [MAX_PART] * 3 + [0]
    assert paid(NEW, NEW, NEW, public=()) == [MAX_PART] * 3  # the first round: all is news


def test_a_round_in_which_nothing_moved_pays_for_agreement() -> None:
    still = [lane + 30 for lane in OLD]
    assert paid(still, still, still) == [MAX_PART] * 3
    off = paid(still, still, [lane + AGREEMENT_RANGE // 2 for lane in still])
    assert off[2] == MAX_PART // 2


def test_news_that_is_far_from_the_result_is_paid_by_its_distance_too() -> None:
    shifted = [lane + AGREEMENT_RANGE // 4 for lane in NEW]
    assert paid(NEW, NEW, NEW, shifted)[3] == MAX_PART * 3 // 4


def test_a_member_that_leaves_out_its_own_submission_loses_nothing() -> None:
    assert paid((NOT_DUE, *NEW[1:]), NEW, NEW, first=1) == [MAX_PART] * 3


def test_a_member_found_false_confirms_nothing() -> None:
    checks = {11: frozenset({13}), 12: frozenset({13})}
    assert paid(NEW, NEW, OLD, checks=checks)[:2] == [MAX_PART] * 2
    assert paid(NEW, NEW, OLD)[:2] == [MAX_PART // 2] * 2  # one copier of three seats that nobody exposed


# -- false observations ----------------------------------------------------------------------------------


def test_more_than_half_of_the_other_checking_seats_condemn() -> None:
    seats = dict.fromkeys((11, 12, 13, 14), 1)
    accused = {12: frozenset({11}), 13: frozenset({11}), 14: frozenset()}
    assert false_members(seats, accused) == {11}
    tied = {12: frozenset({11}), 13: frozenset()}
    assert false_members(seats, tied) == frozenset()


def test_checks_count_by_seats_and_strangers_do_not_count() -> None:
    seats = {11: 1, 12: 3, 13: 1}
    assert false_members(seats, {12: frozenset(), 13: frozenset({11})}) == frozenset()
    assert false_members(seats, {12: frozenset({11}), 13: frozenset()}) == {11}
    assert false_members(seats, {99: frozenset({11})}) == frozenset()


def test_a_member_has_no_say_about_itself() -> None:
    seats = {11: 5, 12: 1}
    assert false_members(seats, {11: frozenset(), 12: frozenset({11})}) == {11}
    assert false_members(seats, {11: frozenset({11})}) == frozenset()


def test_a_false_observation_is_rejected_and_its_vote_still_counts() -> None:
    """The posted score must be the median of all votes that the report lists, or the contract calls it a fault."""
    seen = views(LOW, MIDDLE, HIGH)
    found = outcome(evidence(seen, checks={11: frozenset({13}), 12: frozenset({13})}))
    assert found.member_reasons[13] is Reason.FALSE_OBSERVATION
    assert found.verifier_scores[2] == REJECTED
    assert found.trainer_scores == (MIDDLE,)
