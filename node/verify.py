"""What a committee member does with the revealed submissions of a round: pure functions from bytes to votes.

Order: fetch → re-hash → decode → structure and norm → near-duplicates → cosine rule → probe outputs → sketches →
utilities → integer votes (DESIGN §3.5, §3.6, §4, §5). Nothing here touches chain, store or peers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from node.admission import later_duplicates, pointing_away
from node.aggregate import cosine_to_others
from node.codec import CODECS
from node.data import Dataset
from node.model import Evaluator, Parameters, flatten, unflatten
from node.score import NOT_DUE, REJECTED, utility_lane
from node.sketch import Domain, grid_of, sketch, sketch_seed
from node.spec import TaskSpec
from node.utility import UTILITIES, Game, Thresholds
from node.weight import WEIGHTINGS, normalise
from storage import CodecError, TensorSpec, decode

FloatVector = NDArray[np.float32]


class Reason(Enum):
    """Why a score is what it is. Stable words: they appear in records, tables and `--explain`."""

    ACCEPTED = "accepted"
    NOT_DUE = "not_due"
    UNREVEALED = "unrevealed"  # committed, then silent
    CANARY = "canary"  # accepted and scored, but opened as planted: no part of the model
    COMMITMENT_MISMATCH = "commitment_mismatch"  # the reveal does not open the commitment
    UNAVAILABLE = "unavailable"  # the bytes could not be fetched
    BAD_MANIFEST = "bad_manifest"  # names another parent, task, round or codec, or is malformed
    WRONG_CID = "wrong_cid"  # bytes do not hash to what was committed
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    WRONG_NAMES = "wrong_names"
    WRONG_SHAPE = "wrong_shape"
    WRONG_DTYPE = "wrong_dtype"
    NON_FINITE = "non_finite"
    MALFORMED = "malformed"
    NORM_BOUND = "norm_bound"  # the update or its outputs exceed the task's bound
    DUPLICATE = "duplicate"  # a near-copy of an earlier commit
    NEGATIVE_COSINE = "negative_cosine"  # points away from the median of the others
    NO_CLAIM = "no_claim"  # no sketch claimed, or the claim was not opened
    SKETCH_MISMATCH = "sketch_mismatch"  # the claimed sketch is not the committee's
    REPLAY_MISMATCH = "replay_mismatch"  # a drawn segment, executed again, ends elsewhere than the trainer's
    SILENT = "silent"  # a drawn member that revealed no observation
    UNSEEN = "unseen"  # a drawn member that says it was not served most of what the others accepted
    CANARY_FAULT = "canary_fault"  # a member stated something else than the truth of an opened canary
    FALSE_OBSERVATION = "false_observation"  # a member's address-bound sketches are wrong


@dataclass(frozen=True)
class Submission:
    """One trainer's revealed work as a member holds it: decoded update or the reason for its rejection."""

    node: int
    slot: int
    order: int  # position of its first valid commit in the round
    update: FloatVector | None
    reason: Reason


@dataclass(frozen=True)
class Observation:
    """A member's whole view of a round, before anyone else's is known."""

    votes: tuple[int, ...]  # lane by trainer slot; see node.score for the codes
    reasons: Mapping[int, Reason]  # by node
    sketches: Mapping[int, NDArray[np.int32]]  # by node, rows common to all members
    member_sketches: Mapping[int, NDArray[np.int32]]  # by node, rows bound to this member's address


@dataclass(frozen=True)
class RoundInputs:
    """What every member shares before it verifies: beacon, parent model, opened probe batch, stakes, reputations."""

    task: int
    round: int
    beacon: bytes
    parent: Parameters
    probe: Dataset  # the beacon-drawn batch of the opened shard
    stakes: Mapping[int, int]  # wei by trainer node, snapshot at the start of the round
    reputations: Mapping[int, int]


def decode_update(data: bytes, spec: TaskSpec) -> FloatVector:
    """Untrusted bytes to a flat `(d,) float32` update. Raises CodecError with a reason, allocating nothing first."""
    codec = CODECS.get(spec.codec)
    specs = [TensorSpec(name, shape, codec.dtype) for name, shape in spec.layout]
    return codec.decode(decode(data, specs, max_bytes=spec.max_update_bytes), spec.layout)


def reject_reason(error: CodecError) -> Reason:
    """The reason code of a codec error."""
    return Reason(error.reason.value if isinstance(error.reason, Enum) else error.reason)


def probe_batch(shard: Dataset, *, beacon: bytes, size: int) -> Dataset:
    """The beacon-drawn rows of an opened shard: `size` of them without replacement, order fixed by the beacon."""
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(beacon, "big")))
    return shard.subset(generator.permutation(len(shard))[:size])


def output_sketch(
    outputs: NDArray[np.float32], spec: TaskSpec, inputs: RoundInputs, *, node: int, member: str | None = None
) -> NDArray[np.int32]:
    """§4 sketch of probe outputs of `node`'s update; rows bound to `member`'s address when one is given."""
    seed = sketch_seed(
        Domain.OUTPUT if member is None else Domain.MEMBER,
        beacon=inputs.beacon,
        task=inputs.task,
        round_=inputs.round,
        node=node,
        member=member,
    )
    return sketch(outputs, seed=seed, k=spec.sketch_rows, grid=grid_of(spec.number("output_bound")))


def outputs_of(evaluator: Evaluator, spec: TaskSpec, inputs: RoundInputs, update: FloatVector) -> NDArray[np.float32]:
    """Logits `(b, classes) float32` of parent + update on the probe batch."""
    moved = flatten(inputs.parent) + update
    return evaluator.outputs(unflatten(moved, spec.layout), inputs.probe.x)


