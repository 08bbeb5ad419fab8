"""Walk one score back to its causes: score ← settlement ← report ← observations ← sketches ← CID ← commit.

Every step names its transaction, block and gas where it has one, and says what is missing when something is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger import Event, Role
from node.errors import ConfigError
from node.message import Kind
from node.record import Manifest, ObservationRecord, RoundRecord
from node.round.gather import fetch, fetch_record
from node.round.settle import roster_entries
from node.round.standing import standing_before
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.source import Source
from node.spec import Artefact
from node.summary import gas_of
from node.verify import Reason
from storage import StorageError, from_digest

WHY = {
    Reason.ACCEPTED: "accepted: well-formed, points with the others, and its claimed sketch is the committee's",
    Reason.NOT_DUE: "not due: it committed nothing in this round",
    Reason.CANARY: "accepted: scored like any other, but planted to test the members, so no model has it",
    Reason.UNREVEALED: "rejected: it committed but did not reveal",
    Reason.COMMITMENT_MISMATCH: "rejected: what it revealed does not open its commitment",
    Reason.UNAVAILABLE: "rejected: members of the quorum could not fetch its bytes",
    Reason.BAD_MANIFEST: "rejected: its manifest names another round, parent, node or codec, or is malformed",
    Reason.WRONG_CID: "rejected: its bytes do not hash to what it committed to",
    Reason.TRUNCATED: "rejected: its update ends too early",
    Reason.OVERSIZED: "rejected: its update is larger than the task allows",
    Reason.WRONG_NAMES: "rejected: its update has other tensors than the model",
    Reason.WRONG_SHAPE: "rejected: its update has another shape than the model",
    Reason.WRONG_DTYPE: "rejected: its update has another dtype than the task's codec",
    Reason.NON_FINITE: "rejected: its update holds NaN or infinity",
    Reason.MALFORMED: "rejected: its update cannot be parsed",
    Reason.NORM_BOUND: "rejected: its update, or the outputs it gives, exceed the task's norm bound",
    Reason.DUPLICATE: "rejected: a near-copy of an update committed earlier",
    Reason.NEGATIVE_COSINE: "rejected: it points away from the weighted median of the other updates",
    Reason.NO_CLAIM: "rejected: it claimed no output sketch in time, or did not open its claim",
    Reason.SKETCH_MISMATCH: "rejected: the sketch that it claimed is not the committee's",
    Reason.REPLAY_MISMATCH: "rejected: a drawn segment of its training, executed again, ends elsewhere",
    Reason.SILENT: "failed: it was drawn but revealed no observation",
    Reason.UNSEEN: "failed: it says that it was not served most of what the others accepted",
    Reason.CANARY_FAULT: "failed: what it stated of an opened canary is not what the canary's bytes give",
    Reason.FALSE_OBSERVATION: "failed: its address-bound sketches are not those of the updates",
}


@dataclass(frozen=True)
class Step:
    """One link of the chain of evidence. `tx`, `block` and `gas` are None for what happened off chain."""

    name: str
    text: str
    data: dict[str, Any]
    tx: str | None = None
    block: int | None = None
    gas: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "step": self.name,
            "text": self.text,
            "tx": self.tx,
            "block": self.block,
            "gas": self.gas,
            **self.data,
        }


def explain(source: Source, *, node: int, round_: int) -> list[Step]:
    """The evidence behind a node's score in a round, newest first. Raises ConfigError for an unknown node or round."""
    view = source.view
    trainers, verifiers = view.slots(Role.TRAINER), view.slots(Role.VERIFIER)
    if node not in trainers and node not in verifiers:
        raise ConfigError(f"node {node} has not joined task {view.task}", hint=f"nodes: {sorted(trainers | verifiers)}")
    rounds = view.state.params.rounds
    if not 1 <= round_ <= rounds:
        raise ConfigError(f"there is no round {round_}", hint=f"rounds 1 to {rounds}")
    posted = view.events("Posted", round_)
    if not posted:
        return [_waiting(source, round_), *_commit_steps(source, node, round_)]
    with_record = RoundRecord.from_bytes(fetch_record(source.store, posted[-1].args["report"].record))
    role = Role.TRAINER if node in trainers else Role.VERIFIER
    steps = [
        _score_step(role, node, (trainers | verifiers)[node], with_record),
        *_settlement_steps(source, role, (trainers | verifiers)[node], round_, posted[-1], with_record),
        *_observation_steps(source, node, role, with_record),
    ]
    return steps + (_commit_steps(source, node, round_) if role is Role.TRAINER else [])


