"""The real contracts under real rounds, at the caller's pace: what both the benchmark and the gas snapshot measure.

Nodes are registered with keys of their own, seats are drawn by proven seeds, reports carry a quorum's signatures. All
nodes have one owner, which also pays for every transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger import Signer
from ledger.abi import Call
from ledger.chain import Chain
from ledger.client import Ledger
from ledger.collect import Bundle
from ledger.deployments import deploy
from ledger.gas import TX_CAP
from ledger.posts import Post
from ledger.report import assemble_signatures, committee_hash, pack_committee, report_digest, state_hash, words_hash
from ledger.rootstate import RootLedgerState, new_root_state
from ledger.tree import PositionTree
from ledger.types import Mode, Phase, Receipt, Report, Role, RootState, Seat, Settled, TaskParams, Vote
from ledger.words import MAX_SCORE, pack_scores, part_sum

COIN = 10**18
SEAT_STAKE, MIN_STAKE, DEMAND_FEE = 1_000 * COIN, COIN, COIN
NODE_STAKE = 20 * SEAT_STAKE  # of each node, so that slashed seats stay covered
PHASE_S = 20_000  # long enough for ten thousand joins in blocks a second apart
REGISTER_GAS, JOIN_GAS = 200_000, 110_000  # upper bounds inside a batch, so that as many as fit go out together
ALL_WORDS = 2**32 - 1


class MovableChain(Protocol):
    """What a rig needs of a chain besides `Chain`: a clock that it moves."""

    def advance_to(self, timestamp: int) -> None:
        """Seal an empty block at `timestamp`."""


def digest(*parts: object) -> bytes:
    """32 bytes that look like any digest."""
    return hashlib.sha256(repr(parts).encode()).digest()


def accepted_scores(count: int, label: object) -> list[int]:
    """Scores 32769..65535 in a fixed random order, with the same sum for every label: a rotation of one list."""
    base = [32_769 + int.from_bytes(digest("score", i)[:4], "big") % (MAX_SCORE - 32_768) for i in range(count)]
    turn = int.from_bytes(digest("turn", label)[:4], "big") % max(1, count)
    return base[turn:] + base[:turn]


@dataclass(frozen=True)
class Shape:
    """What a task settles: nodes by role, the committee, and how."""

    trainers: int
    verifiers: int
    seats: int
    quorum: int
    mode: Mode = Mode.WORDS
    contributions: bool = False
    levels: int = 0

    @classmethod
    def of(cls, nodes: int, *, seats: int, quorum: int, mode: Mode, contributions: bool = False) -> Shape:
        """`nodes` lanes: the committee's among them where there is room for it, else trainers alone."""
        verifiers = seats if nodes >= 2 * seats else 0
        levels = 0
        while mode == Mode.ROOT and 15 << levels < nodes:
            levels += 1
        return cls(nodes - verifiers, verifiers, seats, quorum, mode, contributions, levels)

    def points(self) -> tuple[int, int]:
        """Sums of the score parts of each role in every round."""
        t, v = (part_sum(pack_scores(accepted_scores(count, 0))) for count in (self.trainers, self.verifiers))
        return t, v


