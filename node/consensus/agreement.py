"""Agreement of a committee: signed observations in, one outcome out. Pure integers: same bytes on every machine.

Every rule here is re-run by each member before it signs and by `credence audit` years later (DESIGN §3.6, §3.7, §4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger import lower_median as lower_median_vote
from node.consensus.innovation import FULL, innovation
from node.replay.movement import same_movement
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.sketch import K, lower_median
from node.verify import Observation, Reason

AGREEMENT_RANGE = 8_192  # lanes; a vote this far from the committee's score counts as fully wrong
MAX_PART = 32_767
QUIET = 64  # lanes; scores that moved apart by no more than this, which is rounding, are no news

Sketch = NDArray[np.int32]


@dataclass(frozen=True)
class Evidence:
    """All that a round's outcome follows from. Nodes are ids; every item is bound by a signature."""

    slots: Mapping[int, int]  # trainer node → slot; every trainer that joined before the round's reveal ended
    verifier_slots: Mapping[int, int]  # verifier node → slot
    seats: Mapping[int, int]  # drawn node → seats it holds in this committee
    observations: Mapping[int, Observation]  # by member, revealed against the signed roster
    claims: Mapping[int, Sketch]  # by trainer: sketches that open the claimed digests
    checks: Mapping[int, frozenset[int]]  # by member: peers whose address-bound sketches it found wrong


@dataclass(frozen=True)
class Outcome:
    """What the committee agreed on. Scores are lanes by slot (codes in node.score)."""

    trainer_scores: tuple[int, ...]
    verifier_scores: tuple[int, ...]
    reasons: Mapping[int, Reason]  # by trainer node
    member_reasons: Mapping[int, Reason]  # by drawn node
    sketches: Mapping[int, Sketch]  # agreed, by accepted or sketch-rejected trainer node
    accepted: tuple[int, ...]  # trainer nodes, ascending


def agree(
    evidence: Evidence,
    *,
    tau: float,
    trainer_lanes: int,
    verifier_lanes: int,
    sketch_rows: int = K,
    public: Sequence[int] = (),
    seed: bytes = bytes(32),
    groups: int = 1,
    mismatch: Reason = Reason.SKETCH_MISMATCH,
) -> Outcome:
    """Lower median of votes over seats, then the sketch rule; members are scored by nearness and by what they add.

    `public` has the trainers' lanes that were settled last, by slot: a member's score is its agreement with the result
    times the share of its news beyond them that the other members confirm (see `innovation`; tasks are matched by
    `seed`, the round's beacon). In a round without news, or without another member, agreement alone counts.

    A trainer's lane is the lower median of its non-zero votes, one per seat (0 where nobody voted). An accepted lane
    falls to 1 when the trainer claimed no sketch or its claim differs from the coordinate-wise lower median of the
    members' sketches by more than `tau` (relative L2, plus √k grid steps for rounding). Members' sketches of other
    than `sketch_rows` rows do not count. In replay mode sketches have `groups` equal parts, each of which must agree,
    and one that does not is called `mismatch`.
    """
    medians = [median_lane(evidence, slot) for slot in range(trainer_lanes)]
    scores = list(medians)
    reasons: dict[int, Reason] = {}
    sketches: dict[int, Sketch] = {}
    for node, slot in sorted(evidence.slots.items()):
        if medians[slot] <= REJECTED:
            reasons[node] = _rejection(evidence, node, medians[slot])
            continue
        rows = _seat_sketches(evidence, node, sketch_rows)
        claim = evidence.claims.get(node)
        if not rows:  # votes without a single sketch behind them prove nothing
            reasons[node], scores[slot] = mismatch, REJECTED
            continue
        sketches[node] = lower_median(np.stack(rows))
        if claim is None:
            reasons[node] = Reason.NO_CLAIM
        elif not same_movement(claim, sketches[node], groups=groups, tau=tau):
            reasons[node] = mismatch
        else:
            reasons[node] = Reason.ACCEPTED
        if reasons[node] is not Reason.ACCEPTED:
            scores[slot] = REJECTED
    accepted = tuple(sorted(node for node, reason in reasons.items() if reason is Reason.ACCEPTED))
    member_scores, member_reasons = _score_members(evidence, medians, accepted, verifier_lanes, public, seed)
    return Outcome(
        trainer_scores=tuple(scores),
        verifier_scores=member_scores,
        reasons=reasons,
        member_reasons=member_reasons,
        sketches=sketches,
        accepted=accepted,
    )


def _seat_votes(evidence: Evidence, slot: int) -> list[int]:
    return [
        observation.votes[slot]
        for node, observation in sorted(evidence.observations.items())
        for _ in range(evidence.seats[node])
        if slot < len(observation.votes) and observation.votes[slot] != NOT_DUE
    ]


def median_lane(evidence: Evidence, slot: int) -> int:
    """The lower median over seats of the votes on a trainer's slot, as the contract has it; 0 where nobody voted."""
    votes = _seat_votes(evidence, slot)
    return lower_median_vote(votes) if votes else NOT_DUE


