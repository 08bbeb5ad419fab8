"""The parts of the verification benchmark that are formulas: odds for a round, and the other tests by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from node.calibrate import Level, Shard, segments_of
from node.data import Dataset
from node.model import initial_parameters
from node.train import Recipe
from scripts.bench.verification_peers import angles, bitwise, flips, toploc
from scripts.bench.verification_trials import hugging, whole_round


def test_odds_for_a_round_by_hand() -> None:
    suite = SimpleNamespace(segments=6, steps=60)  # 3 of 6 are drawn; 2 % of 60 steps are two
    assert whole_round(suite, "skip_last", 1.0) == pytest.approx(1 / 2)  # type: ignore[arg-type]
    assert whole_round(suite, "skip_2pct", 1.0) == pytest.approx(1 - 4 / 20)  # type: ignore[arg-type]
    assert whole_round(suite, "rate_1pct", 0.9) == pytest.approx(1 - 0.1**3)  # type: ignore[arg-type]
    assert whole_round(suite, "zero", 0.0) == 0.0  # type: ignore[arg-type]


def test_drift_kept_under_tau_adds_up_to_no_more_than_its_bound() -> None:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))

    x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    data = Dataset(x, (x[:, 0] > 0).astype(np.int64), 2)
    recipe = Recipe("sgd", 0.05, epochs=3, batch=8)
    run = segments_of(network(), initial_parameters(network, 1), Shard(data, data, x[:8], 1), recipe, segment=4)
    level = Level("segment", "0.0001", "0.001", 1, 0, 1, 0)
    suite = SimpleNamespace(runs=[run], calibration=SimpleNamespace(levels=[level]))
    found = hugging(suite)  # type: ignore[arg-type]
    # Six segments in about one direction; training damps or spreads the error a little.
    assert 0.5 * found["bound"] < found["measured"] < 1.5 * found["bound"] < 0.003


def test_other_tests_by_hand() -> None:
    u = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(2000).astype(np.float32)
    top = np.argsort(-np.abs(u))[:128]
    negated = -u
    negated[top] = u[top]
    pairs = [(u, u), (u, 2 * u), (u, noise), (u, negated), (u, u * np.float32(1 + 1e-6))]
    assert bitwise(pairs) == [True, False, False, False, False]
    assert angles(pairs)[:2] == pytest.approx([0, 0], abs=1e-12)
    assert angles(pairs)[2] == pytest.approx(1, abs=0.1)
    assert angles([(np.array([1, 0], np.float32), np.array([1, 1], np.float32))])[0] == pytest.approx(1 - 0.5**0.5)
    # SimHash is blind to scale, TOPLOC to everything but the largest coordinates.
    turned = flips(pairs, b"seed")
    assert turned[:2] == [0, 0]
    assert 90 < turned[2] < 166
    assert toploc(pairs) == [True, False, False, True, True]
