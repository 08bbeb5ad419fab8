"""Writes of `Disputes`: proofs of fault, and withheld data that is demanded and answered.

What a proof is against is a `Post` (`Ledger.pending`, `post_of`); committee, parent and their states are read from
the logs. Votes are not on chain: whoever proves against them brings the list that the report hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ledger.accounts import Signer
from ledger.errors import BadArgument
from ledger.posts import Post
from ledger.report import pack_committee
from ledger.rootstate import pay_index
from ledger.sender import Sender, SendOptions
from ledger.types import (
    Accused,
    DemandKind,
    PayProof,
    Receipt,
    Report,
    Role,
    RootState,
    Settled,
    Vote,
    WordProof,
)


class DisputeCalls(Sender):
    """Proofs of fault. The first argument of a write is the `Signer` that pays for it, and is paid where the proof
    holds."""

    def accused(self, post: Post) -> Accused:
        """A post as `Disputes` takes it. Raises `BadArgument` where its round was never drawn."""
        seats = self.committee(post.task, post.round)
        if seats is None:
            raise BadArgument(f"round {post.round} of task {post.task} has no committee", hint="check the post")
        return Accused(post.report, post.signers, post.trainer_count, pack_committee(seats))

    def _parent(self, post: Post) -> tuple[Settled, RootState]:
        """The record that a post built on and its state, all zero before the first."""
        parent = self.parent_post(post.task)
        return (Settled(), RootState()) if parent is None else (parent.settled, parent.state)

    def challenge_score(
        self,
        by: Signer,
        post: Post,
        votes: Sequence[Vote],
        index: int,
        vote_words: Sequence[WordProof],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """WINDOW, words mode: prove that a trainer word is not the lower median of the signed votes.

        `vote_words` has word `index` of each vote's tree, in the votes' order.
        """
        parts = (post.words, votes, index, vote_words)
        return self._send(by, self.disputes.call("challengeScore", self.accused(post), *parts), options)

    def challenge_root_score(
        self,
        by: Signer,
        post: Post,
        votes: Sequence[Vote],
        index: int,
        score: WordProof,
        vote_words: Sequence[WordProof],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """WINDOW, root mode: the same against the tree of scores; `score` is that tree's word."""
        parts = (post.state, votes, index, score, vote_words)
        return self._send(by, self.disputes.call("challengeRootScore", self.accused(post), *parts), options)

    def challenge_step(
        self,
        by: Signer,
        post: Post,
        index: int,
        *,
        score: WordProof,
        before: WordProof,
        after: WordProof,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """WINDOW, root mode: reputation word `index` (role << levels | word) is not its parent's word stepped by the
        scores."""
        parts = (post.state, *self._parent(post), index, score, before, after)
        return self._send(by, self.disputes.call("challengeStep", self.accused(post), *parts), options)

    def challenge_pay(
        self,
        by: Signer,
        post: Post,
        role: Role,
        slot: int,
        *,
        score: WordProof,
        before: PayProof,
        after: PayProof,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """WINDOW, root mode: a slot's pay did not grow by its share of the pool."""
        parts = (post.state, *self._parent(post), role, pay_index(slot), score, before, after)
        return self._send(by, self.disputes.call("challengePay", self.accused(post), *parts), options)

    def challenge_points(
        self, by: Signer, post: Post, index: int, score: WordProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """WINDOW, root mode: the state says that nobody of a role earned, and a lane of score word `index` did."""
        call = self.disputes.call("challengePoints", self.accused(post), post.state, index, score)
        return self._send(by, call, options)

    def equivocate(
        self,
        by: Signer,
        a: Report,
        signature_a: bytes,
        b: Report,
        signature_b: bytes,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Prove two different reports of one attempt signed by one member; slashes it, pays `by`."""
        return self._send(by, self.disputes.call("equivocate", a, signature_a, b, signature_b), options)

    def equivocate_observation(
        self,
        by: Signer,
        *,
        task: int,
        round: int,
        seed: bytes,
        node: int,
        commitments: tuple[bytes, bytes],
        signatures: tuple[bytes, bytes],
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Prove two observation commitments (`observation_digest`) of one round signed by one member."""
        (first, second), (of_first, of_second) = commitments, signatures
        arguments = (task, round, seed, node, first, of_first, second, of_second)
        return self._send(by, self.disputes.call("equivocateObservation", *arguments), options)

    # --- withheld data ---
    def demand(
        self, by: Signer, post: Post, kind: DemandKind, a: int, b: int = 0, **options: Unpack[SendOptions]
    ) -> Receipt:
        """First half of WINDOW: ask for withheld data, for the demand fee (approved first if need be).

        `a`, `b` by kind: VOTES: vote and word of its tree; SCORES, REPUTATION: index of the word; TRAINER_PAY,
        VERIFIER_PAY: index of the leaf.
        """
        self._allow(by, self.disputes.address, self.demand_fee())
        parts = (post.report, post.signers, post.trainer_count, kind, a, b)
        return self._send(by, self.disputes.call("demand", *parts), options)

    def answer_votes(
        self,
        by: Signer,
        post: Post,
        a: int,
        b: int,
        votes: Sequence[Vote],
        proof: WordProof | None = None,
        **options: Unpack[SendOptions],
    ) -> Receipt:
        """Answer a demand for votes: the whole list, and word `b` of vote `a` (None where the list is shorter)."""
        word = proof or WordProof(0, ())
        call = self.disputes.call("answerVotes", post.report, a, b, post.trainer_count, votes, word)
        return self._send(by, call, options)

    def answer_word(
        self, by: Signer, post: Post, kind: DemandKind, index: int, proof: WordProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Answer a demand for a score or reputation word."""
        call = self.disputes.call("answerWord", post.report, post.state, kind, index, proof)
        return self._send(by, call, options)

    def answer_pay(
        self, by: Signer, post: Post, kind: DemandKind, index: int, proof: PayProof, **options: Unpack[SendOptions]
    ) -> Receipt:
        """Answer a demand for a leaf of a pay tree."""
        call = self.disputes.call("answerPay", post.report, post.state, kind, index, proof)
        return self._send(by, call, options)

    def expire(
        self, by: Signer, post: Post, kind: DemandKind, a: int, b: int = 0, **options: Unpack[SendOptions]
    ) -> Receipt:
        """After an answer's deadline: the post is void, its signers pay, the demander's fee returns."""
        return self._send(by, self.disputes.call("expire", self.accused(post), kind, a, b), options)

    def reclaim(
        self, by: Signer, post: Post, kind: DemandKind, a: int, b: int = 0, **options: Unpack[SendOptions]
    ) -> Receipt:
        """After the window, or where the post died of another proof: an unanswered demand's fee returns to its
        demander; anyone may call."""
        return self._send(by, self.disputes.call("reclaim", post.report, kind, a, b), options)
