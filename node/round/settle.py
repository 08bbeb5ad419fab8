"""From signed messages to a report: what the proposer builds, each member re-derives before it signs, and an auditor
re-derives years later. No I/O except fetching observation records by digest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from ledger import (
    Report,
    Role,
    Seat,
    TaskParams,
    Vote,
    committee_hash,
    observation_commitment,
    observation_digest,
    pack_scores,
    recover,
    state_hash,
    tree_root,
    votes_hash,
    words_hash,
)
from ledger.errors import LedgerError
from ledger.rootstate import encode_data
from ledger.types import RootState
from node.aggregate import AGGREGATORS
from node.canary import settle_canaries
from node.consensus import Evidence, Outcome, agree
from node.defence import robust_step
from node.errors import PeerError
from node.message import Kind, Message, Scope, parse_message, verify_message
from node.model import Parameters, flatten, unflatten
from node.record import ObservationRecord, RoundRecord, submissions_root
from node.round.origins import Manifests, planted_by
from node.round.standing import Standing
from node.round.view import ROOT_MODE, Commitment
from node.sketch import decode_sketch, encode_sketch, grid_of, sketch, sketch_digest
from node.spec import Artefact, TaskSpec
from node.verify import Observation, Reason, Submission
from node.weight import WEIGHTINGS, normalise
from storage import canonical_json

log = logging.getLogger("credence.settle")
_MODEL_DOMAIN = b"credence model sketch\x00"


@dataclass(frozen=True)
class RoundFacts:
    """What the chain alone says about a round at the time of its report. Equal for everyone."""

    scope: Scope
    task: int
    round: int
    seed: bytes
    parent: bytes
    params: TaskParams
    committee: tuple[Seat, ...]
    trainer_slots: Mapping[int, int]
    verifier_slots: Mapping[int, int]
    commitments: tuple[Commitment, ...]
    stakes: Mapping[int, int]
    reputations: Mapping[int, int]
    signers: Mapping[int, str]  # hot key of every trainer and member
    standing: Standing  # what the earlier rounds made of reputation and pay

    @property
    def seats(self) -> dict[int, int]:
        """Drawn node → number of its seats."""
        counts: dict[int, int] = {}
        for seat in self.committee:
            counts[seat.node] = counts.get(seat.node, 0) + 1
        return counts

    def weight_of(self, nodes: set[int]) -> int:
        """Seats held together by a set of nodes."""
        return sum(count for node, count in self.seats.items() if node in nodes)


@dataclass(frozen=True)
class Dossier:
    """The signed evidence of a round, checked: what `agree` takes and what the report binds."""

    messages: tuple[Message, ...]
    evidence: Evidence
    votes: tuple[Vote, ...]
    canaries: frozenset[int] = frozenset()  # trainers whose opened origin says that they planted


def claim_digest(node: int, claimed: NDArray[np.int32]) -> bytes:
    """What a trainer states before members reveal: SHA-256 over its node id and its sketch."""
    text = encode_sketch(claimed)
    return hashlib.sha256(b"credence claim\x00" + node.to_bytes(8, "big") + text.encode()).digest()


def roster_digest(roster: Message) -> bytes:
    """What members acknowledge: SHA-256 of the canonical roster message."""
    return hashlib.sha256(canonical_json(roster.content())).digest()


def roster_entries(roster: Message, kind: Kind) -> dict[int, Message]:
    """The claims or observation commitments that a roster lists, by node. Raises PeerError on anything else."""
    name = {Kind.CLAIM: "claims", Kind.OBSERVED: "observed"}[kind]
    items = roster.body.get(name)
    if not isinstance(items, list):
        raise PeerError(f"a roster needs a list of {name}")
    found: dict[int, Message] = {}
    for item in items:
        message = parse_message(item)
        if message.kind is not kind or (message.task, message.round) != (roster.task, roster.round):
            raise PeerError(f"a roster lists a {message.kind.value} of another round under {name}")
        if message.node in found:
            raise PeerError(f"a roster lists node {message.node} twice under {name}")
        found[message.node] = message
    return found


def check_roster(facts: RoundFacts, roster: Message) -> None:
    """Raise PeerError unless every entry is well formed and its node's own: one bad entry would spoil every dossier."""
    for kind in (Kind.CLAIM, Kind.OBSERVED):
        for message in roster_entries(roster, kind).values():
            verify_message(message, facts.scope, _signer(facts, message.node))
            if kind is Kind.OBSERVED:
                committed_observation(facts, message)