def _rejection(evidence: Evidence, node: int, median: int) -> Reason:
    """The reason that the most seats gave; ties by name, so that every machine says the same."""
    if median == NOT_DUE:
        return Reason.NOT_DUE
    counts: Counter[Reason] = Counter()
    for member, observation in evidence.observations.items():
        reason = observation.reasons.get(node)
        if reason is not None and reason is not Reason.ACCEPTED:
            counts[reason] += evidence.seats[member]
    return min(counts, key=lambda reason: (-counts[reason], reason.value)) if counts else Reason.UNREVEALED


def _seat_sketches(evidence: Evidence, node: int, rows: int) -> list[Sketch]:
    return [
        observation.sketches[node]
        for member, observation in sorted(evidence.observations.items())
        for _ in range(evidence.seats[member])
        if node in observation.sketches and len(observation.sketches[node]) == rows
    ]


def false_members(seats: Mapping[int, int], checks: Mapping[int, frozenset[int]]) -> frozenset[int]:
    """Members whose address-bound sketches more than half of the other checking seats found wrong."""
    found = set()
    for member in seats:
        others = {checker: seats[checker] for checker in checks if checker != member and checker in seats}
        against = sum(count for checker, count in others.items() if member in checks[checker])
        if 2 * against > sum(others.values()):
            found.add(member)
    return frozenset(found)


def _score_members(
    evidence: Evidence,
    medians: Sequence[int],
    accepted: Sequence[int],
    lanes: int,
    public: Sequence[int],
    seed: bytes,
) -> tuple[tuple[int, ...], dict[int, Reason]]:
    false = false_members(evidence.seats, evidence.checks)
    news = _news(evidence, false, medians, public, seed)
    scores = [NOT_DUE] * lanes
    reasons: dict[int, Reason] = {}
    for member in sorted(evidence.seats):
        slot = evidence.verifier_slots.get(member)
        observation = evidence.observations.get(member)
        if observation is None:
            reasons[member], score = Reason.SILENT, REJECTED
        elif member in false:
            reasons[member], score = Reason.FALSE_OBSERVATION, REJECTED
        elif 2 * sum(observation.reasons.get(node) is Reason.UNAVAILABLE for node in accepted) > len(accepted):
            # `unavailable` needs no sketch, so without this it would be the cheapest way to sit in a committee.
            reasons[member], score = Reason.UNSEEN, REJECTED
        else:
            reasons[member] = Reason.ACCEPTED
            score = ACCEPTED_BASE + _agreement(observation.votes, medians) * max(0, news.get(member, FULL)) // FULL
        if slot is not None:
            scores[slot] = score
    return tuple(scores), reasons


def _agreement(votes: Sequence[int], medians: Sequence[int]) -> int:
    """0..32767: how near a member's votes are to the medians, over the lanes on which it voted."""
    near = total = 0
    for vote, median in zip(votes, medians, strict=False):
        if NOT_DUE in (vote, median):
            continue
        same_verdict = (vote == REJECTED) == (median == REJECTED)
        near += AGREEMENT_RANGE - min(AGREEMENT_RANGE, abs(vote - median)) if same_verdict else 0
        total += AGREEMENT_RANGE
    return MAX_PART * near // total if total else 0


def _news(
    evidence: Evidence, false: frozenset[int], medians: Sequence[int], public: Sequence[int], seed: bytes
) -> dict[int, int]:
    """Innovation of the members that revealed, -FULL..FULL; of none in a round without news, nor of one whose matched
    pairs nobody else reported.

    Members found false confirm nothing. A trainer of whom nothing is public yet is taken to be of utility 0.
    """
    due = [slot for slot, median in enumerate(medians) if median != NOT_DUE]
    known = np.array([(public[s] if s < len(public) else 0) or ACCEPTED_BASE for s in due], dtype=np.int64)
    moved = np.clip(np.array([medians[s] for s in due]) - known, -AGREEMENT_RANGE, AGREEMENT_RANGE)
    members = sorted(evidence.observations)
    if len(due) < 2 or len(members) < 2 or np.ptp(moved) <= QUIET:
        return {}
    votes = np.array([_votes_on(evidence, member, due, medians) for member in members], dtype=np.int64)
    seats = np.array([0 if member in false else evidence.seats[member] for member in members], dtype=np.int64)
    scores, seen = innovation(
        votes, known, seats, seed=seed, given=votes != NOT_DUE, clip=AGREEMENT_RANGE, floor=QUIET * QUIET
    )
    company = ((seen.met & (seats > 0)).sum(axis=1) > np.diagonal(seen.met & (seats > 0))) | ~np.diagonal(seen.met)
    return {member: int(score) for member, score, judged in zip(members, scores, company, strict=True) if judged}


def _votes_on(evidence: Evidence, member: int, due: Sequence[int], medians: Sequence[int]) -> list[int]:
    """A member's votes on the slots that are due; on its own submission, where it must not vote, the others' result."""
    votes, own = evidence.observations[member].votes, evidence.slots.get(member)
    cast = [votes[slot] if slot < len(votes) else NOT_DUE for slot in due]
    return [medians[slot] if slot == own and vote == NOT_DUE else vote for slot, vote in zip(due, cast, strict=True)]
