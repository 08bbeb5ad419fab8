"""Collected commits and reveals: what a task's owner logs for many trainers in one transaction.

A leaf is one trainer's signed message, so a collector can leave out but never forge; whoever is left out sends its own
transaction. Bundles of the task's owner alone count: it can hold up its own rounds anyway (by not opening a probe), and
nobody else shall be able to do so with bytes that some members get and others do not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from ledger import Event
from ledger.collect import Bundle, decode_bundle
from ledger.contract_errors import UnknownNode
from ledger.errors import LedgerError
from node.errors import PeerError
from node.message import Kind, Message, Scope, parse_message_bytes, verify_message
from storage import canonical_json

log = logging.getLogger("credence.round")


def pack(messages: Sequence[Message]) -> Bundle:
    """The bundle of signed messages, in the order given: the order in which they will count."""
    return Bundle(tuple(canonical_json(message.to_json()) for message in messages))


def unpack(
    event: Event,
    data: bytes,
    *,
    kind: Kind,
    scope: Scope,
    signer_of: Callable[[int], str],
) -> Iterator[Message]:
    """The leaves that count, in order; a leaf that is not its trainer's own counts as absent, and is logged.

    Raises PeerError where the bytes are not what the event's root and count say.
    """
    try:
        bundle = decode_bundle(data, root=bytes(event.args["root"]), count=int(event.args["count"]))
    except LedgerError as error:
        raise PeerError(f"a collector's bundle is not what its log says: {error}") from error
    round_, task = int(event.args["round"]), int(event.args["task"])
    for number, leaf in enumerate(bundle.leaves):
        try:
            message = parse_message_bytes(leaf)
            if (message.kind, message.task, message.round, message.attempt) != (kind, task, round_, 0):
                raise PeerError(f"it is a {message.kind.value} of round {message.round}")
            verify_message(message, scope, signer_of(message.node))
        except (PeerError, UnknownNode) as error:
            log.warning("dropped: round=%d reason=leaf %d of a bundle: %s", round_, number, error)
            continue
        yield message
