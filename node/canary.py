"""Canaries: planted submissions whose truth is known, against verifiers that guess, copy, or are handed the answer.

In a task with a canary rate every trainer's manifest carries an origin hash, so that nothing tells a planted submission
from another: it binds whether it is planted before anybody is drawn. A planter trains as it always does, and leaks a
wrong output to whoever asks. It opens its origin after members have revealed and before the report; everybody who
derives the report then computes the canary's true sketches. A member that stated anything else is at fault, provably:
its signed observation is the evidence, and no majority is asked.

What the chain sees of a canary (`settle_canaries`). `Disputes` lets anybody prove that a trainer's posted lane is
neither REJECTED nor the lower median of the signed votes, and slashes all signers. So an opened canary's *lane* stays
what it would have been, which no proof can touch: the trainer did honest work and is scored and paid for it, hence
planting costs it nothing. What is taken out is everything that no proof looks at: its update is no part of the model,
and members are scored on the other submissions. Members' own lanes have no median on chain (`challengeScore` and
`challengeRootScore` take trainers' words only; the other proofs start from the posted scores), so REJECTED for a faulty
one is safe too.

Limits: nobody can check that a trainer plants at the task's rate, since its draw is its own secret; planting more often
keeps its own updates out of models, as not submitting would. A planter may keep silent: then its submission counts as
any other. Leaks from accomplices whom a member can tell from planters are not seen by canaries. Pure functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from node.consensus import Evidence, Outcome, median_lane
from node.errors import ConfigError
from node.replay.movement import same_movement
from node.score import NOT_DUE, REJECTED
from node.seeds import derive_bytes, derive_seed
from node.sketch import Sketch
from node.verify import Observation, Reason

DECOY_DISTANCE = 0.05
"""Relative distance of a planter's leak from its outputs: far beyond any τ (at most 1e-3), near enough to be taken."""

VERDICT, SLACK = 2, 1
"""A statement is a fault beyond VERDICT τ. Machines that differ by less than τ may put one on either side of that line,
so a signer takes the proposer's word within SLACK τ of it. An honest statement is within τ/5 of every honest truth (τ
is ten times the largest honest drift): no proposer can make a fault of it."""

_DOMAIN = b"credence origin\x00"


@dataclass(frozen=True)
class Origin:
    """What an origin hash opens to."""

    task: int
    round: int
    node: int
    update: bytes  # digest of the submission's update, 32 bytes
    planted: bool
    salt: bytes  # 32 bytes

    def digest(self) -> bytes:
        """The 32-byte hash that stands in the manifest of every submission, planted or not."""
        if len(self.update) != 32 or len(self.salt) != 32:
            raise ValueError("update and salt of an origin have 32 bytes")
        place = b"".join(number.to_bytes(8, "big") for number in (self.task, self.round, self.node))
        return hashlib.sha256(_DOMAIN + place + bytes([self.planted]) + self.update + self.salt).digest()


def opened_canaries(origins: Mapping[int, bytes], openings: Mapping[int, Origin]) -> frozenset[int]:
    """Nodes whose opening matches the origin hash of their manifest and says `planted`; nothing else counts.

    So nobody can turn a submission into a canary, or a canary into a submission, once the members are known.
    """
    return frozenset(
        node
        for node, origin in openings.items()
        if origin.planted and origin.node == node and origins.get(node) == origin.digest()
    )


def plants(secret: int, *, round_: int, node: int, rate: Fraction) -> bool:
    """Whether a planter plants in a round: with probability `rate`, by its own secret, foreseen by nobody else."""
    if not 0 <= rate <= 1:
        raise ConfigError(f"a canary rate of {rate} is no share", hint="give 0 to 1")
    draw = int.from_bytes(derive_bytes(secret, "canary", round_, node), "big")
    return draw < rate * 2**256


def decoy(outputs: NDArray[np.float32], secret: int, *, round_: int, node: int) -> NDArray[np.float32]:
    """What a planter leaks in the place of its outputs (b, classes): DECOY_DISTANCE off in a secret direction."""
    noise = np.random.default_rng(derive_seed(secret, "decoy", round_, node)).standard_normal(outputs.shape)
    length = DECOY_DISTANCE * float(np.linalg.norm(outputs.astype(np.float64)))
    return np.asarray(outputs + noise * (length / float(np.linalg.norm(noise))), dtype=np.float32)


