"""Replay mode's I/O: public shards and checkpoints out of the store, drawn segments executed again.

Starts of drawn segments are there from the beacon on, ends from the roster on; what a trainer withholds costs it its
score, like an update that cannot be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.data import Dataset
from node.errors import DataError, TrainingError
from node.model import flatten
from node.record import Manifest
from node.replay.checkpoint import checkpoint_digest, checkpoint_length, checkpoint_tree, read_checkpoint
from node.replay.segments import Segment, batch_seed, drawn_segments, segments_sketch
from node.round.gather import fetch
from node.round.view import Commitment
from node.spec import Artefact, TaskSpec
from node.task import TASKS
from node.train import Trainer, TrainerState
from node.verify import Reason, RoundInputs, decode_update
from storage import CidMismatch, CodecError, MissingContent, Store, TensorSpec, TooLarge, decode, from_digest

MAX_DIGESTS_BYTES = 1 << 20


def public_shard(store: Store, spec: TaskSpec, slot: int) -> Dataset:
    """The training data of the trainer in this slot. Raises what `fetch` and `decode` raise."""
    assert spec.replay is not None
    shard = spec.replay.shards[slot % len(spec.replay.shards)]
    specs = [TensorSpec("x", (shard.rows, *spec.shape), "float32"), TensorSpec("y", (shard.rows,), "int64")]
    data = fetch(store, shard.data)
    return Dataset(**decode(data, specs, max_bytes=len(data)), classes=spec.classes)


def trainer_of(spec: TaskSpec, data: Dataset, *, task: int, round_: int, node: int) -> Trainer:
    """The one run of the recipe that a node has to make in a round of a task in replay mode."""
    module = TASKS.get(spec.name).module(spec.shape, spec.classes)
    return Trainer(module, data, spec.recipe, seed=batch_seed(spec, task=task, round_=round_, node=node))


@dataclass
class Replays:
    """Executes and reads the drawn segments of one round's submissions; results are kept."""

    store: Store
    spec: TaskSpec
    inputs: RoundInputs
    commitments: Mapping[int, Commitment]

    def __post_init__(self) -> None:
        self._executed: dict[int, list[Segment] | Reason] = {}

    def executed(self, nodes: Iterable[int]) -> dict[int, list[Segment] | Reason]:
        """By trainer: its drawn segments as they end when executed here, or why that cannot be done."""
        for node in nodes:
            if node not in self._executed:
                self._executed[node] = self._execute(node)
        return {node: self._executed[node] for node in nodes}

    def committed(self, node: int) -> NDArray[np.int32] | None:
        """The sketch of the drawn segments as a trainer's own checkpoints have them; None where they are malformed, or
        do not end in its update. Raises MissingContent, CidMismatch or TooLarge where they cannot be had (yet)."""
        try:
            run = self._run(node)
            segments = [(self._state(run, s), self._state(run, s + 1)) for s in run.drawn]
            last = self._state(run, run.segments)
            update = decode_update(fetch(self.store, run.manifest.update), self.spec)
        except (CodecError, DataError):
            return None
        moved = flatten(last.params) - flatten(self.inputs.parent)
        if moved.tobytes() != update.tobytes():
            return None
        return segments_sketch(segments, self.spec, self.inputs, node=node)

    def _execute(self, node: int) -> list[Segment] | Reason:
        try:
            run = self._run(node)
            starts = [self._state(run, segment) for segment in run.drawn]
        except (MissingContent, TooLarge):
            return Reason.UNAVAILABLE
        except CidMismatch:
            return Reason.WRONG_CID
        except (CodecError, DataError):
            return Reason.REPLAY_MISMATCH
        try:
            steps = self._steps()
            return [(start, run.trainer.advance(start, steps)) for start in starts]
        except TrainingError:
            return Reason.REPLAY_MISMATCH

    def _steps(self) -> int:
        assert self.spec.replay is not None
        return self.spec.replay.segment

    def _run(self, node: int) -> _Run:
        """What a trainer published of its run. Raises DataError where it does not fit the task's recipe."""
        entry = self.commitments[node]
        assert entry.manifest is not None
        assert self.spec.replay is not None
        manifest = Manifest.from_bytes(fetch(self.store, Artefact(entry.manifest, entry.length)))
        if manifest.checkpoints is None or manifest.checkpoints.digests.length > MAX_DIGESTS_BYTES:
            raise DataError(f"node {node} names no checkpoints")
        packed = fetch(self.store, manifest.checkpoints.digests)
        digests = [packed[at : at + 32] for at in range(0, len(packed), 32)]
        data = public_shard(self.store, self.spec, entry.slot)
        trainer = trainer_of(self.spec, data, task=self.inputs.task, round_=self.inputs.round, node=node)
        segments = trainer.steps // self.spec.replay.segment
        if len(packed) != 32 * (segments + 1) or checkpoint_tree(digests).root != manifest.checkpoints.root:
            raise DataError(f"node {node} does not name {segments + 1} checkpoints under its root")
        if digests[0] != checkpoint_digest(trainer.start(self.inputs.parent)):
            raise DataError(f"the run of node {node} does not start from the parent model")
        drawn = drawn_segments(self.inputs.beacon, node=node, segments=segments, drawn=self.spec.replay.drawn)
        return _Run(manifest, trainer, digests, segments, drawn)

    def _state(self, run: _Run, index: int) -> TrainerState:
        length = checkpoint_length(self.spec.layout, self.spec.recipe)
        data = self.store.get(from_digest(run.digests[index], length), max_bytes=length)
        state = read_checkpoint(data, self.spec.layout, self.spec.recipe)
        if state.step != index * self._steps():
            raise DataError(f"checkpoint {index} is of step {state.step}")
        return state


@dataclass(frozen=True)
class _Run:
    manifest: Manifest
    trainer: Trainer
    digests: list[bytes]
    segments: int
    drawn: list[int]
