"""Values that cross the ledger's boundary: what the contracts store, emit and accept.

Frozen dataclasses with the contracts' field names in snake case. Digests are 32 `bytes`, addresses are
checksum `str`, amounts are wei of the token (`int`), times are seconds since the epoch (`int`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Role(IntEnum):
    """What a node does in a task; each role has its own reputation lane."""

    TRAINER = 0
    VERIFIER = 1


class Phase(IntEnum):
    """Phases of one round, in order; a phase is half-open and ends by the clock alone."""

    COMMIT = 0
    REVEAL = 1
    POST = 2
    WINDOW = 3
    OVER = 4


@dataclass(frozen=True, slots=True)
class TaskParams:
    """What a task's owner fixes for ever at creation. Durations in seconds, pools and slash in wei of the
    token."""

    spec_digest: bytes
    genesis_model: bytes
    probe_root: bytes
    starts_at: int  # 0 = the time of creation
    commit_s: int
    reveal_s: int
    post_s: int
    window_s: int
    attempt_s: int
    rounds: int
    seats: int
    quorum: int
    trainer_pool: int
    verifier_pool: int
    slash: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the RoundBook stores it; `model` is the latest final model digest."""

    params: TaskParams
    owner: str
    closed: bool
    final_round: int
    finalised: int
    model: bytes
    escrow: int


@dataclass(frozen=True, slots=True)
class Live:
    """The draw of the current round and the post that waits for its window, if any (`posted_round` 0 =
    none)."""

    armed_round: int
    seed_block: int
    drawn_round: int
    seed: bytes
    committee_hash: bytes
    posted_round: int
    posted_at: int
    report_digest: bytes
    voided_digest: bytes


@dataclass(frozen=True, slots=True)
class Seat:
    """One drawn seat: the node and its hot key at the time of the draw."""

    node: int
    signer: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One member's revealed observation: its commitment, the root of its vote words, its record's digest."""

    node: int
    commitment: bytes
    root: bytes
    record: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """One round's settlement, as the committee signs it (EIP-712)."""

    mode: int
    task: int
    round: int
    seed: bytes
    committee_hash: bytes
    attempt: int
    parent: bytes
    submissions_root: bytes
    votes_hash: bytes
    sketch_digest: bytes
    words_hash: bytes
    model: bytes
    record: bytes
    reward_total: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Round, phase and the phase's end (seconds); round 0 before the start, OVER after the last round."""

    round: int
    phase: Phase
    ends_at: int


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A registered node. `bonded` and `exiting` in wei; `exit_at` in seconds, 0 when nothing exits."""

    owner: str
    signer: str
    bonded: int
    exiting: int
    exit_at: int
    seats: int


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded log. `args` has the contract's parameter names; structs arrive as the dataclasses above."""

    name: str
    args: dict[str, Any]
    block_number: int
    log_index: int
    tx_hash: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that succeeded, with every event of ours that it emitted, in log order."""

    tx_hash: bytes
    block_number: int
    gas_used: int
    events: tuple[Event, ...]

    def event(self, name: str) -> Event:
        """The first event called `name`; raises `KeyError` naming what is there instead."""
        for event in self.events:
            if event.name == name:
                return event
        raise KeyError(f"no event {name!r} in 0x{self.tx_hash.hex()}; it has {[e.name for e in self.events]}")


@dataclass(frozen=True, slots=True)
class RawLog:
    """One undecoded log, as every chain back-end returns it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class RawReceipt:
    """A mined transaction. `revert` is the revert data where the back-end kept it, else None."""

    tx_hash: bytes
    status: int
    block_number: int
    block_hash: bytes
    gas_used: int
    logs: tuple[RawLog, ...]
    contract_address: str | None = None
    revert: bytes | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """The part of a sealed block that the ledger uses; `timestamp` in seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    mix_hash: bytes
    tx_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TxInfo:
    """A transaction as sent: who, to whom (None = creation), with which call data and gas limit."""

    tx_hash: bytes
    sender: str
    to: str | None
    data: bytes
    gas: int
    block_number: int
