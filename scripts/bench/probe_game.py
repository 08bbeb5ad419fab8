"""A node without data that trains on probes: its pay from a fixed pool, and where each shard is used once.

Real training, real leave-one-out utilities, real score lanes on `digits`; eight honest trainers and one cheat of
equal stake.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from node.data import Dataset
from node.model import Evaluator, Parameters, flatten, initial_parameters, layout_of, unflatten
from node.partition import partition
from node.publish import task_split
from node.score import positive_part, utility_lane
from node.seeds import derive_bytes, derive_seed
from node.task import TASKS
from node.train import Recipe, train
from node.utility import UTILITIES
from node.verify import probe_batch

HONEST = 8
SHARD, BATCH = 26, 17
SCALE = 0.25


def join(parts: list[Dataset]) -> Dataset:
    """One set of several."""
    x, y = np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts])
    return Dataset(x, y, parts[0].classes)


def play(*, rounds: int, fixed: bool, samples: int, effort: int, seed: int = 7) -> dict[str, Any]:
    """Shares of the pool over `rounds` rounds: {cheat, honest_mean, ratio}.

    `fixed`: one shard scores every round and is known to the cheat; else round r has its own, and the cheat knows those
    of earlier rounds. Honest trainers hold `samples` samples each; the cheat trains `effort` times as many epochs.
    """
    kind = TASKS.get("digits")
    data = kind.load({})
    parts = task_split(data, seed)
    module = kind.module(data.shape, data.classes)
    evaluator = Evaluator(module)
    shares = partition(parts.train.y, HONEST, "iid", seed=derive_seed(seed, "partition"))
    shards = [parts.train.subset(rows[:samples]) for rows in shares]
    probes = [parts.probe.subset(np.arange(r * SHARD, (r + 1) * SHARD)) for r in range(rounds)]
    recipe = kind.recipe
    hard = Recipe(recipe.optimiser, recipe.learning_rate, recipe.epochs * effort, recipe.batch, recipe.momentum)
    model: Parameters = initial_parameters(lambda: kind.module(data.shape, data.classes), derive_seed(seed, "genesis"))
    layout, earned = layout_of(model), np.zeros(HONEST + 1)
    for number in range(rounds):
        known = [probes[0]] if fixed else probes[:number]
        base = flatten(model)
        updates = [
            flatten(train(module, model, shard, recipe, seed=derive_seed(seed, "train", number, node))) - base
            for node, shard in enumerate(shards)
        ]
        if known:
            cheat = train(module, model, join(known), hard, seed=derive_seed(seed, "cheat", number))
            updates.append(flatten(cheat) - base)
        else:
            updates.append(np.zeros_like(base))
        scored_on = probe_batch(
            probes[0] if fixed else probes[number], beacon=derive_bytes(seed, "beacon", number), size=BATCH
        )
        stack = np.stack(updates)
        weights = np.full(HONEST + 1, 1 / (HONEST + 1))
        utilities = UTILITIES.get("loo")(evaluator, model, stack, weights, scored_on)
        parts_ = np.array([positive_part(utility_lane(float(u), scale=SCALE)) for u in utilities], dtype=float)
        earned += parts_ / max(parts_.sum(), 1.0)
        model = unflatten(base + (weights[:HONEST] @ stack[:HONEST] * (HONEST + 1) / HONEST).astype(np.float32), layout)
    honest = float(earned[:HONEST].mean())
    return {"cheat": float(earned[HONEST]), "honest_mean": honest, "ratio": float(earned[HONEST] / honest)}