def observed_digest(facts: RoundFacts, node: int, commitment: bytes) -> bytes:
    """What a member signs besides its message: in this form the contract can hold two of them against it."""
    return observation_digest(
        chain_id=facts.scope.chain_id,
        book=facts.scope.book,
        task=facts.task,
        round=facts.round,
        seed=facts.seed,
        node=node,
        commitment=commitment,
    )


def committed_observation(facts: RoundFacts, message: Message) -> bytes:
    """The commitment of an OBSERVED message. Raises PeerError unless it is signed for the contract too."""
    try:
        commitment, signature = bytes.fromhex(message.body["commitment"]), bytes.fromhex(message.body["signature"])
        found = recover(observed_digest(facts, message.node, commitment), signature)
    except (LedgerError, LookupError, TypeError, ValueError) as error:
        raise PeerError(f"malformed observation commitment of node {message.node}: {error}") from error
    if found != _signer(facts, message.node):
        raise PeerError(f"the observation commitment of node {message.node} is not signed by its key")
    return commitment


def agreed_roster(facts: RoundFacts, rosters: Sequence[Message], acks: Sequence[Message]) -> Message | None:
    """The roster of the lowest attempt that seats of weight q have acknowledged, or None."""
    for roster in sorted(rosters, key=lambda m: (m.attempt, m.node)):
        digest = roster_digest(roster).hex()
        signed = {a.node for a in acks if a.attempt == roster.attempt and a.body.get("roster") == digest}
        if roster.node in facts.seats and facts.weight_of(signed) >= facts.params.quorum:
            return roster
    return None


Committed = Callable[[int], NDArray[np.int32] | None]
"""By trainer: the sketch that its committed checkpoints have, None where they are not what they should be."""


def compile_dossier(
    facts: RoundFacts,
    messages: Sequence[Message],
    load: Callable[[Artefact], bytes],
    committed: Committed | None = None,
    manifests: Manifests | None = None,
) -> Dossier:
    """Check every signature and binding of a round's evidence and put it in order.

    `load` fetches an observation record by digest; its errors pass, since what is not here yet is nobody's fault. A
    member whose revealed record is malformed, or not what it committed to, or votes where nothing was submitted, counts
    as silent: what one member sends stops nobody else. Raises PeerError when there is no agreed roster or a signature
    is wrong. In replay mode `committed` judges each opened claim by the checkpoints behind it; in a task with canaries
    `manifests` has what opened origins must fit.
    """
    messages = sorted(messages, key=lambda m: m.key)
    for message in messages:
        if (message.task, message.round) != (facts.task, facts.round):
            raise PeerError(f"evidence of round {message.round} in round {facts.round}")
        verify_message(message, facts.scope, _signer(facts, message.node))
    of_kind = {kind: [m for m in messages if m.kind is kind] for kind in Kind}
    roster = agreed_roster(facts, of_kind[Kind.ROSTER], of_kind[Kind.ROSTER_ACK])
    if roster is None:
        raise PeerError(f"round {facts.round}: no roster has acknowledgements of {facts.params.quorum} seats")
    claims, promised = roster_entries(roster, Kind.CLAIM), roster_entries(roster, Kind.OBSERVED)
    for message in (*claims.values(), *promised.values()):
        verify_message(message, facts.scope, _signer(facts, message.node))
    opened = _opened_claims(of_kind[Kind.CLAIM_OPENED], claims)
    if committed is not None:
        # A claim that its checkpoints do not bear out has no rows, and so agrees with nothing.
        opened = {n: said if _same(committed(n), said) else said[:0] for n, said in opened.items()}
    votes, observations = _revealed(facts, of_kind[Kind.REVEALED], promised, load)
    digest = roster_digest(roster).hex()
    checks: dict[int, frozenset[int]] = {}
    for message in of_kind[Kind.CHECKED]:
        false = message.body.get("false")
        if message.node not in observations or message.body.get("roster") != digest or not _is_nodes(false):
            continue
        checks.setdefault(message.node, frozenset(false))
    evidence = Evidence(
        slots=facts.trainer_slots,
        verifier_slots=facts.verifier_slots,
        seats=facts.seats,
        observations=observations,
        claims=opened,
        checks=checks,
    )
    canaries = frozenset() if manifests is None else planted_by(of_kind[Kind.ORIGIN_OPENED], manifests)
    return Dossier(tuple(messages), evidence, votes, canaries)


