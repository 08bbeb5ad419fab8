"""The parts of the verification benchmark that are formulas: odds for a round, and the other tests by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from scripts.bench.verification_peers import angles, bitwise, flips, toploc
from scripts.bench.verification_trials import whole_round


def test_odds_for_a_round_by_hand() -> None:
    suite = SimpleNamespace(segments=6, steps=60)  # 3 of 6 are drawn; 2 % of 60 steps are two
    assert whole_round(suite, "skip_last", 1.0) == pytest.approx(1 / 2)  # type: ignore[arg-type]
    assert whole_round(suite, "skip_2pct", 1.0) == pytest.approx(1 - 4 / 20)  # type: ignore[arg-type]
    assert whole_round(suite, "rate_1pct", 0.9) == pytest.approx(1 - 0.1**3)  # type: ignore[arg-type]
    assert whole_round(suite, "zero", 0.0) == 0.0  # type: ignore[arg-type]


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
