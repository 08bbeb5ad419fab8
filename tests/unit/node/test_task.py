"""Task kinds: data as documented, networks that fit, and a digits recipe that learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from node.data import split
from node.errors import ConfigError, UnknownName
from node.model import Evaluator, flatten, initial_parameters, layout_of, unflatten
from node.partition import partition
from node.seeds import derive_seed
from node.task import TASKS, network_for
from node.train import train


def test_digits() -> None:
    data = TASKS.get("digits").load({})
    assert (len(data), data.shape, data.classes) == (1797, (8, 8), 10)
    assert (float(data.x.min()), float(data.x.max())) == (0.0, 1.0)


def test_breast_cancer_is_standardised() -> None:
    data = TASKS.get("breast_cancer").load({})
    assert (len(data), data.shape, data.classes) == (569, (30,), 2)
    assert np.abs(data.x.mean(axis=0)).max() < 1e-5
    assert np.abs(data.x.std(axis=0) - 1).max() < 1e-5
    assert int(data.y.sum()) == 357


def test_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 5)), y=np.array([0, 1]))
    data = TASKS.get("files").load({"path": str(tmp_path / "a.npz")})
    assert (len(data), data.shape, data.classes) == (2, (5,), 2)


def test_options_are_checked() -> None:
    with pytest.raises(UnknownName, match="did you mean 'path'"):
        TASKS.get("files").load({"paht": "x"})
    with pytest.raises(ConfigError, match="'digits' has no option 'path'"):
        TASKS.get("digits").load({"path": "x"})
    with pytest.raises(UnknownName, match="unknown task 'digit'; did you mean 'digits'"):
        TASKS.get("digit")


@pytest.mark.parametrize("shape", [(1,), (30,), (8, 8), (1, 1), (5, 9), (28, 28), (3, 32, 32), (1, 40, 1)])
def test_networks_fit_their_shape(shape: tuple[int, ...]) -> None:
    network = network_for(shape, 7)
    assert network(torch.zeros(2, *shape)).shape == (2, 7)
    assert not list(network.buffers())


def test_network_size_and_unknown_shape() -> None:
    size = sum(p.numel() for p in network_for((8, 8), 10).parameters())
    assert 10_000 <= size <= 30_000
    assert sum(p.numel() for p in network_for((3, 224, 224), 10).parameters()) < 100_000
    with pytest.raises(ConfigError, match="no network"):
        network_for((1, 2, 3, 4), 2)


def federate(name: str, *, seed: int, trainers: int, contributing: int, flipped: int = 0, rounds: int = 5) -> float:
    """Test accuracy of plain federated averaging; the first `flipped` of the trainers send -4 x update."""
    kind = TASKS.get(name)
    data = kind.load({})
    parts = split(data, seed=seed, probe_fraction=1 / 6, test_fraction=0.195)
    shards = partition(parts.train.y, trainers, "iid", seed=seed)
    module = kind.module(data.shape, data.classes)
    evaluator = Evaluator(module)
    params = initial_parameters(lambda: kind.module(data.shape, data.classes), seed)
    layout = layout_of(params)
    for round_ in range(rounds):
        base = flatten(params)
        total = np.zeros_like(base)
        for trainer in range(contributing):
            shard = parts.train.subset(shards[trainer])
            local = derive_seed(seed, "train", round_, trainer)
            step = flatten(train(module, params, shard, kind.recipe, seed=local)) - base
            total += (-4 if trainer < flipped else 1) * step
        params = unflatten(base + total / contributing, layout)
    return evaluator.accuracy(params, parts.test)


def test_digits_recipe_learns_without_two_trainers() -> None:
    assert federate("digits", seed=0, trainers=8, contributing=6) >= 0.965


def test_two_sign_flippers_in_eight_ruin_the_undefended_mean() -> None:
    assert federate("digits", seed=1, trainers=8, contributing=8, flipped=2, rounds=2) <= 0.6


def test_breast_cancer_recipe_learns() -> None:
    assert federate("breast_cancer", seed=0, trainers=4, contributing=4) >= 0.94