def _same(found: NDArray[np.int32] | None, said: NDArray[np.int32]) -> bool:
    return found is not None and encode_sketch(found) == encode_sketch(said)


def _is_nodes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(node) is int for node in value)


def _signer(facts: RoundFacts, node: int) -> str:
    if node not in facts.signers:
        raise PeerError(f"node {node} has no part in round {facts.round}")
    return facts.signers[node]


def _opened_claims(openings: Sequence[Message], claims: Mapping[int, Message]) -> dict[int, NDArray[np.int32]]:
    opened: dict[int, NDArray[np.int32]] = {}
    for message in openings:
        claim = claims.get(message.node)
        try:
            sketch_ = decode_sketch(str(message.body.get("sketch", "")))
        except ValueError:
            continue  # an unreadable opening opens nothing: the trainer is judged as if it had claimed nothing
        if claim is not None and claim.body.get("digest") == claim_digest(message.node, sketch_).hex():
            opened[message.node] = sketch_
    return opened


def _revealed(
    facts: RoundFacts,
    reveals: Sequence[Message],
    committed: Mapping[int, Message],
    load: Callable[[Artefact], bytes],
) -> tuple[tuple[Vote, ...], dict[int, Observation]]:
    votes: list[Vote] = []
    observations: dict[int, Observation] = {}
    for message in sorted(reveals, key=lambda m: m.node):
        promise = committed.get(message.node)
        if promise is None or message.node not in facts.seats or message.node in observations:
            continue
        try:
            vote, artefact = vote_of(facts, message)
            if committed_observation(facts, promise) != vote.commitment:
                raise PeerError("the reveal is not what was committed to")
            observation = _checked_observation(facts, vote, ObservationRecord.from_bytes(load(artefact)))
        except PeerError as error:
            log.warning("round=%d peer=%d reason=observation dropped: %s", facts.round, message.node, error)
            continue
        votes.append(vote)
        observations[message.node] = observation
    return tuple(votes), observations


def _checked_observation(facts: RoundFacts, vote: Vote, record: ObservationRecord) -> Observation:
    """The observation of a record that belongs to this vote; raise PeerError where anything does not fit.

    A vote outside of the committed lanes would be the only one there, hence the median that the contract expects: it
    would make a fault of every honest report. So a vector that has one is no vector at all.
    """
    place = (record.task, record.round, record.seed, record.node)
    if place != (facts.task, facts.round, facts.seed, vote.node):
        raise PeerError("the record is of another round or node")
    votes = record.observation.votes
    due = {entry.slot for entry in facts.commitments}
    if len(votes) != len(facts.trainer_slots) or any(lane and slot not in due for slot, lane in enumerate(votes)):
        raise PeerError("it does not vote on exactly the trainers that submitted")
    if tree_root(pack_scores(votes)) != vote.root:
        raise PeerError("its votes do not hash to its root")
    return record.observation


