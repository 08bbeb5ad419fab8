"""What the chain says about one task, read once per block: the clock, the live round and the logs, by round.

Logs are followed incrementally, one range read for each new head, so a node's load on its endpoint does not grow with
the number of rounds. A reorganisation (the remembered block's hash changed) starts the follower again.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ledger import Clock, Event, Ledger, Live, Role, Seat, Task
from ledger.abi import decode_log
from ledger.collect import bundle_counts
from node.errors import PeerError
from node.message import Kind, Message, Scope
from node.round.bundle import unpack

log = logging.getLogger("credence.round")
T = TypeVar("T")
ROOT_MODE = 1


@dataclass(frozen=True)
class Commitment:
    """A trainer's first commit of a round and, once it is there, its first reveal."""

    node: int
    slot: int
    order: int  # position among the round's first commits, in (block, log, leaf) order
    commitment: bytes
    manifest: bytes | None
    length: int
    salt: bytes
    committed: Event | None = field(default=None, compare=False, repr=False)  # its own log, or its collector's
    revealed: Event | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class _Said:
    """A commit or a reveal, direct or out of a bundle."""

    node: int
    body: Mapping[str, Any]
    event: Event


def _nothing_loads(digest: bytes) -> bytes:
    raise PeerError(f"a bundle 0x{digest.hex()[:16]}… was collected, and this view has no store")


