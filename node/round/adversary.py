"""Byzantine roles: each subclass holds only its difference from the honest one (DESIGN §13, attacks)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from node import train as training
from node.attacks import ATTACKS, AttackSpec, ForgeContext, Malformation
from node.codec import CODECS
from node.data import Dataset
from node.message import Kind, Message
from node.model import flatten
from node.replay.run import Advance
from node.round.actor import Context
from node.round.gather import gather
from node.round.planter import leaked_outputs
from node.round.settle import RoundFacts, observed_digest
from node.round.trainer import Trainer
from node.round.verifier import Verifier
from node.score import ACCEPTED_BASE
from node.seeds import derive_seed
from node.train import TrainerState
from node.verify import Observation, Reason, observe, output_sketch
from storage import encode


class ForgingTrainer(Trainer):
    """Runs the whole protocol honestly on data that an attack has poisoned, or an update that it has replaced."""

    def __init__(self, context: Context, data: Dataset, *, run_seed: int, attack: AttackSpec) -> None:
        self._attack = ATTACKS.get(attack.name)
        super().__init__(context, self._attack.poison(data, attack.strength), run_seed=run_seed)
        self._strength, self._colluders = attack.strength, attack.count
        self._previous: NDArray[np.float32] | None = None

    def forge(self, round_: int, update: NDArray[np.float32]) -> NDArray[np.float32]:
        context = ForgeContext(
            seed=derive_seed(self.run_seed, "forge", round_, self.context.node),
            round=round_,
            previous_global=self._previous_step(round_),
            own_previous=self._previous,
            strength=self._strength,
            honest=self._revealed_before(round_),
            attackers=self._colluders,
            shared_seed=derive_seed(self.run_seed, "collude"),
        )
        forged = self._attack.forge(update, context=context)
        self._previous = update
        return forged

    def _previous_step(self, round_: int) -> NDArray[np.float32] | None:
        """The last step of the global model, as anyone can read it from chain and store."""
        for earlier in range(round_ - 1, 0, -1):
            posted = self.view.settled(earlier)
            if posted is not None:
                report = posted.args["report"]
                return flatten(self.context.model(report.model)) - flatten(self.context.model(report.parent))
        return None

    def _revealed_before(self, round_: int) -> NDArray[np.float32] | None:
        """(h, d) what others revealed a round ago: this round's updates are still hidden by their commitments."""
        earlier = round_ - 1
        entries = [c for c in self.view.commitments(earlier) if c.node != self.context.node] if earlier else []
        found = gather(
            entries,
            store=self.context.store,
            spec=self.context.spec,
            scope=self.context.scope,
            task=self.context.task,
            round_=earlier,
            parent=self.view.parent(earlier) if earlier else b"",
        )
        updates = [item.update for item in found if item.update is not None]
        return np.stack(updates) if updates else None


class SkippingTrainer(Trainer):
    """Leaves out a share of its steps, by default every second, and says nothing."""

    def __init__(self, context: Context, data: Dataset, *, run_seed: int, strength: str | None = None) -> None:
        super().__init__(context, data, run_seed=run_seed)
        self._share = float(strength or 0.5)

    def advancing(self, trainer: training.Trainer) -> Advance:
        def go(state: TrainerState, steps: int) -> TrainerState:
            for _ in range(steps):
                # The skipped ones lie evenly: step t is left out where t times the share passes a whole number.
                done, due = int(state.step * self._share), int((state.step + 1) * self._share)
                state = replace(state, step=state.step + 1) if due > done else trainer.advance(state, 1)
            return state

        return go


class LeakingTrainer(Trainer):
    """Tells everybody what its outputs are; of what it planted itself, a decoy like any planter."""

    def leaks(self, round_: int) -> bool:
        return True


class CopycatTrainer(Trainer):
    """Does no work: repeats another trainer's commitment and, when that one reveals, its manifest and salt."""

    def _train(self, round_: int) -> bool:
        return False

    def _commit(self, round_: int) -> bool:
        victims = [c for c in self.view.commitments(round_) if c.node != self.context.node]
        if self._entry(round_) is not None or not victims:
            return False
        with self.context.metrics.phase("chain"):
            copied = victims[0].commitment
            self.view.ledger.commit(self.context.signer, self.context.task, round_, self.context.node, copied)
        self.record(round_, "committed", victim=victims[0].node)
        return True

    def _reveal(self, round_: int) -> bool:
        entry = self._entry(round_)
        if entry is None or entry.manifest is not None or not self.done(round_, "committed"):
            return False
        victim = int(self.recall(round_, "committed")["victim"])
        opened = next((c for c in self.view.commitments(round_) if c.node == victim), None)
        if opened is None or opened.manifest is None:
            return False
        with self.context.metrics.phase("chain"):
            self.view.ledger.reveal(
                self.context.signer,
                self.context.task,
                round_,
                self.context.node,
                manifest=opened.manifest,
                length=opened.length,
                salt=opened.salt,
            )
        return True

    def _claim(self, round_: int) -> bool:
        return False


class MalformedTrainer(Trainer):
    """Trains honestly, then breaks what it sends in one of the ways of `Malformation`."""

    def __init__(self, context: Context, data: Dataset, *, run_seed: int, strength: str | None = None) -> None:
        super().__init__(context, data, run_seed=run_seed)
        self._fault = Malformation(strength or Malformation.TRUNCATED.value)

    def payload(self, update: NDArray[np.float32]) -> bytes:
        spec = self.context.spec
        tensors = CODECS.get(spec.codec).encode(update, spec.layout)
        first = spec.layout[0][0]
        if self._fault is Malformation.NON_FINITE:
            tensors[first] = np.full_like(tensors[first], np.nan)
        if self._fault is Malformation.WRONG_SHAPE:
            tensors[first] = tensors[first].reshape(-1, 1, 1)
        data = encode(tensors)
        if self._fault is Malformation.TRUNCATED:
            return data[:-100]
        if self._fault is Malformation.OVERSIZED:
            return data + bytes(spec.max_update_bytes)
        return data

    def published(self, round_: int) -> tuple[str, ...]:
        names = super().published(round_)
        return names[1:] if self._fault is Malformation.WITHHELD else names

    def _reveal(self, round_: int) -> bool:
        return self._fault is not Malformation.UNREVEALED and super()._reveal(round_)

    def _claim(self, round_: int) -> bool:
        """It has nothing to claim: its own bytes do not decode."""
        return False


