"""Canaries: origins bind, faults are proved, honest members are never hit, and nothing of a canary is scored."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.audit_rate import MAX_REPUTATION, audit_probability, deterring_probability
from node.canary import (
    DECOY_DISTANCE,
    Origin,
    Truths,
    canary_faults,
    decoy,
    judged_canaries,
    opened_canaries,
    plants,
    settle_canaries,
    without_canaries,
)
from node.committee import committee_risk
from node.consensus import Evidence, Outcome, agree, median_lane
from node.deterrence import Conduct, Stakes, honest_slashes, simulate_careers, simulate_collusion
from node.errors import ConfigError
from node.score import NOT_DUE, REJECTED
from node.verify import Observation, Reason

ORIGIN = Origin(1, 2, 3, b"m" * 32, True, b"s" * 32)


def row(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(values * 8, dtype=np.int32)


def seen(sketch: int, bound: int = 1_000_000) -> Observation:
    return Observation((40_000, 40_000), {3: Reason.ACCEPTED}, {3: row(sketch, 5)}, {3: row(bound, 5)})


def test_an_origin_binds_everything_before_anybody_is_drawn() -> None:
    origins = {3: ORIGIN.digest(), 4: replace(ORIGIN, node=4, planted=False).digest()}
    assert opened_canaries(origins, {3: ORIGIN}) == {3}
    assert opened_canaries(origins, {4: replace(ORIGIN, node=4)}) == frozenset()  # a submission stays one
    assert opened_canaries(origins, {4: replace(ORIGIN, node=4, planted=False)}) == frozenset()
    changed = {"task": 2, "round": 3, "node": 5, "update": b"x" * 32, "planted": False, "salt": b"t" * 32}
    for field, value in changed.items():
        other = replace(ORIGIN, **{field: value})  # type: ignore[arg-type]
        assert other.digest() != ORIGIN.digest()
        assert opened_canaries(origins, {3: other}) == frozenset()
    with pytest.raises(ValueError, match="32 bytes"):
        replace(ORIGIN, salt=b"").digest()


def test_planting_is_secret_and_at_its_rate() -> None:
    planted = [plants(7, round_=r, node=n, rate=Fraction(1, 20)) for r in range(200) for n in range(20)]
    assert 150 < sum(planted) < 250  # 4,000 draws at 5 %: 200 +- 14
    assert planted != [plants(8, round_=r, node=n, rate=Fraction(1, 20)) for r in range(200) for n in range(20)]
    assert not plants(7, round_=1, node=1, rate=Fraction(0))
    assert plants(7, round_=1, node=1, rate=Fraction(1))
    with pytest.raises(ConfigError):
        plants(7, round_=1, node=1, rate=Fraction(2))


def test_only_who_states_something_false_of_a_canary_is_at_fault() -> None:
    truth = row(1_000_000, 5)
    members = {
        1: seen(1_000_000),
        2: seen(1_000_050),  # 5e-5 off: another machine
        3: seen(1_050_000),  # 5 % off: the leaked output
        4: seen(1_000_000, bound=2_000_000),  # a copied vector: bound to another address
        5: Observation((1, 1), {3: Reason.UNAVAILABLE}, {}, {}),  # states nothing
    }
    faults = canary_faults(members, truths={3: truth}, member_truths={m: {3: truth} for m in members}, tau=1e-4)
    assert faults == {3, 4}
    assert canary_faults(members, truths={}, member_truths={}, tau=1e-4) == frozenset()


def test_a_canary_is_no_work() -> None:
    evidence = Evidence(
        slots={3: 0, 4: 1},
        verifier_slots={1: 0},
        seats={1: 1},
        observations={
            1: Observation(
                (40_000, 36_000),
                {3: Reason.ACCEPTED, 4: Reason.ACCEPTED},
                {3: row(10, 20), 4: row(1, 2)},
                {3: row(3, 4), 4: row(5, 6)},
            )
        },
        claims={3: row(10, 20), 4: row(1, 2)},
        checks={},
    )
    outcome = agree(without_canaries(evidence, frozenset({3})), tau=1e-4, trainer_lanes=2, verifier_lanes=1)
    assert outcome.trainer_scores == (0, 36_000)
    assert outcome.accepted == (4,)
    assert 3 not in outcome.sketches
    assert without_canaries(evidence, frozenset()) == evidence


MEMBERS = (11, 12, 13, 14)


def view(votes: tuple[int, ...], sketches: dict[int, int]) -> Observation:
    rows = {node: row(value, 5) for node, value in sketches.items()}
    return Observation(votes, dict.fromkeys((1, 2, 3), Reason.ACCEPTED), rows, rows)


def evidence_of(views: dict[int, Observation], **changes: object) -> Evidence:
    found = Evidence(
        slots={1: 0, 2: 1, 3: 2},
        verifier_slots={node: slot for slot, node in enumerate(MEMBERS)},
        seats=dict.fromkeys(MEMBERS, 1),
        observations=views,
        claims={node: row(1_000_000 * node, 5) for node in (1, 2, 3)},
        checks={member: frozenset() for member in views},
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def judge(evidence: Evidence) -> Outcome:
    return agree(evidence, tau=1e-4, trainer_lanes=3, verifier_lanes=4)


TRUE = {1: 1_000_000, 2: 2_000_000, 3: 3_000_000}
LEAKED = {**TRUE, 2: 2_100_000}
HONEST, TAKER = view((40_000, 41_000, 42_000), TRUE), view((40_000, 33_792, 42_000), LEAKED)


def test_an_opened_canary_keeps_its_lane_and_leaves_model_and_members_scores() -> None:
    evidence = evidence_of({11: HONEST, 12: HONEST, 13: HONEST, 14: TAKER})
    plain, found = judge(evidence), settle_canaries(evidence, frozenset({2}), frozenset({14}), judge)
    assert found.trainer_scores == plain.trainer_scores == (40_000, 41_000, 42_000)
    assert found.reasons == {1: Reason.ACCEPTED, 2: Reason.CANARY, 3: Reason.ACCEPTED}
    assert (plain.accepted, found.accepted) == ((1, 2, 3), (1, 3))
    assert found.member_reasons == {**dict.fromkeys(MEMBERS, Reason.ACCEPTED), 14: Reason.CANARY_FAULT}
    assert found.verifier_scores[3] == REJECTED
    assert plain.verifier_scores[3] > REJECTED  # nothing else sees it
    assert min(found.verifier_scores[:3]) > REJECTED
    unopened = settle_canaries(evidence, frozenset(), frozenset({14}), judge)
    assert (unopened.reasons, unopened.member_reasons) == (plain.reasons, plain.member_reasons)


def test_lies_of_most_members_do_not_make_the_planter_s_claim_false() -> None:
    evidence = evidence_of({11: HONEST, 12: TAKER, 13: TAKER, 14: TAKER})
    assert judge(evidence).reasons[2] is Reason.SKETCH_MISMATCH
    found = settle_canaries(evidence, frozenset({2}), frozenset({12, 13, 14}), judge)
    assert found.reasons[2] is Reason.CANARY
    assert found.trainer_scores[1] == 33_792  # the contract's median counts every signed vote
    assert found.verifier_scores == (found.verifier_scores[0], REJECTED, REJECTED, REJECTED)
    assert found.verifier_scores[0] > REJECTED


def test_a_canary_that_the_members_reject_stays_rejected_and_convicts_nobody() -> None:
    poor = view((40_000, REJECTED, 42_000), {1: 1_000_000, 3: 3_000_000})
    poor = replace(poor, reasons={**poor.reasons, 2: Reason.NEGATIVE_COSINE})
    evidence = evidence_of({11: poor, 12: poor, 13: poor, 14: TAKER})
    assert judged_canaries(evidence, frozenset({2, 99})) == frozenset()
    found = settle_canaries(evidence, frozenset({2}), frozenset({14}), judge)
    assert found.reasons[2] is Reason.NEGATIVE_COSINE
    assert found.member_reasons[14] is not Reason.CANARY_FAULT


def test_a_member_that_stated_nothing_cannot_be_blamed() -> None:
    unserved = replace(HONEST, sketches={}, member_sketches={})
    evidence = evidence_of({11: HONEST, 12: HONEST, 13: HONEST, 14: unserved})
    found = settle_canaries(evidence, frozenset({2}), frozenset({14, 99}), judge)
    assert found.member_reasons[14] is Reason.ACCEPTED


@given(
    votes=st.lists(
        st.tuples(*[st.sampled_from([NOT_DUE, REJECTED, 2, 33_000, 40_000, 65_535])] * 3), min_size=4, max_size=4
    ),
    wrong=st.lists(st.booleans(), min_size=4, max_size=4),
    canaries=st.frozensets(st.integers(1, 4)),
    faults=st.frozensets(st.sampled_from(MEMBERS)),
    heavy=st.integers(1, 3),
)
def test_no_canary_makes_a_lane_that_the_contract_would_punish(
    votes: list[tuple[int, ...]], wrong: list[bool], canaries: frozenset[int], faults: frozenset[int], heavy: int
) -> None:
    """`Disputes._isWrongScore`: a lane neither REJECTED nor the lower median of the votes slashes all signers."""
    views = {m: view(v, LEAKED if w else TRUE) for m, v, w in zip(MEMBERS, votes, wrong, strict=True)}
    evidence = evidence_of(views, seats={**dict.fromkeys(MEMBERS, 1), 11: heavy})
    found = settle_canaries(evidence, canaries, faults, judge)
    for slot, lane in enumerate(found.trainer_scores):
        assert lane in (REJECTED, median_lane(evidence, slot))
    assert not canaries & set(found.accepted)


def test_a_signer_takes_the_proposer_s_word_where_machines_may_differ_and_nowhere_else() -> None:
    def off(taus: float) -> Observation:
        return view((1, 1, 1), {2: round(2_000_000 * (1 + taus * 1e-4))})

    views = {11: off(0), 12: off(0.2), 13: off(1.5), 14: off(2.5), 15: off(9)}
    truth = row(2_000_000, 5)
    mine = Truths({2: truth}, {m: {2: truth} for m in views}, tau=1e-4)
    assert mine.faults(views) == {14, 15}
    assert mine.disputed(views, mine.faults(views)) == frozenset()
    assert mine.disputed(views, frozenset({13, 15})) == frozenset()  # within a tau of the line
    assert mine.disputed(views, frozenset({14, 15, 12})) == {12}  # nobody honest is blamed
    assert mine.disputed(views, frozenset({14})) == {15}  # nor a lie spared


def test_a_decoy_is_near_and_wrong_and_secret() -> None:
    outputs = np.arange(32, dtype=np.float32).reshape(8, 4)
    leaked = decoy(outputs, 7, round_=1, node=3)
    distance = float(np.linalg.norm(leaked - outputs) / np.linalg.norm(outputs))
    assert distance == pytest.approx(DECOY_DISTANCE, rel=1e-3)
    assert (decoy(outputs, 8, round_=1, node=3) != leaked).any()
    assert (leaked.shape, leaked.dtype) == (outputs.shape, outputs.dtype)


def test_the_deterring_rate_by_hand() -> None:
    unit = Fraction(1)
    p = deterring_probability(cost=unit, reward=2 * unit, stake=50 * unit, colluding=Fraction(1, 5))
    assert p == Fraction(1, 1) / (Fraction(4, 5) * 52)  # 2.4 %
    assert audit_probability(0, deterring=p, floor=Fraction(1, 100)) == 1
    assert audit_probability(MAX_REPUTATION, deterring=p, floor=Fraction(1, 100)) == 2 * p
    assert audit_probability(MAX_REPUTATION, deterring=p, floor=Fraction(1, 10)) == Fraction(1, 10)
    with pytest.raises(ConfigError, match="cannot be enforced"):
        deterring_probability(cost=60 * unit, reward=2 * unit, stake=50 * unit, colluding=Fraction(0))
    with pytest.raises(ConfigError):
        audit_probability(-1, deterring=p, floor=Fraction(1, 10))
    with pytest.raises(ConfigError):
        audit_probability(1, deterring=p, floor=Fraction(0))


@given(
    st.integers(0, MAX_REPUTATION), st.integers(0, MAX_REPUTATION),
    st.fractions(0, Fraction(9, 10)), st.fractions(Fraction(1, 1000), 1),
)  # fmt: skip
def test_it_falls_with_reputation_and_never_below_floor_or_deterrence(
    a: int, b: int, deterring: Fraction, floor: Fraction
) -> None:
    low, high = sorted((a, b))
    lower, higher = (audit_probability(r, deterring=deterring, floor=floor) for r in (high, low))
    assert max(floor, deterring) <= lower <= higher <= 1


def test_lazy_and_copying_verifiers_lose_and_the_honest_one_does_not() -> None:
    rate = Fraction(1, 20)
    careers = simulate_careers(rounds=60, submissions=8, canary_rate=rate)
    stakes = Stakes(reward=2, cost=1, slash=50)
    honest = careers[Conduct.HONEST]
    assert (honest.paid, honest.faults) == (60, 0)
    assert honest.profit(stakes) == 1
    chance = 1 - (1 - float(rate)) ** 8
    for conduct in (Conduct.LAZY, Conduct.PEER_COPIER, Conduct.LEAK_COPIER):
        career = careers[conduct]
        assert career.profit(stakes) < 0
        assert career.rounds_to_catch < 1.5 / chance
    assert careers[Conduct.LAZY].paid == careers[Conduct.PEER_COPIER].paid == 0
    assert careers[Conduct.LEAK_COPIER].paid > 0  # what the canaries alone see


def test_without_canaries_a_leak_pays() -> None:
    careers = simulate_careers(rounds=5, submissions=2, canary_rate=Fraction(0))
    assert careers[Conduct.LEAK_COPIER].paid == 5
    assert careers[Conduct.LEAK_COPIER].rounds_to_catch == float("inf")


def test_honest_machines_are_convicted_only_beyond_the_tolerance() -> None:
    assert honest_slashes(checks=20_000, tau=1e-4, drift=1e-5) == 0
    assert honest_slashes(checks=1_000, tau=1e-4, drift=1e-3) == 1_000


def test_collusion_meets_the_exact_odds_and_a_challenger_stops_it() -> None:
    terms = {"rounds": 2_000, "size": 7, "quorum": 5, "seats": 300, "hostile": 100}
    open_ = simulate_collusion(**terms, replay=False)  # type: ignore[arg-type]
    exact = float(committee_risk(stake_bad=Fraction(1, 3), size=7, quorum=5, seats=300).capture)
    spread = (exact * (1 - exact) / 2_000) ** 0.5
    assert abs(open_.false_final / 2_000 - exact) < 4 * spread
    challenged = simulate_collusion(**terms, replay=True)  # type: ignore[arg-type]
    assert challenged.captured == open_.captured
    assert challenged.false_final < open_.false_final / 5
