"""Batched networks of one hidden layer: against autograd, one at a time, ahead on the slope, and a frozen trunk."""

import numpy as np
import pytest
import torch

from node.data import Dataset
from node.matrix.hidden import HiddenLearner, pretrained_trunk
from node.matrix.learner import Learner
from node.topology.average import ascent


def shard(count: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    return Dataset(rng.random((count, 2, 3)).astype(np.float32), rng.integers(0, 4, count), 4)


def network(seed: int = 5, radius: float = 0.0) -> HiddenLearner:
    return HiddenLearner([shard(21, 1), shard(8, 2), shard(3, 3)], hidden=5, seed=seed, epochs=2, radius=radius)


def test_the_gradient_is_that_of_autograd() -> None:
    learner, data = network(), shard(30, 4)
    model = torch.tensor(learner.initial(), requires_grad=True)
    trunk, head = model[: 7 * 5].reshape(7, 5), model[7 * 5 :].reshape(6, 4)
    x = torch.tensor(data.x.reshape(30, 6))
    active = torch.relu(x @ trunk[:6] + trunk[6])
    torch.nn.functional.cross_entropy(active @ head[:5] + head[5], torch.tensor(data.y)).backward()
    assert model.grad is not None
    found = learner.gradient(learner.initial(), data)
    assert found == pytest.approx(model.grad.numpy(), abs=1e-6)
    assert [name for name, _ in learner.layout] == ["trunk", "head"]
    assert learner.size == found.size == 7 * 5 + 6 * 4


@pytest.mark.parametrize("kind", ["linear", "hidden"])
def test_a_node_trains_the_same_whoever_else_does(kind: str) -> None:
    learner = network() if kind == "hidden" else Learner([shard(21, 1), shard(8, 2), shard(3, 3)], seed=1, epochs=2)
    start = learner.initial()
    everyone, some = learner.updates(start, 3), learner.updates(start, 3, nodes=[2, 0])
    assert (some == everyone[[2, 0]]).all()
    assert (learner.updates(start, 3, nodes=[1], epochs=2) == everyone[[1]]).all()
    assert (learner.updates(start, 3, nodes=[1], epochs=1) != everyone[[1]]).any()


def test_sharpness_aware_steps_take_the_gradient_ahead() -> None:
    """One shard, one batch step by hand: the update's first step is - rate times the gradient at the point ahead."""
    data = shard(1, 6)  # of one sample, three of the four batches are empty
    plain, ahead = (Learner([data], seed=1, epochs=1, radius=radius) for radius in (0.0, 0.5))
    start = np.random.default_rng(0).standard_normal(plain.size).astype(np.float32)
    slope = plain.gradient(start, data)
    further = plain.gradient(start + ascent(slope[None], 0.5)[0], data)
    ratio = ahead.updates(start, 1)[0] / plain.updates(start, 1)[0]
    assert ratio == pytest.approx(further / slope, rel=1e-3)


def test_predictions_of_many_models_are_those_of_each() -> None:
    learner, data = network(), shard(50, 9)
    models = np.random.default_rng(1).standard_normal((3, learner.size)).astype(np.float32)
    assert learner.accuracy(models, data).tolist() == [float(learner.accuracy(model, data)) for model in models]


def test_a_frozen_trunk_is_a_smaller_model_over_its_features() -> None:
    public = shard(60, 1)
    learner, model = pretrained_trunk(public, hidden=5, seed=2)
    seen = learner.features(model, public)
    assert seen.x.shape == (60, 5)
    head = Learner([seen], seed=1, epochs=1)
    assert (head.predictions(model[7 * 5 :], seen.x) == learner.predictions(model, public.x)).all()
    assert (pretrained_trunk(public, hidden=5, seed=2)[1] == model).all()
