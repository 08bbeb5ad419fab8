"""Training: deterministic, equal to torch.optim, and loud when it diverges."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from node.data import Dataset
from node.errors import ConfigError, DataError, TrainingError
from node.model import Evaluator, flatten, initial_parameters, parameters_of
from node.train import Recipe, train

RECIPE = Recipe("sgd", 0.1, epochs=3, batch=8)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def data() -> Dataset:
    x = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    return Dataset(x, (x[:, 0] * x[:, 1] > 0).astype(np.int64), 2)


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, optimiser="adam", weight_decay=0.01)])
def test_same_seed_same_bits(data: Dataset, recipe: Recipe) -> None:
    params = initial_parameters(network, 1)
    kept = {name: value.copy() for name, value in params.items()}
    module = network()
    own = parameters_of(module)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    runs = [train(module, params, data, recipe, seed=seed) for seed in (3, 3, 4)]
    assert all((runs[0][name] == runs[1][name]).all() for name in params)
    assert any((runs[0][name] != runs[2][name]).any() for name in params)
    assert all((params[name] == kept[name]).all() for name in params)
    assert all((value == own[name]).all() for name, value in parameters_of(module).items())
    assert (torch.get_rng_state() == state).all()
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(
    ("recipe", "reference"),
    [
        (
            replace(RECIPE, weight_decay=0.01),
            lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9, weight_decay=0.01),
        ),
        (replace(RECIPE, momentum=0.0), lambda w: torch.optim.SGD(w, lr=0.1)),
        (
            replace(RECIPE, optimiser="adam", learning_rate=0.01, weight_decay=0.02),
            lambda w: torch.optim.Adam(w, lr=0.01, weight_decay=0.02),
        ),
    ],
)
def test_optimisers_match_torch(data: Dataset, recipe: Recipe, reference) -> None:  # type: ignore[no-untyped-def]
    params = initial_parameters(network, 1)
    module = network()
    trained = train(module, params, data, recipe, seed=3)
    module.load_state_dict({name: torch.tensor(value) for name, value in params.items()})
    optimiser = reference(module.parameters())
    order = np.random.default_rng(3)
    for _ in range(recipe.epochs):
        for chosen in torch.from_numpy(order.permutation(len(data))).split(recipe.batch):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(
                module(torch.from_numpy(data.x)[chosen]), torch.from_numpy(data.y)[chosen]
            )
            loss.backward()
            optimiser.step()
    for name, value in parameters_of(module).items():
        np.testing.assert_allclose(trained[name], value, atol=1e-5)


def test_training_lowers_the_loss(data: Dataset) -> None:
    params = initial_parameters(network, 1)
    evaluator = Evaluator(network())
    after = train(network(), params, data, replace(RECIPE, epochs=30), seed=0)
    assert evaluator.loss(after, data) < 0.7 * evaluator.loss(params, data)


def test_dropout_draws_from_the_seed(data: Dataset) -> None:
    module = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2)).eval()
    params = initial_parameters(lambda: module, 1)
    runs = [train(module, params, data, RECIPE, seed=3) for _ in range(2)]
    assert all((runs[0][name] == runs[1][name]).all() for name in params)


def test_divergence_names_epoch_and_batch(data: Dataset) -> None:
    params = initial_parameters(network, 1)
    wild = Dataset(data.x * np.float32(1e20), data.y, 2)
    with pytest.raises(TrainingError, match=r"loss not finite in epoch 1, batch 2") as caught:
        train(network(), params, wild, RECIPE, seed=0)
    assert "learning_rate" in caught.value.hint
    wild = Dataset(data.x * np.float32(1e36), data.y, 2)
    with pytest.raises(TrainingError, match="parameters not finite in epoch 1, batch 1"):
        train(network(), params, wild, replace(RECIPE, learning_rate=1e6, epochs=1, batch=50), seed=0)


def test_a_bounded_gradient_moves_by_the_bound(data: Dataset) -> None:
    params = initial_parameters(network, 1)
    wild = Dataset(data.x * np.float32(1e8), data.y, 2)
    one = replace(RECIPE, epochs=1, batch=50, gradient_bound=0.5)
    moved = flatten(train(network(), params, wild, one, seed=0)).astype(np.float64) - flatten(params)
    assert np.linalg.norm(moved) == pytest.approx(0.1 * 0.5, rel=1e-4)
    loose = train(network(), params, data, replace(RECIPE, gradient_bound=1e6), seed=0)
    free = train(network(), params, data, RECIPE, seed=0)
    assert all((loose[name] == free[name]).all() for name in params)


def test_no_samples(data: Dataset) -> None:
    with pytest.raises(DataError, match="at least one sample"):
        train(network(), initial_parameters(network, 1), data.subset(np.array([], int)), RECIPE, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"learning_rate": 1e7},
        {"gradient_bound": -1.0},
        {"gradient_bound": float("nan")},
        {"epochs": 0},
        {"batch": 0},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"weight_decay": -1.0},
        {"weight_decay": float("inf")},
        {"optimiser": "lion"},
    ],
)
def test_recipes_out_of_range(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(change)))):
        replace(RECIPE, **change)  # type: ignore[arg-type]
