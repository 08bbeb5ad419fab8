"""How nodes exchange signed messages: one interface, in process for simulation and over HTTP for real nodes.

A message counts only when the key that the chain knows for its sender signed it. The first message under a key
(kind, task, round, attempt, node) counts; a different second one is logged as equivocation and dropped. Rounds beyond
the window are forgotten, so memory is bounded.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from node.errors import PeerError
from node.message import Kind, Message, Scope, verify_message

log = logging.getLogger("credence.peers")
KEEP_ROUNDS = 3

SignerOf = Callable[[int], str]


class Peers(ABC):
    """The exchange as one node sees it."""

    @abstractmethod
    def publish(self, message: Message) -> None:
        """Say something to every peer. Saying the same again changes nothing."""

    @abstractmethod
    def messages(self, task: int, round_: int, kind: Kind) -> list[Message]:
        """Valid messages of a kind that have arrived, ordered by (attempt, node)."""

    def find(self, task: int, round_: int, kind: Kind, *, attempt: int = 0, node: int | None = None) -> list[Message]:
        """The messages of one attempt, and of one node when given."""
        found = self.messages(task, round_, kind)
        return [m for m in found if m.attempt == attempt and node in (None, m.node)]

    @abstractmethod
    def close(self) -> None:
        """Stop listening."""


class Board(Peers):
    """A message board in memory: the whole exchange of a simulation, and the inbox of a real node."""

    def __init__(self, scope: Scope, signer_of: SignerOf) -> None:
        self._scope = scope
        self._signer_of = signer_of
        self._lock = threading.Lock()
        self._messages: dict[tuple[str, int, int, int, int], Message] = {}
        self._latest: dict[int, int] = {}
        self._log: list[Message] = []  # arrival order, for peers that ask for what is new
        self._dropped = 0  # messages forgotten from the head of the log

    def publish(self, message: Message) -> None:
        """Check and keep a message. Raises PeerError when it is not signed by its sender's key."""
        with self._lock:
            known = self._messages.get(message.key)
        if known is not None:
            if known.content() != message.content():
                log.warning(
                    "dropped: round=%d peer=%d reason=second %s",
                    message.round,
                    message.node,
                    message.kind.value,
                )
            return
        verify_message(message, self._scope, self._signer_of(message.node))
        with self._lock:
            latest = max(message.round, self._latest.get(message.task, 0))
            if message.round <= latest - KEEP_ROUNDS:
                raise PeerError(f"message of round {message.round} is older than the last {KEEP_ROUNDS} rounds")
            self._latest[message.task] = latest
            self._messages[message.key] = message
            self._log.append(message)
            stale = [k for k in self._messages if k[1] == message.task and k[2] <= latest - KEEP_ROUNDS]
            for key in stale:
                del self._messages[key]
            while self._log and self._log[0].key not in self._messages:
                self._log.pop(0)
                self._dropped += 1

    def messages(self, task: int, round_: int, kind: Kind) -> list[Message]:
        with self._lock:
            found = [m for k, m in self._messages.items() if k[:3] == (kind.value, task, round_)]
        return sorted(found, key=lambda m: (m.attempt, m.node))

    def since(self, task: int, after: int, *, limit: int) -> tuple[int, list[Message]]:
        """Up to `limit` messages of a task in arrival order from number `after` on, and the number to ask for next.

        A number beyond the log (the peer knew an earlier life of this node) starts again at its head.
        """
        with self._lock:
            end = self._dropped + len(self._log)
            first = after if self._dropped <= after <= end else self._dropped
            window = self._log[first - self._dropped :][:limit]
            return first + len(window), [m for m in window if m.task == task]

    def close(self) -> None:
        """Nothing listens."""
