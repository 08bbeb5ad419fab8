"""The reference curves: plain averaging, honest and attacked, from the same seeds as the run."""

from typing import Any

import numpy as np
import pytest

from node.attacks import AttackSpec
from node.baseline import plain_averaging
from node.data import Dataset
from node.model import Evaluator, flatten, initial_parameters, layout_of, unflatten
from node.seeds import derive_seed
from node.task import TASKS
from node.train import Recipe, train
from tests.support.protocol import tiny_spec

KIND = TASKS.get("breast_cancer")
MODULE = KIND.module((4,), 2)
GENESIS = initial_parameters(lambda: KIND.module((4,), 2), 7)
SPEC = tiny_spec(shape=(4,), layout=layout_of(GENESIS), recipe=Recipe("sgd", 0.3, epochs=2, batch=8))
FLIP = AttackSpec("sign_flip", 1, None)
COPY = AttackSpec("copycat", 1, None)


def blobs(count: int, seed: int) -> Dataset:
    """Two separable classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    return Dataset((rng.standard_normal((count, 4)) + 3 * y[:, None]).astype(np.float32), y, 2)


SHARDS, TEST = [blobs(24, seed) for seed in range(4)], blobs(60, 99)


def curve(*attacks: AttackSpec | None, rounds: int = 3, **changes: Any) -> list[float]:
    fields: dict[str, Any] = {
        "node_ids": range(1, len(attacks) + 1),
        "attacks": attacks,
        "rounds": rounds,
        "run_seed": 7,
    }
    return plain_averaging(SHARDS[: len(attacks)], TEST, SPEC, GENESIS, **{**fields, **changes})


def trained(node: int, round_: int = 1) -> np.ndarray:
    """The honest update of a node in the first round."""
    seed = derive_seed(7, "train", round_, node)
    return flatten(train(MODULE, GENESIS, SHARDS[node - 1], SPEC.recipe, seed=seed)) - flatten(GENESIS)


def accuracy_after(*updates: np.ndarray) -> float:
    moved = flatten(GENESIS) + np.mean(updates, axis=0, dtype=np.float64).astype(np.float32)
    return Evaluator(MODULE).accuracy(unflatten(moved, SPEC.layout), TEST)


def test_honest_averaging_learns_and_an_attack_undoes_it() -> None:
    clean, undefended = curve(None, None, None, None), curve(None, None, FLIP, FLIP)
    assert len(clean) == len(undefended) == 3
    assert clean[-1] > 0.9
    assert undefended[-1] < clean[-1]
    assert all(0 <= accuracy <= 1 for accuracy in (*clean, *undefended))


def test_the_same_seed_gives_the_same_curve() -> None:
    assert curve(None, None, FLIP) == curve(None, None, FLIP)


def test_a_round_is_the_unweighted_mean_of_what_the_trainers_of_the_run_send() -> None:
    assert curve(None, None, rounds=1) == [accuracy_after(trained(1), trained(2))]
    assert curve(None, FLIP, rounds=1) == [accuracy_after(trained(1), -4 * trained(2))]
    assert curve(None, COPY, rounds=1) == [accuracy_after(trained(1), trained(1))]


def test_seeds_go_by_node_id_and_not_by_position() -> None:
    """A shard trains the same wherever its node stands; with another id its batches come in another order."""
    swapped = plain_averaging(
        SHARDS[1::-1], TEST, SPEC, GENESIS, node_ids=(2, 1), attacks=(None, None), rounds=1, run_seed=7
    )
    assert swapped == curve(None, None, rounds=1)
    assert curve(None, rounds=1, node_ids=(1,)) == [accuracy_after(trained(1))]
    other = derive_seed(7, "train", 1, 5)
    retrained = flatten(train(MODULE, GENESIS, SHARDS[0], SPEC.recipe, seed=other)) - flatten(GENESIS)
    assert retrained.tolist() != trained(1).tolist()
    assert curve(None, rounds=1, node_ids=(5,)) == [accuracy_after(retrained)]


def test_every_turn_ticks() -> None:
    ticks: list[int] = []
    curve(None, FLIP, COPY, rounds=2, tick=lambda: ticks.append(1))
    assert len(ticks) == 6


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        curve(None, None, node_ids=(1,))
