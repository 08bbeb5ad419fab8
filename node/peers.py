"""How nodes exchange signed messages: one interface, in process for simulation and over HTTP for real nodes.

A message counts only when the key that the chain knows for its sender signed it. The first message under a key
(kind, task, round, attempt, node) counts; a different second one is logged as equivocation and dropped.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from node.errors import PeerError
from node.message import Kind, Message, Scope, verify_message

log = logging.getLogger("credence.peers")
KEEP_ROUNDS = 3
MAX_KEPT = 128  # messages of one node in one round

Key = tuple[str, int, int, int, int]

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
    def contradictions(self, task: int, round_: int, kind: Kind) -> list[tuple[Message, Message]]:
        """Two different messages of one sender under one key, for each sender that said such: the first and another."""

    @abstractmethod
    def close(self) -> None:
        """Stop listening."""


class Board(Peers):
    """A message board in memory: the whole exchange of a simulation, and the inbox of a real node.

    What a node says costs its own space only: of each node the last KEEP_ROUNDS rounds of a task and at most MAX_KEPT
    messages are kept, so nobody can make a board forget others or fill it.
    """

    def __init__(self, scope: Scope, signer_of: SignerOf) -> None:
        self._scope = scope
        self._signer_of = signer_of
        self._lock = threading.Lock()
        self._messages: dict[Key, tuple[int, Message]] = {}  # in arrival order, each with its number
        self._others: dict[Key, Message] = {}  # what contradicts a kept message: one is enough to prove it
        self._latest: dict[tuple[int, int], int] = {}  # (task, node) → its newest round
        # Numbers of one life of a node never meet those of the next, so a peer's old cursor is recognised as such.
        self._first = self._next = int.from_bytes(os.urandom(5), "big") << 24

    def publish(self, message: Message) -> None:
        """Check and keep a message. Raises PeerError when it is not signed by its sender's key, or too old."""
        with self._lock:
            known = self._messages.get(message.key)
        if known is not None and known[1].content() == message.content():
            return
        verify_message(message, self._scope, self._signer_of(message.node))
        with self._lock:
            known = self._messages.get(message.key)
            if known is not None:
                if known[1].content() != message.content():
                    kind = message.kind.value
                    log.warning("dropped: round=%d peer=%d reason=second %s", message.round, message.node, kind)
                    self._others.setdefault(message.key, message)
                return
            self._keep(message)

    def _keep(self, message: Message) -> None:
        sender = (message.task, message.node)
        latest = max(message.round, self._latest.get(sender, 0))
        if message.round <= latest - KEEP_ROUNDS:
            raise PeerError(f"message of round {message.round} is older than the last {KEEP_ROUNDS} rounds")
        own = [key for key in self._messages if (key[1], key[4]) == sender]
        # Refused and not swapped for an older one, which a peer would send again: two boards would never come to rest.
        if sum(key[2] == message.round for key in own) >= MAX_KEPT:
            raise PeerError(f"node {message.node} has said {MAX_KEPT} things in round {message.round}")
        for key in own:
            if key[2] <= latest - KEEP_ROUNDS:
                del self._messages[key]
                self._others.pop(key, None)
        self._latest[sender] = latest
        self._messages[message.key] = (self._next, message)
        self._next += 1

    def messages(self, task: int, round_: int, kind: Kind) -> list[Message]:
        with self._lock:
            found = [m for k, (_, m) in self._messages.items() if k[:3] == (kind.value, task, round_)]
        return sorted(found, key=lambda m: (m.attempt, m.node))

    def contradictions(self, task: int, round_: int, kind: Kind) -> list[tuple[Message, Message]]:
        with self._lock:
            keys = sorted(k for k in self._others if k[:3] == (kind.value, task, round_))
            return [(self._messages[key][1], self._others[key]) for key in keys if key in self._messages]

    def since(self, task: int, after: int, *, limit: int) -> tuple[int, list[Message]]:
        """Up to `limit` messages of a task in arrival order from number `after` on, and the number to ask for next.

        A number that this life of the node never gave starts at the oldest message kept.
        """
        with self._lock:
            start = after if self._first <= after <= self._next else self._first
            fresh = [(number, m) for number, m in self._messages.values() if number >= start and m.task == task]
            window = fresh[:limit]
            following = window[-1][0] + 1 if len(window) < len(fresh) else self._next
            return following, [m for _, m in window]

    def close(self) -> None:
        """Nothing listens."""
