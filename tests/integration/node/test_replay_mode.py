"""Replay mode end to end: honest work is accepted, ways around the checkpoints are not, the audit executes again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import node.simulate
from node.audit import audit
from node.config import SimulationConfig
from node.explain import WHY, explain
from node.replay.segments import segments_sketch
from node.round.adversary import SkippingTrainer, make_trainer
from node.round.replays import public_shard, trainer_of
from node.round.trainer import Trainer
from node.source import Source, open_run
from node.summary import load_round_record
from node.verify import Reason, RoundInputs

CONFIG = SimulationConfig(task="breast_cancer", nodes=7, verifiers=3, rounds=1, verification="replay")


class Recomputing(SkippingTrainer):
    """Skips a tenth of the steps; of the drawn segments it claims what honest training makes of its own starts."""

    def __init__(self, context: Any, data: Any, *, run_seed: int) -> None:
        super().__init__(context, data, run_seed=run_seed, strength="0.1")

    def _own_sketch(self, round_: int, seed: bytes, key: bytes) -> NDArray[np.int32]:
        spec, me = self.context.spec, self.context.node
        assert spec.replay is not None
        data = public_shard(self.context.store, spec, self.view.slots(self.role)[me])
        honest = trainer_of(spec, data, task=self.context.task, round_=round_, node=me)
        starts = [self._checkpoint(round_, segment) for segment in self._drawn(round_, seed)]
        segments = [(start, honest.advance(start, spec.replay.segment)) for start in starts]
        parent = self.context.model(self.view.parent(round_))
        inputs = RoundInputs(self.context.task, round_, seed, parent, data, {}, {})
        return segments_sketch(segments, spec, inputs, node=me)


class OtherUpdate(Trainer):
    """Trains as it should and sends 1.01 times the update."""

    def forge(self, round_: int, update: NDArray[np.float32]) -> NDArray[np.float32]:
        return update * np.float32(1.01)


class Withholding(Trainer):
    """Never publishes where its segments end."""

    def _publish_checkpoints(self, round_: int, seed: bytes, *, ends: bool) -> None:
        if not ends:
            super()._publish_checkpoints(round_, seed, ends=ends)


class Skipping(SkippingTrainer):
    """Leaves out every second step."""

    def __init__(self, context: Any, data: Any, *, run_seed: int) -> None:
        super().__init__(context, data, run_seed=run_seed)


CHEATS = {4: Recomputing, 5: OtherUpdate, 6: Withholding, 7: Skipping}
EXPECTED = {
    4: Reason.REPLAY_MISMATCH,
    5: Reason.REPLAY_MISMATCH,
    6: Reason.NO_CLAIM,
    7: Reason.REPLAY_MISMATCH,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    def make(context: Any, data: Any, *, run_seed: int, attack: Any) -> Trainer:
        cheat = CHEATS.get(context.node)
        if cheat is None:
            return make_trainer(context, data, run_seed=run_seed, attack=attack)
        return cheat(context, data, run_seed=run_seed)

    folder = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node.simulate, "make_trainer", make)
        node.simulate.simulate(CONFIG, folder)
    opened = open_run(folder)
    yield opened
    opened.close()


def test_every_way_around_the_checkpoints_is_rejected_and_honest_work_is_not(source: Source) -> None:
    record = load_round_record(source.view, source.store, 1)
    assert record is not None
    assert {n: reason for n, reason in record.reasons.items() if n in CHEATS} == EXPECTED
    assert all(record.reasons[honest] is Reason.ACCEPTED for honest in (1, 2, 3))
    assert set(record.weights) == {1, 2, 3}
    assert all(reason is Reason.ACCEPTED for reason in record.member_reasons.values())


def test_the_audit_executes_the_drawn_segments_again(source: Source) -> None:
    rows = {row["item"]: row for row in audit(source, replay=True).rows()}
    assert rows["segment"]["count"] >= 2 * 3
    assert rows["sketch"]["verdict"] == "exact"


def test_a_rejection_explains_itself(source: Source) -> None:
    said = " ".join(step.text for step in explain(source, node=7, round_=1))
    assert WHY[Reason.REPLAY_MISMATCH] in said
    assert set(WHY) == set(Reason)
