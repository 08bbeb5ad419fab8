"""Yuma's epoch in integers: brute force, the float reference, and what no stake arrangement may change."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.consensus import Carry, Epoch, Reports, Rules, quantile, yuma_epoch
from node.consensus.yuma import MAX_TOTAL_STAKE, ONE, UNIT, supported, top_stakes
from scripts.bench.consensus_game import utility_to_hold
from tests.support.yuma import float_epoch

ROUND = 10


def reports(stakes: Any, weights: Any, **changes: Any) -> Reports:
    """Rows committed to in ROUND by members and nodes that were always there."""
    weights = np.array(weights, dtype=np.int64)
    n, m = weights.shape
    given = {"committed": [ROUND] * n, "registered": [-1] * m, "joined": [-1] * n, "own": [-1] * n} | changes
    return Reports(
        np.array(stakes, dtype=np.int64), weights, **{name: np.array(value, np.int64) for name, value in given.items()}
    )


def run(found: Reports, rules: Rules | None = None, carry: Carry | None = None, round_: int = ROUND) -> Epoch:
    rules = rules or Rules()
    return yuma_epoch(found, carry or Carry.genesis(found, rules), rules, round_=round_)


# -- quantile --------------------------------------------------------------------------------------------


def test_the_quantile_is_the_brute_force_argmax_on_ten_thousand_cases() -> None:
    """Every kappa, many ties, stakes of 0; no shortcut is taken: each candidate's support is counted."""
    rng = np.random.default_rng(7)
    for _ in range(100):
        n, spread = int(rng.integers(1, 9)), int(rng.integers(1, 12))
        values, stakes = rng.integers(0, spread, (n, 100)), rng.integers(0, 4, n)
        kappa = int(rng.choice([1, UNIT // 4, UNIT // 3, UNIT // 2, UNIT // 2 + 1, 40_000, UNIT]))
        got = quantile(values, stakes, kappa=kappa)
        total = int(stakes.sum())
        for column in range(100):
            candidates = [
                w
                for w in range(spread)
                if sum(int(s) for s, v in zip(stakes, values[:, column], strict=True) if v >= w) * UNIT >= kappa * total
            ]
            held = set(values[stakes > 0, column].tolist())
            assert got[column] == (max(w for w in candidates if w in held) if total else 0)


def test_a_tie_at_half_the_stake_takes_the_larger_value_and_the_lower_median_the_smaller() -> None:
    values, stakes = np.array([[3], [5]]), np.array([2, 2])
    assert quantile(values, stakes, kappa=UNIT // 2).tolist() == [5]
    assert supported(values, stakes, need=3).tolist() == [3]


# -- one epoch -------------------------------------------------------------------------------------------


def test_an_epoch_by_hand() -> None:
    """Two honest members of stake 2 weigh (1/4, 3/4), one of stake 1 weighs (1, 0): its excess is cut to 1/4."""
    found = run(reports([2, 2, 1], [[1, 3], [1, 3], [1, 0]]), Rules(rate=UNIT))
    assert found.consensus.tolist() == [ONE // 4, 3 * ONE // 4]
    assert found.trust.tolist() == [ONE, ONE, ONE // 4]
    assert found.ranks.tolist() == [5 * ONE // 4, 4 * 3 * ONE // 4]
    # Incentive 5/17 and 12/17; the outsider bonds with the first only, a fifth of it.
    shares = [value / sum(found.dividends) for value in found.dividends]
    assert shares == pytest.approx([8 / 17, 8 / 17, 1 / 17], abs=1e-12)
    assert found.carry.bonds.tolist() == [[ONE // 4, 3 * ONE // 4]] * 2 + [[ONE // 4, 0]]


@pytest.mark.parametrize(("penalty", "expected"), [(0, ONE), (UNIT // 2, 5 * ONE // 8), (UNIT, ONE // 4)])
def test_the_penalty_cuts_bonds_above_consensus(penalty: int, expected: int) -> None:
    found = run(reports([2, 2, 1], [[1, 3], [1, 3], [1, 0]]), Rules(rate=UNIT, penalty=penalty))
    assert found.carry.bonds[2, 0] == expected


@pytest.mark.parametrize("beta", [0, 0.5, 1])
def test_epochs_follow_the_float_reference(beta: float) -> None:
    rng = np.random.default_rng(3)
    n, m = 17, 40
    stakes = 2 * rng.integers(1, 1000, n) + 1
    stakes[0] += stakes.sum() % 2 == 0  # an odd total: no tie that floats would break by rounding
    rules, bonds, carry = Rules(penalty=round(beta * UNIT), rate=UNIT // 8), np.zeros((n, m)), None
    for epoch in range(4):
        weights = rng.integers(0, 65_536, (n, m))
        got = run(reports(stakes, weights, committed=[epoch] * n), rules, carry, epoch)
        expected = float_epoch(stakes.astype(float), weights.astype(float), bonds, rate=1 / 8, beta=beta)
        carry, bonds = got.carry, expected.bonds
        np.testing.assert_allclose(got.consensus / ONE, expected.consensus, atol=1e-9)
        np.testing.assert_allclose(got.ranks / got.ranks.sum(), expected.incentive, atol=1e-8)
        dividends = np.array([value / sum(got.dividends) for value in got.dividends])
        np.testing.assert_allclose(dividends, expected.dividends, atol=1e-8)
        np.testing.assert_allclose(carry.bonds / ONE, bonds, atol=1e-8)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.lists(st.integers(0, 20), min_size=3, max_size=3)), min_size=1, max_size=7
    ),
    st.integers(0, 6),
    st.integers(0, 50),
    st.integers(1, UNIT),
)
def test_splitting_a_stake_changes_nothing(rows: list[Any], which: int, part: int, kappa: int) -> None:
    """Two identities that report alike are one: consensus, ranks and everyone's dividends to the last bit, twice."""
    which %= len(rows)
    stake, row = rows[which]
    part = min(part, stake)
    split = [*rows[:which], (part, row), (stake - part, row), *rows[which + 1 :]]
    rules = Rules(kappa=kappa)
    whole_carry = split_carry = None
    for epoch in (0, 1):
        committed = {"committed": [epoch] * len(rows)}
        one = run(reports([s for s, _ in rows], [r for _, r in rows], **committed), rules, whole_carry, epoch)
        committed = {"committed": [epoch] * len(split)}
        two = run(reports([s for s, _ in split], [r for _, r in split], **committed), rules, split_carry, epoch)
        whole_carry, split_carry = one.carry, two.carry
        assert one.consensus.tolist() == two.consensus.tolist()
        assert one.ranks.tolist() == two.ranks.tolist()
        merged = [*two.dividends[:which], sum(two.dividends[which : which + 2]), *two.dividends[which + 2 :]]
        assert list(one.dividends) == merged


def test_early_discovery_is_paid() -> None:
    """Of two members that end with one opinion, the one that bonded to the good node first earns more of it."""
    rules, carry = Rules(), None
    for epoch in range(8):
        late = [1, 9] if epoch >= 5 else [9, 1]
        rows = [[1, 9], late, [1, 9] if epoch >= 3 else [9, 1]]
        found = run(reports([1, 1, 2], rows, committed=[epoch] * 3), rules, carry, epoch)
        carry = found.carry
    assert found.dividends[0] > 1.2 * found.dividends[1]


# -- who counts ------------------------------------------------------------------------------------------


def test_permits_go_to_the_largest_stakes_from_the_next_epoch_on() -> None:
    assert top_stakes(np.array([5, 0, 7, 5, 0]), 2).tolist() == [True, False, True, False, False]
    assert top_stakes(np.array([5, 0]), 9).tolist() == [True, False]
    rules = Rules(permits=1)
    first = reports([5, 4], [[1, 0], [0, 1]])
    poor_then_rich = reports([5, 9], [[1, 0], [0, 1]], committed=[11, 11])
    found = run(poor_then_rich, rules, run(first, rules).carry, 11)
    assert found.ranks[1] == 0  # the permit of the round before still holds
    again = run(reports([5, 9], [[1, 0], [0, 1]], committed=[12, 12]), rules, found.carry, 12)
    assert again.ranks[0] == 0


@pytest.mark.parametrize("committed", [-1, ROUND - 6])
def test_a_row_that_is_missing_or_old_does_not_count(committed: int) -> None:
    found = run(reports([5, 5], [[1, 0], [0, 1]], committed=[ROUND, committed]))
    assert (found.ranks[1], found.dividends[1]) == (0, 0)


def test_a_weight_on_oneself_is_void_and_the_row_is_normalised_without_it() -> None:
    found = run(reports([1, 1], [[9, 1, 1], [0, 1, 1]], own=[0, -1]))
    assert found.ranks.tolist() == [0, ONE, ONE]


def test_a_weight_from_before_an_id_changed_hands_is_void() -> None:
    changes = {"registered": [-1, 4], "committed": [4, 5]}
    found = run(reports([1, 1], [[1, 1], [1, 1]], **changes), Rules(cutoff=9))
    assert found.ranks.tolist() == [ONE + ONE // 2, ONE // 2]
    # and the bonds with it start afresh, as do those of a member that is new to its row
    carry = Carry(np.full((2, 2), ONE // 2), np.array([True, True]), 9)
    fresh = run(reports([1, 1], [[1, 1], [1, 1]], registered=[-1, 9 + 1], committed=[11, 11]), Rules(), carry, 11)
    assert fresh.carry.bonds[0, 1] < ONE // 10
    joined = run(reports([1, 1], [[1, 1], [1, 1]], joined=[-1, 10], committed=[11, 11]), Rules(), carry, 11)
    assert joined.carry.bonds[1].max() < ONE // 10 < joined.carry.bonds[0].min()


def test_bonds_of_a_member_that_takes_no_part_are_carried_over_and_pay_nothing() -> None:
    rules = Rules(cutoff=0)
    first = run(reports([1, 1], [[1, 3], [3, 1]]), rules)
    second = run(reports([1, 1], [[1, 3], [3, 1]], committed=[ROUND, ROUND + 1]), rules, first.carry, ROUND + 1)
    assert second.carry.bonds[0].tolist() == first.carry.bonds[0].tolist()
    assert second.carry.bonds[1].tolist() != first.carry.bonds[1].tolist()
    assert second.dividends[0] == 0 < second.dividends[1]


def test_without_any_weight_dividends_go_by_stake() -> None:
    found = run(reports([3, 1], [[0, 0], [0, 0]]))
    assert found.dividends == (3, 1)
    assert found.ranks.tolist() == [0, 0]


def test_the_largest_stakes_and_weights_stay_within_64_bits() -> None:
    rng = np.random.default_rng(0)
    half = MAX_TOTAL_STAKE // 2
    weights = rng.integers(0, 65_536, (3, 50))
    weights[0] = [65_535, *[0] * 49]
    big = run(reports([half, half - 1, 1], weights), Rules(rate=UNIT))
    exact = [[int(w) * ONE // sum(row) for w in row] for row in weights.tolist()]
    clipped = [[min(w, int(c)) for w, c in zip(row, big.consensus, strict=True)] for row in exact]
    stakes = (half, half - 1, 1)
    expected = [sum(s * row[j] for s, row in zip(stakes, clipped, strict=True)) for j in range(50)]
    assert big.ranks.tolist() == expected
    assert all(value >= 0 for value in big.dividends)


@pytest.mark.parametrize(
    ("stakes", "weights", "changes", "message"),
    [
        ([1, 1], [[1, 1]], {}, "shape"),
        ([MAX_TOTAL_STAKE + 1], [[1]], {}, "stakes"),
        ([-1], [[1]], {}, "stakes"),
        ([1], [[65_536]], {}, "weights"),
        ([1], [[-1]], {}, "weights"),
        ([1], [[1]], {"own": [0, 0]}, "own"),
    ],
)
def test_bad_reports(stakes: Any, weights: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reports(stakes, weights, **changes)


@pytest.mark.parametrize("values", [{"kappa": 0}, {"kappa": UNIT + 1}, {"rate": -1}, {"permits": 0}])
def test_bad_rules(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Rules(**values)


def test_an_epoch_needs_a_carry_that_fits_and_lies_behind() -> None:
    found = reports([1], [[1, 1]])
    with pytest.raises(ValueError, match="fit"):
        run(found, carry=Carry(np.zeros((2, 2), np.int64), np.array([True]), 0))
    with pytest.raises(ValueError, match="after"):
        run(found, carry=run(found).carry)


# -- the guarantee ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("noise", "percent"), [(0.0, 60), (0.2, 67), (0.4, 73)])
def test_honest_utility_needed_to_hold_sixty_percent_of_stake(noise: float, percent: int) -> None:
    """subtensor docs/consensus.md, kappa = 1/2 and full penalty; coarser than the benchmark."""
    assert 100 * utility_to_hold(noise, samples=1, step=0.05) == pytest.approx(percent, abs=2)