def _onchain(source: Source, name: str, text: str, event: Event, **data: Any) -> Step:
    return Step(
        name,
        text,
        data,
        tx="0x" + event.tx_hash.hex(),
        block=event.block_number,
        gas=gas_of(source.ledger, event),
    )


def _waiting(source: Source, round_: int) -> Step:
    """What an unsettled round still waits for."""
    view, clock = source.view, source.view.clock
    if clock.round > round_ or clock.round == 0:
        text = "skipped: no report reached its quorum in time, so the parent model stands and nobody's score moved"
    elif not view.commitments(round_):
        text = "not settled yet: waiting for commits"
    elif view.committee(round_) is None:
        text = f"not settled yet: {clock.phase.name.lower()} phase until {clock.ends_at}; the committee is not drawn"
    else:
        quorum, seats = view.state.params.quorum, view.state.params.seats
        text = f"not settled yet: waiting for signatures of {quorum} of {seats} seats"
    return Step("settlement", text, {"round": round_})


def _score_step(role: Role, node: int, slot: int, record: RoundRecord) -> Step:
    lanes = record.trainer_scores if role is Role.TRAINER else record.verifier_scores
    reason = (record.reasons if role is Role.TRAINER else record.member_reasons).get(node, Reason.NOT_DUE)
    score = lanes[slot] if slot < len(lanes) else NOT_DUE
    part = max(0, score - ACCEPTED_BASE)
    if role is Role.VERIFIER and reason is Reason.ACCEPTED:
        why = "accepted: it revealed in time, its sketches were its own; paid for news that others confirm"
    elif role is Role.VERIFIER and reason is Reason.NOT_DUE:
        why = "not due: it was not drawn"
    else:
        why = WHY[reason]
    worth = {NOT_DUE: "nothing was due", REJECTED: "counts as zero"}.get(score, f"utility part {part}")
    text = f"node {node} scored {score} ({worth}): {why}"
    return Step("score", text, {"node": node, "score": score, "contribution_part": part, "reason": reason.value})


def _settlement_steps(
    source: Source, role: Role, slot: int, round_: int, posted: Event, record: RoundRecord
) -> list[Step]:
    view, report = source.view, posted.args["report"]
    steps = []
    voided = view.events("Voided", round_)
    if voided:
        text = "void: a proof of fault struck the post down, its signers were slashed, the parent model stands"
        steps.append(_onchain(source, "finalise", text, voided[-1]))
    elif view.settled(round_) is None:
        steps.append(Step("finalise", "posted but not final: its challenge window is open", {}))
    else:
        before, after = (standing_before(view, r).reputation(role, slot) for r in (round_, round_ + 1))
        text = f"finalised: reputation {before} → {after}, model {report.model.hex()[:16]}… adopted"
        applied = view.events("Finalised", round_)
        if applied:
            steps.append(_onchain(source, "finalise", text, applied[-1], before=before, after=after))
        else:  # root mode, or words that nobody has applied yet
            steps.append(Step("finalise", f"{text} by the clock", {"before": before, "after": after}))
    signers = int(posted.args["signers"]).bit_count()
    text = f"report 0x{bytes(posted.args['reportDigest']).hex()} signed by {signers} of {view.state.params.seats} seats"
    data = {
        "report": bytes(posted.args["reportDigest"]).hex(),
        "record": report.record.hex(),
        "attempt": record.attempt,
        "sketch_digest": report.sketch_digest.hex(),
    }
    steps.append(_onchain(source, "report", text, posted, **data))
    drawn = view.events("CommitteeDrawn", round_)[-1]
    seats = [seat.node for seat in view.committee(round_) or ()]
    text = f"committee of nodes {seats} drawn by beacon 0x{record.seed.hex()[:16]}…"
    steps.append(_onchain(source, "draw", text, drawn, committee=seats, seed=record.seed.hex()))
    return steps


