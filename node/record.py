"""The two records that a round leaves in the store, as canonical JSON: a member's observation and the round itself.

Together with the chain's logs they are all that `credence audit` and `--explain` need. Parsers take untrusted bytes:
sizes are bounded, shapes are checked, and anything unexpected raises PeerError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from node.errors import PeerError
from node.message import Message, parse_message
from node.sketch import decode_sketch, encode_sketch
from node.spec import Artefact
from node.verify import Observation, Reason
from storage import canonical_json, parse_canonical_json

MAX_RECORD_BYTES = 16 << 20
MAX_MANIFEST_BYTES = 4096
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError, OverflowError, PeerError)


class _Encoded(Protocol):
    def to_bytes(self) -> bytes: ...


R = TypeVar("R", bound=_Encoded)


def _exact(record: R, data: bytes) -> R:
    """The record, if `data` is its one spelling: equal records have equal digests."""
    if record.to_bytes() != data:
        raise PeerError("the record is not in canonical form")
    return record


@dataclass(frozen=True)
class CheckpointList:
    """Where a trainer's checkpoints are: the position-bound root of their digests, and the stored list of these."""

    root: bytes
    digests: Artefact  # content: 32 bytes a checkpoint, in order

    def to_json(self) -> list[Any]:
        """The canonical form."""
        return [self.root.hex(), self.digests.to_json()]

    @staticmethod
    def from_json(data: Any) -> CheckpointList:
        """Inverse of `to_json`; the record around it is compared byte for byte."""
        root, digests = data
        found = CheckpointList(bytes.fromhex(root), Artefact.from_json(digests))
        if len(found.root) != 32:
            raise ValueError(f"a root has 32 bytes, not {len(found.root)}")
        return found


@dataclass(frozen=True)
class Manifest:
    """What a trainer commits to: one update for one parent in one round."""

    task: int
    round: int
    node: int
    parent: bytes  # digest of the model it trained from
    update: Artefact
    codec: str
    checkpoints: CheckpointList | None = None  # replay mode
    origin: bytes | None = None  # in a task with canaries: hash that says, once opened, whether this one is planted

    def to_bytes(self) -> bytes:
        """Canonical bytes; their SHA-256 is the committed digest."""
        body: dict[str, Any] = {
            "kind": "manifest",
            "task": self.task,
            "round": self.round,
            "node": self.node,
            "parent": self.parent.hex(),
            "update": self.update.to_json(),
            "codec": self.codec,
            "checkpoints": [] if self.checkpoints is None else self.checkpoints.to_json(),
        }
        return canonical_json(body if self.origin is None else {**body, "origin": self.origin.hex()})

    @staticmethod
    def from_bytes(data: bytes) -> Manifest:
        """Parse untrusted bytes. Raises PeerError."""
        names = {"task", "round", "node", "parent", "update", "codec", "checkpoints"}
        body = _parse(data, "manifest", names, MAX_MANIFEST_BYTES, optional=frozenset({"origin"}))
        try:
            found = Manifest(
                task=int(body["task"]),
                round=int(body["round"]),
                node=int(body["node"]),
                parent=bytes.fromhex(body["parent"]),
                update=Artefact.from_json(body["update"]),
                codec=str(body["codec"]),
                checkpoints=CheckpointList.from_json(body["checkpoints"]) if body["checkpoints"] != [] else None,
                origin=bytes.fromhex(body["origin"]) if "origin" in body else None,
            )
            if found.origin is not None and len(found.origin) != 32:
                raise ValueError(f"an origin has 32 bytes, not {len(found.origin)}")
        except _MALFORMED as error:
            raise PeerError(f"malformed manifest: {error}") from error
        return _exact(found, data)


@dataclass(frozen=True)
class ObservationRecord:
    """A member's observation with the round it belongs to."""

    task: int
    round: int
    seed: bytes
    node: int
    observation: Observation

    def to_bytes(self) -> bytes:
        """Canonical bytes; their SHA-256 is bound by the member's commitment."""
        seen = self.observation
        return canonical_json(
            {
                "kind": "observation",
                "task": self.task,
                "round": self.round,
                "seed": self.seed.hex(),
                "node": self.node,
                "votes": list(seen.votes),
                "reasons": {str(node): reason.value for node, reason in seen.reasons.items()},
                "sketches": {str(node): encode_sketch(row) for node, row in seen.sketches.items()},
                "member_sketches": {str(node): encode_sketch(row) for node, row in seen.member_sketches.items()},
            }
        )

    @staticmethod
    def from_bytes(data: bytes) -> ObservationRecord:
        """Parse untrusted bytes. Raises PeerError."""
        names = {"task", "round", "seed", "node", "votes", "reasons", "sketches", "member_sketches"}
        body = _parse(data, "observation", names, MAX_RECORD_BYTES)
        try:
            votes = tuple(int(vote) for vote in body["votes"])
            if any(not 0 <= vote <= 65_535 for vote in votes):
                raise ValueError("votes are lanes in [0, 65535]")
            observation = Observation(
                votes=votes,
                reasons={int(node): Reason(value) for node, value in body["reasons"].items()},
                sketches={int(node): decode_sketch(value) for node, value in body["sketches"].items()},
                member_sketches={int(node): decode_sketch(value) for node, value in body["member_sketches"].items()},
            )
            found = ObservationRecord(
                int(body["task"]),
                int(body["round"]),
                bytes.fromhex(body["seed"]),
                int(body["node"]),
                observation,
            )
        except _MALFORMED as error:
            raise PeerError(f"malformed observation record: {error}") from error
        return _exact(found, data)


