"""Weights for who takes part seldom or late, and who is there when."""

import numpy as np
import pytest

from node.weight.participation import FedAU, anarchic_step, fedfix


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


def test_anarchic_steps_count_by_rate() -> None:
    arrived = np.array([[4.0, 0], [0, 1]], np.float32)
    assert anarchic_step(arrived, np.array([1, 1])).tolist() == [2, 0.5]
    assert anarchic_step(arrived, np.array([4, 2])) == pytest.approx([1.5, 0.75])
    for steps in (np.array([1]), np.array([0, 1])):
        with pytest.raises(ValueError, match="at least one step"):
            anarchic_step(arrived, steps)
