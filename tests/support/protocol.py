"""Builders for protocol tests: keys, a tiny task, the chain's facts, and one round's signed evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ledger import (
    Seat,
    Signer,
    TaskParams,
    observation_commitment,
    pack_scores,
    tree_root,
    update_commitment,
)
from node.codec import CODECS
from node.data import Dataset
from node.message import Kind, Message, Scope, sign_message
from node.model import Evaluator, Parameters
from node.record import Manifest, ObservationRecord
from node.round.settle import Dossier, RoundFacts, claim_digest, compile_dossier, observed_digest, roster_digest
from node.round.standing import genesis_standing
from node.round.view import Commitment
from node.sketch import encode_sketch
from node.spec import Artefact, TaskSpec
from node.train import Recipe
from node.verify import Observation, Reason, RoundInputs
from storage import MissingContent, encode

SCOPE = Scope(31_337, "0x" + "ab" * 20)
TASK, ROUND = 1, 2
SEED, SALT = b"\x5e" * 32, b"\x0a" * 32
SHAPE, CLASSES = (3,), 2
PARENT: Parameters = {"weight": np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)}
GENESIS = encode(PARENT)
PARENT_DIGEST = Artefact.of(GENESIS).digest


@cache
def signer(node: int) -> Signer:
    """The hot key of a node."""
    return Signer.from_seed(b"protocol tests", f"node-{node}")


def address(node: int) -> str:
    """What the chain knows of a node's key."""
    return signer(node).address


# -- messages --------------------------------------------------------------------------------------------


def message(
    node: int = 1,
    *,
    kind: Kind = Kind.CLAIM,
    task: int = TASK,
    round_: int = ROUND,
    attempt: int = 0,
    scope: Scope = SCOPE,
    key: int | None = None,
    **body: Any,
) -> Message:
    """A message of `node`, signed by its own key or by that of node `key`."""
    by = signer(node if key is None else key)
    return sign_message(by, scope, kind=kind, task=task, round_=round_, node=node, body=body, attempt=attempt)


