"""Seven members, one task in each mode, and what an attacker needs: any stage of a round, any part of a post replaced,
and what everybody owns before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from ledger import (
    ContractError,
    Ledger,
    Live,
    Mode,
    Receipt,
    Report,
    Role,
    RootLedgerState,
    RootState,
    Seat,
    Settled,
    Signer,
    TaskParams,
    WordProof,
    assemble_signatures,
    deploy,
    lower_median,
    new_root_state,
    observation_commitment,
    pack_committee,
    pack_scores,
    report_digest,
    tree_proof,
    tree_root,
    votes_hash,
)
from ledger.abi import Call
from ledger.types import Vote
from tests.adversary.threats.chains import Site
from tests.integration.ledger import world as w

NODES = 7
MEMBERS = range(1, NODES + 1)
SEATS, QUORUM = 7, 5
BOND = 10 * w.SEAT_STAKE
WATCHER, MALLORY = w.owner(8), w.owner(9)  # neither has a node
ACCOUNTS = [*(w.owner(i).address for i in range(10)), *(w.hot(i).address for i in range(1, 10))]
PARAMS = {
    Mode.WORDS: replace(w.PARAMS, seats=SEATS, quorum=QUORUM),
    Mode.ROOT: replace(w.ROOT_PARAMS, seats=SEATS, quorum=QUORUM),
}
both_modes = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name.lower())


@dataclass(frozen=True)
class Holdings:
    """What an attack could take: stakes and seats by node, the token in the contracts, the settled state."""

    stakes: dict[int, tuple[int, int, int]]  # bonded, exiting, seats
    places: dict[str, int]
    live: Live


@dataclass
class Stage(w.World):
    """A deployment with seven members and a task in each mode (ids 1 and 2), all of whose stages a test may reach."""

    site: Site = field(kw_only=True)
    token: str | None = field(default=None, kw_only=True)
    seed_source: str | None = field(default=None, kw_only=True)
    nodes: int = field(default=NODES, kw_only=True)

    @classmethod
    def on(cls, site: Site, **options: Any) -> Stage:
        """Fresh contracts, without a node."""
        fees = (w.SEAT_FEE, w.DEMAND_FEE)
        return cls(site.chain, site.advance_to, site.mine, *fees, site=site, **options)

    def __post_init__(self) -> None:
        deployment = deploy(
            self.chain,
            w.owner(0),
            seat_stake=w.SEAT_STAKE,
            min_stake=100 * w.UNIT,
            unbonding_s=100_000,
            token=self.token,
            seat_fee=self.seat_fee,
            demand_fee=self.demand_fee,
            seed_source=self.seed_source,
        )
        self.ledger = Ledger(self.chain, deployment)

    def enrol(self, *, bond: int = BOND, seats_each: int = 1) -> Stage:
        """Register the members (ids from 1) and give everybody tokens."""
        ledger = self.ledger
        for index in (0, 8, 9):
            ledger.mint(w.owner(0), w.owner(index).address, 10**5 * w.UNIT)
        for index in range(1, self.nodes + 1):
            ledger.mint(w.owner(0), w.owner(index).address, 100_000 * w.UNIT)
            node, _ = ledger.register(w.owner(index), w.hot(index), bond)
            assert node == index
            ledger.take_seats(w.owner(index), node, seats_each)
        return self

    def add_task(self, params: TaskParams, *, funded: int | None = None) -> int:
        """A task in which 1, 2 and 3 train and every member verifies; it becomes the one in use."""
        self.task, _ = self.ledger.create_task(w.owner(0), params, funded)
        self.params = self.ledger.stored_task(self.task).params
        for index in w.TRAINERS:
            self.ledger.join(w.hot(index), self.task, index, Role.TRAINER)
        for index in range(1, self.nodes + 1):
            self.ledger.join(w.hot(index), self.task, index, Role.VERIFIER)
        return self.task

    def rewind(self) -> Stage:
        """Back to the site's snapshot; keys' nonces are read again."""
        self.site.revert()
        self.ledger = Ledger(self.chain, self.ledger.deployment)
        return self.use(Mode.WORDS)

    def use(self, mode: Mode | int) -> Stage:
        """Take up the task of this mode."""
        self.task = int(mode) + 1
        self.params = self.ledger.stored_task(self.task).params
        return self

    # --- what World fixes for five nodes ---
    def verifier_scores(self, committee: tuple[Seat, ...]) -> list[int]:
        """Every drawn member agreed; the others were not due."""
        members = {seat.node for seat in committee}
        return [34_000 if node in members else 0 for node in range(1, self.nodes + 1)]

    def wealth(self) -> int:
        """Every wei of the token that anybody here holds."""
        people = sum(self.ledger.token_balance(address) for address in ACCOUNTS)
        return people + sum(self.holdings().places.values())

    # --- one round ---
    def arm(self, round_: int) -> int:
        """Into POST with the beacon armed; the seed block's number."""
        self.advance_to(self.phase_start(round_, 2))
        self.ledger.arm_beacon(w.owner(0), self.task, round_)
        return self.ledger.live(self.task).seed_block

    def draw_armed(self, round_: int) -> Receipt:
        """Wait for the seed block, then draw."""
        self.mine(max(0, self.ledger.live(self.task).seed_block - self.chain.block_number()))
        return self.ledger.draw_committee(w.owner(0), self.task, round_)

    def prepared(
        self,
        round_: int = 1,
        *,
        before: RootLedgerState | None = None,
        scores: dict[int, int] | None = None,
        false: dict[int, int] | None = None,
    ) -> Case:
        """Everything of a round up to its signing. `scores` are voted; `false` stands in the report in their place."""
        self.submit(round_)
        return self.settled_on(self.draw(round_), round_, before=before, scores=scores, false=false)

    def settled_on(
        self,
        committee: tuple[Seat, ...],
        round_: int,
        *,
        before: RootLedgerState | None = None,
        scores: dict[int, int] | None = None,
        false: dict[int, int] | None = None,
    ) -> Case:
        """What this committee would sign."""
        voted = scores or w.SCORES
        if self.params.mode == Mode.WORDS:
            made = self.settlement(round_, committee, scores=voted, posted_scores=false or voted)
            return Case.of(made)
        parent = before or new_root_state(self.params.levels)
        data = self.stepped(parent, round_, committee, false or voted)
        made = self.root_settlement(round_, committee, data, parent=parent, scores=voted)
        return Case.of(made, data=data, before=parent)

    def final(self, round_: int = 1, *, before: RootLedgerState | None = None, **how: Any) -> Case:
        """An honest round, final (and in words mode applied)."""
        case = self.prepared(round_, before=before, **how)
        case.post()
        self.advance_to(self.phase_start(round_ + 1, 0))
        if self.params.mode == Mode.WORDS:
            self.ledger.finalise(w.owner(0), self.task)
        return case

    def cash_in(self, case: Case, role: Role, node: int) -> Receipt:
        """Claim for a node what it has up to this case, which is final; words are applied first where they wait."""
        if case.data is None:
            if self.ledger.unapplied(self.task) is not None:
                self.ledger.finalise(w.owner(0), self.task)
            return self.ledger.claim(MALLORY, self.task, role, node)
        proof = case.data.pay_proof(role, self.ledger.slot_of(self.task, role, node))
        return self.ledger.claim_root(MALLORY, self.task, role, node, proof)

    # --- what may be lost ---
    def purse(self, who: Signer) -> int:
        """Tokens in somebody's hands."""
        return self.ledger.token_balance(who.address)

    def holdings(self) -> Holdings:
        """Stakes, contracts' tokens and the task's records, now."""
        ledger = self.ledger
        members = {node: ledger.node(node) for node in range(1, self.nodes + 1)}
        homes = {name: ledger.deployment.contracts[name] for name in ("StakeVault", "Rewards", "Disputes")}
        return Holdings(
            {node: (info.bonded, info.exiting, info.seats) for node, info in members.items()},
            {name: ledger.token_balance(home) for name, home in {**homes, "burnt": w.BURNT}.items()},
            ledger.live(self.task),
        )

    def storage(self) -> dict[str, str]:
        """Hash of every contract's whole storage."""
        return {name: self.site.storage_root(home) for name, home in self.ledger.deployment.contracts.items()}

    @contextmanager
    def refuses(self, error: type[ContractError], **arguments: object) -> Iterator[None]:
        """The body is refused with this error and these arguments, and no contract has changed by a bit."""
        before = self.storage()
        with pytest.raises(error) as caught:
            yield
        assert caught.value.name == error.__name__ or error is ContractError
        got = {name: _plain(caught.value.args_by_name[name]) for name in arguments}
        assert got == {name: _plain(value) for name, value in arguments.items()}
        assert self.storage() == before

    @contextmanager
    def punishes(self, case: Case, by: Signer, *, refund: int = 0) -> Iterator[None]:
        """The body kills the post: every signer pays its slash for each of its seats, `by` gets half (and `refund` of
        its fee), half is burnt, nobody else loses anything, and the record before it stands."""
        before, purse, final = self.holdings(), self.purse(by), self.ledger.final(self.task)
        yield
        after, slash = self.holdings(), self.params.slash
        assert after.stakes.keys() == before.stakes.keys()
        for node, (bonded, exiting, _) in before.stakes.items():
            seats = sum(seat.node == node for seat in case.committee)
            due = slash * seats if node in case.signing else 0
            assert sum(after.stakes[node][:2]) == bonded + exiting - due, node
        taken = slash * sum(seat.node in case.signing for seat in case.committee)
        assert self.purse(by) == purse + taken // 2 + refund
        assert after.places["burnt"] == before.places["burnt"] + taken - taken // 2
        assert after.places["StakeVault"] == before.places["StakeVault"] - taken
        assert after.places["Rewards"] == before.places["Rewards"]
        assert after.places["Disputes"] == before.places["Disputes"] - refund
        self.is_void(case)
        assert self.ledger.final(self.task) == final

    def is_void(self, case: Case) -> None:
        """The post of this case is dead: not pending, not final, and its round is over."""
        voided = self.ledger.voided(self.task, case.report.round)
        assert voided is not None
        assert self.ledger.live(self.task).voided_round == case.report.round
        assert self.ledger.pending(self.task) is None


