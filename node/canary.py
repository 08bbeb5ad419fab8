"""Canaries: planted submissions whose truth is known, against verifiers that guess, copy, or are handed the answer.

Every trainer's commitment carries an origin hash, so that nothing tells a planted submission from another: it binds
whether it is planted before anybody is drawn. The planter leaks a wrong output to whoever asks; its true one is
recomputed by all once it opens its origin, after members have revealed and before the report. A member that stated
anything but the truth of an opened canary is at fault, provably: its signed observation is the evidence. Canaries are
no work: they are taken out of scores and aggregate. Pure functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from node.consensus import Evidence
from node.errors import ConfigError
from node.score import NOT_DUE
from node.seeds import derive_bytes
from node.sketch import Sketch, agrees
from node.verify import Observation

_DOMAIN = b"credence origin\x00"


@dataclass(frozen=True)
class Origin:
    """What an origin hash opens to."""

    task: int
    round: int
    node: int
    manifest: bytes  # digest of the submission's manifest, 32 bytes
    planted: bool
    salt: bytes  # 32 bytes

    def digest(self) -> bytes:
        """The 32-byte hash that stands in the commitment of every submission, planted or not."""
        if len(self.manifest) != 32 or len(self.salt) != 32:
            raise ValueError("manifest and salt of an origin have 32 bytes")
        place = b"".join(number.to_bytes(8, "big") for number in (self.task, self.round, self.node))
        return hashlib.sha256(_DOMAIN + place + bytes([self.planted]) + self.manifest + self.salt).digest()


def opened_canaries(origins: Mapping[int, bytes], openings: Mapping[int, Origin]) -> frozenset[int]:
    """Nodes whose opening matches the origin hash of their commitment and says `planted`; nothing else counts.

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


def canary_faults(
    observations: Mapping[int, Observation],
    *,
    truths: Mapping[int, Sketch],
    member_truths: Mapping[int, Mapping[int, Sketch]],
    tau: float,
) -> frozenset[int]:
    """Members that stated, of an opened canary, another sketch than the true one.

    `truths` by canary: the sketch that all members share; `member_truths` by member, then canary: the one bound to its
    address, which a copied vector cannot have. Both recomputed by whoever judges. Who stated none (it could not fetch
    the bytes) states nothing false. Within `tau` an honest machine is never at fault.
    """

    def false(member: int, seen: Observation) -> bool:
        bound = member_truths.get(member, {})
        return any(
            (node in seen.sketches and not agrees(seen.sketches[node], truth, tau=tau))
            or (
                node in seen.member_sketches
                and node in bound
                and not agrees(seen.member_sketches[node], bound[node], tau=tau)
            )
            for node, truth in truths.items()
        )

    return frozenset(member for member, seen in observations.items() if false(member, seen))


def without_canaries(evidence: Evidence, canaries: frozenset[int]) -> Evidence:
    """The evidence as if the canaries had not been there: no votes, no claims, no sketches of theirs."""
    gone = {evidence.slots[node] for node in canaries if node in evidence.slots}

    def cut(seen: Observation) -> Observation:
        return replace(
            seen,
            votes=tuple(NOT_DUE if slot in gone else vote for slot, vote in enumerate(seen.votes)),
            reasons={node: reason for node, reason in seen.reasons.items() if node not in canaries},
            sketches={node: row for node, row in seen.sketches.items() if node not in canaries},
            member_sketches={node: row for node, row in seen.member_sketches.items() if node not in canaries},
        )

    return replace(
        evidence,
        observations={member: cut(seen) for member, seen in evidence.observations.items()},
        claims={node: row for node, row in evidence.claims.items() if node not in canaries},
    )
