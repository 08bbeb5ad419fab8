"""Canaries: origins bind, faults are proved, honest members are never hit, and nothing of a canary is scored."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.audit_rate import MAX_REPUTATION, audit_probability, deterring_probability
from node.canary import Origin, canary_faults, opened_canaries, plants, without_canaries
from node.committee import committee_risk
from node.consensus import Evidence, agree
from node.deterrence import Conduct, Stakes, honest_slashes, simulate_careers, simulate_collusion
from node.errors import ConfigError
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
