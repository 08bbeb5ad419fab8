"""Re-derive a whole task from the chain and the store alone (DESIGN §9).

*Arithmetic*: every artefact is fetched and re-hashed; then beacon, draw, every signature, the roster, every score,
weight, word, report field, payment and reputation is derived again, exactly. *Replay*: probes are re-executed and
aggregates recomputed; float artefacts must agree within the task's τ, and each item says whether it was exact, within
tolerance or different. The first difference raises AuditFailed naming the round, and the node or the artefact.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger import Event, Report, Seat, expected_draw, seed_of
from node.audit_settlement import check_payments, check_quorum, check_standing, check_words
from node.errors import AuditFailed
from node.findings import Findings, blame, same
from node.message import Scope
from node.model import Evaluator
from node.record import Manifest, RoundRecord
from node.replay.movement import same_movement
from node.replay.segments import with_replays
from node.reputation.audit import check_graph
from node.round.facts import facts_of
from node.round.gather import fetch, fetch_record, gather, load_model, open_shard
from node.round.origins import manifests_of
from node.round.replays import Replays
from node.round.settle import (
    Dossier,
    RoundFacts,
    accepted_updates,
    compile_dossier,
    integer_weights,
    make_report,
    model_sketch,
    next_model,
    outcome_of,
    same_model,
    submission_entries,
)
from node.round.truths import canaries_in, sketches_of, stated_faults, truths_of
from node.sketch import decode_sketch, encode_sketch
from node.source import Source
from node.spec import Artefact, TaskSpec
from node.task import TASKS
from node.verify import Reason, RoundInputs, Submission, observe, probe_batch
from storage import encode

VOTE_TOLERANCE = 64  # lanes: two machines' utilities differ by rounding only, 64 of 32,767 is 0.2 % of the scale
_NO_BYTES = (Reason.UNREVEALED, Reason.COMMITMENT_MISMATCH, Reason.UNAVAILABLE, Reason.WRONG_CID)


def audit(
    source: Source,
    *,
    only_round: int | None = None,
    replay: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Audit every settled round of a task (reports of `only_round` alone when given).

    Raises AuditFailed with the round and the node or artefact at the first difference.
    """
    view, findings = source.view, Findings()
    with blame("task"):
        spec = source.spec()
        _check_spec(source, spec, findings)
    rounds = range(1, view.state.params.rounds + 1)
    for round_ in rounds:
        progress(round_ - 1, len(rounds))
        if view.standing_post(round_) is not None and only_round in (None, round_):
            _audit_round(source, spec, round_, findings, replay=replay)
            findings.rounds.append(round_)
    with blame("standing"):
        check_standing(source, findings)
        check_payments(source, findings)
    with blame("evaluation graph"):
        check_graph(source, spec, findings)
    progress(len(rounds), len(rounds))
    return findings


def _check_spec(source: Source, spec: TaskSpec, findings: Findings) -> None:
    params = source.view.state.params
    same("task", "probe root", spec.probe_root, params.probe_root)
    same("task", "genesis model", spec.genesis.digest, params.genesis_model)
    with blame("task: genesis model"):
        load_model(source.store, spec, spec.genesis.digest)
    for number, shard in enumerate(spec.probe, 1):
        with blame(f"task: probe shard {number}"):
            fetch(source.store, shard.sealed)
    findings.add("artefact", count=2 + len(spec.probe))


# -- one round, exactly ------------------------------------------------------------------------------------------------


def _audit_round(source: Source, spec: TaskSpec, round_: int, findings: Findings, *, replay: bool) -> None:
    view, where = source.view, f"round {round_}"
    posted = view.events("Posted", round_)[-1]
    report: Report = posted.args["report"]
    with blame(f"{where}: round record"):
        record = RoundRecord.from_bytes(fetch_record(source.store, report.record))
    findings.add("artefact")
    with blame(f"{where}: earlier rounds and collected commits"):
        facts = facts_of(view, source.scope, round_, before=posted)
    if facts is None:
        raise AuditFailed(f"{where}: a report was posted but no committee was drawn")
    _check_beacon(source, facts, findings)
    _check_artefacts(source, spec, facts, record, findings)
    with blame(f"{where}: evidence"):
        committed = (
            None if spec.replay is None else _replays(source, spec, facts, _inputs(source, spec, facts)).committed
        )
        dossier = compile_dossier(
            facts,
            list(record.evidence),
            lambda a: fetch_record(source.store, a.digest),
            committed,
            manifests_of(source.store, spec, facts),
        )
    findings.add("signature", count=len(record.evidence))
    _check_results(facts, spec, dossier, record, findings)
    derived = make_report(facts, dossier, record)
    for name in Report.__dataclass_fields__:
        same(where, f"report field {name}", getattr(derived, name), getattr(report, name))
    check_words(source, facts, record, posted, findings)
    check_quorum(source, facts, report, posted, findings)
    if replay:
        _replay_round(source, spec, facts, dossier, record, findings)


