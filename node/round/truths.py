"""Sketches from one's own work, bound to any member's address: what peers are checked and canaries are judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from node.canary import Truths, judged_canaries
from node.errors import PeerError
from node.model import Evaluator
from node.record import RoundRecord
from node.replay.segments import segments_sketch
from node.round.replays import Replays
from node.round.settle import Dossier, RoundFacts
from node.spec import TaskSpec
from node.verify import Reason, RoundInputs, Submission, output_sketch, outputs_of

SketchOf = Callable[[int, str | None], NDArray[np.int32]]
"""(trainer, address) -> sketch of its submission bound to that member's address, or with None the one all share."""


def sketches_of(
    submissions: Sequence[Submission],
    spec: TaskSpec,
    inputs: RoundInputs,
    *,
    evaluator: Evaluator,
    replays: Replays | None,
) -> SketchOf:
    """Sketches of the decoded ones of these submissions; `replays` executes segments in replay mode.

    What it gives raises PeerError where segments cannot be executed any more.
    """
    if replays is not None:
        executed = replays.executed([s.node for s in submissions])

        def of_segments(node: int, address: str | None) -> NDArray[np.int32]:
            found = executed[node]
            if isinstance(found, Reason):
                raise PeerError(f"the segments of node {node} cannot be executed any more: {found.value}")
            return segments_sketch(found, spec, inputs, node=node, member=address)

        return of_segments
    outputs = {s.node: outputs_of(evaluator, spec, inputs, s.update) for s in submissions if s.update is not None}
    return lambda node, address: output_sketch(outputs[node], spec, inputs, node=node, member=address)


def canaries_in(dossier: Dossier) -> tuple[int, ...]:
    """The opened canaries by which members are judged, ascending."""
    return tuple(sorted(judged_canaries(dossier.evidence, dossier.canaries)))


def truths_of(facts: RoundFacts, spec: TaskSpec, dossier: Dossier, sketch_of: SketchOf) -> Truths:
    """What the round's canaries truly give, for every member that revealed."""
    canaries = canaries_in(dossier)
    return Truths(
        shared={node: sketch_of(node, None) for node in canaries},
        bound={
            member: {node: sketch_of(node, facts.signers[member]) for node in canaries}
            for member in dossier.evidence.observations
        },
        tau=spec.number("tau"),
        groups=spec.sketch_groups,
    )


def stated_faults(record: RoundRecord) -> frozenset[int]:
    """Members that a round record says are at fault on a canary."""
    return frozenset(node for node, reason in record.member_reasons.items() if reason is Reason.CANARY_FAULT)
