"""Weights for who takes part seldom or late, and who is there when."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import ConfigError, UnknownName
from node.topology.schedule import schedule_of
from node.weight.participation import CAP, PARTICIPATIONS, Arrival, FedAU, anarchic_scales, fedfix


def test_fedau_is_unbiased_on_two_clients_without_a_cap() -> None:
    """Optima 0 and 1, there with probability 0.9 and 0.1: a mean of who came ends near 0.1, FedAU near 1/2."""
    rng = np.random.default_rng(0)
    weigh, model, plain, tail = FedAU(cap=np.inf), 0.5, 0.5, []
    for round_ in range(4_000):
        present = {node for node, chance in enumerate((0.9, 0.1)) if rng.random() < chance}
        factors = weigh.factors([0, 1])
        model += 0.02 / 2 * sum(factors[node] * (node - model) for node in present)
        plain += 0.02 / 2 * sum(node - plain for node in present)
        weigh.record(present, {0, 1})
        tail += [(model, plain)] if round_ > 1_000 else []
    assert np.mean(tail, axis=0) == pytest.approx([0.5, 0.1], abs=0.06)


def test_fedau_counts_gaps_cuts_them_and_caps() -> None:
    weigh = FedAU(cap=4, cut=10)
    assert weigh.factors([7]).tolist() == [1]
    for present in ((), (), (7,)):
        weigh.record(set(present), {7, 8})
    assert weigh.factors([7]).tolist() == [3]
    for _ in range(7):
        weigh.record(set(), {7, 8})
    assert weigh.factors([8]).tolist() == [4]  # a gap of 10, capped
    assert FedAU(cap=100, cut=10).factors([8]).tolist() == [1]


def test_a_resting_sybil_gains_no_more_than_the_cap() -> None:
    weigh = FedAU()
    for round_ in range(200):
        weigh.record({0} | ({1} if round_ % 50 == 49 else set()), {0, 1})
    assert weigh.factors([0, 1]).tolist() == [1, 4]


def test_fedfix_by_hand() -> None:
    assert fedfix(np.array([1.0, 0.2]), 0.5).tolist() == [2, 1]
    assert fedfix(np.array([50.0]), 0.5).tolist() == [4]
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="positive"):
            fedfix(np.array([1.0]), wrong)


def test_anarchic_work_counts_by_its_rate() -> None:
    arrived = np.array([[4.0, 0], [0, 1]], np.float32)
    assert anarchic_scales(np.array([1, 1])).tolist() == [1, 1]
    scales = anarchic_scales(np.array([4, 2]))
    assert scales == pytest.approx([3 / 4, 3 / 2])
    assert (arrived * scales[:, None]).mean(axis=0) == pytest.approx([1.5, 0.75])
    for wrong in ([], [0, 1]):
        with pytest.raises(ValueError, match="at least one epoch"):
            anarchic_scales(np.array(wrong, np.int64))


ARRIVALS = [Arrival(3, age=0, epochs=1), Arrival(5, age=2, epochs=3), Arrival(9, age=40, epochs=2)]


def test_every_participation_by_hand() -> None:
    """After two rounds of three that node 5 missed, FedAU counts it three times."""
    wanted = {
        "uniform": ([1, 1, 1], [1, 1, 1], False),
        "fedau": ([1, 3, 1], [1, 1, 1], False),
        "fedfix": ([1, 3, 4], [1, 1, 1], True),
        "anarchic": ([1, 1, 1], [2, 2 / 3, 1], True),
    }
    assert PARTICIPATIONS.names() == sorted(wanted)
    for name, (factors, scales, late) in wanted.items():
        rule = PARTICIPATIONS.get(name)()
        for present in ({3, 9}, {3, 9}, {3, 5, 9}):
            rule.record(present, {3, 5, 9})
        assert rule.factors(ARRIVALS) == pytest.approx(factors)
        assert rule.scales(ARRIVALS) == pytest.approx(scales)
        assert rule.late == late
    with pytest.raises(UnknownName, match="did you mean 'fedfix'"):
        PARTICIPATIONS.get("fedfx")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(1, 99)), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_no_factor_is_above_the_cap(rows: list[tuple[int, int, int]]) -> None:
    arrivals = [Arrival(*row) for row in rows]
    for name in PARTICIPATIONS.names():
        rule = PARTICIPATIONS.get(name)()
        for round_ in range(60):
            rule.record({0} if round_ % 7 else {1}, set(range(10)))
        factors = rule.factors(arrivals)
        assert ((factors >= 1) & (factors <= CAP)).all()


# -- schedules ---------------------------------------------------------------------------------------------------------


def there(spec: str, nodes: int, round_: int) -> list[int]:
    schedule = schedule_of(spec, nodes, seed=3)
    return [node for node in range(nodes) if schedule(node, round_).there]


def test_schedules_by_hand() -> None:
    assert there("always", 4, 1) == [0, 1, 2, 3]
    assert there("cycle:3", 7, 4) == [1, 4]
    assert len(there("kill:5:0.8", 30, 5)) == 6
    assert there("kill:5", 30, 4) == list(range(30))
    assert there("kill:5", 30, 9) == there("kill:5", 30, 5)
    lags = [schedule_of("slow:0.5", 10, seed=1)(node, 1).delay for node in range(10)]
    assert sum(lag > 0 for lag in lags) == 5
    assert max(lags) <= 3
    epochs = {schedule_of("uneven:3", 5, seed=1)(node, round_).epochs for node in range(5) for round_ in range(20)}
    assert epochs == {1, 2, 3}
    counts = [len(there("random:0.5", 200, round_)) for round_ in range(1, 21)]
    assert np.mean(counts) == pytest.approx(100, abs=8)
    both = schedule_of("cycle:2+slow:1+uneven:2", 4, seed=0)(1, 2)
    assert (both.there, both.delay > 0, both.epochs in (1, 2)) == (False, True, True)


@pytest.mark.parametrize(
    "spec", ["always:1", "random:0", "random:x", "random:2", "cycle:0", "slow:-1", "uneven:x", "kill", "kill:1:2"]
)
def test_a_schedule_that_makes_no_sense_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="schedule"):
        schedule_of(spec, 5, seed=0)


def test_schedule_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'always'"):
        schedule_of("alwys", 5, seed=0)
