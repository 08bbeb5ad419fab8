"""Parameters as arrays, and evaluation against a reference in plain NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from node.data import Dataset
from node.errors import DataError
from node.model import (
    BLOCK,
    Evaluator,
    flatten,
    initial_parameters,
    layout_of,
    parameters_of,
    size_of,
    unflatten,
)


def linear() -> nn.Module:
    return nn.Linear(3, 4)


@pytest.fixture
def data() -> Dataset:
    rng = np.random.default_rng(0)
    n = BLOCK + 7  # two blocks
    return Dataset(rng.standard_normal((n, 3)).astype(np.float32), rng.integers(0, 4, n), 4)


def test_initial_parameters_depend_on_the_seed_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one = initial_parameters(linear, 2**63 - 1)
    assert (torch.get_rng_state() == state).all()
    assert all((one[name] == initial_parameters(linear, 2**63 - 1)[name]).all() for name in one)
    assert (one["weight"] != initial_parameters(linear, 1)["weight"]).any()
    assert list(one) == ["bias", "weight"]
    assert one["weight"].dtype == np.float32


def test_parameters_are_copies() -> None:
    module = nn.Linear(1, 1)
    params = parameters_of(module)
    with torch.no_grad():
        module.weight.add_(1)
    assert params["weight"] != module.weight.detach().numpy()


def test_buffers_are_refused() -> None:
    with pytest.raises(ValueError, match="running_mean"):
        initial_parameters(lambda: nn.BatchNorm1d(3), 0)


def test_flatten_by_hand_and_back() -> None:
    params = {
        "w": np.array([[1, 2], [3, 4]], np.float32),
        "b": np.array([9], np.float32),
        "a": np.float32([[]]),
    }
    vector = flatten(params)
    layout = layout_of(params)
    assert vector.tolist() == [9, 1, 2, 3, 4]
    assert layout == (("a", (1, 0)), ("b", (1,)), ("w", (2, 2)))
    assert size_of(layout) == 5
    back = unflatten(vector, layout)
    assert all((back[name] == params[name]).all() for name in params)
    back["b"][0] = 0
    assert vector[0] == 9
    assert flatten({}).shape == (0,)


@pytest.mark.parametrize("shape", [(4,), (6,), (5, 1)])
def test_unflatten_refuses_another_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="does not fit"):
        unflatten(np.zeros(shape, np.float32), (("b", (1,)), ("w", (2, 2))))


def reference(params: dict[str, np.ndarray], data: Dataset) -> tuple[np.ndarray, float, np.ndarray]:
    """Softmax regression in float64: logits, mean loss, gradient as (bias, weight) flattened."""
    logits = data.x.astype(np.float64) @ params["weight"].T.astype(np.float64) + params["bias"]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = shifted / shifted.sum(axis=1, keepdims=True)
    one_hot = np.eye(data.classes)[data.y]
    delta = (chances - one_hot) / len(data)
    loss = -np.log(chances[np.arange(len(data)), data.y]).mean()
    return logits, float(loss), np.concatenate([delta.sum(axis=0), (delta.T @ data.x).ravel()])


def test_evaluator_against_numpy(data: Dataset) -> None:
    params = initial_parameters(linear, 3)
    evaluator = Evaluator(linear())
    logits, loss, gradient = reference(params, data)
    outputs = evaluator.outputs(params, data.x)
    assert (outputs.dtype, outputs.shape) == (np.float32, (len(data), 4))
    np.testing.assert_allclose(outputs, logits, atol=1e-5)
    assert evaluator.loss(params, data) == pytest.approx(loss, rel=1e-6)
    assert evaluator.accuracy(params, data) == pytest.approx((logits.argmax(axis=1) == data.y).mean())
    measured = evaluator.loss_gradient(params, data)
    assert measured.dtype == np.float64
    np.testing.assert_allclose(measured, gradient, atol=1e-6)


def test_evaluation_is_bit_reproducible_and_changes_nothing(data: Dataset) -> None:
    module = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 4))
    before = parameters_of(module)
    params = initial_parameters(lambda: module, 0)
    runs = [Evaluator(module), Evaluator(module)]
    runs.append(runs[0])
    assert len({run.outputs(params, data.x).tobytes() for run in runs}) == 1
    assert len({run.loss_gradient(params, data).tobytes() for run in runs}) == 1
    assert module.training
    assert all((value == before[name]).all() for name, value in parameters_of(module).items())


def test_loss_of_a_wild_model_is_not_finite_but_no_error(data: Dataset) -> None:
    params = {"bias": np.zeros(4, np.float32), "weight": np.full((4, 3), 3e38, np.float32)}
    assert not np.isfinite(Evaluator(linear()).loss(params, data))


def test_loss_does_not_overflow(data: Dataset) -> None:
    params = {"bias": np.float32([1e4, 0, 0, 0]), "weight": np.zeros((4, 3), np.float32)}
    expected = 1e4 * float((data.y != 0).mean())
    assert Evaluator(linear()).loss(params, data) == pytest.approx(expected)


def test_wrong_parameters_and_empty_data_are_refused(data: Dataset) -> None:
    evaluator = Evaluator(linear())
    params = initial_parameters(linear, 0)
    with pytest.raises(DataError, match="do not fit the module"):
        evaluator.outputs({"weight": params["weight"]}, data.x)
    empty = data.subset(np.array([], np.int64))
    with pytest.raises(DataError, match="at least one sample"):
        evaluator.loss(params, empty)
    with pytest.raises(DataError, match="at least one sample"):
        evaluator.loss_gradient(params, empty)
