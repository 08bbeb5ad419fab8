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


class Mode(IntEnum):
    """How a task settles: score words in storage, or one signed root at flat cost."""

    WORDS = 0
    ROOT = 1


class DemandKind(IntEnum):
    """Withheld data that anyone may ask a post's signers for."""

    VOTES = 0
    SCORES = 1
    REPUTATION = 2
    TRAINER_PAY = 3
    VERIFIER_PAY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
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
    mode: int = Mode.WORDS
    levels: int = 0  # root mode: each role has room for 15·2^levels nodes
    contributions: bool = True  # words mode: keep contribution totals; needed where a pool is paid
    trainer_pool: int
    verifier_pool: int
    slash: int

    @property
    def pools(self) -> int:
        """Wei that one round needs in escrow."""
        return self.trainer_pool + self.verifier_pool

    def pool(self, role: Role) -> int:
        """Wei that a final round pays to a role."""
        return self.trainer_pool if role == Role.TRAINER else self.verifier_pool

    @property
    def period(self) -> int:
        """Length of a round in seconds."""
        return self.commit_s + self.reveal_s + self.post_s + self.window_s

    def window_closes(self, round: int) -> int:
        """When a post of this round is final (seconds); `starts_at` must be resolved, as the contract keeps
        it."""
        return self.starts_at + round * self.period


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task as the RoundBook stores it."""

    params: TaskParams
    owner: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stands by the clock: `model` is the latest final model digest, `final_round` its round (0
    before the first), `finalised` how many rounds are final, `escrow` the wei held for the task."""

    params: TaskParams
    owner: str
    closed: bool
    final_round: int
    finalised: int
    model: bytes
    escrow: int


@dataclass(frozen=True, slots=True)
class Live:
    """The draw of the current round and the records as stored; `Ledger.final` and `Ledger.pending` say what
    the clock makes of them."""

    armed_round: int
    seed_block: int  # a block's number, or the ticket of the seed source
    drawn_round: int
    draw_hash: bytes
    posted_round: int  # neither applied (words), succeeded (root) nor void; 0 = none
    posted_hash: bytes
    final_round: int
    final_hash: bytes
    voided_round: int
    applied_words: int
    draws: int
    funded_rounds: int
    trainer_slots: int
    verifier_slots: int

    def slots(self, role: Role) -> int:
        """Nodes that joined in a role."""
        return self.trainer_slots if role == Role.TRAINER else self.verifier_slots


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


ZERO32 = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Settled:
    """A post as the RoundBook remembers it, by its hash. All zero stands for the time before the first."""

    digest: bytes = ZERO32
    signers: int = 0
    model: bytes = ZERO32
    state: bytes = ZERO32
    trainer_words: int = 0


@dataclass(frozen=True, slots=True)
class RootState:
    """All that root mode knows after a round: four tree roots, and sums with the trainers' in the low 128
    bits."""

    scores: bytes = ZERO32
    reputation: bytes = ZERO32
    trainer_pay: bytes = ZERO32
    verifier_pay: bytes = ZERO32
    totals: int = 0
    points: int = 0
    data: bytes = ZERO32

    def pay_root(self, role: Role) -> bytes:
        """Root hash of a role's pay tree."""
        return self.trainer_pay if role == Role.TRAINER else self.verifier_pay

    def total(self, role: Role) -> int:
        """Wei that a role has earned since the task began."""
        return (self.totals >> (128 * role)) & (2**128 - 1)

    def part_sum(self, role: Role) -> int:
        """Sum of a role's score parts in this round."""
        return (self.points >> (128 * role)) & (2**128 - 1)


@dataclass(frozen=True, slots=True)
class WordProof:
    """A word and its siblings in a position-bound tree, lowest first."""

    word: int
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PayProof:
    """A leaf of a pay tree (wei) and its siblings, lowest first."""

    amount: int
    sums: tuple[int, ...]
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Accused:
    """The post that a proof of fault is about, as `Disputes` takes it; `committee` is packed."""

    report: Report
    signers: int
    trainer_words: int
    committee: bytes


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


class DisputeTurn(IntEnum):
    """Whose turn it is in a dispute over training, and for what."""

    NONE = 0
    ANSWER = 1  # trainer: the state in the middle
    CHOOSE = 2  # challenger: which half
    DESCEND = 3  # trainer: the steps of the one segment left
    RESEED = 4  # challenger: rows for these steps
    JUDGE = 5  # committee
    OVER = 6


class DisputeOutcome(IntEnum):
    """How a dispute over training ended."""

    UNDECIDED = 0
    TRAINER_WON = 1
    CHALLENGER_WON = 2


@dataclass(frozen=True, slots=True)
class Training:
    """What a trainer signs in replay mode: the root of its checkpoints, `segments` + 1 of them, `steps` apart."""

    task: int
    round: int
    node: int
    segments: int
    steps: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Border:
    """A state that stands in the tree of checkpoints and in that of a segment's steps; siblings lowest first."""

    digest: int
    in_checkpoints: tuple[bytes, ...]
    in_steps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TrainingDispute:
    """A dispute as the contract keeps it. `low` is the last state that both accept, `high` the first that they do
    not: segments, or steps of `segment` once `in_segment`."""

    challenger: str
    deadline: int
    turn: DisputeTurn
    outcome: DisputeOutcome
    in_segment: bool
    task: int
    round: int
    node: int
    segments: int
    steps: int
    segment: int
    low: int
    high: int
    challenger_bond: int
    trainer_bond: int
    training: bytes
    root: bytes
    step_root: bytes

    @property
    def middle(self) -> int:
        """The state that the trainer has to open next."""
        return self.low + (self.high - self.low) // 2


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