class TaskView:
    """Cached reads of one task. Thread-safe; every read is at most one block old.

    `load` fetches a collector's bundle by its digest, and raises where it is missing.
    """

    def __init__(self, ledger: Ledger, task: int, load: Callable[[bytes], bytes] = _nothing_loads) -> None:
        self.ledger = ledger
        self.task = task
        self.load = load
        self._bundles: dict[bytes, tuple[Message, ...]] = {}
        self._lock = threading.RLock()
        self._memo: dict[Any, Any] = {}
        self._reset()

    def _reset(self) -> None:
        self._head = -1
        self._head_hash = b""
        self._events: dict[tuple[str, int], list[Event]] = defaultdict(list)
        self._memo.clear()
        self._settled: dict[Hashable, Any] = {}

    def refresh(self) -> None:
        """Follow the chain to its head. Called by every read; cheap when nothing changed."""
        with self._lock:
            head = self.ledger.chain.block_number()
            if head == self._head:
                return
            if self._head >= 0 and (head < self._head or self.ledger.chain.block(self._head).hash != self._head_hash):
                self._reset()
            contracts = [
                contract.address
                for contract in (
                    self.ledger.book,
                    self.ledger.reputation_book,
                    self.ledger.rewards,
                    self.ledger.disputes,
                )
            ]
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

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Make a value that no later block changes, once; a reorganisation forgets it."""
        with self._lock:
            if key not in self._settled:
                self._settled[key] = make()
            value: T = self._settled[key]
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

    def slots(self, role: Role, *, before: Event | None = None) -> dict[int, int]:
        """Node → slot of everyone who has joined in a role; `before` leaves out whoever joined after that event."""
        joined = [e for e in self.events("Joined") if int(e.args["role"]) == role.value]
        if before is not None:
            limit = (before.block_number, before.log_index)
            joined = [e for e in joined if (e.block_number, e.log_index) < limit]
        return {int(e.args["node"]): int(e.args["slot"]) for e in joined}

    def endpoints(self) -> dict[int, str]:
        """Node → where its peers reach it; nodes that gave no endpoint are left out."""
        found = {int(e.args["node"]): str(e.args["endpoint"]) for e in self.events("Joined")}
        return {node: endpoint for node, endpoint in found.items() if endpoint}

    @property
    def scope(self) -> Scope:
        """Chain and contract, part of every signature."""
        return Scope(self.ledger.chain.chain_id, self.ledger.book.address)

    @property
    def root_mode(self) -> bool:
        """Whether the task settles by roots instead of words."""
        return self.state.params.mode == ROOT_MODE

    def commitments(self, round_: int) -> list[Commitment]:
        """First commits of a round in chain order, direct or collected, with their first reveals.

        Raises what `load` raises where the owner's bundle cannot be had: then nobody knows yet who committed.
        """
        return self._cached(("commitments", round_), lambda: self._commitments(round_))

    def _commitments(self, round_: int) -> list[Commitment]:
        slots = self.slots(Role.TRAINER)
        reveals: dict[int, _Said] = {}
        for said in self._said(round_, "Revealed", Kind.DISCLOSED):
            reveals.setdefault(said.node, said)
        found: dict[int, Commitment] = {}
        for said in self._said(round_, "Committed", Kind.COMMITTED):
            if said.node in found or said.node not in slots:
                continue
            reveal = reveals.get(said.node)
            found[said.node] = Commitment(
                node=said.node,
                slot=slots[said.node],
                order=len(found),
                commitment=bytes(said.body["commitment"]),
                manifest=bytes(reveal.body["manifest"]) if reveal else None,
                length=int(reveal.body["length"]) if reveal else 0,
                salt=bytes(reveal.body["salt"]) if reveal else b"",
                committed=said.event,
                revealed=reveal.event if reveal else None,
            )
        return list(found.values())

    def _said(self, round_: int, name: str, kind: Kind) -> Iterator[_Said]:
        """Direct logs called `name` and the leaves of the owner's bundles, in (block, log, leaf) order."""
        events = [*self.events(name, round_), *self.events("Collected", round_)]
        for event in sorted(events, key=lambda e: (e.block_number, e.log_index)):
            if event.name == name:
                yield _Said(int(event.args["node"]), event.args, event)
            elif bool(event.args["reveals"]) == (kind is Kind.DISCLOSED):
                for message in self._bundle(event, kind):
                    body = _leaf_body(message)
                    if body is not None:
                        yield _Said(message.node, body, event)

    def _bundle(self, event: Event, kind: Kind) -> tuple[Message, ...]:
        if str(event.args["collector"]) != self.state.owner or not self._in_time(event):
            return ()
        digest = bytes(event.args["data"])
        if digest not in self._bundles:
            try:
                self._bundles[digest] = tuple(
                    unpack(
                        event,
                        self.load(digest),
                        kind=kind,
                        scope=self.scope,
                        signer_of=self.signer_of,
                    )
                )
            except PeerError as error:
                log.warning("dropped: round=%d reason=%s", int(event.args["round"]), error)
                self._bundles[digest] = ()
        return self._bundles[digest]

    def _in_time(self, event: Event) -> bool:
        """Whether a bundle was logged in its phase; the contract leaves that to whoever reads the log."""
        armed = self.events("BeaconArmed", int(event.args["round"]))

        def judge() -> bool:
            time = self.ledger.chain.block(event.block_number).timestamp
            return bundle_counts(self.state.params, event, time=time, armed=armed[0] if armed else None)

        # A bundle that came before the beacon was armed stays so.
        return self.remember(("in time", event.tx_hash, event.log_index, bool(armed)), judge)

    # -- settlement ----------------------------------------------------------------------------------------------

    def window_end(self, round_: int) -> int:
        """When the challenge window of a round closes: the start of the next round."""
        return self.round_start(round_) + self.period

    def settled(self, round_: int) -> Event | None:
        """The post of a round, once its window has closed without a proven fault: final by the clock."""
        return self.standing_post(round_) if self.now >= self.window_end(round_) else None

    def standing_post(self, round_: int) -> Event | None:
        """The post of a round unless it was voided, final or not."""
        posted = self.events("Posted", round_)
        return None if not posted or self.events("Voided", round_) else posted[-1]

    @property
    def latest_final(self) -> int | None:
        """The latest round whose post is final by the clock; None before the first."""
        rounds = self.state.params.rounds
        return next((r for r in range(rounds, 0, -1) if self.settled(r) is not None), None)

    @property
    def pending_round(self) -> int:
        """The round of a post that still waits: for its window, or in words mode for `finalise`. 0 = none."""
        posted = self.live.posted_round
        return 0 if self.root_mode and self.now >= self.window_end(posted or 1) else posted

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
        """Digest of the model that a round builds on: that of the last post before it that stands."""
        for earlier in range(round_ - 1, 0, -1):
            posted = self.standing_post(earlier)
            if posted is not None:
                return bytes(posted.args["report"].model)
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


def _leaf_body(message: Message) -> Mapping[str, Any] | None:
    """What a leaf says, typed; None where it says it wrongly, which only its own trainer can do to itself."""
    try:
        if message.kind is Kind.COMMITTED:
            return {"commitment": _bytes32(message.body["commitment"])}
        length = message.body["length"]
        if type(length) is not int or not 0 <= length < 2**64:
            raise ValueError(f"length {length!r:.99}")
        return {
            "manifest": _bytes32(message.body["manifest"]),
            "length": length,
            "salt": _bytes32(message.body["salt"]),
        }
    except (LookupError, TypeError, ValueError) as error:
        log.warning("dropped: round=%d peer=%d reason=malformed leaf: %s", message.round, message.node, error)
        return None


def _bytes32(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != 32 or value.hex() != text:
        raise ValueError(f"{text!r:.99} is not 32 bytes in lower-case hex")
    return value
