"""A small network on any chain: five nodes, one task, and a helper for each stage of a round."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ledger import (
    Event,
    Ledger,
    Receipt,
    Report,
    Role,
    Seat,
    Signer,
    TaskParams,
    Vote,
    committee_hash,
    deploy,
    lower_median,
    observation_commitment,
    pack_scores,
    report_digest,
    tree_proof,
    tree_root,
    update_commitment,
    votes_hash,
    words_hash,
)
from ledger.chain import Chain

UNIT = 10**18
SEAT_STAKE = 1_000 * UNIT
NODES = 5
TRAINERS = (1, 2, 3)
SEATS, QUORUM = 3, 3
PARAMS = TaskParams(
    spec_digest=b"\x01" * 32,
    genesis_model=b"\x02" * 32,
    probe_root=b"\x03" * 32,
    starts_at=0,
    commit_s=1_000,
    reveal_s=1_000,
    post_s=1_000,
    window_s=1_000,
    attempt_s=100,
    rounds=3,
    seats=SEATS,
    quorum=QUORUM,
    trainer_pool=60 * UNIT,
    verifier_pool=30 * UNIT,
    slash=500 * UNIT,
)


def digest(*parts: object) -> bytes:
    """A 32-byte digest that names its parts."""
    return hashlib.sha256(repr(parts).encode()).digest()


def owner(index: int) -> Signer:
    """Cold key of node `index`; 0 is the deployer and task owner."""
    return Signer.from_seed(b"world", f"owner {index}")


def hot(index: int) -> Signer:
    """Hot key of node `index`."""
    return Signer.from_seed(b"world", f"hot {index}")


ACCOUNTS = [*(owner(i).address for i in range(NODES + 1)), *(hot(i).address for i in range(1, NODES + 1))]


@dataclass
class World:
    """Deployed contracts, funded accounts; `advance_to` and `mine` move the chain."""

    chain: Chain
    advance_to: Callable[[int], None]
    mine: Callable[[int], None]
    ledger: Ledger = field(init=False)
    task: int = 0

    def __post_init__(self) -> None:
        deployment = deploy(self.chain, owner(0), seat_stake=SEAT_STAKE, min_stake=100 * UNIT, unbonding_s=100_000)
        self.ledger = Ledger(self.chain, deployment)

    def populate(self, *, seats_each: int = 2) -> World:
        """Register the nodes (ids 1..5), take seats, create the task, join: 1..3 train, all verify."""
        ledger = self.ledger
        ledger.mint(owner(0), owner(0).address, 10**6 * UNIT)
        for index in range(1, NODES + 1):
            ledger.mint(owner(0), owner(index).address, 100_000 * UNIT)
            node, _ = ledger.register(owner(index), hot(index), 10 * SEAT_STAKE)
            assert node == index
            ledger.take_seats(owner(index), node, seats_each)
        self.task, _ = ledger.create_task(owner(0), PARAMS)
        for index in TRAINERS:
            ledger.join(hot(index), self.task, index, Role.TRAINER, f"http://node{index}")
        for index in range(1, NODES + 1):
            ledger.join(hot(index), self.task, index, Role.VERIFIER, f"http://node{index}")
        return self

    def phase_start(self, round_: int, phase: int) -> int:
        """Time at which a phase of a round begins."""
        params = self.ledger.task(self.task).params
        lengths = (params.commit_s, params.reveal_s, params.post_s, params.window_s)
        return params.starts_at + (round_ - 1) * sum(lengths) + sum(lengths[:phase])

    def submit(self, round_: int) -> None:
        """Commit and reveal of every trainer, then into POST."""
        self.advance_to(self.phase_start(round_, 0))
        salts = {node: digest("salt", round_, node) for node in TRAINERS}
        for node in TRAINERS:
            commitment = update_commitment(
                chain_id=self.chain.chain_id,
                book=self.ledger.deployment.book,
                task=self.task,
                round=round_,
                node=node,
                manifest=digest("manifest", round_, node),
                salt=salts[node],
            )
            self.ledger.commit(hot(node), self.task, round_, node, commitment)
        self.advance_to(self.phase_start(round_, 1))
        for node in TRAINERS:
            self.ledger.reveal(hot(node), self.task, round_, node, digest("manifest", round_, node), 1_000, salts[node])
        self.advance_to(self.phase_start(round_, 2))

    def draw(self, round_: int) -> tuple[Seat, ...]:
        """Probe, beacon, seed block, committee."""
        self.ledger.open_probe(owner(0), self.task, round_, digest("probe", round_))
        self.ledger.arm_beacon(owner(0), self.task, round_)
        missing = self.ledger.live(self.task).seed_block - self.chain.block_number()
        self.mine(max(0, missing))
        self.ledger.draw_committee(owner(0), self.task, round_)
        committee = self.ledger.committee(self.task, round_)
        assert committee is not None
        return committee

    def settlement(
        self,
        round_: int,
        committee: tuple[Seat, ...],
        *,
        scores: dict[int, int] | None = None,
        posted_scores: dict[int, int] | None = None,
        attempt: int = 0,
        model: bytes | None = None,
    ) -> Settlement:
        """What an honest committee signs when each member votes `scores` (by trainer node); `posted_scores` lies."""
        scores = scores or {1: 40_000, 2: 36_000, 3: 1}
        live = self.ledger.live(self.task)
        vote_words = pack_scores([scores[node] for node in TRAINERS])
        members = sorted({seat.node for seat in committee})
        votes = tuple(
            Vote(
                node,
                observation_commitment(
                    chain_id=self.chain.chain_id,
                    book=self.ledger.deployment.book,
                    task=self.task,
                    round=round_,
                    seed=live.seed,
                    node=node,
                    root=tree_root(vote_words),
                    record=digest("record", node),
                    salt=digest("vote salt", node),
                ),
                tree_root(vote_words),
                digest("record", node),
            )
            for node in members
        )
        final = posted_scores or {node: lower_median([scores[node] for _ in committee]) for node in TRAINERS}
        trainer_words = pack_scores([final[node] for node in TRAINERS])
        verifier_words = pack_scores([34_000 if n in members else 0 for n in range(1, NODES + 1)])
        report = Report(
            mode=0,
            task=self.task,
            round=round_,
            seed=live.seed,
            committee_hash=committee_hash(committee),
            attempt=attempt,
            parent=self.ledger.task(self.task).model,
            submissions_root=digest("submissions", round_),
            votes_hash=votes_hash(votes),
            sketch_digest=digest("sketches", round_),
            words_hash=words_hash(trainer_words, verifier_words),
            model=model or digest("model", round_),
            record=digest("round record", round_),
            reward_total=PARAMS.trainer_pool + PARAMS.verifier_pool,
        )
        return Settlement(self, report, committee, votes, trainer_words, verifier_words, vote_words)

    def finish(self, round_: int) -> Receipt:
        """Wait for the window's end and finalise."""
        self.advance_to(self.phase_start(round_ + 1, 0))
        return self.ledger.finalise(owner(0), self.task)


