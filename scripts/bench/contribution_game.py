"""Federated rounds on `digits` to measure contributions in: label noise, clones and splits, with real training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from node.data import Dataset, split
from node.model import Evaluator, Parameters, flatten, initial_parameters, layout_of, unflatten
from node.partition import partition
from node.seeds import derive_bytes, derive_seed
from node.task import TASKS, network_for
from node.train import Recipe, train
from node.utility import UTILITIES, Game, Thresholds

RECIPE = Recipe("adam", 0.003, epochs=2, batch=16)
THRESHOLDS = Thresholds(skip=0.0001, truncate=0.01, cluster=0.1)  # the task's defaults
PROBE = 64


class Perceptron(Evaluator):
    """The evaluator with its loss in numpy: enumerating coalitions of a small network is mostly torch's overhead."""

    def loss(self, params: Mapping[str, np.ndarray], data: Dataset) -> float:
        """Mean cross-entropy, equal to the product's up to float32 rounding (under test)."""
        values = data.x
        layers = sorted({int(name.split(".")[0]) for name in params})
        for layer in layers:
            values = values @ params[f"{layer}.weight"].T + params[f"{layer}.bias"]
            if layer != layers[-1]:
                values = np.maximum(values, 0)
        logits = values.astype(np.float64)
        top = logits.max(axis=1)
        log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        return float(np.mean(log_sum - logits[np.arange(len(data)), data.y]))


@dataclass
class Federation:
    """Trainers with their data and a model that moves by the weighted mean of their updates."""

    seed: int
    trainers: int
    shards: list[Dataset]
    probe: Dataset
    module: torch.nn.Module
    model: Parameters
    weights: np.ndarray
    evaluator: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = Perceptron(self.module)

    def train(self, shard: Dataset, round_: int, who: int) -> np.ndarray:
        """(d,) float32 update of one trainer from the present model."""
        seed = derive_seed(self.seed, "train", round_, who)
        trained = train(self.module, self.model, shard, RECIPE, seed=seed)
        update: np.ndarray = flatten(trained) - flatten(self.model)
        return update

    def updates(self, round_: int) -> np.ndarray:
        """(n, d) float32 of a round."""
        return np.stack([self.train(shard, round_, who) for who, shard in enumerate(self.shards)])

    def game(self, updates: np.ndarray, weights: np.ndarray, round_: int) -> Game:
        """The game of a round, on a probe batch of its own."""
        rows = np.random.default_rng(derive_seed(self.seed, "probe", round_)).permutation(len(self.probe))[:PROBE]
        return Game(
            self.evaluator,
            self.model,
            updates,
            weights,
            self.probe.subset(rows),
            seed=derive_bytes(self.seed, "beacon", round_),
            thresholds=THRESHOLDS,
        )

    def move(self, updates: np.ndarray, weights: np.ndarray) -> None:
        """Adopt the weighted mean."""
        step = ((weights / weights.sum()) @ updates.astype(np.float64)).astype(np.float32)
        self.model = unflatten(flatten(self.model) + step, layout_of(self.model))


def noisy_labels(data: Dataset, share: float, rng: np.random.Generator) -> Dataset:
    """`share` of the labels replaced by another class at random."""
    labels = data.y.copy()
    chosen = rng.permutation(len(data))[: round(share * len(data))]
    labels[chosen] = (labels[chosen] + rng.integers(1, data.classes, len(chosen))) % data.classes
    return Dataset(data.x, labels, data.classes)


def federation(seed: int, *, trainers: int = 10, parts: str = "dirichlet:0.5", noise: float = 0.2) -> Federation:
    """`digits`, flat, and a perceptron among trainers, label noise graded from 0 to `noise`; equal weights."""
    torch.set_num_threads(1)
    images = TASKS.get("digits").load({})
    flat = Dataset(images.x.reshape(len(images), -1), images.y, images.classes)
    data = split(flat, seed=derive_seed(seed, "split"), probe_fraction=0.3, test_fraction=0.1)
    rng = np.random.default_rng(derive_seed(seed, "labels"))
    cuts = partition(data.train.y, trainers, parts, seed=derive_seed(seed, "partition"))
    grades = np.linspace(0, noise, trainers)
    shards = [noisy_labels(data.train.subset(cut), float(g), rng) for cut, g in zip(cuts, grades, strict=True)]
    model = initial_parameters(lambda: network_for(flat.shape, flat.classes), derive_seed(seed, "genesis"))
    module = network_for(flat.shape, flat.classes)
    return Federation(seed, trainers, shards, data.probe, module, model, np.ones(trainers))