def _plain(value: object) -> object:
    """Arguments of an error as a test writes them: names as text, numbers as int."""
    if isinstance(value, bytes):
        text = value.rstrip(b"\0")
        return text.decode() if text and len(text) < 32 and text.isascii() and text.isalnum() else value
    return int(value) if isinstance(value, int) else value


@dataclass
class Case(w.Settlement):
    """A settlement as an attacker sees it: who signs, what is behind the root, every part replaceable."""

    data: RootLedgerState | None = None  # the state behind the signed root
    before: RootLedgerState | None = None
    signing: tuple[int, ...] = ()  # nodes that sign where nothing else is said: the first seats of a bare quorum
    ballots: dict[int, list[int]] | None = None  # vote words by member, where members differ

    def __post_init__(self) -> None:
        weight, chosen = 0, []
        for node in dict.fromkeys(seat.node for seat in self.committee):
            if weight < self.world.params.quorum:
                chosen.append(node)
                weight += sum(seat.node == node for seat in self.committee)
        self.signing = self.signing or tuple(chosen)

    @classmethod
    def of(cls, made: w.Settlement, **more: Any) -> Case:
        """A settlement of `World` with what is behind its root."""
        return cls(**{each.name: getattr(made, each.name) for each in fields(made)}, **more)

    @property
    def stage(self) -> Stage:
        """Where it is played."""
        assert isinstance(self.world, Stage)
        return self.world

    @property
    def idle(self) -> tuple[int, ...]:
        """Drawn members that do not sign."""
        return tuple(dict.fromkeys(seat.node for seat in self.committee if seat.node not in self.signing))

    def signatures(self) -> dict[int, bytes]:
        """The signatures of `signing`."""
        return {node: self.sign(node) for node in self.signing}

    def cast(self, ballots: Mapping[int, Mapping[int, int]]) -> Case:
        """Members vote `ballots` (by member, by trainer); everybody else as before. The posted scores follow."""
        usual = w.SCORES
        by_member = {
            node: pack_scores([ballots.get(node, usual)[trainer] for trainer in w.TRAINERS])
            for node in sorted({seat.node for seat in self.committee})
        }
        votes = tuple(self._vote(node, words) for node, words in by_member.items())
        lanes = {
            trainer: lower_median([ballots.get(seat.node, usual)[trainer] for seat in self.committee])
            for trainer in w.TRAINERS
        }
        made = self.stage.settled_on(self.committee, self.report.round, before=self.before, scores=lanes)
        made.report, made.votes = replace(made.report, votes_hash=votes_hash(votes)), votes
        made.ballots = by_member
        return made

    def _vote(self, node: int, words: list[int]) -> Vote:
        root, record = tree_root(words), w.digest("record", node)
        promise = observation_commitment(
            chain_id=self.stage.chain.chain_id,
            book=self.stage.ledger.deployment.book,
            task=self.report.task,
            round=self.report.round,
            seed=self.report.seed,
            node=node,
            root=root,
            record=record,
            salt=w.digest("vote salt", node),
        )
        return Vote(node, promise, root, record)

    def vote_proofs(self, index: int = 0) -> list[WordProof]:
        """The true vote words, one for each vote."""
        if self.ballots is None:
            return super().vote_proofs(index)
        trees = [self.ballots[vote.node] for vote in self.votes]
        return [WordProof(words[index], tuple(tree_proof(words, index))) for words in trees]

    def digest(self, **changes: Any) -> bytes:
        """What a member signs, or would sign with these changes, of the report or of its domain."""
        chain_id = changes.pop("chain_id", self.stage.chain.chain_id)
        book = changes.pop("book", self.stage.ledger.deployment.book)
        return report_digest(replace(self.report, **changes), chain_id=chain_id, book=book)

    def send(
        self,
        *,
        report: Report | None = None,
        parent: Settled | None = None,
        parent_state: RootState | None = None,
        committee: bytes | None = None,
        signers: int | None = None,
        signatures: bytes | None = None,
        by: Signer = MALLORY,
        gas: int | None = None,
    ) -> Receipt:
        """Post with any part replaced, byte for byte."""
        ledger, final = self.stage.ledger, self.stage.ledger.final(self.report.task)
        bitmap, joined = assemble_signatures(self.committee, self.signatures())
        honest_parent = Settled() if final is None else final.settled
        head = (report or self.report, parent or honest_parent)
        tail = (
            pack_committee(self.committee) if committee is None else committee,
            bitmap if signers is None else signers,
            joined if signatures is None else signatures,
        )
        if self.state is not None:
            honest_state = RootState() if final is None else final.state
            call = ledger.book.call("postRoot", *head, parent_state or honest_state, self.state, *tail)
        else:
            words = [*self.trainer_words, *self.verifier_words]
            call = ledger.book.call("post", *head, tail[0], words, *tail[1:])
        return ledger.transmitter(by).send(call, gas=gas)

    def bitmap(self) -> int:
        """Bits of the seats that sign."""
        return assemble_signatures(self.committee, self.signatures())[0]

    def proof_call(self, index: int = 0, **forged: Any) -> Call:
        """The call that proves a score word false; `forged` replaces arguments, by the contract's names."""
        ledger, post = self.stage.ledger, self.posted()
        whole = {"accused": ledger.accused(post), "votes": self.votes, "voteWords": self.vote_proofs(index)}
        if self.data is None:
            whole["words"] = post.words
        else:
            whole |= {"state": post.state, "score": self.data.score_proof(Role.TRAINER, index)}
        assert forged.keys() <= whole.keys()
        name = "challengeScore" if self.data is None else "challengeRootScore"
        arguments = {**whole, "index": index, **forged}
        order = ledger.disputes.interface.functions[name].inputs.names
        return ledger.disputes.call(name, *(arguments[parameter] for parameter in order))

    def prove(self, by: Signer = WATCHER, *, index: int = 0, gas: int | None = None) -> Receipt:
        """Send it."""
        return self.stage.ledger.transmitter(by).send(self.proof_call(index), gas=gas)
