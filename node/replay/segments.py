"""The segments of a submission that the beacon draws, and the sketch of what they moved. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from node.replay.movement import groups_of
from node.score import REJECTED
from node.seeds import derive_seed
from node.sketch import Domain, Sketch, grid_of, sketch, sketch_seed
from node.spec import TaskSpec
from node.train import TrainerState
from node.verify import Observation, Reason, RoundInputs

Segment = tuple[TrainerState, TrainerState]
"""The states at the ends of a segment."""


def batch_seed(spec: TaskSpec, *, task: int, round_: int, node: int) -> int:
    """The seed of a trainer's batch order in a round: nobody chooses it. Needs a task in replay mode."""
    assert spec.replay is not None
    return derive_seed(spec.replay.batch_seed, "batches", task, round_, node)


def drawn_segments(beacon: bytes, *, node: int, segments: int, drawn: int) -> list[int]:
    """The `drawn` segments of a submission that are executed again, ascending; no two are neighbours.

    The start of a segment is published before members commit and its end is not: of two neighbours the one's start
    would be the other's end. Fewer where no more fit.
    """
    seed = hashlib.sha256(b"credence segments\x00" + beacon + node.to_bytes(8, "big")).digest()
    order = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big"))).permutation(segments)
    found: list[int] = []
    for segment in order.tolist():
        if len(found) < drawn and not any(abs(segment - other) == 1 for other in found):
            found.append(segment)
    return sorted(found)


def segments_sketch(
    segments: Sequence[Segment], spec: TaskSpec, inputs: RoundInputs, *, node: int, member: str | None = None
) -> Sketch:
    """(k · groups,) int32 sketch of what the drawn segments moved, weights and each array of the optimiser apart.

    Rows are common to all, or bound to `member`'s address when one is given.
    """
    seed = sketch_seed(
        Domain.REPLAY if member is None else Domain.MEMBER,
        beacon=inputs.beacon,
        task=inputs.task,
        round_=inputs.round,
        node=node,
        member=member,
    )
    grid = grid_of(spec.number("update_bound"))
    ends = [list(zip(groups_of(end), groups_of(start), strict=True)) for start, end in segments]
    rows = []
    for group in range(spec.sketch_groups):
        moved = np.concatenate([pairs[group][0] - pairs[group][1] for pairs in ends])
        rows.append(sketch(moved, seed=seed + bytes([group]), k=spec.sketch_rows, grid=grid))
    return np.concatenate(rows)


def with_replays(
    seen: Observation,
    spec: TaskSpec,
    inputs: RoundInputs,
    *,
    replays: Mapping[int, Sequence[Segment] | Reason],
    slots: Mapping[int, int],
    member: str,
) -> Observation:
    """An observation whose sketches are of segments executed again, in the place of probe outputs.

    A submission whose checkpoints cannot be gone on from is rejected with the reason in `replays`.
    """
    votes, reasons = list(seen.votes), dict(seen.reasons)
    common, bound = {}, {}
    for node in seen.sketches:
        found = replays[node]
        if isinstance(found, Reason):
            reasons[node] = found
            votes[slots[node]] = REJECTED if votes[slots[node]] else votes[slots[node]]
            continue
        common[node] = segments_sketch(found, spec, inputs, node=node)
        bound[node] = segments_sketch(found, spec, inputs, node=node, member=member)
    return replace(seen, votes=tuple(votes), reasons=reasons, sketches=common, member_sketches=bound)
