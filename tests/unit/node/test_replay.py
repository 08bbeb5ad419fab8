"""Checkpoints, movements and drawn segments of replay mode."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from node.data import Dataset
from node.errors import ConfigError, DataError
from node.model import initial_parameters, layout_of
from node.replay import checkpoint_bytes, checkpoint_digest, checkpoint_tree, read_checkpoint, recorded, same_step
from node.replay.checkpoint import checkpoint_length
from node.replay.movement import movement_sketch, same_movement
from node.replay.segments import drawn_segments
from node.train import Profile, Recipe, Trainer, TrainerState
from storage import CodecError, encode

DATA = Dataset(
    np.random.default_rng(1).standard_normal((16, 4)).astype(np.float32), np.random.default_rng(2).integers(0, 2, 16), 2
)
RECIPES = [Recipe("sgd", 0.05, epochs=4, batch=8), Recipe("adam", 0.01, epochs=4, batch=8)]
START = initial_parameters(lambda: torch.nn.Linear(4, 2), 5)
LAYOUT = layout_of(START)
TAU, BOUND = 1e-4, 100.0


def trainer(recipe: Recipe, precision: str = "float32", **profile: object) -> Trainer:
    chosen = Profile("chosen", precision=precision, **profile)  # type: ignore[arg-type]
    return Trainer(torch.nn.Linear(4, 2), DATA, recipe, seed=3, profile=chosen)


@pytest.mark.parametrize("recipe", RECIPES, ids=["sgd", "adam"])
def test_a_checkpoint_is_everything_and_has_one_encoding(recipe: Recipe) -> None:
    run = trainer(recipe)
    state = run.advance(run.start(START), 3)
    data = checkpoint_bytes(state)
    assert len(data) == checkpoint_length(LAYOUT, recipe)
    again = read_checkpoint(data, LAYOUT, recipe)
    assert checkpoint_bytes(again) == data
    resumed, straight = run.advance(again, 5), run.advance(run.start(START), 8)
    assert checkpoint_digest(resumed) == checkpoint_digest(straight)
    forgotten = replace(again, moments=run.start(START).moments)
    assert checkpoint_digest(run.advance(forgotten, 5)) != checkpoint_digest(straight)


def test_untrusted_checkpoints_are_refused() -> None:
    recipe = RECIPES[0]
    state = trainer(recipe).start(START)
    data = checkpoint_bytes(state)
    for bad in (data[:-1], data + b"x", b"", encode(state.tensors())):
        with pytest.raises(CodecError):
            read_checkpoint(bad, LAYOUT, recipe)
    with pytest.raises(DataError, match="step -1"):
        read_checkpoint(checkpoint_bytes(replace(state, step=-1)), LAYOUT, recipe)
    with pytest.raises(CodecError):
        read_checkpoint(data, LAYOUT, RECIPES[1])  # another optimiser remembers other arrays


def test_the_tree_binds_each_checkpoint_to_its_place() -> None:
    digests = [bytes([i]) * 32 for i in range(5)]
    roots = {checkpoint_tree(order).root for order in (digests, digests[::-1], digests[:4])}
    assert len(roots) == 3


def test_segments_divide_a_run() -> None:
    run = trainer(RECIPES[0])
    kept = recorded(run, START, steps=2)
    assert (kept.segments, run.steps) == (4, 8)
    states = kept.segment(2)
    assert [state.step for state in states] == [4, 5, 6]
    assert checkpoint_digest(run.advance(states[1], 1)) == checkpoint_digest(states[2])
    with pytest.raises(ConfigError, match="do not divide"):
        recorded(run, START, steps=3)


@pytest.mark.parametrize("recipe", RECIPES, ids=["sgd", "adam"])
def test_each_group_is_judged_on_its_own(recipe: Recipe) -> None:
    run = trainer(recipe)
    base, end = run.start(START), run.advance(run.start(START), 6)
    groups = 1 + len(end.moments)

    def sketched(state: TrainerState) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return movement_sketch(state, base, seed=b"rows", k=16, norm_bound=BOUND)

    honest = trainer(recipe, micro_batch=3, permuted=True)
    other = honest.advance(honest.start(START), 6)
    assert checkpoint_digest(other) != checkpoint_digest(end)  # another machine's bits
    assert same_movement(sketched(other), sketched(end), groups=groups, tau=TAU)
    for name in end.moments:  # one array of the optimiser 1 % off, everything else exact
        forged = {**end.moments, name: {k: v * np.float32(1.01) for k, v in end.moments[name].items()}}
        assert not same_movement(sketched(replace(end, moments=forged)), sketched(end), groups=groups, tau=TAU)
    rescaled = {k: START[k] + np.float32(1.1) * (v - START[k]) for k, v in end.params.items()}
    assert not same_movement(sketched(replace(end, params=rescaled)), sketched(end), groups=groups, tau=TAU)
    assert not same_movement(sketched(end)[:16], sketched(end), groups=groups, tau=TAU)


@pytest.mark.parametrize("recipe", RECIPES, ids=["sgd", "adam"])
def test_one_step_against_float64(recipe: Recipe) -> None:
    run, reference = trainer(recipe), trainer(recipe, "float64")
    before = run.advance(run.start(START), 3)
    wanted = reference.advance(before, 1)
    for honest in (run, trainer(recipe, micro_batch=2), trainer(recipe, permuted=True)):
        assert same_step(honest.advance(before, 1), wanted, before, tau=TAU)
    faster = replace(recipe, learning_rate=recipe.learning_rate * 1.01)
    assert not same_step(trainer(faster).advance(before, 1), wanted, before, tau=TAU)
    assert not same_step(replace(before, step=before.step + 1), wanted, before, tau=TAU)  # skipped
    assert not same_step(replace(wanted, step=9), wanted, before, tau=TAU)
    assert same_step(wanted, wanted, before, tau=0)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 12))
def test_draws_are_fixed_by_the_beacon_and_have_no_neighbours(
    beacon: bytes, node: int, segments: int, drawn: int
) -> None:
    found = drawn_segments(beacon, node=node, segments=segments, drawn=drawn)
    assert found == drawn_segments(beacon, node=node, segments=segments, drawn=drawn) == sorted(set(found))
    assert 1 <= len(found) <= drawn
    assert all(0 <= segment < segments for segment in found)
    assert all(b - a > 1 for a, b in itertools.pairwise(found))


def test_every_segment_is_drawn_in_its_turn() -> None:
    counts = np.zeros(8)
    for number in range(400):
        for segment in drawn_segments(number.to_bytes(32, "big"), node=1, segments=8, drawn=2):
            counts[segment] += 1
    assert counts.min() > 60  # 100 each in expectation