class Rig:
    """One deployment. Nodes 1..k hold a seat each; the others are trainers."""

    def __init__(self, chain: Chain, clock: MovableChain, owner: Signer) -> None:
        self.chain, self.clock, self.owner = chain, clock, owner
        deployment = deploy(
            chain, owner, seat_stake=SEAT_STAKE, min_stake=MIN_STAKE, unbonding_s=10 * PHASE_S, demand_fee=DEMAND_FEE
        )
        self.ledger = Ledger(chain, deployment)
        self.keys: list[Signer] = []
        self.seated = 0
        self.ledger.mint(owner, owner.address, 10**9 * NODE_STAKE)
        for spender in (self.ledger.vault, self.ledger.book, self.ledger.disputes):
            self.ledger.approve(owner, spender.address, 2**255)

    def key(self, node: int) -> Signer:
        """The hot key of a node."""
        return self.keys[node - 1]

    def register(self, count: int) -> list[Receipt]:
        """Register nodes until there are `count`, as many in a transaction as fit."""
        new = [Signer.from_seed(b"gas", f"node {i}") for i in range(len(self.keys), count)]
        vault, owner = self.ledger.vault, self.owner.address
        calls = [vault.call("register", key.address, NODE_STAKE, self.ledger.possession(owner, key)) for key in new]
        self.keys += new
        return self.batch(calls, REGISTER_GAS)

    def seat(self, count: int) -> list[Receipt]:
        """One seat for each of nodes 1..`count`."""
        calls = [self.ledger.vault.call("takeSeats", node, 1) for node in range(self.seated + 1, count + 1)]
        self.seated = max(self.seated, count)
        return self.batch(calls, 120_000)

    def batch(self, calls: Sequence[Call], gas_each: int) -> list[Receipt]:
        """Calls of one contract in as few transactions as the cap allows."""
        room = (TX_CAP - 200_000) // gas_each
        return [self.together(calls[at : at + room]) for at in range(0, len(calls), room)]

    def send(self, call: Call) -> Receipt:
        """One call as a transaction of its own."""
        return self.ledger.transmitter(self.owner).send(call, gas=TX_CAP)

    def together(self, calls: Sequence[Call]) -> Receipt:
        """Calls of one contract in one transaction, all or none, whatever they cost."""
        if len(calls) == 1:
            return self.send(calls[0])
        contract = next(c for c in (self.ledger.book, self.ledger.vault) if c.address == calls[0].address)
        return self.send(contract.call("multicall", [call.data for call in calls]))

    def open_task(self, shape: Shape, *, rounds: int = 8, joined: int | None = None) -> TaskRig:
        """A task of this shape whose first round has not begun; `joined` trainers take slots (None = all)."""
        trainer_points, verifier_points = shape.points()
        paid = shape.mode == Mode.ROOT or shape.contributions
        params = TaskParams(
            spec_digest=digest("spec"), genesis_model=digest("genesis"), probe_root=digest("probes"),
            starts_at=self.chain.now() + PHASE_S, commit_s=1_000, reveal_s=1_000, post_s=1_000, window_s=4_000,
            attempt_s=100, rounds=rounds, seats=shape.seats, quorum=shape.quorum, mode=shape.mode,
            levels=shape.levels, contributions=shape.contributions,
            # A multiple of the points: shares have no dust, of which a slot is allowed one wei.
            trainer_pool=trainer_points * 10**9 if paid else 0,
            verifier_pool=verifier_points * 10**9 if paid else 0,
            slash=SEAT_STAKE // 2,
        )  # fmt: skip
        task, created = self.ledger.create_task(self.owner, params)
        task_rig = TaskRig(self, task, shape, self.ledger.stored_task(task).params, created)
        task_rig.join(shape.trainers if joined is None else joined)
        return task_rig


@dataclass
class Drawn:
    """A round's draw."""

    seats: tuple[Seat, ...]
    seed: bytes