class LazyVerifier(Verifier):
    """Evaluates nothing: accepts every reveal with one score, guesses sketches, finds no fault in anyone."""

    def make_observation(self, facts: RoundFacts, key: bytes) -> Observation:
        votes = [0] * len(facts.trainer_slots)
        revealed = [entry for entry in facts.commitments if entry.manifest is not None]
        for entry in revealed:
            votes[entry.slot] = ACCEPTED_BASE + 1_024
        guess = np.zeros(self.context.spec.sketch_rows, dtype=np.int32)
        guesses = {entry.node: guess for entry in revealed}
        reasons = {entry.node: Reason.ACCEPTED for entry in revealed}
        return Observation(votes=tuple(votes), reasons=reasons, sketches=guesses, member_sketches=guesses)

    def false_peers(self, facts: RoundFacts, key: bytes) -> list[int]:
        return []

    def _refuse_omissions(self, facts: RoundFacts, roster: Message) -> None:
        """It checks nothing."""


class VoteCopier(LazyVerifier):
    """Evaluates nothing: repeats the commitment of a peer and, once that one reveals, its reveal."""

    def _commit(self, facts: RoundFacts) -> bool:
        peers = [m for m in self.heard(facts.round, Kind.OBSERVED) if m.node != self.context.node]
        if self.done(facts.round, f"said:{Kind.OBSERVED.value}:0"):
            return self.say(facts.round, Kind.OBSERVED, {})
        if not peers:
            return False
        copied = bytes.fromhex(peers[0].body["commitment"])
        self.record(facts.round, "copied", victim=peers[0].node)
        signature = self.context.signer.sign_digest(observed_digest(facts, self.context.node, copied))
        return self.say(facts.round, Kind.OBSERVED, {"commitment": copied.hex(), "signature": signature.hex()})

    def _reveal(self, facts: RoundFacts) -> bool:
        if not self.done(facts.round, "copied"):
            return False
        victim = self.recall(facts.round, "copied")["victim"]
        opened = next((m for m in self.heard(facts.round, Kind.REVEALED) if m.node == victim), None)
        return opened is not None and self.say(facts.round, Kind.REVEALED, dict(opened.body))


class LeakTaker(LazyVerifier):
    """States what trainers say of their own outputs, bound to its address as if computed. Works on the others alone.

    Where the leak is right nobody can tell, whoever checks.
    """

    def make_observation(self, facts: RoundFacts, key: bytes) -> Observation:
        spec, inputs, address = self.context.spec, self.inputs(facts, key), facts.signers[self.context.node]
        shape = (len(inputs.probe), spec.classes)
        leaks = leaked_outputs(self.heard(facts.round, Kind.LEAKED), shape=shape) if spec.replay is None else {}
        taken = {e.node: leaks[e.node] for e in facts.commitments if e.manifest is not None and e.node in leaks}
        seen = observe(
            [item for item in self.submissions(facts) if item.node not in taken],
            spec,
            inputs,
            evaluator=self.context.evaluator,
            slots=len(facts.trainer_slots),
            member=address,
            own_node=self.context.node,
        )
        guess, slots = super().make_observation(facts, key), {facts.trainer_slots[node] for node in taken}
        shared = {n: output_sketch(u, spec, inputs, node=n) for n, u in taken.items()}
        bound = {n: output_sketch(u, spec, inputs, node=n, member=address) for n, u in taken.items()}
        return Observation(
            votes=tuple(guess.votes[s] if s in slots else vote for s, vote in enumerate(seen.votes)),
            reasons={**seen.reasons, **dict.fromkeys(taken, Reason.ACCEPTED)},
            sketches={**seen.sketches, **shared},
            member_sketches={**seen.member_sketches, **bound},
        )


def make_trainer(context: Context, data: Dataset, *, run_seed: int, attack: AttackSpec | None) -> Trainer:
    """The honest trainer, or the one that carries out `attack`."""
    if attack is None:
        return Trainer(context, data, run_seed=run_seed)
    kind = ATTACKS.get(attack.name)
    if kind.copies_commitment:
        return CopycatTrainer(context, data, run_seed=run_seed)
    if kind.leaks:
        return LeakingTrainer(context, data, run_seed=run_seed)
    if kind.skips_steps:
        return SkippingTrainer(context, data, run_seed=run_seed, strength=attack.strength)
    if kind.malforms:
        return MalformedTrainer(context, data, run_seed=run_seed, strength=attack.strength)
    return ForgingTrainer(context, data, run_seed=run_seed, attack=attack)


def make_verifier(context: Context, *, run_seed: int, attack: AttackSpec | None, patience_s: int) -> Verifier:
    """The honest verifier, or the one that carries out `attack`."""
    flags = None if attack is None else ATTACKS.get(attack.name)
    kind = Verifier
    if flags is not None and flags.skips_work:
        kind = LazyVerifier
    elif flags is not None and flags.copies_votes:
        kind = VoteCopier
    elif flags is not None and flags.takes_leaks:
        kind = LeakTaker
    return kind(context, run_seed=run_seed, patience_s=patience_s)