def vote_of(facts: RoundFacts, reveal: Message) -> tuple[Vote, Artefact]:
    """The on-chain vote triple and the record's artefact that a REVEALED message opens. Raises PeerError."""
    try:
        root, salt = bytes.fromhex(reveal.body["root"]), bytes.fromhex(reveal.body["salt"])
        artefact = Artefact.from_json(reveal.body["record"])
    except (KeyError, TypeError, ValueError) as error:
        raise PeerError(f"malformed observation reveal of node {reveal.node}: {error}") from error
    if len(root) != 32 or len(salt) != 32:
        raise PeerError(f"root and salt of node {reveal.node}'s reveal have 32 bytes")
    commitment = observation_commitment(
        chain_id=facts.scope.chain_id,
        book=facts.scope.book,
        task=facts.task,
        round=facts.round,
        seed=facts.seed,
        node=reveal.node,
        root=root,
        record=artefact.digest,
        salt=salt,
    )
    return Vote(node=reveal.node, commitment=commitment, root=root, record=artefact.digest), artefact


def outcome_of(facts: RoundFacts, spec: TaskSpec, dossier: Dossier, faults: frozenset[int] = frozenset()) -> Outcome:
    """The agreed scores and reasons that follow from a round's evidence.

    `faults` are the members whose statements of an opened canary are not its truth, which integers alone cannot tell:
    the proposer states them, a signer and a replaying auditor hold their own computation against it.
    """
    judge = partial(
        agree,
        tau=spec.number("tau"),
        trainer_lanes=len(facts.trainer_slots),
        verifier_lanes=len(facts.verifier_slots),
        sketch_rows=spec.sketch_rows * spec.sketch_groups,
        public=facts.standing.scores(Role.TRAINER),
        seed=facts.seed,
        groups=spec.sketch_groups,
        mismatch=Reason.SKETCH_MISMATCH if spec.replay is None else Reason.REPLAY_MISMATCH,
    )
    return settle_canaries(dossier.evidence, dossier.canaries, faults, judge)


def integer_weights(facts: RoundFacts, spec: TaskSpec, accepted: Sequence[int]) -> dict[int, int]:
    """Aggregation weight of each accepted trainer: stake snapshot × (4096 + reputation) by default (DESIGN §6)."""
    weigh = WEIGHTINGS.get(spec.weighting)
    values = weigh([facts.stakes[n] for n in accepted], [facts.reputations.get(n, 0) for n in accepted])
    return dict(zip(accepted, values, strict=True))


def next_model(
    parent: Parameters,
    updates: Mapping[int, NDArray[np.float32]],
    weights: Mapping[int, int],
    spec: TaskSpec,
    *,
    seed: bytes = b"",
) -> Parameters:
    """Parent + robust aggregate of the accepted, norm-clipped updates; the parent itself when none is accepted.

    Clients are ordered by the SHA-256 of their update, so that float sums are the same whoever adds them; `seed` is the
    round's beacon, known to nobody while updates are made, for rules that draw. Raises
    TooFewUpdates when the rule cannot tolerate the task's Byzantine fraction with so few updates.
    """
    if not updates:
        return parent
    order = sorted(updates, key=lambda node: hashlib.sha256(updates[node].tobytes()).digest())
    shares = normalise([weights[node] for node in order])
    step = robust_step(
        np.stack([updates[node] for node in order]),
        shares,
        weighting=WEIGHTINGS.get(spec.weighting),
        rule=AGGREGATORS.get(spec.aggregator),
        f=spec.number("byzantine_fraction"),
        seed=seed,
    )
    return unflatten(flatten(parent) + step, spec.layout)


def model_sketch(parent: Parameters, model: Parameters, digest: bytes, spec: TaskSpec) -> str:
    """Sketch of the step from parent to model, rows seeded by the model's digest; hex."""
    step = flatten(model) - flatten(parent)
    grid = grid_of(spec.number("update_bound"))
    return encode_sketch(sketch(step, seed=_MODEL_DOMAIN + digest, k=spec.sketch_rows, grid=grid))