def _check_beacon(source: Source, facts: RoundFacts, findings: Findings) -> None:
    where, view = f"round {facts.round}", source.view
    armed = view.events("BeaconArmed", facts.round)[-1]
    seed_block = int(armed.args["seedBlock"])
    if seed_block <= armed.block_number:
        raise AuditFailed(f"{where}: seed block {seed_block} existed when the beacon was armed")
    mix_hash = source.chain.block(seed_block).mix_hash
    scope: Scope = facts.scope
    expected = seed_of(scope.chain_id, scope.book, facts.task, facts.round, mix_hash)
    same(where, "beacon", expected, facts.seed)
    drawn = view.events("CommitteeDrawn", facts.round)[-1]
    seats = _seats_at(source, drawn)
    derived: list[Seat] = expected_draw(facts.seed, seats, facts.params.seats)
    same(
        where,
        "committee",
        [(s.node, s.signer) for s in derived],
        [(s.node, s.signer) for s in facts.committee],
    )
    findings.add("beacon")
    findings.add("draw")


def _seats_at(source: Source, drawn: Event) -> list[tuple[int, str, bool]]:
    """(node, hot key, locked) of every seat as the draw saw it: the state before its block."""
    block, ledger = drawn.block_number - 1, source.ledger
    now = source.chain.block(drawn.block_number).timestamp
    signers: dict[int, str] = {}
    seats = []
    for node, locked_until in ledger.seats(block=block):
        if node and node not in signers:
            signers[node] = ledger.read(ledger.vault.call("nodeOf", node), block=block).signer
        seats.append((node, signers.get(node, ""), node == 0 or locked_until > now))
    return seats


def _check_artefacts(
    source: Source, spec: TaskSpec, facts: RoundFacts, record: RoundRecord, findings: Findings
) -> None:
    """Re-hash every update, manifest, observation and model that the round refers to."""
    where, store = f"round {facts.round}", source.store
    same(where, "submissions", submission_entries(facts), record.submissions)
    for entry in facts.commitments:
        if record.reasons.get(entry.node) in _NO_BYTES or entry.manifest is None:
            continue
        with blame(f"{where}: manifest of node {entry.node}"):
            data = fetch(store, Artefact(entry.manifest, entry.length))
        findings.add("artefact")
        if record.reasons.get(entry.node) is Reason.BAD_MANIFEST:
            continue
        with blame(f"{where}: update of node {entry.node}"):
            manifest = Manifest.from_bytes(data)
            if manifest.update.length <= spec.max_update_bytes:
                fetch(store, manifest.update)
                findings.add("artefact")
    for number, shard in enumerate(spec.probe, 1):
        if number == facts.round:
            with blame(f"{where}: probe shard"):
                fetch(store, shard.sealed)
    with blame(f"{where}: model"):
        fetch(store, record.model)
    findings.add("artefact")


def _check_results(
    facts: RoundFacts, spec: TaskSpec, dossier: Dossier, record: RoundRecord, findings: Findings
) -> None:
    where = f"round {facts.round}"
    outcome = outcome_of(facts, spec, dossier, stated_faults(record))
    by_slot = {slot: node for node, slot in facts.trainer_slots.items()}
    same(where, "number of trainer scores", len(outcome.trainer_scores), len(record.trainer_scores))
    for slot, (mine, theirs) in enumerate(zip(outcome.trainer_scores, record.trainer_scores, strict=True)):
        same(f"{where}: node {by_slot.get(slot)}", "score", mine, theirs)
    by_slot = {slot: node for node, slot in facts.verifier_slots.items()}
    for slot, (mine, theirs) in enumerate(zip(outcome.verifier_scores, record.verifier_scores, strict=True)):
        same(f"{where}: node {by_slot.get(slot)}", "verifier score", mine, theirs)
    same(where, "reasons", outcome.reasons, record.reasons)
    same(where, "member reasons", outcome.member_reasons, record.member_reasons)
    sketches = {node: encode_sketch(row) for node, row in outcome.sketches.items()}
    same(where, "agreed sketches", sketches, dict(record.sketches))
    same(where, "weights", integer_weights(facts, spec, outcome.accepted), dict(record.weights))
    findings.add("score", count=len(record.trainer_scores) + len(record.verifier_scores))
    findings.add("weight", count=len(record.weights))


# -- replay ------------------------------------------------------------------------------------------------------------


