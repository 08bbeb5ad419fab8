"""A trainer's round: train → encode → commit → store and reveal → claim its output sketch → open the claim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import Clock, Phase, Role, update_commitment
from node import train as training
from node.codec import CODECS
from node.data import Dataset
from node.message import Kind
from node.model import Parameters, flatten
from node.record import CheckpointList, Manifest
from node.replay.checkpoint import checkpoint_bytes, checkpoint_tree, read_checkpoint
from node.replay.run import Advance, recorded
from node.replay.segments import drawn_segments, segments_sketch
from node.round.actor import Context
from node.round.collect import DIRECT_FROM, collect_time
from node.round.gather import open_shard
from node.round.planter import Planter
from node.round.replays import public_shard, trainer_of
from node.round.settle import agreed_roster, claim_digest
from node.round.view import Commitment
from node.seeds import derive_bytes, derive_seed
from node.sketch import decode_sketch, encode_sketch
from node.spec import Artefact
from node.task import TASKS
from node.train import TrainerState
from node.verify import RoundInputs, decode_update, output_sketch, outputs_of, probe_batch
from storage import encode


class Trainer(Planter):
    """Trains on its own data, which never leaves it. `run_seed` makes its batch order and salts reproducible."""

    def __init__(self, context: Context, data: Dataset, *, run_seed: int, patience_s: int = 0) -> None:
        super().__init__(context, run_seed=run_seed, patience_s=patience_s)
        self.data = data

    def _advance_round(self, clock: Clock) -> bool:
        round_ = clock.round
        if clock.phase is Phase.COMMIT:
            return self._train(round_) or self._commit(round_)
        if clock.phase is Phase.REVEAL:
            return self._reveal(round_)
        if clock.phase is Phase.POST:
            return self._claim(round_) or self._open_claim(round_) or self._open_origin(round_)
        return False

    # -- COMMIT --------------------------------------------------------------------------------------------------

    def _train(self, round_: int) -> bool:
        if self.done(round_, "trained"):
            return False
        context = self.context
        parent_digest = self.view.parent(round_)
        parent = context.model(parent_digest)
        with context.metrics.phase("train"):
            states = self._run(round_, parent)
            update = self.forge(round_, flatten(states[-1].params) - flatten(parent))
        with context.metrics.phase("encode"):
            payload = self.payload(update)
            origin = self.origin(round_, Artefact.of(payload).digest)
            manifest = Manifest(
                context.task,
                round_,
                context.node,
                parent_digest,
                Artefact.of(payload),
                context.spec.codec,
                self._keep_checkpoints(round_, states),
                None if origin is None else origin.digest(),
            ).to_bytes()
        # Bytes stay private until the reveal: a commitment that others could copy early protects nobody.
        context.journal.write_blob(f"update-{round_}", payload)
        context.journal.write_blob(f"manifest-{round_}", manifest)
        planted = {} if origin is None else {"planted": origin.planted}
        self.record(round_, "trained", manifest=Artefact.of(manifest).to_json(), **planted)
        return True

    def _run(self, round_: int, parent: Parameters) -> list[TrainerState]:
        """The states at the ends of this round's segments: the whole run is one in output mode."""
        spec, node = self.context.spec, self.context.node
        if spec.replay is None:
            module = TASKS.get(spec.name).module(spec.shape, spec.classes)
            trainer = training.Trainer(
                module, self.data, spec.recipe, seed=derive_seed(self.run_seed, "train", round_, node)
            )
        else:
            data = public_shard(self.context.store, spec, self.view.slots(Role.TRAINER)[node])
            trainer = trainer_of(spec, data, task=self.context.task, round_=round_, node=node)
        segment = trainer.steps if spec.replay is None else spec.replay.segment
        return list(recorded(trainer, parent, steps=segment, advance=self.advancing(trainer)).checkpoints)

    def advancing(self, trainer: training.Trainer) -> Advance:
        """How this node goes from one state to the next. Honest trainers follow the recipe."""
        return trainer.advance

    def _keep_checkpoints(self, round_: int, states: Sequence[TrainerState]) -> CheckpointList | None:
        """Write the checkpoints to the journal; what the manifest says of them. None in output mode."""
        if self.context.spec.replay is None:
            return None
        contents = [checkpoint_bytes(state) for state in states]
        for index, content in enumerate(contents):
            self.context.journal.write_blob(f"checkpoint-{round_}-{index}", content)
        digests = [Artefact.of(content).digest for content in contents]
        packed = b"".join(digests)
        self.context.journal.write_blob(f"digests-{round_}", packed)
        return CheckpointList(checkpoint_tree(digests).root, Artefact.of(packed))

    def forge(self, round_: int, update: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is sent in the place of the honest update. Honest trainers send it unchanged."""
        return update

    def payload(self, update: NDArray[np.float32]) -> bytes:
        """The bytes that are committed to: the update in the task's codec."""
        spec = self.context.spec
        return encode(CODECS.get(spec.codec).encode(update, spec.layout))

    def _salt(self, round_: int) -> bytes:
        return derive_bytes(self.run_seed, "salt", round_, self.context.node)

    def _commit(self, round_: int) -> bool:
        if not self.done(round_, "trained") or self._entry(round_) is not None:
            return False
        context = self.context
        commitment = update_commitment(
            chain_id=context.scope.chain_id,
            book=context.scope.book,
            task=context.task,
            round=round_,
            node=context.node,
            manifest=Artefact.from_json(self.recall(round_, "trained")["manifest"]).digest,
            salt=self._salt(round_),
        )
        if self._leave_to_collector(round_, Kind.COMMITTED):
            return self.say(round_, Kind.COMMITTED, {"commitment": commitment.hex()})
        with context.metrics.phase("chain"):
            self.view.ledger.commit(context.signer, context.task, round_, context.node, commitment)
        self.record(round_, "committed")
        return True

    def _entry(self, round_: int) -> Commitment | None:
        """The own commit, and with it the own reveal, as the chain has them."""
        return next((c for c in self.view.commitments(round_) if c.node == self.context.node), None)

    def _leave_to_collector(self, round_: int, kind: Kind) -> bool:
        """Whether a collector may still log it with many others; whoever is left out pays for its own."""
        if self.context.spec.collector == "none":
            return False
        return self.view.now < collect_time(self.view, round_, kind, DIRECT_FROM)

    # -- REVEAL --------------------------------------------------------------------------------------------------

    def _reveal(self, round_: int) -> bool:
        entry = self._entry(round_)
        if entry is None or entry.manifest is not None or not self.done(round_, "trained"):
            return False
        context = self.context
        if not self.done(round_, "published"):
            with context.metrics.phase("store"):
                for name in self.published(round_):
                    context.store.pin(context.store.put(context.journal.read_blob(name)))
            self.record(round_, "published")
        manifest = Artefact.from_json(self.recall(round_, "trained")["manifest"])
        if self._leave_to_collector(round_, Kind.DISCLOSED):
            body = {
                "manifest": manifest.digest.hex(),
                "length": manifest.length,
                "salt": self._salt(round_).hex(),
            }
            return self.say(round_, Kind.DISCLOSED, body)
        with context.metrics.phase("chain"):
            self.view.ledger.reveal(
                context.signer,
                context.task,
                round_,
                context.node,
                manifest=manifest.digest,
                length=manifest.length,
                salt=self._salt(round_),
            )
        self.record(round_, "revealed")
        return True

    def published(self, round_: int) -> tuple[str, ...]:
        """Names of the blobs that the reveal puts into the store."""
        digests = () if self.context.spec.replay is None else (f"digests-{round_}",)
        return (f"update-{round_}", f"manifest-{round_}", *digests)

    # -- POST ----------------------------------------------------------------------------------------------------

    def _claim(self, round_: int) -> bool:
        """Once the beacon has drawn probe batch and rows: state the digest of the own output sketch."""
        seed, key = self.view.seed(round_), self.view.probe_key(round_)
        if seed is None or key is None or not self.done(round_, "trained"):
            return False
        entry = self._entry(round_)
        if entry is None or entry.manifest is None:
            return False
        if not self.done(round_, "claimed"):
            self._publish_checkpoints(round_, seed, ends=False)
            self.record(round_, "claimed", sketch=encode_sketch(self._own_sketch(round_, seed, key)))
        self._leak_again(round_)
        sketch = decode_sketch(self.recall(round_, "claimed")["sketch"])
        return self.say(round_, Kind.CLAIM, {"digest": claim_digest(self.context.node, sketch).hex()})

    def _own_sketch(self, round_: int, seed: bytes, key: bytes) -> NDArray[np.int32]:
        context = self.context
        with context.metrics.phase("verify"):
            shard = open_shard(context.store, context.spec, round_, key)
            inputs = RoundInputs(
                task=context.task,
                round=round_,
                beacon=seed,
                parent=context.model(self.view.parent(round_)),
                probe=probe_batch(shard, beacon=seed, size=context.spec.probe_batch),
                stakes={},
                reputations={},
            )
            if context.spec.replay is not None:
                segments = [
                    (self._checkpoint(round_, s), self._checkpoint(round_, s + 1)) for s in self._drawn(round_, seed)
                ]
                return segments_sketch(segments, context.spec, inputs, node=context.node)
            # From the bytes that were sent, not from memory: a lossy codec must not make an honest claim wrong.
            update = decode_update(context.journal.read_blob(f"update-{round_}"), context.spec)
            outputs = outputs_of(context.evaluator, context.spec, inputs, update)
            self.leak(round_, outputs)
            return output_sketch(outputs, context.spec, inputs, node=context.node)

    def _checkpoint(self, round_: int, index: int) -> TrainerState:
        spec = self.context.spec
        return read_checkpoint(self.context.journal.read_blob(f"checkpoint-{round_}-{index}"), spec.layout, spec.recipe)

    def _segments(self, round_: int) -> int:
        return len(self.context.journal.read_blob(f"digests-{round_}")) // 32 - 1

    def _drawn(self, round_: int, seed: bytes) -> list[int]:
        plan = self.context.spec.replay
        assert plan is not None
        return drawn_segments(seed, node=self.context.node, segments=self._segments(round_), drawn=plan.drawn)

    def _publish_checkpoints(self, round_: int, seed: bytes, *, ends: bool) -> None:
        """Replay mode: the drawn segments' starts once the beacon is there; their ends, and the run's, once members are
        bound to what they executed."""
        if self.context.spec.replay is None:
            return
        last = {self._segments(round_)} if ends else set()
        with self.context.metrics.phase("store"):
            for index in sorted({segment + ends for segment in self._drawn(round_, seed)} | last):
                content = self.context.journal.read_blob(f"checkpoint-{round_}-{index}")
                self.context.store.pin(self.context.store.put(content))

    def _open_claim(self, round_: int) -> bool:
        """Once members of weight q are bound to their observations: open the claim."""
        facts = self.facts(round_)
        if facts is None or not self.done(round_, "claimed"):
            return False
        if agreed_roster(facts, self.heard(round_, Kind.ROSTER), self.heard(round_, Kind.ROSTER_ACK)) is None:
            return False
        if not self.done(round_, f"said:{Kind.CLAIM_OPENED.value}:0"):
            self._publish_checkpoints(round_, facts.seed, ends=True)
        return self.say(round_, Kind.CLAIM_OPENED, {"sketch": self.recall(round_, "claimed")["sketch"]})

    @property
    def role(self) -> Role:
        """Trainer."""
        return Role.TRAINER
