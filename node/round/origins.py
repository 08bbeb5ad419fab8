"""Which submissions of a round are canaries: openings out of messages, held against the manifests in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from node.canary import Origin, opened_canaries
from node.errors import PeerError
from node.message import Message
from node.record import MAX_MANIFEST_BYTES, Manifest
from node.round.gather import fetch, open_commitment
from node.spec import Artefact, TaskSpec
from storage import CidMismatch, Store, TooLarge

if TYPE_CHECKING:
    from node.round.settle import RoundFacts

Manifests = Callable[[int], Manifest | None]
"""By trainer: the manifest that it committed to and revealed, None where it has none that can be read."""


def manifests_of(store: Store, spec: TaskSpec, facts: RoundFacts) -> Manifests | None:
    """Reads the round's manifests; None in a task without canaries, where no origin counts.

    What it gives raises MissingContent for one that nobody serves (yet).
    """
    entries = {entry.node: entry for entry in facts.commitments}

    def read(node: int) -> Manifest | None:
        entry = entries.get(node)
        if entry is None or entry.manifest is None or entry.length > MAX_MANIFEST_BYTES:
            return None
        if open_commitment(entry, scope=facts.scope, task=facts.task, round_=facts.round) is not None:
            return None
        try:
            return Manifest.from_bytes(fetch(store, Artefact(entry.manifest, entry.length)))
        except (PeerError, CidMismatch, TooLarge):
            return None  # rejected as a submission, with this reason

    return read if spec.canary_share else None


def planted_by(openings: Sequence[Message], manifests: Manifests) -> frozenset[int]:
    """Trainers that opened a canary: by an opening that says `planted` and fits the manifest.

    An opening that is malformed, of no submission, or not what the manifest's origin hash binds opens nothing: the
    submission counts as any other. Raises what `manifests` raises.
    """
    found: frozenset[int] = frozenset()
    for message in openings:
        salt, node = _planted_salt(message), message.node
        manifest = None if salt is None else manifests(node)
        if salt is None or manifest is None or manifest.origin is None:
            continue
        said = Origin(message.task, message.round, node, manifest.update.digest, planted=True, salt=salt)
        found |= opened_canaries({node: manifest.origin}, {node: said})
    return found


def _planted_salt(message: Message) -> bytes | None:
    """The salt of an opening that says `planted`; None for any other body. Said once a round, so at attempt 0 only."""
    text = message.body.get("salt")
    if message.attempt or message.body.get("planted") is not True or not isinstance(text, str):
        return None
    try:
        salt = bytes.fromhex(text)
    except ValueError:
        return None
    return salt if len(salt) == 32 else None
