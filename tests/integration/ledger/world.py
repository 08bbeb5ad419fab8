"""A small network on any chain: five nodes, one task in either mode, and a helper for each stage of a round."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ledger import (
    Ledger,
    Mode,
    Post,
    Receipt,
    Report,
    Role,
    RootLedgerState,
    RootState,
    Seat,
    Signer,
    TaskParams,
    Vote,
    WordProof,
    committee_hash,
    deploy,
    lower_median,
    new_root_state,
    observation_commitment,
    pack_scores,
    report_digest,
    state_hash,
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
SEAT_FEE, DEMAND_FEE = 2 * UNIT, 5 * UNIT
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
# Room for 30 nodes a role. Pools that do not divide, so that dust is dust.
ROOT_PARAMS = replace(
    PARAMS,
    mode=Mode.ROOT,
    levels=1,
    contributions=False,
    trainer_pool=60 * UNIT + 7,
    verifier_pool=30 * UNIT + 1,
)
SCORES = {1: 40_000, 2: 36_000, 3: 1}


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
    seat_fee: int = 0
    demand_fee: int = 0
    ledger: Ledger = field(init=False)
    task: int = 0
    params: TaskParams = PARAMS

    def __post_init__(self) -> None:
        deployment = deploy(
            self.chain,
            owner(0),
            seat_stake=SEAT_STAKE,
            min_stake=100 * UNIT,
            unbonding_s=100_000,
            seat_fee=self.seat_fee,
            demand_fee=self.demand_fee,
        )
        self.ledger = Ledger(self.chain, deployment)

    def populate(self, *, params: TaskParams = PARAMS, seats_each: int = 2, funded: int | None = None) -> World:
        """Register the nodes (ids 1..5), take seats, create the task, join: 1..3 train, all verify."""
        ledger = self.ledger
        ledger.mint(owner(0), owner(0).address, 10**6 * UNIT)
        for index in range(1, NODES + 1):
            ledger.mint(owner(0), owner(index).address, 100_000 * UNIT)
            node, _ = ledger.register(owner(index), hot(index), 10 * SEAT_STAKE)
            assert node == index
            ledger.take_seats(owner(index), node, seats_each)
        self.task, _ = ledger.create_task(owner(0), params, funded)
        self.params = ledger.stored_task(self.task).params
        for index in TRAINERS:
            ledger.join(hot(index), self.task, index, Role.TRAINER, f"http://node{index}")
        for index in range(1, NODES + 1):
            ledger.join(hot(index), self.task, index, Role.VERIFIER, f"http://node{index}")
        return self

    def phase_start(self, round_: int, phase: int) -> int:
        """Time at which a phase of a round begins."""
        params = self.params
        lengths = (params.commit_s, params.reveal_s, params.post_s, params.window_s)
        return params.starts_at + (round_ - 1) * params.period + sum(lengths[:phase])

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
        """Into POST; probe, beacon, seed block, committee."""
        self.advance_to(self.phase_start(round_, 2))
        self.ledger.open_probe(owner(0), self.task, round_, digest("probe", round_))
        self.ledger.arm_beacon(owner(0), self.task, round_)
        missing = self.ledger.live(self.task).seed_block - self.chain.block_number()
        self.mine(max(0, missing))
        self.ledger.draw_committee(owner(0), self.task, round_)
        committee = self.ledger.committee(self.task, round_)
        assert committee is not None
        return committee

    def votes(self, round_: int, committee: tuple[Seat, ...], vote_words: list[int]) -> tuple[Vote, ...]:
        """One vote a member, all the same."""
        seed = self.ledger.seed(self.task, round_)
        assert seed is not None
        root, members = tree_root(vote_words), sorted({seat.node for seat in committee})
        return tuple(
            Vote(
                node,
                observation_commitment(
                    chain_id=self.chain.chain_id,
                    book=self.ledger.deployment.book,
                    task=self.task,
                    round=round_,
                    seed=seed,
                    node=node,
                    root=root,
                    record=digest("record", node),
                    salt=digest("vote salt", node),
                ),
                root,
                digest("record", node),
            )
            for node in members
        )

    def settlement(
        self,
        round_: int,
        committee: tuple[Seat, ...],
        *,
        scores: dict[int, int] | None = None,
        posted_scores: dict[int, int] | None = None,
        attempt: int = 0,
        model: bytes | None = None,
        reward: int | None = None,
        words: tuple[list[int], list[int]] | None = None,
        state: RootState | None = None,
    ) -> Settlement:
        """What an honest committee signs when each member votes `scores` (by trainer node); the rest lies."""
        scores = scores or SCORES
        vote_words = pack_scores([scores[node] for node in TRAINERS])
        votes = self.votes(round_, committee, vote_words)
        final = posted_scores or {node: lower_median([scores[node] for _ in committee]) for node in TRAINERS}
        trainer_scores, verifier_scores = [final[node] for node in TRAINERS], self.verifier_scores(committee)
        trainer_words, verifier_words = words or (pack_scores(trainer_scores), pack_scores(verifier_scores))
        seed = self.ledger.seed(self.task, round_)
        assert seed is not None
        report = Report(
            mode=self.params.mode,
            task=self.task,
            round=round_,
            seed=seed,
            committee_hash=committee_hash(committee),
            attempt=attempt,
            parent=self.ledger.task(self.task).model,
            submissions_root=digest("submissions", round_),
            votes_hash=votes_hash(votes),
            sketch_digest=digest("sketches", round_),
            words_hash=words_hash(trainer_words, verifier_words) if state is None else state_hash(state),
            model=model or digest("model", round_),
            record=digest("round record", round_),
            reward_total=self.params.pools if reward is None else reward,
        )
        return Settlement(self, report, committee, votes, trainer_words, verifier_words, vote_words, state)

    def verifier_scores(self, committee: tuple[Seat, ...]) -> list[int]:
        """Every drawn member agreed; the others were not due."""
        members = {seat.node for seat in committee}
        return [34_000 if node in members else 0 for node in range(1, NODES + 1)]

    # --- root mode ---
    @property
    def pools(self) -> tuple[int, int]:
        """Wei that a round pays to trainers and to verifiers."""
        return self.params.trainer_pool, self.params.verifier_pool

    def stepped(
        self, parent: RootLedgerState, round_: int, committee: tuple[Seat, ...], scores: dict[int, int] | None = None
    ) -> RootLedgerState:
        """What an honest round makes of `parent`."""
        chosen = scores or SCORES
        both = ([chosen[node] for node in TRAINERS], self.verifier_scores(committee))
        return parent.step(both, round=round_, pools=self.pools)

    def root_settlement(
        self,
        round_: int,
        committee: tuple[Seat, ...],
        state: RootLedgerState,
        *,
        parent: RootLedgerState | None = None,
        root: RootState | None = None,
        scores: dict[int, int] | None = None,
    ) -> Settlement:
        """A report that signs `state` (or `root` in its place) on top of `parent`."""
        signed = state.root_state() if root is None else root
        before = parent or new_root_state(self.params.levels)
        reward = sum(signed.total(role) - before.root_state().total(role) for role in Role)
        return self.settlement(round_, committee, scores=scores, reward=reward, state=signed)

    def finish(self, round_: int) -> Receipt:
        """Wait for the window's end and apply the words."""
        self.advance_to(self.phase_start(round_ + 1, 0))
        (receipt,) = self.ledger.finalise(owner(0), self.task)
        return receipt

    def wealth(self) -> int:
        """Every wei of the token that anybody holds: what never changes but by minting."""
        ours = self.ledger.deployment.contracts
        places = {*ACCOUNTS, ours["StakeVault"], ours["Rewards"], ours["Disputes"], ours["RoundBook"], BURNT}
        return sum(self.ledger.token_balance(place) for place in places)


