"""A whole settlement in both modes, every proof of fault, withheld data, and money to the wei; on both back-ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger import (
    Bundle,
    DemandKind,
    PayProof,
    Role,
    RootLedgerState,
    RpcChain,
    TesterChain,
    WordProof,
    first_difference,
    new_root_state,
    observation_digest,
)
from ledger import contract_errors as refused
from ledger.errors import BadArgument
from ledger.rootstate import decode_data, encode_data, matches, pay_index, word_index
from ledger.words import UNITS, apply_scores
from tests.integration.ledger import world as w
from tests.support import anvil as anvil_support

LEVELS = w.ROOT_PARAMS.levels
Built = tuple[w.World, w.Settlement, RootLedgerState]


class SettlementContract:
    """What settles on any chain. Subclasses give `empty`: a world with contracts (with fees) and accounts."""

    @pytest.fixture
    def words(self, empty: w.World) -> w.World:
        return empty.populate()

    @pytest.fixture
    def root(self, empty: w.World) -> w.World:
        return empty.populate(params=w.ROOT_PARAMS)

    # --- words mode ---
    def test_words_mode_is_what_the_same_python_predicts(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        predicted: dict[Role, tuple[int, ...]] = dict.fromkeys(Role, ())
        units: dict[Role, list[int]] = {role: [0] * 15 for role in Role}
        for round_, scores in ((1, w.SCORES), (3, {1: 65_535, 2: 0, 3: 50_000})):
            words.submit(round_)
            settlement = words.settlement(round_, words.draw(round_), scores=scores)
            settlement.post()
            words.finish(round_)
            post = settlement.posted()
            for role in Role:
                outcome = apply_scores(predicted[role], post.words_of(role), role=role, round=round_, amount=UNITS)
                predicted[role] = outcome.words
                units[role] = [old + new for old, new in zip(units[role], outcome.earned, strict=True)]
                assert ledger.reputation_words(task, role) == list(outcome.words)
                nodes = ledger.members(task, role)
                assert ledger.contributions(task, role) == dict(zip(nodes, units[role], strict=False))
        assert (ledger.task(task).final_round, ledger.task(task).finalised) == (3, 2)

    def test_words_in_parts_are_the_same_words(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        words.submit(1)
        settlement = words.settlement(1, words.draw(1))
        settlement.post()
        words.advance_to(words.phase_start(2, 0))
        (first,) = ledger.finalise(w.owner(2), task, up_to=1)
        assert (first.event("Finalised").args["from"], first.event("Finalised").args["to"]) == (0, 1)
        assert ledger.live(task).applied_words == 1
        assert ledger.unapplied(task) == settlement.posted()
        (last,) = ledger.finalise(w.owner(2), task)
        assert (last.event("Finalised").args["from"], last.event("Finalised").args["to"]) == (1, 2)
        assert ledger.reputation_words(task, Role.TRAINER) == [
            apply_scores([], settlement.trainer_words, role=Role.TRAINER, round=1, amount=0).words[0]
        ]
        with pytest.raises(refused.NothingPosted):
            ledger.finalise(w.owner(2), task)

    def test_the_next_post_waits_for_the_words_of_the_last(self, words: w.World) -> None:
        words.submit(1)
        words.settlement(1, words.draw(1)).post()
        words.submit(2)
        late = words.settlement(2, words.draw(2))
        with pytest.raises(refused.NotFinalised) as caught:
            late.post()
        assert caught.value.args_by_name == {"round": 1}
        words.ledger.finalise(w.owner(1), words.task)
        late.post()
        parent = words.ledger.parent_post(words.task)
        assert parent is not None
        assert parent.round == 1

    # --- root mode ---
    def _root_round(
        self, world: w.World, round_: int, parent: RootLedgerState | None = None, scores: dict[int, int] | None = None
    ) -> Built:
        """Submit, draw, sign and post an honest round."""
        world.submit(round_)
        committee = world.draw(round_)
        before = parent or new_root_state(LEVELS)
        state = world.stepped(before, round_, committee, scores)
        settlement = world.root_settlement(round_, committee, state, parent=before, scores=scores)
        settlement.post()
        return world, settlement, state

    def test_root_mode_from_post_to_claim_over_three_rounds(self, root: w.World) -> None:
        ledger, task = root.ledger, root.task
        assert replace(root.params, starts_at=0) == w.ROOT_PARAMS  # every field came back from the chain
        assert [ledger.read(ledger.book.call("poolOf", task, role)) for role in Role] == list(root.pools)
        state: RootLedgerState | None = None
        before = ledger.token_balance(w.owner(1).address)
        paid = 0
        for round_, scores in ((1, w.SCORES), (2, {1: 1, 2: 0, 3: 33_000}), (3, {1: 60_000, 2: 2, 3: 0})):
            _, settlement, state = self._root_round(root, round_, state, scores)
            post = settlement.posted()
            assert post.state == settlement.state == state.root_state()
            assert (post.trainer_count, post.trainer_words) == (1, ())
            pending = ledger.pending(task)
            assert pending is not None
            assert pending.post == post
            with pytest.raises((BadArgument, refused.ContractError)):  # nothing final, or another record
                ledger.claim_root(w.owner(1), task, Role.TRAINER, 1, state.pay_proof(Role.TRAINER, 0))
            root.advance_to(root.phase_start(round_ + 1, 0))
            assert ledger.final(task) == post
            assert ledger.root_state(task) == state.root_state()
            with pytest.raises(refused.NothingPosted):
                ledger.finalise(w.owner(0), task)
            task_ = ledger.task(task)
            assert (task_.final_round, task_.finalised, task_.model) == (round_, round_, settlement.report.model)
            if round_ != 2:  # one claim covers every round since the last
                receipt = ledger.claim_root(w.hot(5), task, Role.TRAINER, 1, state.pay_proof(Role.TRAINER, 0))
                paid += receipt.event("Claimed").args["amount"]
                assert paid == state.pay[0][0] == ledger.claimed(task, Role.TRAINER, 1)
                with pytest.raises(refused.NothingToClaim):
                    ledger.claim_root(w.hot(5), task, Role.TRAINER, 1, state.pay_proof(Role.TRAINER, 0))
        assert ledger.token_balance(w.owner(1).address) == before + paid
        assert state is not None
        self._check_claims_and_close(root, state)

    def _check_claims_and_close(self, root: w.World, state: RootLedgerState) -> None:
        """Forged claims are refused, everybody is paid, the rest returns, and nothing is lost."""
        ledger, task = root.ledger, root.task
        proof = state.pay_proof(Role.TRAINER, 1)
        with pytest.raises(refused.WrongHash) as caught:
            ledger.claim_root(w.owner(2), task, Role.TRAINER, 2, replace(proof, amount=proof.amount + 1))
        assert caught.value.args_by_name["what"].rstrip(b"\0") == b"pay"
        with pytest.raises(refused.WrongHash):
            ledger.claim_root(w.owner(3), task, Role.TRAINER, 3, proof)  # another node's leaf
        with pytest.raises(refused.NoSlot):
            ledger.claim_root(w.owner(4), task, Role.TRAINER, 4, proof)
        with pytest.raises(refused.WrongMode):
            ledger.claim(w.owner(2), task, Role.TRAINER, 2)
        for role in Role:
            for node in ledger.members(task, role):
                slot = ledger.slot_of(task, role, node)
                if state.pay[role][slot] > ledger.claimed(task, role, node):
                    ledger.claim_root(w.owner(0), task, role, node, state.pay_proof(role, slot))
                assert ledger.claimed(task, role, node) == state.pay[role][slot]
        receipt = ledger.close_task(w.owner(3), task)
        args = receipt.event("TaskClosed").args
        assert args["forfeited"] == 0
        assert args["refunded"] == 3 * root.params.pools - sum(map(sum, state.pay))
        assert ledger.escrow(task) == 0

    def test_a_word_is_materialised_by_proof(self, root: w.World) -> None:
        ledger, task = root.ledger, root.task
        _, _, state = self._root_round(root, 1)
        with pytest.raises(BadArgument, match="no final round"):
            ledger.materialise(w.owner(0), task, Role.TRAINER, 0, state.reputation_proof(Role.TRAINER, 0))
        root.advance_to(root.phase_start(2, 0))
        assert ledger.reputations(task, Role.TRAINER) == {1: 0, 2: 0, 3: 0}
        proof = state.reputation_proof(Role.TRAINER, 0)
        receipt = ledger.materialise(w.owner(0), task, Role.TRAINER, 0, proof)
        assert receipt.event("Materialised").args["word"] == proof.word
        assert ledger.reputations(task, Role.TRAINER) == {1: 2_500, 2: 2_250, 3: 0}
        assert list(ledger.reputations(task, Role.TRAINER).values()) == state.reputations(Role.TRAINER)
        with pytest.raises(refused.StaleRound):
            ledger.materialise(w.owner(0), task, Role.TRAINER, 0, proof)
        with pytest.raises(refused.WrongHash):
            ledger.materialise(w.owner(0), task, Role.VERIFIER, 0, replace(proof, word=proof.word ^ 1))
        # A word that no slot has reached is stepped too: its stamp is the round's.
        unreached = state.reputation_proof(Role.VERIFIER, 1)
        assert unreached.word == 1 << 240
        ledger.materialise(w.owner(0), task, Role.VERIFIER, 1, unreached)

    def test_totals_that_the_points_do_not_allow_are_refused(self, root: w.World) -> None:
        root.submit(1)
        committee = root.draw(1)
        state = root.stepped(new_root_state(LEVELS), 1, committee)
        good = state.root_state()
        too_much = replace(good, totals=good.totals + 100)
        too_little = replace(good, totals=good.totals - 100)
        no_points = replace(good, points=good.points & ~(2**128 - 1))
        for wrong in (too_much, too_little, no_points):
            with pytest.raises(refused.WrongReward):
                root.root_settlement(1, committee, state, root=wrong).post()
        lie = root.root_settlement(1, committee, state)
        lie.report = replace(lie.report, reward_total=lie.report.reward_total + 1)
        with pytest.raises(refused.WrongReward) as caught:
            lie.post()
        assert caught.value.args_by_name["what"].rstrip(b"\0") == b"rewardTotal"
        other = root.root_settlement(1, committee, state)
        other.state = replace(good, data=b"\1" * 32)
        with pytest.raises(refused.WrongHash) as hashed:
            other.post()
        assert hashed.value.args_by_name["what"].rstrip(b"\0") == b"state"
        words_report = root.settlement(1, committee)
        with pytest.raises(refused.WrongMode):
            words_report.post()

    # --- proofs of fault ---
    def _lie(self, root: w.World, lie: str) -> tuple[w.Settlement, RootLedgerState, RootLedgerState]:
        """Round 1 honest, round 2 posted with one lie; returns it, the honest parent and the state behind the lie."""
        _, _, parent = self._root_round(root, 1)
        root.submit(2)
        committee = root.draw(2)
        honest = root.stepped(parent, 2, committee)
        trainers = honest.pay[0]
        made = {
            "step": lambda: replace(honest, reputation=((honest.reputation[0][0] ^ 1,), honest.reputation[1])),
            "pay": lambda: replace(honest, pay=((trainers[0] + 9, trainers[1] - 9, trainers[2]), honest.pay[1])),
            "points": lambda: replace(honest, pay=(parent.pay[0], honest.pay[1])),
            "score": lambda: root.stepped(parent, 2, committee, {1: 65_000, 2: 36_000, 3: 1}),
        }[lie]()
        signed = made.root_state()
        if lie == "points":
            signed = replace(signed, points=signed.points & ~(2**128 - 1))
        settlement = root.root_settlement(2, committee, made, parent=parent, root=signed)
        settlement.post()
        data = decode_data(encode_data(made), expected=signed)
        assert matches(data, signed) == (lie != "points")
        return settlement, parent, data

    def _condemned(self, root: w.World, settlement: w.Settlement, balance: int) -> None:
        """The post is void, its signers are slashed, the challenger has half, and the parent stands."""
        ledger, task = root.ledger, root.task
        voided = ledger.voided(task, 2)
        assert voided is not None
        assert voided.args["challenger"] == w.owner(1).address
        slash = root.params.slash
        assert ledger.token_balance(w.owner(1).address) == balance + len(settlement.committee) * slash // 2
        for node in {seat.node for seat in settlement.committee}:
            seats = sum(seat.node == node for seat in settlement.committee)
            assert ledger.node(node).bonded == 10 * w.SEAT_STAKE - seats * slash
        assert ledger.pending(task) is None
        root.advance_to(root.phase_start(3, 0))
        final = ledger.final(task)
        assert final is not None
        assert final.round == 1
        assert (ledger.task(task).final_round, ledger.task(task).finalised) == (1, 1)

    def test_a_false_score_is_proved_in_root_mode(self, root: w.World) -> None:
        settlement, _, data = self._lie(root, "score")
        before = root.ledger.token_balance(w.owner(1).address)
        score = data.score_proof(Role.TRAINER, 0)
        root.ledger.challenge_root_score(
            w.owner(1), settlement.posted(), settlement.votes, 0, score, settlement.vote_proofs()
        )
        self._condemned(root, settlement, before)

    def test_a_false_step_is_proved(self, root: w.World) -> None:
        settlement, parent, data = self._lie(root, "step")
        post = settlement.posted()
        found = first_difference(parent, data, pools=root.pools, points=post.state.points)
        assert found is not None
        assert (found.what, found.role, found.index) == ("reputation", Role.TRAINER, 0)
        before = root.ledger.token_balance(w.owner(1).address)
        role, word = found.role, found.index

        def challenge(role: Role) -> None:
            root.ledger.challenge_step(
                w.owner(1),
                post,
                word_index(LEVELS, role, word),
                score=data.score_proof(role, word),
                before=parent.reputation_proof(role, word),
                after=data.reputation_proof(role, word),
            )

        with pytest.raises(refused.NotAFault):
            challenge(Role.VERIFIER)
        challenge(role)
        self._condemned(root, settlement, before)

    def test_false_pay_is_proved(self, root: w.World) -> None:
        settlement, parent, data = self._lie(root, "pay")
        post = settlement.posted()
        found = first_difference(parent, data, pools=root.pools, points=post.state.points)
        assert found is not None
        assert (found.what, found.index) == ("pay", 0)
        before = root.ledger.token_balance(w.owner(1).address)

        def challenge(slot: int) -> None:
            role = Role.TRAINER
            root.ledger.challenge_pay(
                w.owner(1),
                post,
                role,
                slot,
                score=data.score_proof(role, slot // 15),
                before=parent.pay_proof(role, slot),
                after=data.pay_proof(role, slot),
            )

        for honest in (2, 29):
            with pytest.raises(refused.NotAFault):
                challenge(honest)
        challenge(0)
        self._condemned(root, settlement, before)

    def test_false_points_are_proved(self, root: w.World) -> None:
        settlement, parent, data = self._lie(root, "points")
        post = settlement.posted()
        found = first_difference(parent, data, pools=root.pools, points=post.state.points)
        assert found is not None
        assert found.what == "points"
        before = root.ledger.token_balance(w.owner(1).address)
        index = word_index(LEVELS, found.role, found.index)
        verifiers = word_index(LEVELS, Role.VERIFIER, 0)
        with pytest.raises(refused.NotAFault):
            root.ledger.challenge_points(w.owner(1), post, verifiers, data.score_proof(Role.VERIFIER, 0))
        root.ledger.challenge_points(w.owner(1), post, index, data.score_proof(found.role, found.index))
        self._condemned(root, settlement, before)

    def test_an_honest_root_stands_against_every_proof(self, root: w.World) -> None:
        """In the first round, where the parent is all zero, and in the second."""
        ledger, parent = root.ledger, new_root_state(LEVELS)
        for round_ in (1, 2):
            _, settlement, state = self._root_round(root, round_, parent if round_ > 1 else None)
            post = settlement.posted()
            for role in Role:
                for word in range(1 << LEVELS):
                    index, score = word_index(LEVELS, role, word), state.score_proof(role, word)
                    words = (parent.reputation_proof(role, word), state.reputation_proof(role, word))
                    with pytest.raises(refused.NotAFault):
                        ledger.challenge_step(w.owner(1), post, index, score=score, before=words[0], after=words[1])
                    with pytest.raises(refused.NotAFault):
                        ledger.challenge_points(w.owner(1), post, index, score)
                    slot = 15 * word + 1
                    pays = (parent.pay_proof(role, slot), state.pay_proof(role, slot))
                    with pytest.raises(refused.NotAFault):
                        ledger.challenge_pay(w.owner(1), post, role, slot, score=score, before=pays[0], after=pays[1])
            score = state.score_proof(Role.TRAINER, 0)
            with pytest.raises(refused.NotAFault):
                ledger.challenge_root_score(w.owner(1), post, settlement.votes, 0, score, settlement.vote_proofs())
            parent = state
        root.advance_to(root.phase_start(3, 0))
        with pytest.raises(refused.NotPending):
            ledger.challenge_points(w.owner(1), post, 0, parent.score_proof(Role.TRAINER, 0))
        assert ledger.task(root.task).final_round == 2

    def test_two_observations_signed_by_one_member(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        node = words.draw(1)[0].node
        seed = ledger.seed(task, 1)
        assert seed is not None

        def signed(commitment: bytes, key: int = node) -> bytes:
            digest = observation_digest(
                chain_id=words.chain.chain_id, book=ledger.book.address, task=task, round=1, seed=seed, node=node,
                commitment=commitment,
            )  # fmt: skip
            assert ledger.read(ledger.disputes.call("observationDigest", task, 1, seed, node, commitment)) == digest
            return w.hot(key).sign_digest(digest)

        def accuse(a: bytes, b: bytes, key: int = node) -> None:
            ledger.equivocate_observation(
                w.owner(1), task=task, round=1, seed=seed, node=node, commitments=(a, b),
                signatures=(signed(a), signed(b, key)),
            )  # fmt: skip

        one, two, three = (bytes([n]) * 32 for n in (1, 2, 3))
        with pytest.raises(refused.NotAFault):
            accuse(one, one)
        with pytest.raises(refused.NotAFault):
            accuse(one, two, node % 5 + 1)
        bonded = ledger.node(node).bonded
        accuse(one, two)
        assert ledger.node(node).bonded == bonded - words.params.slash
        with pytest.raises(refused.AlreadyPunished):
            accuse(one, three)

    # --- withheld data ---
    def test_withheld_votes_are_demanded_and_answered(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        words.submit(1)
        settlement = words.settlement(1, words.draw(1))
        settlement.post()
        post, fee = settlement.posted(), w.DEMAND_FEE
        assert ledger.demand_fee() == fee
        before = {index: ledger.token_balance(w.owner(index).address) for index in (1, 2)}
        ledger.demand(w.owner(1), post, DemandKind.VOTES, 0, 0)
        found = ledger.demand_of(post.digest, DemandKind.VOTES, 0, 0)
        assert found is not None
        assert found[0] == w.owner(1).address
        assert ledger.demand_of(post.digest, DemandKind.VOTES, 1, 0) is None
        with pytest.raises(refused.AlreadyDemanded):
            ledger.demand(w.owner(2), post, DemandKind.VOTES, 0, 0)
        with pytest.raises(refused.AnswerDue):
            ledger.expire(w.owner(2), post, DemandKind.VOTES, 0, 0)
        proof = settlement.vote_proofs()[0]
        with pytest.raises(refused.WrongHash):
            ledger.answer_votes(w.owner(2), post, 0, 0, settlement.votes, replace(proof, word=1))
        with pytest.raises(refused.WrongHash):
            ledger.answer_votes(w.owner(2), post, 0, 0, settlement.votes[:-1], proof)
        receipt = ledger.answer_votes(w.owner(2), post, 0, 0, settlement.votes, proof)
        answered = receipt.event("Answered").args
        assert (answered["value"], answered["votes"]) == (proof.word, settlement.votes)
        assert ledger.token_balance(w.owner(1).address) == before[1] - fee
        assert ledger.token_balance(w.owner(2).address) == before[2] + fee
        assert ledger.demand_of(post.digest, DemandKind.VOTES, 0, 0) == (w.owner(1).address, 0)
        with pytest.raises(refused.NotDemanded):
            ledger.answer_votes(w.owner(2), post, 0, 0, settlement.votes, proof)
        with pytest.raises(refused.WrongMode):
            ledger.demand(w.owner(1), post, DemandKind.SCORES, 0)
        words.finish(1)
        assert ledger.task(task).finalised == 1

    def test_an_unanswered_demand_kills_the_post(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        words.submit(1)
        settlement = words.settlement(1, words.draw(1))
        settlement.post()
        post = settlement.posted()
        before = ledger.token_balance(w.owner(1).address)
        ledger.demand(w.owner(1), post, DemandKind.VOTES, 0, 0)
        found = ledger.demand_of(post.digest, DemandKind.VOTES, 0, 0)
        assert found is not None
        words.advance_to(found[1] + 1)
        with pytest.raises(refused.TooLate):
            ledger.answer_votes(w.owner(2), post, 0, 0, settlement.votes, settlement.vote_proofs()[0])
        receipt = ledger.expire(w.owner(1), post, DemandKind.VOTES, 0, 0)
        assert receipt.event("Voided").args["reportDigest"] == post.digest
        assert receipt.event("Expired").args["a"] == 0
        gained = len(settlement.committee) * words.params.slash // 2
        assert ledger.token_balance(w.owner(1).address) == before + gained
        assert ledger.pending(task) is None
        words.advance_to(words.phase_start(2, 0))
        assert ledger.final(task) is None
        assert ledger.task(task).finalised == 0

    def test_withheld_words_and_pay_are_answered_and_a_late_demand_is_refused(self, root: w.World) -> None:
        ledger = root.ledger
        _, settlement, state = self._root_round(root, 1)
        post = settlement.posted()
        answers: dict[DemandKind, tuple[int, WordProof | PayProof]] = {
            DemandKind.SCORES: (word_index(LEVELS, Role.VERIFIER, 0), state.score_proof(Role.VERIFIER, 0)),
            DemandKind.REPUTATION: (word_index(LEVELS, Role.TRAINER, 1), state.reputation_proof(Role.TRAINER, 1)),
            DemandKind.TRAINER_PAY: (pay_index(1), state.pay_proof(Role.TRAINER, 1)),
            DemandKind.VERIFIER_PAY: (pay_index(16), state.pay_proof(Role.VERIFIER, 16)),
        }
        for kind, (index, proof) in answers.items():
            ledger.demand(w.owner(1), post, kind, index)
            if isinstance(proof, WordProof):
                answered = ledger.answer_word(w.owner(2), post, kind, index, proof).event("Answered").args
                assert answered["value"] == proof.word
            else:
                with pytest.raises(refused.WrongHash):
                    ledger.answer_pay(w.owner(2), post, kind, index, replace(proof, amount=proof.amount + 1))
                answered = ledger.answer_pay(w.owner(2), post, kind, index, proof).event("Answered").args
                assert answered["value"] == proof.amount
            assert (answered["kind"], answered["a"]) == (kind, index)
        with pytest.raises(refused.BadIndex, match="leaf"):
            ledger.demand(w.owner(1), post, DemandKind.TRAINER_PAY, 16 << LEVELS)
        # A list that is shorter than asked: shown whole.
        last = root.params.seats - 1
        if last >= len(settlement.votes):
            ledger.demand(w.owner(1), post, DemandKind.VOTES, last, 0)
            ledger.answer_votes(w.owner(2), post, last, 0, settlement.votes)
        # One that nobody answers and nobody expires: the fee returns, and the post stands.
        ledger.demand(w.owner(1), post, DemandKind.SCORES, 0)
        root.advance_to(root.phase_start(1, 3) + root.params.window_s // 2)
        with pytest.raises(refused.TooLate):
            ledger.demand(w.owner(1), post, DemandKind.SCORES, 1)
        root.advance_to(root.phase_start(2, 0))
        before = ledger.token_balance(w.owner(1).address)
        ledger.reclaim(w.owner(3), post, DemandKind.SCORES, 0)
        assert ledger.token_balance(w.owner(1).address) == before + w.DEMAND_FEE
        assert ledger.final(root.task) == post

    # --- batches, collectors, money ---
    def test_many_calls_go_out_in_few_transactions(self, empty: w.World) -> None:
        world = empty.populate()
        ledger, task = world.ledger, world.task
        world.advance_to(world.phase_start(1, 0))
        calls = [ledger.book.call("commit", task, 1, node, w.digest(node)) for node in (1, 2, 3)]
        # One key may act for its own node only: the whole batch is refused, and nothing of it stays.
        with pytest.raises(refused.NotNode):
            ledger.batch(w.hot(1), calls)
        assert ledger.commits(task, 1) == []
        again = [ledger.book.call("commit", task, 1, 1, w.digest(n)) for n in range(5)]
        approve = ledger.token.call("approve", w.owner(2).address, 5)
        receipts = ledger.batch(w.hot(1), [*again, approve, *again[:2]])
        assert [len(receipt.events) for receipt in receipts] == [5, 1, 2]
        assert [event.args["commitment"] for event in receipts[0].events] == [w.digest(n) for n in range(5)]
        assert [event.args["commitment"] for event in ledger.commits(task, 1)] == [
            w.digest(n) for n in (*range(5), 0, 1)
        ]
        small = ledger.batch(w.hot(1), again, gas_cap=90_000)
        assert [len(receipt.events) for receipt in small] == [2, 2, 1]
        assert all(receipt.gas_used <= 90_000 for receipt in small)
        with pytest.raises(BadArgument, match="gas cap"):
            ledger.batch(w.hot(1), again, gas_cap=50_000)
        assert ledger.batch(w.hot(1), []) == []

    def test_claims_of_many_nodes_in_one_transaction(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        words.submit(1)
        words.settlement(1, words.draw(1)).post()
        words.finish(1)
        (receipt,) = ledger.batch(w.owner(0), [ledger.rewards.call("claim", task, Role.TRAINER, n) for n in (1, 2)])
        claimed = [event for event in receipt.events if event.name == "Claimed"]
        assert [event.args["node"] for event in claimed] == [1, 2]
        assert [event.args["to"] for event in claimed] == [w.owner(n).address for n in (1, 2)]

    def test_a_collector_logs_many_commits_at_once(self, words: w.World) -> None:
        ledger, task = words.ledger, words.task
        bundle = Bundle(tuple(w.digest("leaf", n) for n in range(9)))
        words.advance_to(words.phase_start(1, 0))
        receipt = ledger.collect(w.hot(4), task, 1, bundle, reveals=False)
        (logged,) = ledger.collected(task, 1, reveals=False)
        assert logged == receipt.event("Collected")
        assert (logged.args["root"], logged.args["count"], logged.args["data"]) == (bundle.root, 9, bundle.data)
        assert logged.args["collector"] == w.hot(4).address
        ledger.collect(w.hot(4), task, 1, bundle, reveals=True)  # too early
        words.advance_to(words.phase_start(1, 1))
        ledger.collect(w.hot(4), task, 1, bundle, reveals=False)  # too late
        assert ledger.collected(task, 1, reveals=False) == [logged]
        assert ledger.collected(task, 1, reveals=True) == []
        words.advance_to(words.phase_start(1, 2))
        calls = [
            ledger.book.call("collect", task, 1, True, bundle.root, bundle.count, bundle.data),
            ledger.book.call("armBeacon", task, 1),
        ]
        call = ledger.book.call("multicall", [calls[1].data, calls[0].data])
        together = ledger.transmitter(w.owner(0)).send(call)  # late, but nobody knows the seed
        ledger.collect(w.hot(4), task, 1, bundle, reveals=True)  # the beacon is armed
        assert ledger.collected(task, 1, reveals=True) == [together.event("Collected")]

    def test_funding_cancelling_and_closing_conserve_every_wei(self, empty: w.World) -> None:
        ledger = empty.ledger
        start = empty.chain.now() + 5_000
        empty.populate(params=replace(w.PARAMS, starts_at=start), funded=1)
        task, pools, everything = empty.task, w.PARAMS.pools, empty.wealth()
        assert ledger.live(task).funded_rounds == 1
        assert ledger.escrow(task) == pools
        with pytest.raises(refused.BadFunding) as caught:
            ledger.fund_task(w.owner(4), task, 3)
        assert caught.value.args_by_name == {"rounds": 3, "limit": 2}
        ledger.fund_task(w.owner(4), task, 1)
        assert ledger.escrow(task) == 2 * pools
        other, _ = ledger.create_task(w.owner(0), replace(w.PARAMS, starts_at=start))
        balance = ledger.token_balance(w.owner(0).address)
        with pytest.raises(refused.NotTaskOwner):
            ledger.cancel_task(w.owner(1), other)
        receipt = ledger.cancel_task(w.owner(0), other)
        assert receipt.event("TaskClosed").args["refunded"] == 3 * pools
        assert ledger.token_balance(w.owner(0).address) == balance + 3 * pools
        assert ledger.escrow(other) == 0
        # Round 1 is settled, round 2 drawn and not settled, round 3 not paid for.
        empty.submit(1)
        with pytest.raises(refused.TaskStarted):
            ledger.cancel_task(w.owner(0), task)
        empty.settlement(1, empty.draw(1)).post()
        empty.finish(1)
        ledger.claim(w.owner(0), task, Role.TRAINER, 1)
        empty.draw(2)
        empty.advance_to(empty.phase_start(3, 2))
        with pytest.raises(refused.NotFunded) as unfunded:
            ledger.arm_beacon(w.owner(0), task, 3)
        assert unfunded.value.args_by_name == {"draws": 2, "fundedRounds": 2}
        with pytest.raises(refused.TaskRunning):
            ledger.close_task(w.owner(0), task)
        empty.advance_to(empty.phase_start(4, 0))
        args = ledger.close_task(w.owner(2), task).event("TaskClosed").args
        assert args["forfeited"] == w.SEATS * w.SEAT_FEE
        assert args["refunded"] == pools - args["forfeited"]
        for role, node in ((Role.TRAINER, 2), *((Role.VERIFIER, n) for n in range(1, 6))):
            if ledger.contribution(task, role, node):
                ledger.claim(w.owner(0), task, role, node)
        earned = sum(
            units * w.PARAMS.pool(role) // UNITS for role in Role for units in ledger.contributions(task, role).values()
        )
        assert ledger.escrow(task) == pools - earned  # the dust of rounding to units stays
        assert pools - earned < (len(w.TRAINERS) + w.NODES) * max(empty.pools) // UNITS
        assert empty.wealth() == everything


class TestTesterChain(SettlementContract):
    """In process."""

    @pytest.fixture
    def empty(self) -> Iterator[w.World]:
        with TesterChain.create(seed=b"settlement", funded=w.ACCOUNTS) as chain:
            yield w.World(chain, chain.advance_to, chain.mine, seat_fee=w.SEAT_FEE, demand_fee=w.DEMAND_FEE)


@pytest.fixture(scope="module")
def node() -> Iterator[anvil_support.Anvil]:
    """One node for all tests here; each sets it back."""
    with anvil_support.anvil("--enable-tx-gas-limit", ipc=True, hardfork="osaka") as running:
        yield running


@pytest.mark.anvil
class TestAnvil(SettlementContract):
    """Over a socket, by the rules of the current mainnet and under its cap on a transaction's gas."""

    @pytest.fixture
    def empty(self, node: anvil_support.Anvil) -> Iterator[w.World]:
        with RpcChain(node.spec) as chain:
            snapshot = chain.request("evm_snapshot")
            for address in w.ACCOUNTS:
                anvil_support.fund(chain, address)
            yield w.World(
                chain,
                lambda time: anvil_support.advance_to(chain, time),
                lambda n: anvil_support.mine(chain, n),
                seat_fee=w.SEAT_FEE,
                demand_fee=w.DEMAND_FEE,
            )
            chain.request("evm_revert", snapshot)
