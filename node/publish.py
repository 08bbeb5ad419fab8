"""The owner's side of a new task: genesis model, sealed probe shards, the spec, the parameters that go on chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ledger import TaskParams
from ledger.types import Mode
from ledger.words import words_for
from node.calibrate import Calibration
from node.committee import committee_risk, warn_if_weak
from node.data import Dataset, Split, split
from node.errors import ConfigError
from node.model import initial_parameters, layout_of
from node.partition import partition
from node.probe import key_hash, seal, shard_key
from node.seeds import derive_seed
from node.spec import Artefact, ProbeShard, PublicShard, ReplayPlan, TaskSpec
from node.task import TASKS
from node.train import Recipe
from storage import Store, encode

TOKEN = 10**18  # wei in one token
PROBE_FRACTION, TEST_FRACTION = 0.15, 0.2
DRAWN_SEGMENTS = 2  # of each submission in replay mode


@dataclass(frozen=True)
class Timing:
    """Lengths of a round's phases, seconds of chain time."""

    commit_s: int
    reveal_s: int
    post_s: int
    window_s: int
    attempt_s: int

    @property
    def period_s(self) -> int:
        """One whole round."""
        return self.commit_s + self.reveal_s + self.post_s + self.window_s


@dataclass(frozen=True)
class PublishedTask:
    """A spec with its artefacts in the store, and the owner's part of the data."""

    spec: TaskSpec
    artefact: Artefact
    train: Dataset
    test: Dataset


def task_split(dataset: Dataset, seed: int) -> Split:
    """Train, probe and test parts of a built-in set: equal for the owner and for every trainer with a share."""
    return split(dataset, seed=derive_seed(seed, "split"), probe_fraction=PROBE_FRACTION, test_fraction=TEST_FRACTION)


def publish_task(
    store: Store,
    *,
    name: str,
    options: Mapping[str, str],
    rounds: int,
    seed: int,
    secret: bytes,
    overrides: Mapping[str, str] | None = None,
    calibration: Calibration | None = None,
    public: tuple[str, int] | None = None,
) -> PublishedTask:
    """Split the data into train, one-time probe shards and test; seal the shards; store genesis, shards and spec.

    `public` (partition, number of shards) makes a task in replay mode: the training data is split and published.
    Raises ConfigError when the data cannot give every round its own shard, or the calibration is of another task.
    """
    kind = TASKS.get(name)
    dataset = kind.load(options)
    parts = task_split(dataset, seed)
    shard_rows = min(48, len(parts.probe) // rounds)
    if shard_rows < 8:
        raise ConfigError(
            f"task {name!r} has {len(parts.probe)} probe samples, too few for {rounds} one-time shards of at least 8",
            hint=f"ask for at most {len(parts.probe) // 8} rounds, or bring more data",
        )
    genesis = initial_parameters(lambda: kind.module(dataset.shape, dataset.classes), derive_seed(seed, "genesis"))
    genesis_bytes = encode(genesis)
    store.pin(store.put(genesis_bytes))
    shards = []
    for round_ in range(1, rounds + 1):
        rows = np.arange((round_ - 1) * shard_rows, round_ * shard_rows)
        shard = parts.probe.subset(rows)
        key = shard_key(secret, round_)
        sealed = seal(encode({"x": shard.x, "y": shard.y}), key)
        store.pin(store.put(sealed))
        shards.append(ProbeShard(Artefact.of(sealed), key_hash(key)))
    derived = calibration.overrides(task=name, recipe=asdict(kind.recipe)) if calibration else {}
    spec = TaskSpec(
        name=name,
        shape=dataset.shape,
        classes=dataset.classes,
        layout=layout_of(genesis),
        genesis=Artefact.of(genesis_bytes),
        recipe=kind.recipe,
        probe=tuple(shards),
        probe_shard=shard_rows,
        probe_batch=max(8, shard_rows * 2 // 3),
        replay=None if public is None else _publish_shards(store, parts.train, kind.recipe, public, seed),
        **{**derived, **(overrides or {})},
    )
    store.pin(store.put(spec.to_bytes()))
    return PublishedTask(spec, Artefact.of(spec.to_bytes()), parts.train, parts.test)


def _publish_shards(store: Store, data: Dataset, recipe: Recipe, public: tuple[str, int], seed: int) -> ReplayPlan:
    """Store the training data in shards. A segment has as many steps as the recipe has epochs: that divides every
    shard's run, whatever its size."""
    kind, count = public
    shards = []
    for rows in partition(data.y, count, kind, seed=derive_seed(seed, "partition")):
        part = data.subset(rows)
        content = encode({"x": part.x, "y": part.y})
        store.pin(store.put(content))
        shards.append(PublicShard(Artefact.of(content), len(part)))
    return ReplayPlan(recipe.epochs, DRAWN_SEGMENTS, derive_seed(seed, "batches"), tuple(shards))


def task_params(
    published: PublishedTask,
    *,
    rounds: int,
    seats: int,
    timing: Timing,
    starts_at: int,
    pool: int = 100 * TOKEN,
    settlement: str = "words",
    capacity: int = 1_000,
) -> TaskParams:
    """On-chain parameters: q = ⌊2k/3⌋ + 1 and a slash that makes q·slash ≥ 2·pool, rounded up.

    Warns (`CommitteeWarning`) where so small a committee is captured or stalled more often than the task's bounds say.
    `settlement` is `words` or `root`; a root task has room for at least `capacity` nodes in each role.
    """
    quorum = 2 * seats // 3 + 1
    spec = published.spec
    warn_if_weak(
        committee_risk(stake_bad=spec.stake_bad, size=seats, quorum=quorum),
        capture_bound=spec.number("capture_bound"),
        stall_bound=spec.number("stall_bound"),
    )
    root = settlement == "root"
    verifier_pool = pool // 5
    return TaskParams(
        spec_digest=published.artefact.digest,
        genesis_model=published.spec.genesis.digest,
        probe_root=published.spec.probe_root,
        starts_at=starts_at,
        commit_s=timing.commit_s,
        reveal_s=timing.reveal_s,
        post_s=timing.post_s,
        window_s=timing.window_s,
        attempt_s=timing.attempt_s,
        rounds=rounds,
        seats=seats,
        quorum=quorum,
        mode=Mode.ROOT if root else Mode.WORDS,
        levels=max(0, words_for(capacity) - 1).bit_length() if root else 0,
        contributions=not root,
        trainer_pool=pool,
        verifier_pool=verifier_pool,
        slash=-(-2 * (pool + verifier_pool) // quorum),
    )
