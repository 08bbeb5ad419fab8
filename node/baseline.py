"""What the same data gives without Credence: plain weighted averaging, with and without the attackers.

These are the two reference curves of every run: `clean` (everyone honest) and `undefended` (the same attackers, no
verification, plain mean).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from node.aggregate import AGGREGATORS
from node.attacks import ATTACKS, AttackSpec, ForgeContext
from node.data import Dataset
from node.model import Evaluator, Parameters, flatten, unflatten
from node.seeds import derive_seed
from node.spec import TaskSpec
from node.task import TASKS
from node.train import train


def plain_averaging(
    shards: Sequence[Dataset],
    test: Dataset,
    spec: TaskSpec,
    genesis: Parameters,
    *,
    node_ids: Sequence[int],
    attacks: Sequence[AttackSpec | None],
    rounds: int,
    run_seed: int,
    tick: Callable[[], None] = lambda: None,
) -> list[float]:
    """Test accuracy after each of `rounds` rounds of unweighted averaging. Same seeds as the trainers of the run.

    `shards[i]` belongs to node `node_ids[i]` which carries out `attacks[i]` (None: honest). A copycat's update is the
    first honest trainer's; colluders
    know the honest updates of those before them in the list. `tick` is called after each trainer's turn.
    """
    module = TASKS.get(spec.name).module(spec.shape, spec.classes)
    evaluator, mean = Evaluator(module), AGGREGATORS.get("mean")
    model, previous, accuracies = genesis, None, []
    shards = [
        shard if attack is None else ATTACKS.get(attack.name).poison(shard, attack.strength)
        for shard, attack in zip(shards, attacks, strict=True)
    ]
    for round_ in range(1, rounds + 1):
        updates: list[NDArray[np.float32]] = []
        honest: list[NDArray[np.float32]] = []
        for node, shard, attack in zip(node_ids, shards, attacks, strict=True):
            if attack is not None and ATTACKS.get(attack.name).copies_commitment and honest:
                updates.append(honest[0])
                tick()
                continue
            seed = derive_seed(run_seed, "train", round_, node)
            update = flatten(train(module, model, shard, spec.recipe, seed=seed)) - flatten(model)
            if attack is not None:
                context = ForgeContext(
                    seed=derive_seed(run_seed, "forge", round_, node),
                    round=round_,
                    previous_global=previous,
                    own_previous=None,
                    strength=attack.strength,
                    honest=np.stack(honest) if honest else None,
                    attackers=attack.count,
                    shared_seed=derive_seed(run_seed, "collude"),
                )
                update = ATTACKS.get(attack.name).forge(update, context=context)
            else:
                honest.append(update)
            updates.append(update)
            tick()
        step = mean(np.stack(updates), np.full(len(updates), 1 / len(updates)), f=0.0)
        previous, model = step, unflatten(flatten(model) + step, spec.layout)
        accuracies.append(evaluator.accuracy(model, test))
    return accuracies