def _observation_steps(source: Source, node: int, role: Role, record: RoundRecord) -> list[Step]:
    """What each member saw of the node (or what the member itself said), with the digest that binds it."""
    steps = []
    slots = source.view.slots(Role.TRAINER)
    for message in record.evidence:
        if message.kind is not Kind.REVEALED or (role is Role.VERIFIER and message.node != node):
            continue
        artefact = Artefact.from_json(message.body["record"])
        try:
            seen = ObservationRecord.from_bytes(fetch_record(source.store, artefact.digest)).observation
        except StorageError as error:
            steps.append(Step("observation", f"member {message.node}: record is missing: {error}", {}))
            continue
        data: dict[str, Any] = {"member": message.node, "digest": artefact.digest.hex()}
        text = f"member {message.node} observed 0x{artefact.digest.hex()[:16]}…"
        if role is Role.TRAINER:
            reason = seen.reasons.get(node, Reason.NOT_DUE)
            data |= {"vote": seen.votes[slots[node]], "reason": reason.value}
            text += f" and voted {data['vote']} ({reason.value})"
        steps.append(Step("observation", text, data))
    if role is Role.TRAINER and node in record.sketches:
        replayed = source.spec().replay is not None
        of = "what its beacon-drawn segments moved" if replayed else "its outputs on the beacon-drawn probes"
        text = f"agreed sketch 0x{record.sketches[node][:16]}… of {of}"
        steps.append(Step("sketch", text, {"sketch": record.sketches[node]}))
    claims = [m for m in record.evidence if m.kind is Kind.ROSTER]
    if role is Role.TRAINER and claims:
        claim = roster_entries(claims[0], Kind.CLAIM).get(node)
        text = f"claimed sketch digest 0x{claim.body['digest'][:16]}…" if claim else "it claimed no sketch"
        steps.append(Step("claim", text, {"digest": claim.body["digest"] if claim else None}))
    return steps


def _commit_steps(source: Source, node: int, round_: int) -> list[Step]:
    view, steps = source.view, []
    entry = next((c for c in view.commitments(round_) if c.node == node), None)
    if entry is None or entry.committed is None:
        return [Step("commit", "nothing was committed", {})]
    if entry.manifest is not None and entry.revealed is not None:
        artefact = Artefact(entry.manifest, entry.length)
        cid = from_digest(artefact.digest, artefact.length)
        data: dict[str, Any] = {"manifest": cid}
        text = f"revealed manifest {cid}"
        try:
            update = Manifest.from_bytes(fetch(source.store, artefact)).update
            data["update"] = from_digest(update.digest, update.length)
            text += f", update {data['update']} ({update.length:,} bytes)"
        except (StorageError, ValueError, ConnectionError) as error:
            text += f" (not readable: {error})"
        steps.append(_onchain(source, "reveal", text + _through(entry.revealed), entry.revealed, **data))
    else:
        steps.append(Step("reveal", "nothing was revealed", {}))
    commitment = entry.commitment.hex()
    text = f"committed 0x{commitment}" + _through(entry.committed)
    steps.append(_onchain(source, "commit", text, entry.committed, commitment=commitment))
    return steps


def _through(event: Event) -> str:
    if event.name != "Collected":
        return ""
    return f", one of {int(event.args['count'])} in bundle 0x{bytes(event.args['data']).hex()[:16]}…"


def lines(steps: list[Step]) -> list[str]:
    """Readable form."""
    found = []
    for step in steps:
        found.append(f"{step.name:12} {step.text}")
        if step.tx is not None:
            found.append(f"{'':12}   tx {step.tx}  block {step.block}  gas {step.gas:,}")
    return found
