"""Norm clipping: the middle is the bound, direction and short updates are untouched."""

from __future__ import annotations

import numpy as np
import pytest

from node.aggregate import clip_to_median_norm

EQUAL = np.full(5, 0.2)


def rows(*norms: float) -> np.ndarray:
    generator = np.random.default_rng(1)
    found = generator.standard_normal((len(norms), 1_000))
    return (found / np.linalg.norm(found, axis=1, keepdims=True) * np.array(norms)[:, None]).astype(np.float32)


def test_a_long_update_counts_as_much_as_the_middle_one() -> None:
    updates = rows(1, 2, 3, 4, 400)
    clipped = clip_to_median_norm(updates, EQUAL)
    assert np.linalg.norm(clipped, axis=1) == pytest.approx([1, 2, 3, 3, 3], rel=1e-5)
    assert np.array_equal(clipped[:2], updates[:2])
    assert clipped[4] @ updates[4] == pytest.approx(3 * 400, rel=1e-5)


def test_the_middle_is_one_of_weight() -> None:
    clipped = clip_to_median_norm(rows(1, 2, 3, 4, 5), np.array([0.9, 0.02, 0.02, 0.03, 0.03]))
    assert np.linalg.norm(clipped, axis=1) == pytest.approx([1, 1, 1, 1, 1], rel=1e-5)


def test_splitting_an_identity_moves_nothing() -> None:
    whole, split = rows(1, 2, 9), np.vstack([rows(1, 2, 9), rows(1, 2, 9)[2:]])
    weights = np.array([0.4, 0.3, 0.3])
    parts = np.array([0.4, 0.3, 0.15, 0.15])
    assert np.array_equal(clip_to_median_norm(whole, weights), clip_to_median_norm(split, parts)[:3])


def test_updates_of_nothing_stay_nothing() -> None:
    zero = np.zeros((3, 4), dtype=np.float32)
    assert np.array_equal(clip_to_median_norm(zero, np.full(3, 1 / 3)), zero)