@dataclass(frozen=True)
class RoundRecord:
    """One round as its proposer put it together: inputs, signed evidence and the results that follow from them."""

    task: int
    round: int
    attempt: int
    seed: bytes
    parent: bytes
    submissions: tuple[Mapping[str, Any], ...]  # slot order: node, slot, order, manifest, length, commitment
    evidence: tuple[Message, ...]  # claims, roster, acks, openings, reveals, checks
    trainer_scores: tuple[int, ...]
    verifier_scores: tuple[int, ...]
    reasons: Mapping[int, Reason]
    member_reasons: Mapping[int, Reason]
    sketches: Mapping[int, str]  # agreed, hex
    weights: Mapping[int, int]  # integer aggregation weight of each accepted trainer
    model: Artefact
    model_sketch: str  # of the step, rows seeded by the model's digest

    def to_bytes(self) -> bytes:
        """Canonical bytes; their SHA-256 is `record` in the report."""
        return canonical_json(
            {
                "kind": "round",
                "task": self.task,
                "round": self.round,
                "attempt": self.attempt,
                "seed": self.seed.hex(),
                "parent": self.parent.hex(),
                "submissions": [dict(item) for item in self.submissions],
                "evidence": [message.to_json() for message in self.evidence],
                "trainer_scores": list(self.trainer_scores),
                "verifier_scores": list(self.verifier_scores),
                "reasons": {str(node): reason.value for node, reason in self.reasons.items()},
                "member_reasons": {str(node): reason.value for node, reason in self.member_reasons.items()},
                "sketches": {str(node): text for node, text in self.sketches.items()},
                "weights": {str(node): str(weight) for node, weight in self.weights.items()},
                "model": self.model.to_json(),
                "model_sketch": self.model_sketch,
            }
        )

    @staticmethod
    def from_bytes(data: bytes) -> RoundRecord:
        """Parse untrusted bytes. Raises PeerError."""
        names = {
            "task", "round", "attempt", "seed", "parent", "submissions", "evidence", "trainer_scores",
            "verifier_scores", "reasons", "member_reasons", "sketches", "weights", "model", "model_sketch",
        }  # fmt: skip
        body = _parse(data, "round", names, MAX_RECORD_BYTES)
        try:
            found = RoundRecord(
                task=int(body["task"]),
                round=int(body["round"]),
                attempt=int(body["attempt"]),
                seed=bytes.fromhex(body["seed"]),
                parent=bytes.fromhex(body["parent"]),
                submissions=tuple(_submission_entry(item) for item in body["submissions"]),
                evidence=tuple(parse_message(item) for item in body["evidence"]),
                trainer_scores=tuple(int(score) for score in body["trainer_scores"]),
                verifier_scores=tuple(int(score) for score in body["verifier_scores"]),
                reasons={int(node): Reason(value) for node, value in body["reasons"].items()},
                member_reasons={int(node): Reason(value) for node, value in body["member_reasons"].items()},
                sketches={int(node): str(text) for node, text in body["sketches"].items()},
                weights={int(node): int(weight) for node, weight in body["weights"].items()},
                model=Artefact.from_json(body["model"]),
                model_sketch=str(body["model_sketch"]),
            )
        except _MALFORMED as error:
            raise PeerError(f"malformed round record: {error}") from error
        return _exact(found, data)


def _submission_entry(item: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {"node", "slot", "order", "manifest", "length", "salt", "commitment"}
    if not isinstance(item, Mapping) or set(item) != names:
        raise ValueError(f"a submission has exactly the fields {sorted(names)}")
    return dict(item)


def submissions_root(submissions: Sequence[Mapping[str, Any]]) -> bytes:
    """SHA-256 of the canonical submissions list: `submissionsRoot` in the report."""
    return hashlib.sha256(canonical_json([dict(item) for item in submissions])).digest()


def _parse(
    data: bytes, kind: str, names: set[str], max_bytes: int, *, optional: frozenset[str] = frozenset()
) -> dict[str, Any]:
    try:
        body = parse_canonical_json(data, max_bytes=max_bytes)
    except ValueError as error:
        raise PeerError(f"malformed {kind} record: {error}") from error
    if not isinstance(body, dict) or body.get("kind") != kind or set(body) - optional != names | {"kind"}:
        raise PeerError(f"a {kind} record has exactly the fields {sorted(names | {'kind'})}")
    return body