def mark_duplicates(submissions: Sequence[Submission], spec: TaskSpec) -> list[Submission]:
    """Among near-duplicates the first commit wins: a later update within duplicate_tau (relative L2) is rejected."""
    alive = sorted((item for item in submissions if item.update is not None), key=lambda s: s.order)
    late = later_duplicates([i.update for i in alive if i.update is not None], tau=spec.number("duplicate_tau"))
    copies = {item.node for item, copied in zip(alive, late, strict=True) if copied}
    return [Submission(i.node, i.slot, i.order, None, Reason.DUPLICATE) if i.node in copies else i for i in submissions]


def observe(
    submissions: Sequence[Submission],
    spec: TaskSpec,
    inputs: RoundInputs,
    *,
    evaluator: Evaluator,
    slots: int,
    member: str,
    own_node: int,
) -> Observation:
    """One member's votes and sketches over all submissions of a round.

    `slots` is the number of trainer slots of the task; `member` the observing member's signing address; `own_node`
    its id, whose own submission it leaves out of its vote. Sketches are of all that was evaluated, so that members who
    differ over a gain near zero can still check one another. Pure and deterministic for equal inputs on one machine.
    """
    judged = mark_duplicates([_bound_norm(item, spec) for item in submissions], spec)
    cosines = _cosines(judged, spec, inputs)
    judged = _turned_away(judged, cosines, None, spec, inputs)
    outputs = {
        item.node: outputs_of(evaluator, spec, inputs, item.update) for item in judged if item.update is not None
    }
    bound = spec.number("output_bound")
    judged = [
        Submission(item.node, item.slot, item.order, None, Reason.NORM_BOUND)
        if item.node in outputs and not float(np.linalg.norm(outputs[item.node].astype(np.float64))) <= bound
        else item
        for item in judged
    ]
    alive = [item for item in judged if item.update is not None]
    utilities = _utilities(alive, spec, inputs, evaluator)
    judged = _turned_away(judged, cosines, utilities, spec, inputs)
    votes = [NOT_DUE] * slots
    for item in judged:
        if item.node == own_node:
            continue
        accepted = item.update is not None
        votes[item.slot] = (
            utility_lane(utilities[item.node], scale=spec.number("utility_scale")) if accepted else REJECTED
        )
    return Observation(
        votes=tuple(votes),
        reasons={item.node: item.reason for item in judged},
        sketches={i.node: output_sketch(outputs[i.node], spec, inputs, node=i.node) for i in alive},
        member_sketches={
            i.node: output_sketch(outputs[i.node], spec, inputs, node=i.node, member=member) for i in alive
        },
    )


def _bound_norm(item: Submission, spec: TaskSpec) -> Submission:
    if item.update is None:
        return item
    norm = float(np.linalg.norm(item.update.astype(np.float64)))
    if norm <= spec.number("update_bound"):
        return item
    return Submission(item.node, item.slot, item.order, None, Reason.NORM_BOUND)


def _weights(alive: Sequence[Submission], spec: TaskSpec, inputs: RoundInputs) -> NDArray[np.float64]:
    weigh = WEIGHTINGS.get(spec.weighting)
    return normalise(weigh([inputs.stakes[i.node] for i in alive], [inputs.reputations[i.node] for i in alive]))


def _stack(alive: Sequence[Submission]) -> NDArray[np.float32]:
    return np.stack([item.update for item in alive if item.update is not None])


def _cosines(judged: Sequence[Submission], spec: TaskSpec, inputs: RoundInputs) -> dict[int, float]:
    """By node with stake: the cosine of its update to the weighted median of the others."""
    alive = [item for item in judged if item.update is not None and inputs.stakes[item.node] > 0]
    if not alive:
        return {}
    values = cosine_to_others(_stack(alive), _weights(alive, spec, inputs))
    return {item.node: float(value) for item, value in zip(alive, values, strict=True)}


def _turned_away(
    judged: Sequence[Submission],
    cosines: Mapping[int, float],
    utilities: Mapping[int, float] | None,
    spec: TaskSpec,
    inputs: RoundInputs,
) -> list[Submission]:
    """Without those that point away from the others: clearly, or (once utilities are known) at all and to no use."""
    nodes = [item.node for item in judged if item.node in cosines and item.update is not None]
    gains = None if utilities is None else np.array([utilities[node] for node in nodes])
    if not nodes:
        return list(judged)
    turned = pointing_away(
        np.array([cosines[node] for node in nodes]),
        _weights([item for item in judged if item.node in set(nodes)], spec, inputs),
        gains,
        margin=spec.number("cosine_margin"),
    )
    away = {node for node, points_away in zip(nodes, turned, strict=True) if points_away}
    return [Submission(i.node, i.slot, i.order, None, Reason.NEGATIVE_COSINE) if i.node in away else i for i in judged]


def _utilities(
    alive: Sequence[Submission], spec: TaskSpec, inputs: RoundInputs, evaluator: Evaluator
) -> dict[int, float]:
    if not alive:
        return {}
    measure = UTILITIES.get(spec.utility)
    thresholds = Thresholds(
        skip=spec.number("shapley_skip"),
        truncate=spec.number("shapley_truncate"),
        cluster=spec.number("cluster_tau"),
    )
    values = measure(
        Game(
            evaluator,
            inputs.parent,
            _stack(alive),
            _weights(alive, spec, inputs),
            inputs.probe,
            seed=inputs.beacon,
            thresholds=thresholds,
        )
    )
    return {item.node: float(value) for item, value in zip(alive, values, strict=True)}