BURNT = "0x000000000000000000000000000000000000dEaD"


@dataclass
class Settlement:
    """A report with everything that `post` or `post_root` takes."""

    world: World
    report: Report
    committee: tuple[Seat, ...]
    votes: tuple[Vote, ...]
    trainer_words: list[int]
    verifier_words: list[int]
    vote_words: list[int]
    state: RootState | None = None

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
        ledger, signed = self.world.ledger, self.signatures() if signatures is None else signatures
        if self.state is not None:
            return ledger.post_root(owner(0), self.report, self.committee, self.state, signed, **options)  # type: ignore[arg-type]
        words = (self.trainer_words, self.verifier_words)
        return ledger.post(owner(0), self.report, self.committee, *words, signed, **options)  # type: ignore[arg-type]

    def posted(self) -> Post:
        """The post out of its log."""
        found = self.world.ledger.post_of(self.report.task, self.report.round)
        assert found is not None
        return found

    def vote_proofs(self, index: int = 0) -> list[WordProof]:
        """The true vote words, one for each vote."""
        proof = WordProof(self.vote_words[index], tuple(tree_proof(self.vote_words, index)))
        return [proof for _ in self.votes]

    def challenge(self, index: int = 0) -> Receipt:
        """Challenge one trainer word with the true vote words."""
        return self.world.ledger.challenge_score(owner(1), self.posted(), self.votes, index, self.vote_proofs(index))