@dataclass
class TaskRig:
    """One task and its rounds."""

    rig: Rig
    task: int
    shape: Shape
    params: TaskParams
    created: Receipt
    joins: list[Receipt] = field(default_factory=list)
    settled: list[Post] = field(default_factory=list)
    states: dict[int, RootLedgerState] = field(default_factory=dict)
    draws: dict[int, Drawn] = field(default_factory=dict)

    def join(self, trainers: int) -> None:
        """Nodes behind the seated ones become trainers, nodes 1.. verifiers."""
        call, seats = self.rig.ledger.book.call, self.shape.seats
        calls = [call("join", self.task, seats + 1 + i, Role.TRAINER, "") for i in range(trainers)]
        calls += [call("join", self.task, 1 + i, Role.VERIFIER, "") for i in range(self.shape.verifiers)]
        self.joins += self.rig.batch(calls, JOIN_GAS)

    def at(self, round_: int, phase: Phase) -> None:
        """Move the clock into a phase of a round."""
        p = self.params
        ahead = (0, p.commit_s, p.commit_s + p.reveal_s, p.commit_s + p.reveal_s + p.post_s)[phase]
        self.rig.clock.advance_to(p.starts_at + (round_ - 1) * p.period + ahead + 1)

    # --- a round, step by step ---
    def bundle_call(self, round_: int, *, reveals: bool) -> Call:
        """What a collector logs for as many trainers as there are."""
        bundle = Bundle((digest("leaves", round_, reveals),))
        count = self.shape.trainers
        return self.rig.ledger.book.call("collect", self.task, round_, reveals, bundle.root, count, bundle.data)

    def draw(self, round_: int, *, with_reveals: bool = False) -> dict[str, Receipt]:
        """Arm (with a collector's bundle of reveals in the same transaction) and draw."""
        rig, book = self.rig, self.rig.ledger.book
        arm = book.call("armBeacon", self.task, round_)
        armed = rig.together([self.bundle_call(round_, reveals=True), arm]) if with_reveals else rig.send(arm)
        drawn = rig.ledger.draw_committee(rig.owner, self.task, round_, gas=TX_CAP)
        args = drawn.event("CommitteeDrawn").args
        self.draws[round_] = Drawn(tuple(args["seats"]), bytes(args["seed"]))
        return {"arm": armed, "draw": drawn}

    def sign(self, report: Report, seats: Sequence[Seat]) -> tuple[int, bytes]:
        """Bitmap and signatures of the first seats that make the quorum."""
        ledger = self.rig.ledger
        hashed = report_digest(report, chain_id=ledger.chain.chain_id, book=ledger.book.address)
        members = [seat.node for seat in seats[: self.shape.quorum]]
        return assemble_signatures(seats, {node: self.rig.key(node).sign_digest(hashed) for node in members})

    def report(self, round_: int, *, words: bytes, reward: int, **changes: Any) -> Report:
        """A report of the drawn round on the latest settled model."""
        draw = self.draws[round_]
        fields: dict[str, Any] = {
            "mode": self.shape.mode, "task": self.task, "round": round_, "seed": draw.seed,
            "committee_hash": committee_hash(draw.seats), "attempt": 0,
            "parent": self.settled[-1].report.model if self.settled else self.params.genesis_model,
            "submissions_root": digest("submissions", round_), "votes_hash": digest("votes", round_),
            "sketch_digest": digest("sketch", round_), "words_hash": words, "model": digest("model", round_),
            "record": digest("record", round_), "reward_total": reward,
        }  # fmt: skip
        return Report(**{**fields, **changes})

    def scores(self, round_: int) -> tuple[list[int], list[int]]:
        """Scores of a round by role and slot."""
        return (
            accepted_scores(self.shape.trainers, ("trainers", round_)),
            accepted_scores(self.shape.verifiers, ("verifiers", round_)),
        )

    def words(self, round_: int) -> tuple[list[int], list[int]]:
        """Score words of a round by role."""
        trainers, verifiers = self.scores(round_)
        return pack_scores(trainers), pack_scores(verifiers)

    @property
    def parent(self) -> Settled:
        """The record that the next post builds on."""
        return self.settled[-1].settled if self.settled else Settled()

    def post_call(
        self,
        round_: int,
        *,
        words: tuple[list[int], list[int]] | None = None,
        state: RootState | None = None,
        **changes: Any,
    ) -> Call:
        """The post of a drawn round, by the task's mode: of the honest words or state unless others are given."""
        seats = self.draws[round_].seats
        packed, book = pack_committee(seats), self.rig.ledger.book
        if self.shape.mode == Mode.ROOT:
            after = state or self.root_state(round_)
            before = self.settled[-1].state if self.settled else RootState()
            earned = sum(after.total(role) - before.total(role) for role in Role)
            report = self.report(round_, words=state_hash(after), reward=earned, **changes)
            return book.call("postRoot", report, self.parent, before, after, packed, *self.sign(report, seats))
        trainers, verifiers = words or self.words(round_)
        report = self.report(round_, words=words_hash(trainers, verifiers), reward=self.params.pools, **changes)
        posted = [*trainers, *verifiers]
        return book.call("post", report, self.parent, packed, posted, *self.sign(report, seats))

    def remember(self, receipt: Receipt) -> Receipt:
        """Keep the post in a receipt as the next one's parent."""
        self.settled.append(Post.of(receipt.event("Posted")))
        return receipt

    def post(self, round_: int) -> Receipt:
        """Post a drawn round."""
        return self.remember(self.rig.send(self.post_call(round_)))

    def finalise_call(self) -> Call:
        """Apply all words of the latest post."""
        post = self.settled[-1]
        return self.rig.ledger.book.call("finalise", self.task, post.settled, post.words, ALL_WORDS)

    def votes(self, round_: int) -> tuple[list[Vote], PositionTree]:
        """Every member's vote for the honest scores, and the tree that all of them have."""
        tree = PositionTree(self.words(round_)[0])
        nodes = sorted({seat.node for seat in self.draws[round_].seats})
        return [Vote(node, digest("commit", node), tree.root, digest("record", node)) for node in nodes], tree

    # --- root mode ---
    def ledger_state(self, round_: int) -> RootLedgerState:
        """Everything behind the root of a round, on what is settled when it is asked for first."""
        if round_ == 0:
            return new_root_state(self.shape.levels)
        if round_ not in self.states:
            before = self.ledger_state(self.settled[-1].round if self.settled else 0)
            pools = (self.params.trainer_pool, self.params.verifier_pool)
            self.states[round_] = before.step(self.scores(round_), round=round_, pools=pools)
        return self.states[round_]

    def root_state(self, round_: int) -> RootState:
        """The seven words of a round."""
        return self.ledger_state(round_).root_state()

    def claim_root(self, role: Role, node: int, slot: int, round_: int) -> Receipt:
        """Claim a node's pay of all rounds up to the final one."""
        ledger = self.rig.ledger
        proof = self.ledger_state(round_).pay_proof(role, slot)
        return ledger.claim_root(self.rig.owner, self.task, role, node, proof, gas=TX_CAP)

    def claim_noted(self, role: Role, node: int, slot: int, round_: int) -> Receipt:
        """The same against the final round's pay trees, once they are noted."""
        proof = self.ledger_state(round_).pay_proof(role, slot)
        return self.rig.ledger.claim_noted(self.rig.owner, self.task, role, node, proof, gas=TX_CAP)


def gas_of(receipts: Sequence[Receipt]) -> int:
    """Gas of several transactions."""
    return sum(receipt.gas_used for receipt in receipts)
