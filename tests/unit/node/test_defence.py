"""The one composition from accepted updates to a step, and what Sybils gain against it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.admission import direction_limit, later_duplicates, pointing_away
from node.aggregate import AGGREGATORS, clip_to_median_norm
from node.defence import robust_step
from node.matrix.sybil import edge_run, split_sweep
from node.weight import WEIGHTINGS

MEAN, TRIMMED = AGGREGATORS.get("mean"), AGGREGATORS.get("trimmed_mean")


def test_the_order_is_clip_then_clusters_then_rule() -> None:
    """Lengths 1, 2, 2, 9 are clipped to the median 2; the two equal rows share one vote of three."""
    rows = np.array([[1, 0], [0, 2], [0, 2], [-9, 0]], dtype=np.float32)
    step = robust_step(rows, np.full(4, 0.25), weighting=WEIGHTINGS.get("clusters"), rule=MEAN, f=0.0)
    assert step == pytest.approx([(1 - 2) / 3, 2 / 3])
    plain = robust_step(rows, np.full(4, 0.25), weighting=WEIGHTINGS.get("stake"), rule=MEAN, f=0.0)
    assert plain == pytest.approx([(1 - 2) / 4, 1])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), copies=st.integers(1, 30))
def test_equal_identities_of_one_stake_move_the_step_no_further_than_one(seed: int, copies: int) -> None:
    rng = np.random.default_rng(seed)
    honest, own = rng.standard_normal((7, 12)), 5 * rng.standard_normal((1, 12))

    def moved(count: int) -> float:
        rows = np.vstack([honest, np.repeat(own, count, 0)]).astype(np.float32)
        weights = np.array([0.125] * 7 + [0.125 / count] * count)
        step = robust_step(rows, weights, weighting=WEIGHTINGS.get("clusters"), rule=MEAN, f=0.0)
        alone = clip_to_median_norm(rows, weights)[:7].mean(axis=0, dtype=np.float64)
        return float(np.linalg.norm(step - alone))

    assert moved(copies) <= 1.02 * moved(1) + 1e-6


def test_admission_by_hand() -> None:
    rows = np.array([[1, 0], [1.001, 0], [1, 0.5], [-1, 0.01]], dtype=np.float32)
    assert later_duplicates(list(rows), tau=0.01).tolist() == [False, True, False, False]
    # Median -0.05, deviations 0.55, 0.05, 0.05, 0.15, 0.05, 0.35, of which the median is 0.1: limit -0.05 - 0.29652.
    cosines, equal = np.array([0.5, 0.0, -0.1, 0.1, -0.1, -0.4]), np.full(6, 1 / 6)
    assert direction_limit(cosines, equal, margin=1.0) == pytest.approx(-0.34652)
    assert direction_limit(cosines, equal, margin=0.2) == -0.2
    assert direction_limit(np.array([0.9, 0.8, 0.85, -0.1]), np.full(4, 0.25), margin=1.0) == 0.0
    assert pointing_away(cosines, equal, margin=1.0).tolist() == [False, False, False, False, False, True]
    gains = np.array([-1.0, -1.0, 0.1, -1.0, np.nan, 1.0])
    assert pointing_away(cosines, equal, gains, margin=1.0).tolist() == [False, False, False, False, True, True]


@given(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=20), st.integers(0, 2**31))
def test_a_minority_cannot_let_itself_in(honest: list[float], seed: int) -> None:
    """Rows of less than half of the weight move the limit no further below than the honest cosines are wide."""
    generator = np.random.default_rng(seed)
    hostile = generator.uniform(-1, 1, size=max(1, len(honest) // 2))
    cosines = np.concatenate([np.array(honest), hostile])
    weights = np.array([1.0] * len(honest) + [0.9 * len(honest) / len(hostile)] * len(hostile))
    low, high = min(honest), max(honest)
    limit = direction_limit(cosines, weights / weights.sum(), margin=10.0)
    assert limit >= min(0.0, low - 2 * 1.4826 * (high - low)) - 1e-6


@pytest.mark.parametrize("disguise", ["equal", "noise 1"])
def test_a_split_stake_gets_no_more_than_the_whole(disguise: str) -> None:
    whole, split = split_sweep(disguise, seed=1, counts=(1, 8))
    assert (whole.count, split.count) == (1, 8)
    assert whole.weight == pytest.approx(0.1)
    assert whole.reward > 0
    for key in ("weight", "movement"):
        assert getattr(split, key) <= 1.02 * getattr(whole, key)


def test_attack_edges_reach_the_undefended_and_not_the_default() -> None:
    kept = {mixing: edge_run(mixing, 2.0, seed=1, rounds=5, nodes=24) for mixing in ("mean", "default")}
    assert kept["mean"].success > 0.5
    assert kept["default"].success < 0.25