def rank_correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's, without ties."""
    ranks = [np.argsort(np.argsort(values)) for values in (left, right)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def agreement(
    seed: int, names: Sequence[str], *, rounds: int = 10, parts: str = "dirichlet:0.5", noise: float = 0.2
) -> dict[str, tuple[float, float]]:
    """By measure: Spearman with exact Shapley of scores summed over the rounds, and mean evaluations a round."""
    net = federation(seed, parts=parts, noise=noise)
    sums = {name: np.zeros(net.trainers) for name in (*names, "shapley")}
    spent = dict.fromkeys(sums, 0)
    for round_ in range(1, rounds + 1):
        updates = net.updates(round_)
        for name in sums:
            game = net.game(updates, net.weights, round_)
            sums[name] += UTILITIES.get(name)(game)
            spent[name] += game.evaluations
        net.move(updates, net.weights)
    return {name: (rank_correlation(sums[name], sums["shapley"]), spent[name] / rounds) for name in names}


Forge = Callable[[Federation, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""(federation, honest updates, round) -> (updates, weights); the attacker's rows are number 0 and those behind n."""


def clones(noise: float, count: int = 2) -> Forge:
    """Trainer 0 splits its stake among `count` identities: its update, each with noise of `noise` x its norm."""

    def forge(net: Federation, updates: np.ndarray, round_: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(derive_seed(net.seed, "clone", round_))
        scale = noise * float(np.linalg.norm(updates[0])) / np.sqrt(updates.shape[1])
        copies = np.stack([updates[0] + scale * rng.standard_normal(updates.shape[1]) for _ in range(count)])
        weights = np.concatenate([[1 / count], net.weights[1:], np.full(count - 1, 1 / count)])
        return np.concatenate([copies[:1], updates[1:], copies[1:]]).astype(np.float32), weights

    return forge


def halves(net: Federation, updates: np.ndarray, round_: int) -> tuple[np.ndarray, np.ndarray]:
    """Trainer 0 splits stake and data in two and trains both halves."""
    whole = net.shards[0]
    parts = np.array_split(np.random.default_rng(derive_seed(net.seed, "half")).permutation(len(whole)), 2)
    pair = [net.train(whole.subset(part), round_, 100 + i) for i, part in enumerate(parts)]
    weights = np.concatenate([[0.5], net.weights[1:], [0.5]])
    return np.concatenate([[pair[0]], updates[1:], [pair[1]]]), weights


def twin(net: Federation, updates: np.ndarray, round_: int) -> tuple[np.ndarray, np.ndarray]:
    """A second identity with stake of its own sends the very update of trainer 0."""
    return np.concatenate([updates, updates[:1]]), np.concatenate([net.weights, net.weights[:1]])


def gains(
    seed: int, attacks: Mapping[str, Forge], names: Sequence[str], *, rounds: int = 5
) -> dict[str, dict[str, float]]:
    """By attack and measure: what all identities of trainer 0 of 8 earn together, over what it earns as one.

    Pay is its share of the pool: its positive score over everyone's, as in settlement; summed over rounds. Data are
    iid and clean, and the model moves honestly.
    """
    net = federation(seed, trainers=8, parts="iid", noise=0.0)
    honest = dict.fromkeys(names, 0.0)
    forged = {attack: dict.fromkeys(names, 0.0) for attack in attacks}
    for round_ in range(1, rounds + 1):
        updates = net.updates(round_)
        for name in names:
            honest[name] += _share(UTILITIES.get(name)(net.game(updates, net.weights, round_)), net.trainers)
        for attack, forge in attacks.items():
            rows, weights = forge(net, updates, round_)
            for name in names:
                forged[attack][name] += _share(UTILITIES.get(name)(net.game(rows, weights, round_)), net.trainers)
        net.move(updates, net.weights)
    return {attack: {name: cells[name] / honest[name] for name in names} for attack, cells in forged.items()}


def _share(values: np.ndarray, trainers: int) -> float:
    paid = np.maximum(values, 0)
    return float((paid[0] + paid[trainers:].sum()) / paid.sum())