def canary_faults(
    observations: Mapping[int, Observation],
    *,
    truths: Mapping[int, Sketch],
    member_truths: Mapping[int, Mapping[int, Sketch]],
    tau: float,
    groups: int = 1,
) -> frozenset[int]:
    """Members that stated, of an opened canary, another sketch than the true one.

    `truths` by canary: the sketch that all members share; `member_truths` by member, then canary: the one bound to its
    address, which a copied vector cannot have. Both recomputed by whoever judges. Who stated none (it could not fetch
    the bytes) states nothing false. Within `tau` an honest machine is never at fault. In replay mode sketches have
    `groups` parts, each of which must agree.
    """

    def false(member: int, seen: Observation) -> bool:
        bound = member_truths.get(member, {})
        return any(
            (node in seen.sketches and not same_movement(seen.sketches[node], truth, groups=groups, tau=tau))
            or (
                node in seen.member_sketches
                and node in bound
                and not same_movement(seen.member_sketches[node], bound[node], groups=groups, tau=tau)
            )
            for node, truth in truths.items()
        )

    return frozenset(member for member, seen in observations.items() if false(member, seen))


@dataclass(frozen=True)
class Truths:
    """What one node computed of the opened canaries, to judge what members stated of them."""

    shared: Mapping[int, Sketch]  # by canary
    bound: Mapping[int, Mapping[int, Sketch]]  # by member, then canary
    tau: float
    groups: int = 1

    def faults(self, observations: Mapping[int, Observation]) -> frozenset[int]:
        """Members at fault, as a proposer states them."""
        return self._beyond(observations, VERDICT)

    def disputed(self, observations: Mapping[int, Observation], stated: frozenset[int]) -> frozenset[int]:
        """Members of whom others state a verdict that is beyond doubt not so: blamed or spared."""
        possible, clear = (self._beyond(observations, VERDICT + slack) for slack in (-SLACK, SLACK))
        return (stated - possible) | (clear - stated)

    def _beyond(self, observations: Mapping[int, Observation], times: int) -> frozenset[int]:
        return canary_faults(
            observations,
            truths=self.shared,
            member_truths=self.bound,
            tau=times * self.tau,
            groups=self.groups,
        )


def judged_canaries(evidence: Evidence, canaries: frozenset[int]) -> frozenset[int]:
    """The opened canaries that the members' votes accept; of others there may be no bytes, hence no truth."""
    slots = {node: evidence.slots[node] for node in canaries if node in evidence.slots}
    return frozenset(node for node, slot in slots.items() if median_lane(evidence, slot) > REJECTED)


def settle_canaries(
    evidence: Evidence,
    canaries: frozenset[int],
    faults: frozenset[int],
    judge: Callable[[Evidence], Outcome],
) -> Outcome:
    """The outcome of a round with opened canaries, of which the members in `faults` stated something false.

    Trainers' lanes are those of `judge`: each REJECTED or the lower median of all votes, as the contract has it (see
    above). Only a fault's sketches of a canary are left out, so that lies do not make the planter's claim false.
    Members are judged on the other submissions and by the other members; who is at fault, REJECTED. An accepted canary
    keeps its score and is not aggregated.
    """
    if not canaries:
        return judge(evidence)
    judged = judged_canaries(evidence, canaries)
    lying = {m for m in faults & evidence.observations.keys() if _states(evidence.observations[m], judged)}
    told = {m: _unsaid(seen, judged) if m in lying else seen for m, seen in evidence.observations.items()}
    whole = judge(replace(evidence, observations=told))
    honest = replace(
        evidence,
        observations={m: seen for m, seen in evidence.observations.items() if m not in lying},
        checks={m: false for m, false in evidence.checks.items() if m not in lying},
    )
    members = judge(without_canaries(honest, canaries))
    out = canaries & set(whole.accepted)
    return replace(
        whole,
        verifier_scores=members.verifier_scores,
        reasons={node: Reason.CANARY if node in out else reason for node, reason in whole.reasons.items()},
        member_reasons={m: Reason.CANARY_FAULT if m in lying else r for m, r in members.member_reasons.items()},
        accepted=tuple(node for node in whole.accepted if node not in out),
    )


def without_canaries(evidence: Evidence, canaries: frozenset[int]) -> Evidence:
    """The evidence as if the canaries had not been there: no votes, no claims, no sketches of theirs."""
    gone = {evidence.slots[node] for node in canaries if node in evidence.slots}

    def cut(seen: Observation) -> Observation:
        votes = tuple(NOT_DUE if slot in gone else vote for slot, vote in enumerate(seen.votes))
        reasons = {node: reason for node, reason in seen.reasons.items() if node not in canaries}
        return replace(_unsaid(seen, canaries), votes=votes, reasons=reasons)

    return replace(
        evidence,
        observations={member: cut(seen) for member, seen in evidence.observations.items()},
        claims={node: row for node, row in evidence.claims.items() if node not in canaries},
    )


def _states(seen: Observation, canaries: frozenset[int]) -> bool:
    return bool(canaries & (seen.sketches.keys() | seen.member_sketches.keys()))


def _unsaid(seen: Observation, canaries: frozenset[int]) -> Observation:
    """An observation without its sketches of the canaries."""
    return replace(
        seen,
        sketches={node: row for node, row in seen.sketches.items() if node not in canaries},
        member_sketches={node: row for node, row in seen.member_sketches.items() if node not in canaries},
    )