def tampered(data: bytes, change: Callable[[Any], object]) -> bytes:
    """Canonical JSON bytes whose parsed value `change` has edited in place."""
    value = json.loads(data)
    change(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


# -- the task: two classes, three features, logits = W x -------------------------------------------------


def tiny_spec(**changes: Any) -> TaskSpec:
    """A task with six parameters and no probe shards."""
    fields: dict[str, Any] = {
        "name": "breast_cancer",
        "shape": SHAPE,
        "classes": CLASSES,
        "layout": (("weight", (2, 3)),),
        "genesis": Artefact.of(GENESIS),
        "recipe": Recipe("sgd", 0.1, epochs=1, batch=4),
        "probe": (),
        "update_bound": "10",
    }
    return TaskSpec(**{**fields, **changes})


def evaluator() -> Evaluator:
    """Evaluates W x."""
    return Evaluator(torch.nn.Linear(3, 2, bias=False))


def probe() -> Dataset:
    """Six samples that the parent model already separates."""
    rows = [[2, 0, 1], [0, 2, 1], [3, 1, 0], [1, 3, 0], [2, 1, -1], [1, 2, -1]]
    return Dataset(np.array(rows, dtype=np.float32), np.array([0, 1] * 3), CLASSES)


def inputs(nodes: Sequence[int] = (1, 2, 3), **changes: Any) -> RoundInputs:
    """What every member shares, with equal stakes."""
    fields: dict[str, Any] = {
        "task": TASK,
        "round": ROUND,
        "beacon": SEED,
        "parent": PARENT,
        "probe": probe(),
        "stakes": dict.fromkeys(nodes, 1_000),
        "reputations": dict.fromkeys(nodes, 0),
    }
    return RoundInputs(**{**fields, **changes})


def update(*values: float) -> NDArray[np.float32]:
    """(6,) float32."""
    return np.array(values, dtype=np.float32)


def payload(vector: NDArray[np.float32], spec: TaskSpec) -> bytes:
    """An update as its trainer stores it."""
    return encode(CODECS.get(spec.codec).encode(vector, spec.layout))


def manifest(node: int, data: bytes, **changes: Any) -> Manifest:
    """An honest manifest of update bytes."""
    fields: dict[str, Any] = {
        "task": TASK,
        "round": ROUND,
        "node": node,
        "parent": PARENT_DIGEST,
        "update": Artefact.of(data),
        "codec": "raw",
    }
    return Manifest(**{**fields, **changes})


def commitment(node: int, slot: int, promised: bytes, **changes: Any) -> Commitment:
    """A commit and its reveal of the manifest bytes `promised`, in slot order."""
    digest = Artefact.of(promised).digest
    fields: dict[str, Any] = {
        "node": node,
        "slot": slot,
        "order": slot,
        "commitment": update_commitment(
            chain_id=SCOPE.chain_id,
            book=SCOPE.book,
            task=TASK,
            round=ROUND,
            node=node,
            manifest=digest,
            salt=SALT,
        ),
        "manifest": digest,
        "length": len(promised),
        "salt": SALT,
    }
    return Commitment(**{**fields, **changes})


# -- one round -------------------------------------------------------------------------------------------


def params(**changes: Any) -> TaskParams:
    """Four seats, three of which settle a round."""
    fields: dict[str, Any] = {
        "spec_digest": b"\x01" * 32,
        "genesis_model": PARENT_DIGEST,
        "probe_root": b"\x02" * 32,
        "starts_at": 1_000,
        "commit_s": 10,
        "reveal_s": 10,
        "post_s": 30,
        "window_s": 10,
        "attempt_s": 10,
        "rounds": 5,
        "seats": 4,
        "quorum": 3,
        "trainer_pool": 100,
        "verifier_pool": 20,
        "slash": 120,
    }
    return TaskParams(**{**fields, **changes})


def facts(
    *,
    seats: Sequence[int] = (11, 12, 13, 14),
    trainers: Sequence[int] = (1, 2),
    absent: Sequence[int] = (),
    **changes: Any,
) -> RoundFacts:
    """The chain's view: a seat for each entry of `seats`; every trainer but the `absent` has revealed a submission."""
    members = list(dict.fromkeys(seats))
    fields: dict[str, Any] = {
        "scope": SCOPE,
        "task": TASK,
        "round": ROUND,
        "seed": SEED,
        "parent": PARENT_DIGEST,
        "params": params(seats=len(seats), quorum=2 * len(seats) // 3 + 1),
        "committee": tuple(Seat(node, address(node)) for node in seats),
        "trainer_slots": {node: slot for slot, node in enumerate(trainers)},
        "verifier_slots": {node: slot for slot, node in enumerate(members)},
        "commitments": tuple(
            commitment(node, slot, b"manifest of %d" % node) for slot, node in enumerate(trainers) if node not in absent
        ),
        "stakes": dict.fromkeys(trainers, 1_000),
        "reputations": dict.fromkeys(trainers, 0),
        "signers": {node: address(node) for node in (*trainers, *members)},
        "standing": genesis_standing(params()),
    }
    return RoundFacts(**{**fields, **changes})


def row(value: int) -> NDArray[np.int32]:
    """A sketch of sixteen equal values."""
    return np.full(16, value, dtype=np.int32)


def observation(*votes: int, sketches: Mapping[int, NDArray[np.int32]] | None = None) -> Observation:
    """Votes by slot, and the sketches that go with them."""
    found = dict(sketches or {})
    return Observation(tuple(votes), dict.fromkeys(found, Reason.ACCEPTED), found, found)


@dataclass
class Script:
    """Writes a round's messages as its nodes would, keeping observation records where `load` finds them."""

    facts: RoundFacts
    records: dict[bytes, bytes] = field(default_factory=dict)

    def say(self, kind: Kind, node: int, *, attempt: int = 0, **body: Any) -> Message:
        """A message of this round."""
        return message(node, kind=kind, task=self.facts.task, round_=self.facts.round, attempt=attempt, **body)

    def load(self, artefact: Artefact) -> bytes:
        """Observation records by digest."""
        if artefact.digest not in self.records:
            raise MissingContent(f"nobody has {artefact.digest.hex()}")
        return self.records[artefact.digest]

    def claim(self, node: int, sketch: NDArray[np.int32]) -> Message:
        """A trainer's claim."""
        return self.say(Kind.CLAIM, node, digest=claim_digest(node, sketch).hex())

    def opened(self, node: int, sketch: NDArray[np.int32]) -> Message:
        """A trainer opens its claim."""
        return self.say(Kind.CLAIM_OPENED, node, sketch=encode_sketch(sketch))

    def record(self, member: int, seen: Observation, **changes: Any) -> bytes:
        """A member's observation record."""
        fields: dict[str, Any] = {
            "task": self.facts.task,
            "round": self.facts.round,
            "seed": self.facts.seed,
            "node": member,
            "observation": seen,
        }
        return ObservationRecord(**{**fields, **changes}).to_bytes()

    def observed(self, node: int, promise: bytes) -> Message:
        """A member's commitment to its observation, signed for the contract too."""
        signature = signer(node).sign_digest(observed_digest(self.facts, node, promise))
        return self.say(Kind.OBSERVED, node, commitment=promise.hex(), signature=signature.hex())

    def member(
        self, node: int, seen: Observation, *, data: bytes | None = None, root: bytes | None = None
    ) -> tuple[Message, Message]:
        """A member's commitment and its reveal; `data` and `root` replace the honest record and its vote root."""
        data = self.record(node, seen) if data is None else data
        root = tree_root(pack_scores(seen.votes)) if root is None else root
        artefact = Artefact.of(data)
        self.records[artefact.digest] = data
        promise = observation_commitment(
            chain_id=self.facts.scope.chain_id,
            book=self.facts.scope.book,
            task=self.facts.task,
            round=self.facts.round,
            seed=self.facts.seed,
            node=node,
            root=root,
            record=artefact.digest,
            salt=SALT,
        )
        committed = self.observed(node, promise)
        body = {"root": root.hex(), "salt": SALT.hex(), "record": artefact.to_json()}
        return committed, self.say(Kind.REVEALED, node, **body)

    def roster(
        self,
        claims: Sequence[Message],
        observed: Sequence[Message],
        *,
        node: int | None = None,
        attempt: int = 0,
    ) -> Message:
        """A proposer's list; by default the first seat proposes."""
        proposer = self.facts.committee[0].node if node is None else node
        body = {"claims": [m.to_json() for m in claims], "observed": [m.to_json() for m in observed]}
        return self.say(Kind.ROSTER, proposer, attempt=attempt, **body)

    def ack(self, node: int, roster: Message) -> Message:
        """A member's acknowledgement."""
        return self.say(Kind.ROSTER_ACK, node, attempt=roster.attempt, roster=roster_digest(roster).hex())

    def checked(self, node: int, roster: Message, false: Sequence[int] = ()) -> Message:
        """A member's verdict on its peers."""
        return self.say(Kind.CHECKED, node, roster=roster_digest(roster).hex(), false=list(false))

    def compile(self, messages: Sequence[Message]) -> Dossier:
        """`compile_dossier` with these records."""
        return compile_dossier(self.facts, messages, self.load)

    def evidence(
        self,
        seen: Mapping[int, Observation],
        claims: Mapping[int, NDArray[np.int32]],
        *,
        members: Mapping[int, tuple[Message, Message]] | None = None,
    ) -> list[Message]:
        """A whole round in which everyone does what is due; `members` replaces some commitment–reveal pairs."""
        pairs = {node: self.member(node, view) for node, view in seen.items()} | dict(members or {})
        stated = [self.claim(node, sketch) for node, sketch in claims.items()]
        roster = self.roster(stated, [committed for committed, _ in pairs.values()])
        return [
            roster,
            *(self.ack(node, roster) for node in pairs),
            *(self.opened(node, sketch) for node, sketch in claims.items()),
            *(revealed for _, revealed in pairs.values()),
            *(self.checked(node, roster) for node in pairs),
        ]