def same_model(mine: Parameters, theirs: Parameters, parent: Parameters, *, tau: float) -> bool:
    """DESIGN §3.8: ‖M − M_v‖ ≤ τ·‖M_v − M_parent‖ on the full vector, float64."""
    own, other, base = (flatten(p).astype(np.float64) for p in (mine, theirs, parent))
    return bool(np.linalg.norm(other - own) <= tau * np.linalg.norm(own - base))


def accepted_updates(submissions: Sequence[Submission], accepted: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """Decoded updates of the accepted trainers. Raises PeerError when one of them could not be fetched here."""
    have = {item.node: item.update for item in submissions if item.update is not None}
    missing = sorted(set(accepted) - set(have))
    if missing:
        raise PeerError(f"updates of accepted nodes {missing} are not available here")
    return {node: have[node] for node in accepted}


def submission_entries(facts: RoundFacts) -> tuple[dict[str, object], ...]:
    """The canonical list that `submissionsRoot` binds: every first commit with what opened it, in slot order."""
    return tuple(
        {
            "node": entry.node,
            "slot": entry.slot,
            "order": entry.order,
            "manifest": entry.manifest.hex() if entry.manifest else "",
            "length": entry.length,
            "salt": entry.salt.hex(),
            "commitment": entry.commitment.hex(),
        }
        for entry in sorted(facts.commitments, key=lambda c: c.slot)
    )


def make_record(
    facts: RoundFacts,
    dossier: Dossier,
    outcome: Outcome,
    *,
    attempt: int,
    weights: Mapping[int, int],
    model: Artefact,
    sketch_hex: str,
) -> RoundRecord:
    """The round record of these results."""
    return RoundRecord(
        task=facts.task,
        round=facts.round,
        attempt=attempt,
        seed=facts.seed,
        parent=facts.parent,
        submissions=submission_entries(facts),
        evidence=dossier.messages,
        trainer_scores=outcome.trainer_scores,
        verifier_scores=outcome.verifier_scores,
        reasons=outcome.reasons,
        member_reasons=outcome.member_reasons,
        sketches={node: encode_sketch(row) for node, row in outcome.sketches.items()},
        weights=weights,
        model=model,
        model_sketch=sketch_hex,
    )


@dataclass(frozen=True)
class RootSettlement:
    """What a round settles in root mode: the signed state, and the bytes in the store that it is the root of."""

    state: RootState
    data: bytes


def root_settlement(facts: RoundFacts, record: RoundRecord) -> RootSettlement:
    """Step every word and every wei by the round's scores. Pure: equal for proposer, members and auditor."""
    stepped = facts.standing.after((record.trainer_scores, record.verifier_scores), facts.params, facts.round).state
    data = encode_data(stepped)
    return RootSettlement(stepped.root_state(Artefact.of(data).digest), data)


def make_report(facts: RoundFacts, dossier: Dossier, record: RoundRecord) -> Report:
    """The EIP-712 report that binds a round record to the chain (DESIGN §8), in the task's mode."""
    if facts.params.mode == ROOT_MODE:
        state = root_settlement(facts, record).state
        bound, before = state_hash(state), facts.standing.state.pay
        reward = sum(state.total(role) - sum(before[role]) for role in Role)
    else:
        bound = words_hash(pack_scores(record.trainer_scores), pack_scores(record.verifier_scores))
        reward = facts.params.trainer_pool + facts.params.verifier_pool
    return Report(
        mode=facts.params.mode,
        task=facts.task,
        round=facts.round,
        seed=facts.seed,
        committee_hash=committee_hash(facts.committee),
        attempt=record.attempt,
        parent=facts.parent,
        submissions_root=submissions_root(record.submissions),
        votes_hash=votes_hash(dossier.votes),
        sketch_digest=sketch_digest({node: decode_sketch(text) for node, text in record.sketches.items()}),
        words_hash=bound,
        model=record.model.digest,
        record=Artefact.of(record.to_bytes()).digest,
        reward_total=reward,
    )
