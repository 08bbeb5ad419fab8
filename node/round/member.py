"""A committee member's own work: fetch, judge, sketch; and check what its peers show against it.

Nothing here depends on what other members say before they are bound to it; the turns that bind them are
`node.round.verifier`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import Role, pack_scores, tree_root
from node.canary import Truths
from node.errors import PeerError
from node.message import Kind
from node.record import ObservationRecord
from node.replay.movement import same_movement
from node.replay.segments import with_replays
from node.round.actor import Actor, Context
from node.round.gather import fetch_record, gather, open_shard
from node.round.replays import Replays
from node.round.settle import Dossier, RoundFacts, accepted_updates, vote_of
from node.round.truths import SketchOf, canaries_in, sketches_of, truths_of
from node.round.view import Commitment
from node.seeds import derive_bytes
from node.spec import Artefact
from node.verify import Observation, Reason, RoundInputs, Submission, observe, probe_batch
from storage import CidMismatch, MissingContent, TooLarge

log = logging.getLogger("credence.verifier")


class Member(Actor):
    """Judges submissions. `run_seed` is secret on a real node: the salts of its observations derive from it."""

    def __init__(self, context: Context, *, run_seed: int, patience_s: int = 0) -> None:
        super().__init__(context, patience_s=patience_s)
        self.run_seed = run_seed
        self._round = 0
        self._submissions: list[Submission] = []
        self._replays: Replays | None = None

    @property
    def role(self) -> Role:
        """Verifier."""
        return Role.VERIFIER

    def inputs(self, facts: RoundFacts, key: bytes) -> RoundInputs:
        """Beacon, parent, probe batch, stakes and reputations: equal for every member."""
        context = self.context
        shard = open_shard(context.store, context.spec, facts.round, key)
        return RoundInputs(
            task=facts.task,
            round=facts.round,
            beacon=facts.seed,
            parent=context.model(facts.parent),
            probe=probe_batch(shard, beacon=facts.seed, size=context.spec.probe_batch),
            stakes=facts.stakes,
            reputations=facts.reputations,
        )

    def submissions(self, facts: RoundFacts) -> list[Submission]:
        """This member's own decoded copies of the round's submissions; fetched once a round."""
        if self._round != facts.round:
            self._submissions = self._gather(facts, facts.commitments)
            self._round = facts.round
        return self._submissions

    def _accepted_updates(self, facts: RoundFacts, accepted: tuple[int, ...]) -> dict[int, NDArray[np.float32]]:
        """The updates that were agreed on. One that was not served to this member in time is asked for once more: those
        that voted for it have it. Raises MissingContent while nobody serves it."""
        own = {item.node: item for item in self.submissions(facts)}
        missed = [c for c in facts.commitments if c.node in accepted and own[c.node].reason is Reason.UNAVAILABLE]
        if missed:
            found = {item.node: item for item in self._gather(facts, missed)}
            self._submissions = [found.get(item.node, item) for item in self._submissions]
            absent = sorted(node for node, item in found.items() if item.reason is Reason.UNAVAILABLE)
            if absent:
                raise MissingContent(f"round {facts.round}: nobody serves the accepted updates of nodes {absent}")
        return accepted_updates(self._submissions, accepted)

    def _gather(self, facts: RoundFacts, entries: Sequence[Commitment]) -> list[Submission]:
        context = self.context
        with context.metrics.phase("store"):
            return gather(
                list(entries),
                store=context.store,
                spec=context.spec,
                scope=context.scope,
                task=facts.task,
                round_=facts.round,
                parent=facts.parent,
            )

    def make_observation(self, facts: RoundFacts, key: bytes) -> Observation:
        """The honest work of a member. Adversaries override this."""
        submissions, inputs = self.submissions(facts), self.inputs(facts, key)
        with self.context.metrics.phase("verify"):
            seen = observe(
                submissions,
                self.context.spec,
                inputs,
                evaluator=self.context.evaluator,
                slots=len(facts.trainer_slots),
                member=facts.signers[self.context.node],
                own_node=self.context.node,
            )
            if self.context.spec.replay is None:
                return seen
            return with_replays(
                seen,
                self.context.spec,
                inputs,
                replays=self.replays(facts, inputs).executed(seen.sketches),
                slots=facts.trainer_slots,
                member=facts.signers[self.context.node],
            )

    def replays(self, facts: RoundFacts, inputs: RoundInputs) -> Replays:
        """Replay mode: this member's executions of the round's drawn segments, kept while the round lasts."""
        if self._replays is None or self._replays.inputs.round != facts.round:
            by_node = {entry.node: entry for entry in facts.commitments}
            self._replays = Replays(self.context.store, self.context.spec, inputs, by_node)
        return self._replays

    def _observe(self, facts: RoundFacts, key: bytes) -> None:
        observation = self.make_observation(facts, key)
        record = ObservationRecord(facts.task, facts.round, facts.seed, self.context.node, observation).to_bytes()
        self.context.journal.write_blob(f"observation-{facts.round}", record)
        root = tree_root(pack_scores(observation.votes))
        self.record(facts.round, "observed", record=Artefact.of(record).to_json(), root=root.hex())

    def _salt(self, round_: int) -> bytes:
        return derive_bytes(self.run_seed, "observation salt", round_, self.context.node)

    def false_peers(self, facts: RoundFacts, key: bytes) -> list[int]:
        """Members whose address-bound sketches differ from the own recomputation, or are missing though they do not say
        that the bytes were never served. Lazy members override this."""
        spec, inputs = self.context.spec, self.inputs(facts, key)
        own = self._own_record(facts).observation
        alive = [s for s in self.submissions(facts) if s.node in own.sketches]
        with self.context.metrics.phase("verify"):
            bound = self._sketches(facts, inputs, alive)
            false = []
            for message in self.heard(facts.round, Kind.REVEALED):
                if message.node == self.context.node or message.node not in facts.seats:
                    continue
                try:
                    _, artefact = vote_of(facts, message)
                    data = fetch_record(self.context.store, artefact.digest)
                    theirs = ObservationRecord.from_bytes(data).observation
                except (PeerError, MissingContent, CidMismatch, TooLarge) as error:
                    log.warning("round=%d peer=%d reason=no record: %s", facts.round, message.node, error)
                    continue  # unreadable or withheld: silent in the dossier, and no reason to stop checking the others
                address = facts.signers[message.node]
                for s in alive:
                    if theirs.reasons.get(s.node) is Reason.UNAVAILABLE:
                        continue  # what was not served cannot be sketched; its vote is there, and counts against it
                    mine, shown = bound(s.node, address), theirs.member_sketches.get(s.node)
                    same = shown is not None and same_movement(
                        shown, mine, groups=spec.sketch_groups, tau=spec.number("tau")
                    )
                    if not same:
                        false.append(message.node)
                        break
        return sorted(false)

    def _sketches(self, facts: RoundFacts, inputs: RoundInputs, of: Sequence[Submission]) -> SketchOf:
        """From the own work: sketches of submissions, bound to any member's address."""
        spec, evaluator = self.context.spec, self.context.evaluator
        replays = None if spec.replay is None else self.replays(facts, inputs)
        return sketches_of(of, spec, inputs, evaluator=evaluator, replays=replays)

    def truths(self, facts: RoundFacts, dossier: Dossier) -> Truths:
        """What the opened canaries give here. Raises MissingContent while nobody serves one of them."""
        canaries, key = canaries_in(dossier), self.view.probe_key(facts.round)
        assert key is not None  # nothing is derived before the shard is open
        self._accepted_updates(facts, canaries)
        chosen = [s for s in self.submissions(facts) if s.node in canaries]
        with self.context.metrics.phase("verify"):
            sketch_of = self._sketches(facts, self.inputs(facts, key), chosen)
            return truths_of(facts, self.context.spec, dossier, sketch_of)

    def canary_faults(self, facts: RoundFacts, dossier: Dossier) -> frozenset[int]:
        """Members that this node, as a proposer, states to be at fault on a canary."""
        return self.truths(facts, dossier).faults(dossier.evidence.observations) if dossier.canaries else frozenset()

    def _refuse_verdicts(self, facts: RoundFacts, dossier: Dossier, stated: frozenset[int]) -> None:
        """Raise PeerError where a proposal blames or spares a member against the own computation."""
        if not dossier.canaries:
            return
        wrong = self.truths(facts, dossier).disputed(dossier.evidence.observations, stated)
        if wrong:
            raise PeerError(f"the proposal misjudges members {sorted(wrong)} on an opened canary")

    def _own_record(self, facts: RoundFacts) -> ObservationRecord:
        return ObservationRecord.from_bytes(self.context.journal.read_blob(f"observation-{facts.round}"))
