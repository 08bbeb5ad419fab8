"""Disputes over real training: contract on a chain, 1,024 steps of torch, both parties, a judging committee."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ledger import (
    DisputeOutcome,
    DisputeTurn,
    Ledger,
    TesterChain,
    Training,
    deploy_training_disputes,
)
from node.data import Dataset
from node.model import Layout, initial_parameters, layout_of
from node.replay import Challenger, Defender, Run, checkpoint_digest, checkpoint_tree, judge, recorded
from node.replay.dispute import Terms, events_of
from node.train import Profile, Recipe, Trainer, TrainerState
from storage import DiskStore
from tests.integration.ledger import world as w

STEPS = 32
FULL, SHORT = 1024, 64  # steps of a run: 32 segments of 32, or 2
BOND, MOVE_S = 50 * w.UNIT, 100
TERMS = Terms(tau=1e-4, norm_bound=1000.0)
DATA = Dataset(
    np.random.default_rng(1).standard_normal((64, 6)).astype(np.float32),
    np.random.default_rng(2).integers(0, 3, 64),
    3,
)
TRAINER, CHALLENGER = 1, 5  # nodes of the world


def module() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


START = initial_parameters(module, 3)
LAYOUT: Layout = layout_of(START)


def trainer(recipe: Recipe, profile: Profile | None = None) -> Trainer:
    if profile is None:
        return Trainer(module(), DATA, recipe, seed=11)
    return Trainer(module(), DATA, recipe, seed=11, profile=profile)


def recipe_of(optimiser: str, steps: int) -> Recipe:
    rate = {"sgd": 0.05, "adam": 0.002}[optimiser]
    return Recipe(optimiser, rate, epochs=steps // 8, batch=8)  # type: ignore[arg-type]


SGD = recipe_of("sgd", SHORT)


def skipping(honest: Trainer, skipped: int) -> Run:
    """A run that leaves out step `skipped` and says nothing."""

    def advance(state: TrainerState, steps: int) -> TrainerState:
        for _ in range(steps):
            done = state.step == skipped
            state = replace(state, step=state.step + 1) if done else honest.advance(state, 1)
        return state

    return recorded(honest, START, steps=STEPS, advance=advance)


@dataclass
class Stage:
    """A world with the contract, a bonded trainer, and the referee's store."""

    world: w.World
    store: DiskStore

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger

    def dispute(self, claimed: Run, replayed: Run) -> tuple[int, Defender, Challenger, list[bytes]]:
        digests = [checkpoint_digest(state) for state in claimed.checkpoints]
        training = Training(self.world.task, 1, TRAINER, claimed.segments, STEPS, checkpoint_tree(digests).root)
        signature = self.ledger.sign_training(w.hot(TRAINER), training)
        number, _ = self.ledger.open_dispute(
            w.owner(CHALLENGER), training, signature, low=0, high=claimed.segments, seed=w.digest("rows")
        )
        defender = Defender(self.ledger, w.hot(TRAINER), claimed, TERMS, store=self.store)
        challenger = Challenger(self.ledger, w.owner(CHALLENGER), replayed, TERMS, seed=w.digest("fresh rows"))
        return number, defender, challenger, digests

    def settle(self, number: int, *, trainer_right: bool) -> None:
        """The committee of round 2 signs."""
        committee = self.world.draw(2)
        seed = self.ledger.seed(self.world.task, 2)
        assert seed is not None
        signatures = {
            seat.node: self.ledger.sign_verdict(w.hot(seat.node), number, trainer_right=trainer_right)
            for seat in committee
        }
        self.ledger.resolve_dispute(
            w.owner(0),
            number,
            trainer_right=trainer_right,
            draw_seed=seed,
            committee=committee,
            signatures=signatures,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    torch.set_num_threads(1)
    with TesterChain.create(seed=b"disputes", funded=w.ACCOUNTS) as chain:
        world = w.World(chain, chain.advance_to, chain.mine)
        deployment = deploy_training_disputes(
            chain,
            w.owner(0),
            world.ledger.deployment,
            bond=BOND,
            move_s=MOVE_S,
            verdict_s=10_000,
            unbonding_s=100_000,
        )
        world.ledger = Ledger(chain, deployment)
        world.populate()
        world.ledger.bond_training(w.owner(TRAINER), TRAINER, BOND)
        world.advance_to(world.phase_start(1, 1))
        yield Stage(world, DiskStore(tmp_path / "store"))


def play(stage: Stage, number: int, defender: Defender, challenger: Challenger) -> int:
    """Both move until the judges' turn; the number of halvings."""
    while defender.move(number) or challenger.move(number):
        pass
    return sum(event.name == "HalfChosen" for event in events_of(stage.ledger, number))


def test_a_wrong_trainer_loses_at_its_own_step_of_1024(stage: Stage) -> None:
    recipe, skipped = recipe_of("adam", FULL), 700
    honest = trainer(recipe)
    assert honest.steps == 1024
    number, defender, challenger, digests = stage.dispute(
        skipping(honest, skipped), recorded(trainer(recipe), START, steps=STEPS)
    )
    before = stage.ledger.token_balance(w.owner(CHALLENGER).address)
    assert play(stage, number, defender, challenger) == 5 + 5  # log2(32 segments) + log2(32 steps)
    left = stage.ledger.training_dispute(number)
    assert (left.turn, left.segment * STEPS + left.low) == (DisputeTurn.JUDGE, skipped)
    reference = CountingTrainer(recipe)
    right = judge(
        stage.ledger,
        number,
        store=stage.store,
        reference=reference,
        layout=LAYOUT,
        terms=TERMS,
        checkpoints=digests,
    )
    assert not right
    assert reference.executed == 1
    stage.settle(number, trainer_right=right)
    done = stage.ledger.training_dispute(number)
    assert (done.turn, done.outcome) == (DisputeTurn.OVER, DisputeOutcome.CHALLENGER_WON)
    assert stage.ledger.token_balance(w.owner(CHALLENGER).address) - before == BOND + BOND // 2
    assert stage.ledger.training_bond(TRAINER)[0] == 0


class CountingTrainer(Trainer):
    """The float64 reference; counts what it executes."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(module(), DATA, recipe, seed=11, profile=Profile("reference", precision="float64"))
        self.executed = 0

    def advance(self, state: TrainerState, steps: int) -> TrainerState:
        self.executed += steps
        return super().advance(state, steps)


def judged(stage: Stage, number: int, digests: list[bytes], recipe: Recipe = SGD) -> bool:
    return judge(
        stage.ledger,
        number,
        store=stage.store,
        reference=trainer(recipe, Profile("reference", precision="float64")),
        layout=LAYOUT,
        terms=TERMS,
        checkpoints=digests,
    )


def test_a_wrong_challenger_loses_over_1024_steps(stage: Stage, tmp_path: Path) -> None:
    """The trainer is honest on another numeric profile than its judge; who disputes it replayed other training."""
    recipe = recipe_of("sgd", FULL)
    honest = recorded(trainer(recipe, Profile("theirs", micro_batch=3)), START, steps=STEPS)
    number, defender, challenger, digests = stage.dispute(honest, skipping(trainer(recipe), 37))
    assert play(stage, number, defender, challenger) == 10
    right = judged(stage, number, digests, recipe)
    assert right
    kept, stage.store = stage.store, DiskStore(tmp_path / "empty")
    assert not judged(stage, number, digests, recipe)  # what is withheld counts against the trainer
    stage.store = kept
    stage.settle(number, trainer_right=right)
    assert stage.ledger.training_dispute(number).outcome is DisputeOutcome.TRAINER_WON
    assert stage.ledger.training_bond(TRAINER)[0] == BOND + BOND // 2


def test_silence_loses(stage: Stage) -> None:
    run = recorded(trainer(SGD), START, steps=STEPS)
    number, defender, _, _ = stage.dispute(run, run)
    stage.world.advance_to(stage.ledger.training_dispute(number).deadline + 1)
    stage.ledger.time_out(w.owner(0), number)
    assert stage.ledger.training_dispute(number).outcome is DisputeOutcome.CHALLENGER_WON
    stage.ledger.bond_training(w.owner(TRAINER), TRAINER, BOND)
    other = recorded(trainer(recipe_of("adam", SHORT)), START, steps=STEPS)
    number, defender, _, _ = stage.dispute(other, run)
    assert defender.move(number)
    stage.world.advance_to(stage.ledger.training_dispute(number).deadline + 1)
    stage.ledger.time_out(w.owner(0), number)
    assert stage.ledger.training_dispute(number).outcome is DisputeOutcome.TRAINER_WON


class Liar(Defender):
    """Trains wrongly, and says of every state the sketch that honest training has: it knows the rows by then."""

    honest: Run

    def own_sketch(self, number, dispute):  # type: ignore[no-untyped-def]
        kept, self.run = self.run, self.honest
        self._segment = (-1, [])
        try:
            return super().own_sketch(number, dispute)
        finally:
            self.run, self._segment = kept, (-1, [])


def test_a_sketch_of_other_content_is_seen_at_the_leaf(stage: Stage) -> None:
    right = recorded(trainer(SGD), START, steps=STEPS)
    wrong = skipping(trainer(SGD), 5)
    number, _, challenger, digests = stage.dispute(wrong, right)
    liar = Liar(stage.ledger, w.hot(TRAINER), wrong, TERMS, store=stage.store)
    liar.honest = right
    play(stage, number, liar, challenger)
    left = stage.ledger.training_dispute(number)
    # The challenger agreed with everything that was said: the last step of the last segment is left.
    assert left.segment * STEPS + left.low == SHORT - 1
    assert not judged(stage, number, digests)