def _replay_round(
    source: Source,
    spec: TaskSpec,
    facts: RoundFacts,
    dossier: Dossier,
    record: RoundRecord,
    findings: Findings,
) -> None:
    """Fetch, re-execute the probes, and recompute the aggregate."""
    where, store, tau = f"round {facts.round}", source.store, spec.number("tau")
    inputs = _inputs(source, spec, facts)
    submissions = gather(
        list(facts.commitments),
        store=store,
        spec=spec,
        scope=facts.scope,
        task=facts.task,
        round_=facts.round,
        parent=facts.parent,
    )
    evaluator = Evaluator(TASKS.get(spec.name).module(spec.shape, spec.classes))
    seen = observe(
        submissions,
        spec,
        inputs,
        evaluator=evaluator,
        slots=len(facts.trainer_slots),
        member=facts.committee[0].signer,
        own_node=0,
    )
    replays = None if spec.replay is None else _replays(source, spec, facts, inputs)
    if spec.replay is not None and replays is not None:
        seen = with_replays(
            seen,
            spec,
            inputs,
            replays=replays.executed(seen.sketches),
            slots=facts.trainer_slots,
            member=facts.committee[0].signer,
        )
        findings.add("segment", count=spec.replay.drawn * len(seen.sketches))
    for node, slot in sorted(facts.trainer_slots.items()):
        agreed = record.sketches.get(node)
        if agreed is not None:
            own = seen.sketches.get(node)
            if own is None or not same_movement(decode_sketch(agreed), own, groups=spec.sketch_groups, tau=tau):
                raise AuditFailed(f"{where}: node {node}: the agreed sketch is not that of its update")
            findings.add("sketch", "exact" if encode_sketch(own) == agreed else "tolerance")
        _compare_vote(where, node, seen.votes[slot], record, slot, findings)
    planted = [item for item in submissions if item.node in canaries_in(dossier)]
    with blame(f"{where}: canaries"):
        sketch_of = sketches_of(planted, spec, inputs, evaluator=evaluator, replays=replays)
        truths = truths_of(facts, spec, dossier, sketch_of)
    for member in sorted(truths.disputed(dossier.evidence.observations, stated_faults(record))):
        raise AuditFailed(f"{where}: node {member}: what it stated of a canary was misjudged")
    if planted:
        findings.add("canary", count=len(planted))
    _replay_model(source, spec, facts, record, submissions, findings)


def _inputs(source: Source, spec: TaskSpec, facts: RoundFacts) -> RoundInputs:
    """What every member of the round shared before it verified."""
    where, store = f"round {facts.round}", source.store
    key = source.view.probe_key(facts.round)
    if key is None:
        raise AuditFailed(f"{where}: a report was posted but the probe shard was never opened")
    with blame(f"{where}: probe shard"):
        shard = open_shard(store, spec, facts.round, key)
    with blame(f"{where}: parent model"):
        parent = load_model(store, spec, facts.parent)
    return RoundInputs(
        task=facts.task,
        round=facts.round,
        beacon=facts.seed,
        parent=parent,
        probe=probe_batch(shard, beacon=facts.seed, size=spec.probe_batch),
        stakes=facts.stakes,
        reputations=facts.reputations,
    )


def _replays(source: Source, spec: TaskSpec, facts: RoundFacts, inputs: RoundInputs) -> Replays:
    return Replays(source.store, spec, inputs, {entry.node: entry for entry in facts.commitments})


def _compare_vote(where: str, node: int, vote: int, record: RoundRecord, slot: int, findings: Findings) -> None:
    score = record.trainer_scores[slot]
    if record.reasons.get(node) in (Reason.NO_CLAIM, Reason.SKETCH_MISMATCH, Reason.REPLAY_MISMATCH):
        return  # rejected at agreement: the members' votes accepted it
    if vote == score:
        findings.add("vote")
    elif min(vote, score) >= 2 and abs(vote - score) <= VOTE_TOLERANCE:
        findings.add("vote", "tolerance")
    else:
        raise AuditFailed(f"{where}: node {node}: its score is {score}, but re-execution gives {vote}")


def _replay_model(
    source: Source,
    spec: TaskSpec,
    facts: RoundFacts,
    record: RoundRecord,
    submissions: list[Submission],
    findings: Findings,
) -> None:
    where, store = f"round {facts.round}", source.store
    with blame(f"{where}: model"):
        parent, settled = load_model(store, spec, facts.parent), load_model(store, spec, record.model.digest)
        accepted = sorted(record.weights)
        updates = accepted_updates(submissions, accepted)
        own = next_model(parent, updates, record.weights, spec, seed=facts.seed)
    if Artefact.of(encode(own)) == record.model:
        findings.add("model")
    elif same_model(own, settled, parent, tau=spec.number("tau")):
        findings.add("model", "tolerance")
    else:
        raise AuditFailed(f"{where}: the settled model is not the aggregate of the accepted updates")
    same(where, "model sketch", model_sketch(parent, settled, record.model.digest, spec), record.model_sketch)
