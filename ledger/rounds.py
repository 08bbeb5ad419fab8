"""Writes of one round: commit to draw, post in either mode, finalise, and what is paid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

from ledger.accounts import Signer
from ledger.collect import Bundle
from ledger.contract_errors import NothingPosted
from ledger.errors import BadArgument
from ledger.gas import CONTRIBUTION_SLOTS, FINALISE, TX_CAP, finalise_parts
from ledger.posts import Post
from ledger.report import assemble_signatures, pack_committee
from ledger.sender import Sender, SendOptions
from ledger.types import (
    Mode,
    PayProof,
    Receipt,
    Report,
    Role,
    RootState,
    Seat,
    Settled,
    WordProof,
)
from ledger.words import CONTRIBUTION_LANES, LANES

_DRAW_GAS, _DRAW_GAS_PER_SEAT = 500_000, 120_000


class RoundCalls(Sender):
    """Writes of one round. The first argument of a write is the `Signer` that pays for it."""

    def join(
        self, by: Signer, task: int, node: int, role: Role, endpoint: str = "", **options: Unpack[SendOptions]
    ) -> Receipt:
        """Take a slot in a task; `endpoint` (at most 128 bytes) is where peers reach the node."""
        return self._send(by, self.book.call("join", task, node, role, endpoint), options)

    def commit(
        self, by: Signer, task: int, round: int, node: int, commitment: bytes, **options: Unpack[SendOptions]
    ) -> Receipt:
        """COMMIT phase: a trainer's 32-byte commitment (`update_commitment`)."""
        return self._send(by, self.book.call("commit", task, round, node, commitment), options)

    def reveal(
        self,
        by: Signer,
        task: int,
        round: int,
        node: int,
        manifest: bytes,
        length: int,
        salt: bytes,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """REVEAL phase: open the commitment; `length` is the manifest's size in bytes."""
        call = self.book.call("reveal", task, round, node, manifest, length, salt)
        return self._send(by, call, options)

    def collect(
        self, by: Signer, task: int, round: int, bundle: Bundle, *, reveals: bool, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Log many trainers' signed commits or reveals at once; the bundle's bytes go to the store under
        `bundle.data`. The contract takes it at any time; `bundle_counts` says whether it came in time."""
        call = self.book.call("collect", task, round, reveals, bundle.root, bundle.count, bundle.data)
        return self._send(by, call, options)

    def open_probe(self, by: Signer, task: int, round: int, key: bytes, **options: Unpack[SendOptions]) -> Receipt:
        """Task owner, POST phase: the key of this round's probe shard."""
        return self._send(by, self.book.call("openProbe", task, round, key), options)

    def arm_beacon(self, by: Signer, task: int, round: int, **options: Unpack[SendOptions]) -> Receipt:
        """POST phase, anyone, once: fix the block (or ticket) that seeds the round."""
        return self._send(by, self.book.call("armBeacon", task, round), options)

    def draw_committee(
        self, by: Signer, task: int, round: int, *, proof: bytes | None = None, **options: Unpack[SendOptions]
    ) -> Receipt:
        """POST phase, anyone: prove the seed and draw. `proof` is what the deployment's seed source asks for, empty for
        a `HashChainSeed`.

        Without a seed source the seed block's header is the proof: waits until the block exists, at most `timeout_s`
        (60), and on the in-process chain mines it. Raises `ClockStandsStill` where it does not come.
        """
        if proof is None and self.seeds is not None:
            proof = b""
        if proof is None:
            live = self.live(task)
            proof = b""
            if live.armed_round == round:  # otherwise the contract says what is wrong
                missing = live.seed_block - self.chain.block_number()
                if missing > 0:
                    self.chain.mine(missing, timeout_s=options.get("timeout_s", 60.0))
                proof = self.chain.header_rlp(live.seed_block)
        if options.get("gas") is None and not self.chain.can_move_clock:
            # An estimate runs on the head, where a block that is the head has no hash yet.
            options["gas"] = _DRAW_GAS + _DRAW_GAS_PER_SEAT * self.stored_task(task).params.seats
        return self._send(by, self.book.call("drawCommittee", task, round, proof), options)

    def reveal_seed(self, by: Signer, operator: int, value: bytes, **options: Unpack[SendOptions]) -> Receipt:
        """Show an operator's value (`SeedChain.value` of `Live.seed_block`) once its ticket's block is past; anyone
        who knows it. Raises `BadArgument` where seeds come from block headers."""
        if self.seeds is None:
            raise BadArgument("this deployment has no seed source", hint="its seeds come from block headers")
        return self._send(by, self.seeds.call("reveal", operator, value), options)

    # --- settlement ---
    def post(
        self,
        by: Signer,
        report: Report,
        committee: Sequence[Seat],
        trainer_words: Sequence[int],
        verifier_words: Sequence[int],
        signatures: Mapping[int, bytes],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """POST phase, anyone, words mode: settle a report with the signatures (65 bytes, by node) of seats of quorum
        weight. The record that it builds on is read from the logs."""
        bitmap, joined = assemble_signatures(committee, signatures)
        words = [*trainer_words, *verifier_words]
        parent = self._settled(self.final(report.task))
        call = self.book.call("post", report, parent, pack_committee(committee), words, bitmap, joined)
        return self._send(by, call, options)

    def post_root(
        self,
        by: Signer,
        report: Report,
        committee: Sequence[Seat],
        state: RootState,
        signatures: Mapping[int, bytes],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """The same in root mode: `state` is what `report.words_hash` is the hash of."""
        bitmap, joined = assemble_signatures(committee, signatures)
        final = self.final(report.task)
        parent, parent_state = self._settled(final), self._state(final)
        packed = pack_committee(committee)
        call = self.book.call("postRoot", report, parent, parent_state, state, packed, bitmap, joined)
        return self._send(by, call, options)

    def finalise(
        self,
        by: Signer,
        task: int,
        *,
        up_to: int | None = None,
        gas_cap: int = TX_CAP,
        **options: Unpack[SendOptions],
    ) -> list[Receipt]:
        """Words mode, after the window, anyone: apply the words of the post, read from its log.

        In one transaction where its estimate fits `gas_cap`, in parts otherwise; `up_to` applies words up to that
        one alone, in one transaction. The last receipt has the last `Finalised`. Raises `NothingPosted`.
        """
        live = self.live(task)
        post = self._recorded(task, live.posted_round, live.posted_hash)
        if post is None or post.report.mode != Mode.WORDS:
            raise NothingPosted("NothingPosted", {"task": task})
        if up_to is not None:
            return [self._send(by, self.book.call("finalise", task, post.settled, post.words, up_to), options)]
        parts = self._finalise_parts(post, live.applied_words, gas_cap)
        receipts = []
        for end, limit in parts:
            # One part: the chain's own estimate is the better limit. More: each must stay under the cap.
            sending: SendOptions = {**options} if len(parts) == 1 else {"gas": min(limit, gas_cap), **options}
            receipts.append(self._send(by, self.book.call("finalise", task, post.settled, post.words, end), sending))
        return receipts

    def _finalise_parts(self, post: Post, start: int, gas_cap: int) -> list[tuple[int, int]]:
        """(end, gas limit) of each transaction; reads which slots are new only where that decides."""
        kept = self.stored_task(post.task).params.contributions
        most = CONTRIBUTION_SLOTS if kept else 0
        dearest = [FINALISE.word(new=True, new_totals=most, contributions=kept)] * len(post.words)
        parts = finalise_parts(post.words, dearest, start=start, cap=gas_cap)
        if len(parts) == 1:
            return parts
        costs = []
        for role in Role:
            words = len(post.words_of(role))
            stored = self._words(post.task, role, function="wordAt", count=words)
            slots = -(-words * LANES // CONTRIBUTION_LANES) if kept else 0
            totals = self._words(post.task, role, function="contributionWordAt", count=slots)
            for position, word in enumerate(stored):
                ends = (-(-at * LANES // CONTRIBUTION_LANES) for at in (position, position + 1))
                begun = totals[slice(*ends)]
                new = begun.count(0)
                costs.append(
                    FINALISE.word(new=word == 0, new_totals=new, steady_totals=len(begun) - new, contributions=kept)
                )
        return finalise_parts(post.words, costs, start=start, cap=gas_cap)

    # --- pay and words on chain ---
    def claim(self, by: Signer, task: int, role: Role, node: int, **options: Unpack[SendOptions]) -> Receipt:
        """Words mode: pay a node's owner what it earned and was not paid; anyone may call. The amount is in
        `Claimed`."""
        return self._send(by, self.rewards.call("claim", task, role, node), options)

    def claim_root(
        self, by: Signer, task: int, role: Role, node: int, proof: PayProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Root mode: the same by proof against the final record (`RootLedgerState.pay_proof` of the node's slot)."""
        settled, state = self._final_record(task)
        leaf = (proof.amount, proof.sums, proof.siblings)
        return self._send(by, self.rewards.call("claimRoot", task, role, node, settled, state, *leaf), options)

    def note_pay(self, by: Signer, task: int, **options: Unpack[SendOptions]) -> Receipt:
        """Root mode: note the final record's pay trees, so that `claim_noted` need not show the record; anyone may."""
        settled, state = self._final_record(task)
        return self._send(by, self.rewards.call("notePay", task, settled, state), options)

    def claim_noted(
        self, by: Signer, task: int, role: Role, node: int, proof: PayProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Root mode: `claim_root` by proof against the record that was noted last, for an eighth less gas."""
        leaf = (proof.amount, proof.sums, proof.siblings)
        return self._send(by, self.rewards.call("claimNoted", task, role, node, *leaf), options)

    def materialise(
        self, by: Signer, task: int, role: Role, index: int, proof: WordProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Root mode: bring word `index` of a role on chain (`RootLedgerState.reputation_proof`), for contracts that
        read its lanes; anyone may call."""
        settled, state = self._final_record(task)
        call = self.reputation_book.call("materialise", task, role, index, proof.word, settled, state, proof.siblings)
        return self._send(by, call, options)

    def _final_record(self, task: int) -> tuple[Settled, RootState]:
        final = self.final(task)
        if final is None:
            raise BadArgument(f"task {task} has no final round yet", hint="wait until a window has closed")
        return final.settled, final.state

    @staticmethod
    def _settled(post: Post | None) -> Settled:
        return Settled() if post is None else post.settled

    @staticmethod
    def _state(post: Post | None) -> RootState:
        return RootState() if post is None else post.state
