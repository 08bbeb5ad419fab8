"""A committee member's round: observe → commit → roster → reveal → check peers → propose or sign → post.

Members bind themselves to their observations before any is shown (DESIGN §3.5): a proposer lists the claims and
commitments in time (the roster), members of weight q acknowledge one roster, and only then are observations revealed
and claims opened. The proposer of an attempt compiles the round record; every member derives it again from the same
evidence before it signs. A proposer that stalls loses its turn after `attemptS`.
"""

from __future__ import annotations

import logging

from ledger import (
    Clock,
    Phase,
    Report,
    observation_commitment,
    pack_scores,
    recover,
    report_digest,
    staged_order,
)
from node.errors import NodeError, PeerError
from node.message import Kind, Message
from node.model import Parameters
from node.record import RoundRecord
from node.round.accuse import accuse, signed_for_contract
from node.round.gather import fetch, fetch_record
from node.round.member import Member
from node.round.origins import Manifests, manifests_of
from node.round.settle import (
    Committed,
    Dossier,
    RoundFacts,
    agreed_roster,
    check_roster,
    compile_dossier,
    integer_weights,
    make_record,
    make_report,
    model_sketch,
    next_model,
    observed_digest,
    outcome_of,
    root_settlement,
    roster_digest,
    roster_entries,
    same_model,
    vote_of,
)
from node.round.truths import stated_faults
from node.round.turns import CHECK_BY, OBSERVE_BY, OPEN_BY, REVEAL_BY, is_past, turn_of
from node.spec import Artefact
from storage import CidMismatch, MissingContent, TooLarge, encode

log = logging.getLogger("credence.verifier")


