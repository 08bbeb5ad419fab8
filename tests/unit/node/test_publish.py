"""The owner's side of a task: disjoint sealed shards, artefacts in the store, parameters that hold together."""

from pathlib import Path

import numpy as np
import pytest

from ledger import TaskParams
from node.errors import ConfigError
from node.probe import key_hash, shard_key
from node.publish import TOKEN, PublishedTask, Timing, publish_task, task_params
from node.round.gather import fetch, load_model, open_shard
from node.spec import Artefact, TaskSpec
from node.task import TASKS
from storage import DiskStore, cid_of, from_digest

SECRET = b"owner's secret"
TIMING = Timing(commit_s=10, reveal_s=20, post_s=30, window_s=40, attempt_s=15)


def published(root: Path, *, rounds: int = 3, seed: int = 7, **changes: str) -> tuple[DiskStore, PublishedTask]:
    store = DiskStore(root)
    task = publish_task(
        store, name="breast_cancer", options={}, rounds=rounds, seed=seed, secret=SECRET, overrides=changes
    )
    return store, task


def test_everything_that_the_spec_names_is_in_the_store_and_pinned(tmp_path: Path) -> None:
    store, task = published(tmp_path)
    assert TaskSpec.from_bytes(fetch(store, task.artefact)) == task.spec
    named = [task.artefact, task.spec.genesis, *(shard.sealed for shard in task.spec.probe)]
    assert {from_digest(a.digest, a.length) for a in named} == store.pins()
    model = load_model(store, task.spec, task.spec.genesis.digest)
    assert tuple((name, value.shape) for name, value in model.items()) == task.spec.layout


def test_each_round_has_a_shard_of_its_own_that_its_key_opens(tmp_path: Path) -> None:
    store, task = published(tmp_path, rounds=4)
    spec = task.spec
    assert len(spec.probe) == 4
    opened = [open_shard(store, spec, round_, shard_key(SECRET, round_)) for round_ in range(1, 5)]
    assert [len(shard) for shard in opened] == [spec.probe_shard] * 4
    assert 8 <= spec.probe_batch <= spec.probe_shard
    assert [shard.key_hash for shard in spec.probe] == [key_hash(shard_key(SECRET, r)) for r in range(1, 5)]


def test_probe_train_and_test_rows_are_disjoint_and_each_is_used_once(tmp_path: Path) -> None:
    store, task = published(tmp_path)
    parts = [task.train, task.test]
    parts += [open_shard(store, task.spec, round_, shard_key(SECRET, round_)) for round_ in (1, 2, 3)]
    rows = [row.tobytes() for part in parts for row in part.x]
    assert len(set(rows)) == len(rows)
    everything = {row.tobytes() for row in TASKS.get("breast_cancer").load({}).x}
    assert set(rows) <= everything


def test_the_sealed_bytes_do_not_show_the_samples(tmp_path: Path) -> None:
    store, task = published(tmp_path)
    sealed = fetch(store, task.spec.probe[0].sealed)
    opened = open_shard(store, task.spec, 1, shard_key(SECRET, 1))
    assert opened.x[0].tobytes() not in sealed


def test_equal_seeds_publish_equal_bytes(tmp_path: Path) -> None:
    (_, first), (_, second), (_, other) = (
        published(tmp_path / name, seed=seed) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert first.spec.to_bytes() == second.spec.to_bytes()
    assert first.artefact == second.artefact == Artefact.of(first.spec.to_bytes())
    assert cid_of(first.spec.to_bytes()) == from_digest(first.artefact.digest, first.artefact.length)
    assert other.spec.genesis != first.spec.genesis
    assert np.array_equal(first.train.x, second.train.x)


def test_choices_go_into_the_spec(tmp_path: Path) -> None:
    _, task = published(tmp_path, aggregator="median", codec="fp16", weighting="uniform", utility="first_order")
    found = (task.spec.aggregator, task.spec.codec, task.spec.weighting, task.spec.utility)
    assert found == ("median", "fp16", "uniform", "first_order")
    assert task.spec.recipe == TASKS.get("breast_cancer").recipe


def test_more_rounds_than_probe_samples_last_are_refused_with_the_largest_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has \d+ probe samples, too few for 100 one-time shards") as caught:
        published(tmp_path, rounds=100)
    most = int(caught.value.hint.removeprefix("ask for at most ").split()[0])
    _, task = published(tmp_path, rounds=most)
    assert task.spec.probe_shard == 8
    with pytest.raises(ConfigError):
        published(tmp_path, rounds=most + 1)


# -- parameters ------------------------------------------------------------------------------------------


def params(task: PublishedTask, seats: int) -> TaskParams:
    return task_params(task, rounds=3, seats=seats, timing=TIMING, starts_at=1_000, pool=10 * TOKEN)


def test_parameters_bind_what_was_published(tmp_path: Path) -> None:
    _, task = published(tmp_path)
    found = params(task, 3)
    assert found.spec_digest == task.artefact.digest
    assert found.genesis_model == task.spec.genesis.digest
    assert found.probe_root == task.spec.probe_root
    assert (found.starts_at, found.rounds) == (1_000, 3)
    assert (found.commit_s, found.reveal_s, found.post_s, found.window_s, found.attempt_s) == (
        10,
        20,
        30,
        40,
        15,
    )
    assert TIMING.period_s == 100


@pytest.mark.parametrize(("seats", "quorum"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (31, 21), (128, 86)])
def test_more_than_two_thirds_sign_and_stand_to_lose_twice_the_pool(tmp_path: Path, seats: int, quorum: int) -> None:
    _, task = published(tmp_path)
    found = params(task, seats)
    assert (found.seats, found.quorum) == (seats, quorum)
    pool = found.trainer_pool + found.verifier_pool
    assert quorum * found.slash >= 2 * pool > quorum * (found.slash - 1)
    assert (found.trainer_pool, found.verifier_pool) == (10 * TOKEN, 2 * TOKEN)
