"""Innovation and member pay: what copying, exaggeration, whispering and coalitions earn."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.consensus import Memory, innovation, log2_q16, member_pay
from node.consensus.innovation import FULL, mismatch
from scripts.bench.consensus_game import Copiers, copying

SEED = bytes(range(32))
PUBLIC = np.array([500, 400, 300, 200, 100, 600])
NEWS = np.array([40, -80, 10, 90, -60, 20])


def scores(*news: Any, seed: bytes = SEED, stakes: Any = None, **rest: Any) -> list[int]:
    reports = PUBLIC + np.array(news, dtype=np.int64)
    held = np.ones(len(news), dtype=np.int64) if stakes is None else np.array(stakes)
    return innovation(reports, PUBLIC, held, seed=seed, **rest)[0].tolist()


NOTHING = np.zeros(6, dtype=np.int64)


def test_news_that_all_confirm_scores_in_full_and_a_copy_nothing() -> None:
    assert scores(NEWS, NEWS, NEWS) == [FULL] * 3
    assert scores(NEWS, NEWS, NEWS, NEWS, NOTHING) == [FULL] * 4 + [0]
    assert scores(NEWS, NEWS, NOTHING) == [FULL // 2, FULL // 2, 0]  # one of two others confirms it


def test_by_hand() -> None:
    """Two tasks matched with one another: d = r_1 - r_2 and its negative."""
    found, memory = innovation(np.array([[30, 10], [24, 14]]), np.array([10, 10]), np.array([1, 1]), seed=SEED)
    # d = 20 and 10: energies 400 and 100, agreement 200; the usual energy is their mean, 250
    assert memory.agreement.tolist() == [[400, 200], [200, 100]]
    assert found.tolist() == [FULL * 200 // 400, FULL * 200 // 250]


def test_contradiction_scores_below_zero() -> None:
    assert scores(NEWS, NEWS, NEWS, -NEWS)[3] == -FULL


def test_what_is_said_of_all_tasks_alike_counts_for_nothing() -> None:
    assert scores(NEWS, NEWS + 77, NEWS) == [FULL] * 3
    assert scores(NEWS, NEWS, NOTHING + 50)[2] == 0


@pytest.mark.parametrize("factor", [2, 5])
def test_exaggeration_and_whispering_lose(factor: int) -> None:
    loud = scores(NEWS, NEWS, NEWS, NEWS * factor)
    assert loud[3] == pytest.approx(FULL / factor, abs=2)
    quiet = scores(NEWS * factor, NEWS * factor, NEWS * factor, NEWS)
    assert quiet[3] == pytest.approx(FULL / factor, abs=2)


def test_rounding_of_the_machine_is_no_news() -> None:
    tiny = np.array([1, -1, 0, 1, 0, -1])
    assert max(scores(tiny, tiny, tiny, floor=4096)) < FULL // 1000


def test_a_coalition_below_half_of_the_others_cannot_vouch_for_itself() -> None:
    invented = np.array([-90, 10, 70, -20, 60, -50])
    honest_first = scores(NEWS, NEWS, NEWS, invented, invented)
    confirmed = np.dot(NEWS - NEWS[mismatch(SEED, 6)], invented - invented[mismatch(SEED, 6)])
    energy = np.sum((invented - invented[mismatch(SEED, 6)]) ** 2)
    assert honest_first[3] <= FULL * max(confirmed, 0) // energy + 1
    assert scores(NEWS, NEWS, invented, stakes=[3, 3, 1])[2] <= FULL // 2


def test_a_task_that_a_member_left_out_costs_it_nothing() -> None:
    mask = np.ones((3, 6), dtype=bool)
    mask[0, 2] = False
    assert scores(NEWS, NEWS, NEWS, given=mask) == [FULL] * 3
    mask[0] = False
    assert scores(NEWS, NEWS, NEWS, given=mask) == [0, FULL, FULL]


def test_too_little_to_compare_scores_nothing() -> None:
    assert scores(NEWS) == [0]
    one = np.array([[7], [7]])
    assert innovation(one, np.array([1]), np.array([1, 1]), seed=SEED)[0].tolist() == [0, 0]


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.integers(2, 40))
def test_no_task_is_matched_with_itself(seed: bytes, tasks: int) -> None:
    partner = mismatch(seed, tasks)
    assert sorted(partner.tolist()) == list(range(tasks))
    assert (partner != np.arange(tasks)).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(-5000, 5000), min_size=5, max_size=5), min_size=2, max_size=6),
    st.binary(min_size=32, max_size=32),
)
def test_a_copier_scores_exactly_zero_whatever_the_others_say(rows: list[list[int]], seed: bytes) -> None:
    public = np.array([9, -4, 30, 8, 0])
    reports = np.array([*rows, public.tolist()])
    found, _ = innovation(reports, public, np.ones(len(reports), np.int64), seed=seed)
    assert found[-1] == 0
    assert (np.abs(found) <= FULL).all()


def test_memory_is_carried_over_for_members_that_are_not_drawn() -> None:
    mask = np.ones((3, 6), dtype=bool)
    reports = PUBLIC + np.array([NEWS, NEWS, NEWS])
    _, first = innovation(reports, PUBLIC, np.ones(3, np.int64), seed=SEED, memory=Memory.empty(3))
    mask[2] = False
    _, second = innovation(reports * 2, PUBLIC, np.ones(3, np.int64), seed=SEED, given=mask, memory=first)
    assert second.agreement[2].tolist() == first.agreement[2].tolist()
    assert second.agreement[0, 1] > first.agreement[0, 1]
    assert second.met.all()


def test_golden_digest() -> None:
    """The same bytes on every machine."""
    rng = np.random.default_rng(1)
    reports, public = rng.integers(1, 2**20, (9, 50)), rng.integers(1, 2**20, 50)
    found, memory = innovation(log2_q16(reports), log2_q16(public), rng.integers(1, 9, 9), seed=SEED)
    data = found.astype("<i8").tobytes() + memory.agreement.astype("<i8").tobytes()
    assert hashlib.sha256(data).hexdigest() == "f60b8fe8258c6a0f7525bf3a0a7e8907d6532c7024fd41ad748315b8d930ca45"


@pytest.mark.parametrize(
    "changes", [{"public": np.zeros(5, np.int64)}, {"stakes": np.ones(2, np.int64)}, {"clip": 2**25}]
)
def test_bad_input(changes: dict[str, Any]) -> None:
    given = {"public": np.zeros(6, np.int64), "stakes": np.ones(3, np.int64), "seed": SEED} | changes
    public, stakes = given.pop("public"), given.pop("stakes")
    with pytest.raises(ValueError, match=r"fit|clip"):
        innovation(np.zeros((3, 6), np.int64), public, stakes, **given)


def test_ten_thousand_tasks_of_lanes_are_within_reach() -> None:
    news = np.random.default_rng(0).integers(-8_192, 8_193, 10_000)
    found, _ = innovation(
        np.stack([news, news]), np.zeros(10_000, np.int64), np.ones(2, np.int64), seed=SEED, clip=8_192
    )
    assert found.tolist() == [FULL, FULL]


# -- logarithm -------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 2**31 - 1))
def test_the_logarithm_is_the_true_one_rounded_down(value: int) -> None:
    got = int(log2_q16(np.array([value]))[0])
    assert got / 65_536 == pytest.approx(np.log2(value), abs=2 / 65_536)


def test_the_logarithm_is_exact_on_powers_and_defined_at_zero() -> None:
    powers = 2 ** np.arange(31)
    assert log2_q16(powers).tolist() == [65_536 * k for k in range(31)]
    assert log2_q16(np.array([0])).tolist() == [-65_536]
    with pytest.raises(ValueError, match="2\\^31"):
        log2_q16(np.array([-1]))


# -- pay -------------------------------------------------------------------------------------------------


def test_pay_by_hand() -> None:
    pay = member_pay(2_000, [1, 1, 2], [FULL, 0, FULL // 2], [1, 3, 0])
    assert pay.innovation == (950, 0, 950)
    assert pay.bonds == (25, 75, 0)
    assert pay.total == (975, 75, 950)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 10**24),
    st.lists(st.tuples(st.integers(0, 99), st.integers(-FULL, FULL), st.integers(0, 10**30)), min_size=1, max_size=9),
)
def test_bonds_are_at_most_a_twentieth_of_what_is_paid(pool: int, members: list[tuple[int, int, int]]) -> None:
    stakes, found, dividends = zip(*members, strict=True)
    pay = member_pay(pool, stakes, found, dividends)
    assert sum(pay.total) <= pool
    assert 20 * sum(pay.bonds) <= sum(pay.total) + 20 * len(members)
    assert all(part >= 0 for part in pay.total)
    if all(score <= 0 for score in found):
        assert sum(pay.total) == 0


@pytest.mark.parametrize(
    ("pool", "stakes", "dividends"), [(-1, [1], [1]), (1, [-1], [1]), (1, [1], [-1]), (1, [1], [])]
)
def test_bad_pay(pool: int, stakes: list[int], dividends: list[int]) -> None:
    with pytest.raises(ValueError, match=r"negative|members"):
        member_pay(pool, stakes, [FULL], dividends)


# -- the market ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [Copiers("copy", 1), Copiers("two copies", 2), Copiers("copies with shared noise", 2, 0.1)]
)
@pytest.mark.parametrize(("drift", "limit"), [(0.02, 0.05), (0.002, 0.3)])
def test_copying_the_last_consensus_does_not_pay(kind: Copiers, drift: float, limit: float) -> None:
    """Consensus public at once, the best case for the copier; Yuma's own dividends would pay it in full."""
    earned = copying(kind, drift=drift, epochs=60)
    assert earned.innovation <= limit
    assert earned.bond_share <= 0.05
    assert earned.yuma > 0.95 or kind.noise