class Verifier(Member):
    """Sits in committees: binds itself, checks, proposes and signs."""

    def _advance_round(self, clock: Clock) -> bool:
        round_ = clock.round
        if clock.phase is not Phase.POST:
            return False
        if self._beacon_due(clock):
            return True
        facts, key = self.facts(round_), self.view.probe_key(round_)
        if facts is None or key is None or self.context.node not in facts.seats:
            return False
        if accuse(self, facts):
            return True
        if self.view.live.posted_round == round_:
            return False
        if not self.done(facts.round, "observed"):
            self._observe(facts, key)
            return True
        return (
            self._commit(facts)
            or self._propose_roster(facts)
            or self._acknowledge(facts)
            or self._reveal(facts)
            or self._check(facts, key)
            or self._propose(facts)
            or self._sign(facts)
            or self._post(facts)
        )

    # -- roster: what counts, fixed before anything is shown ---------------------------------------------------------

    def _commit(self, facts: RoundFacts) -> bool:
        observed = self.recall(facts.round, "observed")
        commitment = observation_commitment(
            chain_id=facts.scope.chain_id,
            book=facts.scope.book,
            task=facts.task,
            round=facts.round,
            seed=facts.seed,
            node=self.context.node,
            root=bytes.fromhex(observed["root"]),
            record=Artefact.from_json(observed["record"]).digest,
            salt=self._salt(facts.round),
        )
        if self.done(facts.round, f"said:{Kind.OBSERVED.value}:0"):
            return self.say(facts.round, Kind.OBSERVED, {})
        signature = self.context.signer.sign_digest(observed_digest(facts, self.context.node, commitment))
        return self.say(facts.round, Kind.OBSERVED, {"commitment": commitment.hex(), "signature": signature.hex()})

    def attempt(self, facts: RoundFacts) -> int:
        """The proposer's turn by the clock."""
        return turn_of(self.view, facts)

    def _past(self, facts: RoundFacts, share: float) -> bool:
        return is_past(self.view, facts, share)

    def _is_proposer(self, facts: RoundFacts) -> bool:
        order = staged_order(sorted(facts.seats), facts.seed)
        return bool(order[self.attempt(facts) % len(order)] == self.context.node)

    def _roster(self, facts: RoundFacts) -> Message | None:
        return agreed_roster(facts, self.heard(facts.round, Kind.ROSTER), self.heard(facts.round, Kind.ROSTER_ACK))

    def _propose_roster(self, facts: RoundFacts) -> bool:
        if not self._is_proposer(facts) or self._roster(facts) is not None:
            return False
        # Said once a round: what a node repeats under another attempt would stand in the roster twice.
        claims = [m for m in self.heard(facts.round, Kind.CLAIM) if m.node in facts.trainer_slots and not m.attempt]
        observed = [m for m in self.heard(facts.round, Kind.OBSERVED) if m.node in facts.seats and not m.attempt]
        observed = [m for m in observed if signed_for_contract(facts, m)]
        revealed = {c.node for c in facts.commitments if c.manifest is not None}
        complete = {m.node for m in observed} == set(facts.seats) and revealed <= {m.node for m in claims}
        if not complete and not self._past(facts, OBSERVE_BY):
            return False
        if facts.weight_of({m.node for m in observed}) < facts.params.quorum:
            return False
        body = {"claims": [m.to_json() for m in claims], "observed": [m.to_json() for m in observed]}
        return self.say(facts.round, Kind.ROSTER, body, attempt=self.attempt(facts))

    def _acknowledge(self, facts: RoundFacts) -> bool:
        if self._roster(facts) is not None:
            return False
        attempt = self.attempt(facts)
        for roster in self.heard(facts.round, Kind.ROSTER):
            if roster.attempt != attempt or roster.node != self._proposer_of(facts, attempt):
                continue
            check_roster(facts, roster)
            self._refuse_omissions(facts, roster)
            return self.say(facts.round, Kind.ROSTER_ACK, {"roster": roster_digest(roster).hex()}, attempt=attempt)
        return False

    def _proposer_of(self, facts: RoundFacts, attempt: int) -> int:
        order = staged_order(sorted(facts.seats), facts.seed)
        return int(order[attempt % len(order)])

    def _refuse_omissions(self, facts: RoundFacts, roster: Message) -> None:
        """Raise unless the own commitment stands in the roster, unchanged."""
        own = roster_entries(roster, Kind.OBSERVED).get(self.context.node)
        said = self.recall(facts.round, f"said:{Kind.OBSERVED.value}:0")["body"]
        if own is None or dict(own.body) != said:
            raise PeerError(f"the roster of node {roster.node} leaves out node {self.context.node}'s commitment")

    # -- reveal and check ------------------------------------------------------------------------------------------

    def _reveal(self, facts: RoundFacts) -> bool:
        roster = self._roster(facts)
        if roster is None or self.context.node not in roster_entries(roster, Kind.OBSERVED):
            return False
        observed = self.recall(facts.round, "observed")
        if not self.done(facts.round, "revealed"):
            with self.context.metrics.phase("store"):
                store = self.context.store
                store.pin(store.put(self.context.journal.read_blob(f"observation-{facts.round}")))
            self.record(facts.round, "revealed")
        body = {"root": observed["root"], "record": observed["record"], "salt": self._salt(facts.round).hex()}
        return self.say(facts.round, Kind.REVEALED, body)

    def _all_revealed(self, facts: RoundFacts, roster: Message) -> bool:
        revealed = {m.node for m in self.heard(facts.round, Kind.REVEALED)}
        opened = {m.node for m in self.heard(facts.round, Kind.CLAIM_OPENED)}
        rostered = set(roster_entries(roster, Kind.OBSERVED)), set(roster_entries(roster, Kind.CLAIM))
        return rostered[0] <= revealed and rostered[1] <= opened

    def _check(self, facts: RoundFacts, key: bytes) -> bool:
        """Recompute every revealed peer's address-bound sketches from the own outputs: a copier cannot have them."""
        roster = self._roster(facts)
        if roster is None or not self.done(facts.round, "revealed"):
            return False
        if not self._all_revealed(facts, roster) and not self._past(facts, REVEAL_BY):
            return False
        if not self._origins_opened(facts, roster):
            return False
        if not self.done(facts.round, "checked"):
            origins = {"origins": sorted(self._opened_origins(facts))} if self.context.spec.canary_share else {}
            self.record(facts.round, "checked", false=self.false_peers(facts, key), **origins)
        false = self.recall(facts.round, "checked")["false"]
        return self.say(facts.round, Kind.CHECKED, {"roster": roster_digest(roster).hex(), "false": false})

    def _opened_origins(self, facts: RoundFacts) -> set[int]:
        return {m.node for m in self.heard(facts.round, Kind.ORIGIN_OPENED) if not m.attempt}

    def _origins_opened(self, facts: RoundFacts, roster: Message) -> bool:
        """In a task with canaries: whether every trainer that claimed has opened its origin, or is late."""
        if not self.context.spec.canary_share or self._past(facts, OPEN_BY):
            return True
        return roster_entries(roster, Kind.CLAIM).keys() <= self._opened_origins(facts)

    # -- propose, sign, post ---------------------------------------------------------------------------------------

    def _evidence(self, facts: RoundFacts, roster: Message) -> list[Message]:
        acks = [m for m in self.heard(facts.round, Kind.ROSTER_ACK) if m.attempt == roster.attempt]
        kinds = [Kind.CLAIM_OPENED, Kind.REVEALED, Kind.CHECKED]
        rest = [m for kind in kinds for m in self.heard(facts.round, kind)]
        if self.context.spec.canary_share:
            rest += [m for m in self.heard(facts.round, Kind.ORIGIN_OPENED) if not m.attempt]
        known = facts.seats.keys() | facts.trainer_slots.keys()
        return [m for m in (roster, *acks, *rest) if m.node in known and self._is_here(facts, m)]

    def _is_here(self, facts: RoundFacts, message: Message) -> bool:
        """Whether this node holds what a message names, so that what is withheld does not hold up the round.

        That is a reveal's record, the manifest that an opened origin must fit, and in replay mode the checkpoints
        behind an opened claim.
        """
        manifests = self._manifests(facts)
        try:
            if message.kind is Kind.CLAIM_OPENED and self.context.spec.replay is not None:
                self._committed(facts)(message.node)
            if message.kind is Kind.ORIGIN_OPENED and manifests is not None:
                manifests(message.node)
            if message.kind is Kind.REVEALED:
                fetch_record(self.context.store, vote_of(facts, message)[1].digest)
        except (PeerError, MissingContent, CidMismatch, TooLarge):
            return False
        return True

    def _propose(self, facts: RoundFacts) -> bool:
        attempt, roster = self.attempt(facts), self._roster(facts)
        if not self._is_proposer(facts) or roster is None or not self.done(facts.round, "checked"):
            return False
        if self.done(facts.round, f"said:{Kind.PROPOSAL.value}:{attempt}"):
            return self.say(facts.round, Kind.PROPOSAL, {}, attempt=attempt)
        checked = {m.node for m in self.heard(facts.round, Kind.CHECKED)}
        complete = self._all_revealed(facts, roster) and set(roster_entries(roster, Kind.OBSERVED)) <= checked
        if not complete and not self._past(facts, CHECK_BY):
            return False
        with self.context.metrics.phase("agree"):
            dossier = self._compile(facts, self._evidence(facts, roster))
            record, model = self._derive(facts, dossier, attempt, self.canary_faults(facts, dossier))
            report, data = make_report(facts, dossier, record), encode(model)
        with self.context.metrics.phase("store"):
            store = self.context.store
            artefact = Artefact.of(record.to_bytes())
            for item in (data, record.to_bytes(), *self._state_bytes(facts, record)):
                store.pin(store.put(item))
        digest = report_digest(report, chain_id=facts.scope.chain_id, book=facts.scope.book)
        body = {"record": artefact.to_json(), "report": digest.hex()}
        return self.say(facts.round, Kind.PROPOSAL, body, attempt=attempt)

    def _state_bytes(self, facts: RoundFacts, record: RoundRecord) -> list[bytes]:
        """In root mode the words and wei behind the root: every signer keeps them, so that nobody can withhold them."""
        return [root_settlement(facts, record).data] if self.view.root_mode else []

    def _compile(self, facts: RoundFacts, messages: list[Message]) -> Dossier:
        def load(artefact: Artefact) -> bytes:
            return fetch_record(self.context.store, artefact.digest)

        committed = None if self.context.spec.replay is None else self._committed(facts)
        return compile_dossier(facts, messages, load, committed, self._manifests(facts))

    def _manifests(self, facts: RoundFacts) -> Manifests | None:
        return manifests_of(self.context.store, self.context.spec, facts)

    def _committed(self, facts: RoundFacts) -> Committed:
        key = self.view.probe_key(facts.round)
        assert key is not None  # nothing is compiled before the shard is open
        return self.replays(facts, self.inputs(facts, key)).committed

    def _derive(
        self, facts: RoundFacts, dossier: Dossier, attempt: int, faults: frozenset[int]
    ) -> tuple[RoundRecord, Parameters]:
        """The round record and the next model, from evidence, verdicts on canaries and own copies of the updates."""
        spec, parent = self.context.spec, self.context.model(facts.parent)
        outcome = outcome_of(facts, spec, dossier, faults)
        weights = integer_weights(facts, spec, outcome.accepted)
        with self.context.metrics.phase("aggregate"):
            updates = self._accepted_updates(facts, outcome.accepted)
            model = self.adopt(next_model(parent, updates, weights, spec, seed=facts.seed))
        artefact = Artefact.of(encode(model))
        record = make_record(
            facts,
            dossier,
            outcome,
            attempt=attempt,
            weights=weights,
            model=artefact,
            sketch_hex=model_sketch(parent, model, artefact.digest, spec),
        )
        return record, model

    def adopt(self, model: Parameters) -> Parameters:
        """The next model that this node proposes. Honest nodes propose what they computed."""
        return model

    def _sign(self, facts: RoundFacts) -> bool:
        attempt = self.attempt(facts)
        if self.done(facts.round, f"said:{Kind.SIGNATURE.value}:{attempt}"):
            return self.say(facts.round, Kind.SIGNATURE, {}, attempt=attempt)
        if self.done(facts.round, f"refused:{attempt}"):
            return False
        for proposal in self.heard(facts.round, Kind.PROPOSAL):
            if proposal.attempt != attempt or proposal.node != self._proposer_of(facts, attempt):
                continue
            try:
                with self.context.metrics.phase("agree"):
                    report = self.confirm(facts, proposal)
            except MissingContent as error:
                log.warning("round=%d peer=%d reason=%s", facts.round, proposal.node, error)
                continue  # its record may yet arrive
            except (NodeError, ValueError) as refusal:
                log.warning("round=%d peer=%d reason=proposal refused: %s", facts.round, proposal.node, refusal)
                self.record(facts.round, f"refused:{attempt}", why=str(refusal))
                return False
            digest = report_digest(report, chain_id=facts.scope.chain_id, book=facts.scope.book)
            with self.context.metrics.phase("store"):
                for item in self._state_bytes(facts, self._proposed_record(proposal)):
                    self.context.store.pin(self.context.store.put(item))
            signature = self.context.signer.sign_digest(digest)
            body = {"report": digest.hex(), "signature": signature.hex()}
            return self.say(facts.round, Kind.SIGNATURE, body, attempt=attempt)
        return False

    def confirm(self, facts: RoundFacts, proposal: Message) -> Report:
        """Derive a proposal again from its own evidence and the own copies; raise PeerError naming any difference."""
        record = self._proposed_record(proposal)
        dossier = self._compile(facts, list(record.evidence))
        self._refuse_censorship(facts, dossier)
        faults = stated_faults(record)
        self._refuse_verdicts(facts, dossier, faults)
        mine, model = self._derive(facts, dossier, proposal.attempt, faults)
        theirs = self._check_model(facts, record, mine, model)
        if theirs != mine:
            names = [n for n in RoundRecord.__dataclass_fields__ if getattr(theirs, n) != getattr(mine, n)]
            raise PeerError(f"proposal of node {proposal.node} differs in {', '.join(names)}")
        report = make_report(facts, dossier, record)
        digest = report_digest(report, chain_id=facts.scope.chain_id, book=facts.scope.book)
        if proposal.body.get("report") != digest.hex():
            raise PeerError(f"proposal of node {proposal.node} names another report than its record gives")
        return report

    def _proposed_record(self, proposal: Message) -> RoundRecord:
        try:
            artefact = Artefact.from_json(proposal.body["record"])
        except KeyError as error:
            raise PeerError(f"proposal of node {proposal.node} names no record") from error
        return RoundRecord.from_bytes(fetch(self.context.store, artefact))

    def _refuse_censorship(self, facts: RoundFacts, dossier: Dossier) -> None:
        """Every revealed observation, opened claim and origin opened in time that this node holds must be in it."""
        inside = {m.key for m in dossier.messages}
        for kind in (Kind.REVEALED, Kind.CLAIM_OPENED, Kind.CHECKED, Kind.ORIGIN_OPENED):
            for message in self.heard(facts.round, kind):
                if message.key in inside or not self._is_here(facts, message):
                    continue
                if kind is Kind.ORIGIN_OPENED and not self._in_time(facts, message):
                    continue
                if kind is Kind.CHECKED or self._rostered(facts, kind, message.node):
                    raise PeerError(f"the proposal leaves out the {kind.value} of node {message.node}")

    def _in_time(self, facts: RoundFacts, opening: Message) -> bool:
        """Whether an origin was open here when this member checked its peers: a later one could stall proposals."""
        if not self.context.spec.canary_share or opening.attempt:
            return False
        if not self.done(facts.round, "checked"):
            return True
        return opening.node in self.recall(facts.round, "checked").get("origins", ())

    def _rostered(self, facts: RoundFacts, kind: Kind, node: int) -> bool:
        roster = self._roster(facts)
        listed = Kind.OBSERVED if kind is Kind.REVEALED else Kind.CLAIM
        return roster is not None and node in roster_entries(roster, listed)

    def _check_model(self, facts: RoundFacts, record: RoundRecord, mine: RoundRecord, own: Parameters) -> RoundRecord:
        """Compare the proposed model in full within τ; then take it for the own one, so that the rest must be equal."""
        if record.model == mine.model:
            return record
        context = self.context
        parent, proposed = context.model(facts.parent), context.model(record.model.digest)
        if not same_model(own, proposed, parent, tau=context.spec.number("tau")):
            raise PeerError(f"the proposed model of round {facts.round} is not the aggregate of the accepted updates")
        expected = model_sketch(parent, proposed, record.model.digest, context.spec)
        if record.model_sketch != expected:
            raise PeerError(f"the proposed model sketch of round {facts.round} does not belong to its model")
        fields = {n: getattr(record, n) for n in RoundRecord.__dataclass_fields__}
        return RoundRecord(**{**fields, "model": mine.model, "model_sketch": mine.model_sketch})

    def _post(self, facts: RoundFacts) -> bool:
        """Settle as soon as seats of weight q have signed: the proposer at once, others when it stalls."""
        if self.view.live.posted_round == facts.round:
            return False
        signatures: dict[str, dict[int, bytes]] = {}
        for message in self.heard(facts.round, Kind.SIGNATURE):
            if message.node in facts.seats and (signature := _signature(message, facts)) is not None:
                signatures.setdefault(str(message.body["report"]), {})[message.node] = signature
        for proposal in self.heard(facts.round, Kind.PROPOSAL):
            signed = signatures.get(str(proposal.body.get("report")), {})
            if facts.weight_of(set(signed)) < facts.params.quorum:
                continue
            if proposal.node != self.context.node and not self._past(facts, CHECK_BY):
                continue
            record = self._proposed_record(proposal)
            dossier = self._compile(facts, list(record.evidence))
            report = make_report(facts, dossier, record)
            with self.context.metrics.phase("chain"):
                if self.view.root_mode:
                    self.view.ledger.post_root(
                        self.context.signer,
                        report,
                        committee=facts.committee,
                        state=root_settlement(facts, record).state,
                        signatures=signed,
                    )
                else:
                    self.view.ledger.post(
                        self.context.signer,
                        report,
                        committee=facts.committee,
                        trainer_words=pack_scores(record.trainer_scores),
                        verifier_words=pack_scores(record.verifier_scores),
                        signatures=signed,
                    )
            return True
        return False


def _signature(message: Message, facts: RoundFacts) -> bytes | None:
    """The report signature in a SIGNATURE message; None unless the contract would accept it from this member."""
    try:
        digest, signature = bytes.fromhex(message.body["report"]), bytes.fromhex(message.body["signature"])
        return signature if recover(digest, signature) == facts.signers[message.node] else None
    except (KeyError, TypeError, ValueError):
        return None
