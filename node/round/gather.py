"""From the chain's logs and the store to what a member verifies: submissions, opened probe shard, parent model.

Every failure of a trainer becomes a reason code; every failure of the owner or the store stops the round with an error
that says so. Downloaded bytes are re-hashed by the store before they are parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ledger import update_commitment
from node.data import Dataset
from node.errors import DataError, PeerError
from node.message import Scope
from node.model import Parameters
from node.probe import unseal
from node.record import MAX_MANIFEST_BYTES, MAX_RECORD_BYTES, Manifest
from node.round.view import Commitment
from node.spec import Artefact, TaskSpec
from node.verify import Reason, Submission, decode_update, reject_reason
from storage import (
    CHUNK_BYTES,
    CidMismatch,
    CodecError,
    MissingContent,
    Store,
    TensorSpec,
    TooLarge,
    decode,
    from_digest,
)


def fetch(store: Store, artefact: Artefact) -> bytes:
    """Bytes of an artefact. Raises CidMismatch, MissingContent or TooLarge."""
    return store.get(from_digest(artefact.digest, artefact.length), max_bytes=artefact.length)


def fetch_record(store: Store, digest: bytes) -> bytes:
    """A record of which the chain holds the digest only: one raw block, or the root of a larger file."""
    try:
        return store.get(from_digest(digest, 0), max_bytes=CHUNK_BYTES)
    except MissingContent:
        return store.get(from_digest(digest, CHUNK_BYTES + 1), max_bytes=MAX_RECORD_BYTES)


def open_commitment(entry: Commitment, *, scope: Scope, task: int, round_: int) -> Reason | None:
    """None when the reveal opens the commitment, else why it does not."""
    if entry.manifest is None:
        return Reason.UNREVEALED
    expected = update_commitment(
        chain_id=scope.chain_id,
        book=scope.book,
        task=task,
        round=round_,
        node=entry.node,
        manifest=entry.manifest,
        salt=entry.salt,
    )
    return None if expected == entry.commitment else Reason.COMMITMENT_MISMATCH


def gather(
    entries: list[Commitment],
    *,
    store: Store,
    spec: TaskSpec,
    scope: Scope,
    task: int,
    round_: int,
    parent: bytes,
) -> list[Submission]:
    """Fetch, re-hash and decode every submission of a round; each failure is a reason, none stops the round."""
    return [
        _submission(
            entry,
            lambda entry=entry: _load(  # type: ignore[misc]
                entry, store=store, spec=spec, scope=scope, task=task, round_=round_, parent=parent
            ),
        )
        for entry in entries
    ]


class _Rejected(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def _submission(entry: Commitment, load: Callable[[], Submission]) -> Submission:
    try:
        return load()
    except _Rejected as rejection:
        reason = rejection.reason
    except CodecError as error:
        reason = reject_reason(error)
    except CidMismatch:
        reason = Reason.WRONG_CID
    except MissingContent:
        reason = Reason.UNAVAILABLE
    except TooLarge:
        reason = Reason.OVERSIZED
    return Submission(entry.node, entry.slot, entry.order, None, reason)


def _load(
    entry: Commitment, *, store: Store, spec: TaskSpec, scope: Scope, task: int, round_: int, parent: bytes
) -> Submission:
    reason = open_commitment(entry, scope=scope, task=task, round_=round_)
    if reason is not None:
        raise _Rejected(reason)
    assert entry.manifest is not None
    if entry.length > MAX_MANIFEST_BYTES:
        raise _Rejected(Reason.BAD_MANIFEST)
    manifest = read_manifest(store, Artefact(entry.manifest, entry.length))
    fits = (manifest.task, manifest.round, manifest.node, manifest.codec) == (
        task,
        round_,
        entry.node,
        spec.codec,
    )
    if not fits or manifest.parent != parent or (manifest.origin is None) is bool(spec.canary_share):
        raise _Rejected(Reason.BAD_MANIFEST)
    if manifest.update.length > spec.max_update_bytes:
        raise _Rejected(Reason.OVERSIZED)
    update = decode_update(fetch(store, manifest.update), spec)
    return Submission(entry.node, entry.slot, entry.order, update, Reason.ACCEPTED)


def read_manifest(store: Store, artefact: Artefact) -> Manifest:
    """Fetch and parse a manifest; a malformed one is the trainer's fault (a rejection), not an error."""
    try:
        return Manifest.from_bytes(fetch(store, artefact))
    except PeerError as error:
        raise _Rejected(Reason.BAD_MANIFEST) from error


def open_shard(store: Store, spec: TaskSpec, round_: int, key: bytes) -> Dataset:
    """The opened probe shard of a round. Raises DataError when the owner broke its commitment."""
    shard = spec.probe[round_ - 1]
    if hashlib.sha256(key).digest() != shard.key_hash:
        raise DataError(
            f"the key that opens the probe shard of round {round_} is not the one committed to",
            hint="the task's owner broke its commitment; the round is skipped",
        )
    plain = unseal(fetch(store, shard.sealed), key)
    try:
        return _parse_shard(plain, spec)
    except CodecError as error:
        raise DataError(
            f"the probe shard of round {round_} is malformed: {error}", hint="the round is skipped"
        ) from error


def _parse_shard(plain: bytes, spec: TaskSpec) -> Dataset:
    specs = [
        TensorSpec("x", (spec.probe_shard, *spec.shape), "float32"),
        TensorSpec("y", (spec.probe_shard,), "int64"),
    ]
    return Dataset(**decode(plain, specs, max_bytes=len(plain)), classes=spec.classes)


def load_model(store: Store, spec: TaskSpec, digest: bytes) -> Parameters:
    """Parameters of a model artefact; its length follows from the layout, so the digest names it."""
    data = fetch(store, Artefact(digest, spec.genesis.length))
    specs = [TensorSpec(name, shape, "float32") for name, shape in spec.layout]
    return decode(data, specs, max_bytes=spec.genesis.length)
