"""Utilities against hand-made coalitions."""

import numpy as np
import pytest
from torch import nn

from node.data import Dataset
from node.model import Evaluator, flatten, initial_parameters, layout_of, unflatten
from node.utility import UTILITIES


def linear() -> nn.Module:
    return nn.Linear(3, 2)


@pytest.fixture
def setting() -> tuple[Evaluator, dict[str, np.ndarray], np.ndarray, np.ndarray, Dataset]:
    rng = np.random.default_rng(0)
    data = Dataset(rng.standard_normal((40, 3)).astype(np.float32), rng.integers(0, 2, 40), 2)
    updates = rng.standard_normal((4, 8)).astype(np.float32)
    return Evaluator(linear()), initial_parameters(linear, 0), updates, np.array([1.0, 2.0, 3.0, 2.0]), data


def test_names() -> None:
    assert UTILITIES.names() == ["first_order", "loo"]


def test_loo_is_leave_one_out_with_the_full_denominator(setting) -> None:  # type: ignore[no-untyped-def]
    evaluator, base, updates, weights, data = setting
    layout = layout_of(base)

    def loss(members: list[int]) -> float:
        vector = flatten(base).astype(np.float64)
        for i in members:
            vector = vector + weights[i] / 8 * updates[i]
        return evaluator.loss(unflatten(vector.astype(np.float32), layout), data)

    got = UTILITIES.get("loo")(evaluator, base, updates, weights, data)
    expected = [loss([j for j in range(4) if j != i]) - loss([0, 1, 2, 3]) for i in range(4)]
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.std() > 1e-3


def test_first_order_is_the_slope_of_loo(setting) -> None:  # type: ignore[no-untyped-def]
    evaluator, base, updates, weights, data = setting
    gradient = evaluator.loss_gradient(base, data)
    first = UTILITIES.get("first_order")(evaluator, base, updates, weights, data)
    np.testing.assert_allclose(first, -(updates.astype(np.float64) @ gradient) * weights / 8)
    small = updates * np.float32(1e-2)
    np.testing.assert_allclose(UTILITIES.get("loo")(evaluator, base, small, weights, data), first * 1e-2, atol=3e-4)


@pytest.mark.parametrize("name", UTILITIES.names())
def test_sign_weightless_rows_and_scale_of_weights(setting, name: str) -> None:  # type: ignore[no-untyped-def]
    evaluator, base, _, _, data = setting
    measure = UTILITIES.get(name)
    gradient = evaluator.loss_gradient(base, data).astype(np.float32)
    updates = np.stack([-gradient, gradient, -gradient]) / np.float32(10)
    got = measure(evaluator, base, updates, np.array([1.0, 1.0, 0.0]), data)
    assert got[0] > 0 > got[1]
    assert got[2] == 0
    again = measure(evaluator, base, updates, np.array([4.0, 4.0, 0.0]), data)
    assert (got == again).all()


@pytest.mark.parametrize("name", UTILITIES.names())
@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_errors(setting, name: str, weights: list[float]) -> None:  # type: ignore[no-untyped-def]
    evaluator, base, updates, _, data = setting
    with pytest.raises(ValueError, match="weights"):
        UTILITIES.get(name)(evaluator, base, updates[:2], np.array(weights), data)
