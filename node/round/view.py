"""What the chain says about one task, read once per block: the clock, the live round and the logs, by round.

Logs are followed incrementally, one range read for each new head, so a node's load on its endpoint does not grow with
the number of rounds. A reorganisation (the remembered block's hash changed) starts the follower again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ledger import Clock, Event, Ledger, Live, Role, Seat, Task
from ledger.abi import decode_log

T = TypeVar("T")


@dataclass(frozen=True)
class Commitment:
    """A trainer's first commit of a round and, once it is there, its first reveal."""

    node: int
    slot: int
    order: int  # position among the round's first commits, in (block, log) order
    commitment: bytes
    manifest: bytes | None
    length: int
    salt: bytes


class TaskView:
    """Cached reads of one task. Thread-safe; every read is at most one block old."""

    def __init__(self, ledger: Ledger, task: int) -> None:
        self.ledger = ledger
        self.task = task
        self._lock = threading.RLock()
        self._memo: dict[Any, Any] = {}
        self._reset()

    def _reset(self) -> None:
        self._head = -1
        self._head_hash = b""
        self._events: dict[tuple[str, int], list[Event]] = defaultdict(list)
        self._memo.clear()

    def refresh(self) -> None:
        """Follow the chain to its head. Called by every read; cheap when nothing changed."""
        with self._lock:
            head = self.ledger.chain.block_number()
            if head == self._head:
                return
            if self._head >= 0 and (head < self._head or self.ledger.chain.block(self._head).hash != self._head_hash):
                self._reset()
            contracts = [self.ledger.book.address, self.ledger.reputation_book.address]
            start = max(self._head + 1, self.ledger.deployment.block)
            for log in self.ledger.chain.get_logs(address=contracts, from_block=start, to_block=head):
                event = decode_log(log)
                if event is not None and event.args.get("task") == self.task:
                    self._events[(event.name, int(event.args.get("round", 0)))].append(event)
            self._head, self._head_hash = head, self.ledger.chain.block(head).hash
            self._memo.clear()

    def _cached(self, key: object, read: Callable[[], T]) -> T:
        with self._lock:
            self.refresh()
            if key not in self._memo:
                self._memo[key] = read()
            value: T = self._memo[key]
            return value

    def events(self, name: str, round_: int = 0) -> list[Event]:
        """Logs called `name` of a round (0 for events without one), in chain order."""
        with self._lock:
            self.refresh()
            return list(self._events[(name, round_)])

    @property
    def now(self) -> int:
        """Timestamp of the head block, seconds."""
        return self._cached("now", self.ledger.chain.now)

    @property
    def state(self) -> Task:
        """The task's parameters and settled state."""
        return self._cached("task", lambda: self.ledger.task(self.task))

    @property
    def live(self) -> Live:
        """The current draw and the pending post."""
        return self._cached("live", lambda: self.ledger.live(self.task))

    @property
    def clock(self) -> Clock:
        """Round, phase and the phase's end at the head block's time."""
        return self._cached("clock", lambda: self.ledger.clock(self.task, self.now))

    def post_start(self, round_: int) -> int:
        """When the POST phase of a round begins: the reveal deadline."""
        return self.round_start(round_) + self.state.params.commit_s + self.state.params.reveal_s

    def round_start(self, round_: int) -> int:
        """When a round begins: the time of its stake snapshot."""
        params = self.state.params
        return params.starts_at + (round_ - 1) * self.period

    @property
    def period(self) -> int:
        """Length of a round, seconds."""
        params = self.state.params
        return params.commit_s + params.reveal_s + params.post_s + params.window_s

    def slots(self, role: Role) -> dict[int, int]:
        """Node → slot of everyone who has joined in a role."""
        joined = self.events("Joined")
        return {int(e.args["node"]): int(e.args["slot"]) for e in joined if int(e.args["role"]) == role.value}

    def endpoints(self) -> dict[int, str]:
        """Node → where its peers reach it; nodes that gave no endpoint are left out."""
        found = {int(e.args["node"]): str(e.args["endpoint"]) for e in self.events("Joined")}
        return {node: endpoint for node, endpoint in found.items() if endpoint}

    def commitments(self, round_: int) -> list[Commitment]:
        """First commits of a round in chain order, with their first reveals."""
        slots = self.slots(Role.TRAINER)
        reveals: dict[int, Event] = {}
        for event in self.events("Revealed", round_):
            reveals.setdefault(int(event.args["node"]), event)
        found: dict[int, Commitment] = {}
        for event in self.events("Committed", round_):
            node = int(event.args["node"])
            if node in found or node not in slots:
                continue
            reveal = reveals.get(node)
            found[node] = Commitment(
                node=node,
                slot=slots[node],
                order=len(found),
                commitment=bytes(event.args["commitment"]),
                manifest=bytes(reveal.args["manifest"]) if reveal else None,
                length=int(reveal.args["length"]) if reveal else 0,
                salt=bytes(reveal.args["salt"]) if reveal else b"",
            )
        return list(found.values())

    def probe_key(self, round_: int) -> bytes | None:
        """The key of the round's probe shard, once the owner has opened it."""
        opened = self.events("ProbeOpened", round_)
        return bytes(opened[0].args["key"]) if opened else None

    def committee(self, round_: int) -> tuple[Seat, ...] | None:
        """The drawn seats in drawn order, once they are drawn."""
        drawn = self.events("CommitteeDrawn", round_)
        if not drawn:
            return None
        return tuple(drawn[-1].args["seats"])

    def seed(self, round_: int) -> bytes | None:
        """The round's beacon, once it is proved."""
        drawn = self.events("CommitteeDrawn", round_)
        return bytes(drawn[-1].args["seed"]) if drawn else None

    def parent(self, round_: int) -> bytes:
        """Digest of the model that a round builds on: the last one finalised before it."""
        for earlier in range(round_ - 1, 0, -1):
            final = self.events("Finalised", earlier)
            if final:
                return bytes(final[0].args["model"])
        return self.state.params.genesis_model

    def signer_of(self, node: int) -> str:
        """The hot key that the vault knows for a node."""
        return self._cached(("signer", node), lambda: self.ledger.node(node).signer)

    def stakes(self, round_: int, nodes: list[int]) -> dict[int, int]:
        """Bonded wei of each node at the start of the round."""
        time = self.round_start(round_)
        return self._cached(
            ("stakes", round_, tuple(nodes)),
            lambda: {node: self.ledger.stake_at(node, time) for node in nodes},
        )

    def reputations(self, role: Role) -> dict[int, int]:
        """Reputation of every joined node at the head."""
        return self._cached(("reputations", role), lambda: self.ledger.reputations(self.task, role))
