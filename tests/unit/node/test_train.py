"""Training: deterministic, equal to torch.optim, and loud when it diverges."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from node.data import Dataset
from node.errors import ConfigError, DataError, TrainingError
from node.model import Evaluator, flatten, initial_parameters, layout_of, parameters_of
from node.train import PINNED, Profile, Recipe, Trainer, TrainerState, train
from node.train.trainer import checkpoint_layout

RECIPE = Recipe("sgd", 0.1, epochs=3, batch=8)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))


def samples() -> Dataset:
    x = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
    return Dataset(x, (x[:, 0] * x[:, 1] > 0).astype(np.int64), 2)


@pytest.fixture
def data() -> Dataset:
    return samples()


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


# --- steps, checkpoints, numeric profiles --------------------------------------------------------------------

ADAM = replace(RECIPE, optimiser="adam", learning_rate=0.01, weight_decay=0.01)


@pytest.mark.parametrize("recipe", [RECIPE, ADAM])
@given(cuts=st.lists(st.integers(0, 21), max_size=4))
@settings(max_examples=10, deadline=None)
def test_a_run_cut_into_segments_is_the_whole_run(recipe: Recipe, cuts: list[int]) -> None:
    data = samples()
    module = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    params = initial_parameters(lambda: module, 1)
    whole = train(module, params, data, recipe, seed=3)
    state = Trainer(module, data, recipe, seed=3).start(params)
    for cut in sorted({*cuts, 21}):
        # Each segment on another machine: a new trainer, from what a checkpoint file holds.
        trainer = Trainer(module, data, recipe, seed=3)
        state = trainer.advance(TrainerState.of(state.tensors(), state.step), cut - state.step)
    assert state.step == trainer.steps == 21
    assert all((state.params[name] == whole[name]).all() for name in whole)


def test_a_checkpoint_without_moments_goes_elsewhere(data: Dataset) -> None:
    trainer = Trainer(network(), data, RECIPE, seed=3)
    middle = trainer.advance(trainer.start(initial_parameters(network, 1)), 10)
    forgot = TrainerState(middle.params, trainer.start(middle.params).moments, middle.step)
    ends = [flatten(trainer.advance(state, 5).params) - flatten(middle.params) for state in (middle, forgot)]
    assert np.linalg.norm(ends[1] - ends[0]) > 0.1 * np.linalg.norm(ends[0])


def test_checkpoint_layout_and_groups(data: Dataset) -> None:
    params = initial_parameters(network, 1)
    state = Trainer(network(), data, ADAM, seed=3).start(params)
    expected = checkpoint_layout(layout_of(params), ADAM)
    assert layout_of(state.tensors()) == expected
    assert list(state.groups()) == ["weights", "first", "second"]
    assert (state.groups()["weights"] == flatten(params)).all()
    assert all(value.shape == flatten(params).shape for value in state.groups().values())


def test_batches_follow_the_seed(data: Dataset) -> None:
    trainer = Trainer(network(), data, RECIPE, seed=3)
    order = np.random.default_rng(3)
    expected = [order.permutation(50) for _ in range(3)]
    for step in (20, 0, 13, 6):  # backwards, too
        epoch, batch = divmod(step, 7)
        assert (trainer.batch_of(step) == expected[epoch][8 * batch : 8 * batch + 8]).all()


@pytest.mark.parametrize(
    "profile",
    [
        Profile("threads", threads=2),
        Profile("micro", micro_batch=3),
        Profile("permuted", permuted=True),
        Profile("double", precision="float64"),
        Profile("plain", blas="plain"),
    ],
    ids=lambda profile: profile.name,
)
@pytest.mark.parametrize("recipe", [RECIPE, ADAM])
def test_profiles_round_differently_and_nothing_more(data: Dataset, recipe: Recipe, profile: Profile) -> None:
    params = initial_parameters(network, 1)
    before = torch.get_num_threads(), torch.backends.mkldnn.enabled
    runs = [Trainer(network(), data, recipe, seed=3, profile=p) for p in (PINNED, profile)]
    ends = [flatten(run.advance(run.start(params), run.steps).params) - flatten(params) for run in runs]
    assert np.linalg.norm(ends[1] - ends[0]) < 1e-5 * np.linalg.norm(ends[0])
    assert before == (torch.get_num_threads(), torch.backends.mkldnn.enabled)


def test_half_precision_is_another_matter(data: Dataset) -> None:
    params = initial_parameters(network, 1)
    runs = [Trainer(network(), data, RECIPE, seed=3, profile=p) for p in (PINNED, Profile("half", "bfloat16"))]
    ends = [flatten(run.advance(run.start(params), run.steps).params) - flatten(params) for run in runs]
    assert np.linalg.norm(ends[1] - ends[0]) > 1e-4 * np.linalg.norm(ends[0])


def test_float64_steps_are_rounded_to_float32(data: Dataset) -> None:
    """Two steps at once equal two steps with a float32 checkpoint between them."""
    trainer = Trainer(network(), data, ADAM, seed=3, profile=Profile("double", "float64"))
    start = trainer.start(initial_parameters(network, 1))
    ends = [trainer.advance(start, 2).groups(), trainer.advance(trainer.advance(start, 1), 1).groups()]
    assert all((ends[0][name] == ends[1][name]).all() for name in ends[0])


def test_a_state_must_fit(data: Dataset) -> None:
    trainer = Trainer(network(), data, RECIPE, seed=3)
    start = trainer.start(initial_parameters(network, 1))
    with pytest.raises(ConfigError, match="within a run of 21"):
        trainer.advance(start, 22)
    with pytest.raises(DataError, match="none of sgd's"):
        trainer.advance(TrainerState(start.params, {}, 0), 1)
    with pytest.raises(DataError, match="do not fit"):
        trainer.advance(TrainerState(start.params, {"velocity": {}}, 0), 1)
    with pytest.raises(DataError, match="names no group"):
        TrainerState.of({"w": np.zeros(1, np.float32)}, 0)
    with pytest.raises(DataError, match="no weights"):
        TrainerState.of({"velocity/w": np.zeros(1, np.float32)}, 0)
    with pytest.raises(ConfigError, match="threads"):
        Profile("none", threads=0)
    with pytest.raises(ConfigError, match="not known"):
        Profile("odd", precision="float8")  # type: ignore[arg-type]
