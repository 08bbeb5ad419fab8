"""Signed messages between nodes: typed, size-bounded, bound to chain, contract, task, round and attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eth_utils.crypto import keccak

from ledger import Signer, recover
from node.errors import PeerError
from storage import canonical_json, parse_canonical_json

MAX_MESSAGE_BYTES = 1 << 20
_DOMAIN = b"Credence message v1\x00"


class Kind(Enum):
    """What a message says. The comment names its sender."""

    COMMITTED = "committed"  # trainer: its commitment, for a collector
    DISCLOSED = "disclosed"  # trainer: its reveal, for a collector
    CLAIM = "claim"  # trainer: digest of its own output sketch
    OBSERVED = "observed"  # member: commitment to its observation vector
    ROSTER = "roster"  # proposer: the claims and commitments that count
    ROSTER_ACK = "roster_ack"  # member: signs one roster an attempt
    CLAIM_OPENED = "claim_opened"  # trainer: the sketch behind its claim
    REVEALED = "revealed"  # member: its observation record
    ORIGIN_OPENED = "origin_opened"  # trainer, in a task with canaries: whether it planted its submission, and the salt
    LEAKED = "leaked"  # trainer: outputs that it says are its update's; no evidence, and a canary's are wrong
    CHECKED = "checked"  # member: whose address-bound sketches were wrong
    PROPOSAL = "proposal"  # proposer: the round record and the report
    SIGNATURE = "signature"  # member: EIP-712 signature of the report


@dataclass(frozen=True)
class Scope:
    """The chain and contract that a network of nodes lives on: part of every signature."""

    chain_id: int
    book: str


@dataclass(frozen=True)
class Message:
    """One statement of one node. `body` holds integers, strings, booleans, lists and objects only."""

    kind: Kind
    task: int
    round: int
    attempt: int
    node: int
    body: Mapping[str, Any]
    signature: bytes

    def content(self) -> dict[str, Any]:
        """The signed part as canonical JSON values."""
        return {
            "kind": self.kind.value,
            "task": self.task,
            "round": self.round,
            "attempt": self.attempt,
            "node": self.node,
            "body": dict(self.body),
        }

    def to_json(self) -> dict[str, Any]:
        """The wire form: content and hex signature."""
        return {**self.content(), "signature": self.signature.hex()}

    @property
    def key(self) -> tuple[str, int, int, int, int]:
        """What a node may say once: (kind, task, round, attempt, node)."""
        return (self.kind.value, self.task, self.round, self.attempt, self.node)


def message_digest(content: Mapping[str, Any], scope: Scope) -> bytes:
    """keccak256 of domain, chain id, contract and canonical content: the 32 bytes that the sender signs."""
    prefix = _DOMAIN + scope.chain_id.to_bytes(32, "big") + bytes.fromhex(scope.book.removeprefix("0x"))
    return bytes(keccak(prefix + canonical_json(dict(content))))


def sign_message(
    signer: Signer,
    scope: Scope,
    *,
    kind: Kind,
    task: int,
    round_: int,
    node: int,
    body: Mapping[str, Any],
    attempt: int = 0,
) -> Message:
    """Make a signed message. Raises PeerError when it would exceed MAX_MESSAGE_BYTES."""
    unsigned = Message(kind, task, round_, attempt, node, body, b"")
    _check_size(unsigned)
    signature = signer.sign_digest(message_digest(unsigned.content(), scope))
    return Message(kind, task, round_, attempt, node, body, signature)


def _check_size(message: Message) -> None:
    try:
        size = len(canonical_json(message.content()))
    except ValueError as error:
        raise PeerError(f"a {message.kind.value} cannot be written: {error}") from error
    if size > MAX_MESSAGE_BYTES:
        raise PeerError(
            f"a {message.kind.value} of {size} bytes is above {MAX_MESSAGE_BYTES}", hint="put data in the store"
        )


def verify_message(message: Message, scope: Scope, signer_address: str) -> None:
    """Raise PeerError unless `signer_address` signed the message for this chain and contract, and its size is right."""
    _check_size(message)
    try:
        found = recover(message_digest(message.content(), scope), message.signature)
    except (ValueError, TypeError) as error:
        raise PeerError(f"{message.kind.value} of node {message.node} has a malformed signature") from error
    if found != signer_address:
        raise PeerError(
            f"{message.kind.value} of node {message.node} in round {message.round} is signed by {found}, "
            f"not by its key {signer_address}"
        )


def parse_message(data: object) -> Message:
    """Typed message from parsed JSON; the signature is not checked yet. Raises PeerError on any other shape."""
    fields = {"kind", "task", "round", "attempt", "node", "body", "signature"}
    if not isinstance(data, Mapping) or set(data) != fields:
        raise PeerError("a message must have exactly the fields " + ", ".join(sorted(fields)))
    numbers = [data[name] for name in ("task", "round", "attempt", "node")]
    if any(not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < 2**64 for n in numbers):
        raise PeerError("task, round, attempt and node of a message must be integers in [0, 2^64)")
    if not isinstance(data["body"], Mapping) or not isinstance(data["signature"], str):
        raise PeerError("a message needs an object as body and hex text as signature")
    try:
        kind, signature = Kind(data["kind"]), bytes.fromhex(data["signature"])
    except ValueError as error:
        raise PeerError(f"message of unknown kind or with a malformed signature: {error}") from error
    if len(signature) != 65 or signature.hex() != data["signature"]:
        raise PeerError(f"a signature is 65 bytes in lower-case hex, got {len(signature)} bytes")
    task, round_, attempt, node = numbers
    return Message(kind, task, round_, attempt, node, data["body"], signature)


def parse_message_bytes(data: bytes) -> Message:
    """Typed message from canonical wire bytes. Raises PeerError on anything malformed or oversized."""
    try:
        body: Any = parse_canonical_json(data, max_bytes=MAX_MESSAGE_BYTES + 1024)
        return parse_message(body)
    except ValueError as error:
        raise PeerError(f"malformed message: {error}") from error