@dataclass
class Settlement:
    """A report with everything that `post` takes."""

    world: World
    report: Report
    committee: tuple[Seat, ...]
    votes: tuple[Vote, ...]
    trainer_words: list[int]
    verifier_words: list[int]
    vote_words: list[int]

    def sign(self, node: int, **changes: object) -> bytes:
        """Node's signature of the report, or of the report with `changes`."""
        report = replace(self.report, **changes)  # type: ignore[arg-type]
        book, chain_id = self.world.ledger.deployment.book, self.world.chain.chain_id
        return hot(node).sign_digest(report_digest(report, chain_id=chain_id, book=book))

    def signatures(self) -> dict[int, bytes]:
        """Every member's signature."""
        return {seat.node: self.sign(seat.node) for seat in self.committee}

    def post(self, signatures: dict[int, bytes] | None = None, **options: object) -> Receipt:
        """Post it, by default with all signatures."""
        return self.world.ledger.post(
            owner(0),
            self.report,
            self.committee,
            self.votes,
            self.trainer_words,
            self.verifier_words,
            self.signatures() if signatures is None else signatures,
            **options,  # type: ignore[arg-type]
        )

    def challenge(self, posted: Event, word_index: int = 0) -> Receipt:
        """Challenge one trainer word with the true vote words."""
        proofs = [tree_proof(self.vote_words, word_index) for _ in self.votes]
        words = [self.vote_words[word_index] for _ in self.votes]
        return self.world.ledger.challenge_score(owner(1), posted, word_index, words, proofs)
