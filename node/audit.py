"""Re-derive a whole task from the chain and the store alone (DESIGN §9).

*Arithmetic*: every artefact is fetched and re-hashed; then beacon, draw, every signature, the roster, every score,
weight, word, report field, payment and reputation is derived again, exactly. *Replay*: probes are re-executed and
aggregates recomputed; float artefacts must agree within the task's τ, and each item says whether it was exact, within
tolerance or different. The first difference raises AuditFailed naming the round, and the node or the artefact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledger import (
    Event,
    LedgerError,
    Report,
    Role,
    Seat,
    contribution_units,
    expected_draw,
    pack_scores,
    recover,
    report_digest,
    seed_of,
    step_word,
    unpack_scores,
)
from node.errors import AuditFailed, NodeError
from node.message import Scope
from node.model import Evaluator
from node.record import Manifest, RoundRecord
from node.round.facts import facts_of
from node.round.gather import fetch, fetch_record, gather, load_model, open_shard
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
from node.round.view import TaskView
from node.sketch import agrees, decode_sketch, encode_sketch
from node.source import Source
from node.spec import Artefact, TaskSpec
from node.task import TASKS
from node.verify import Reason, RoundInputs, Submission, observe, probe_batch
from storage import StorageError, encode

LANES, CONTRIBUTION_TOTAL = 15, 1_000_000
VOTE_TOLERANCE = 64  # lanes: two machines' utilities differ by rounding only, 64 of 32,767 is 0.2 % of the scale
_NO_BYTES = (Reason.UNREVEALED, Reason.COMMITMENT_MISMATCH, Reason.UNAVAILABLE, Reason.WRONG_CID)


@dataclass
class Findings:
    """What an audit checked: counts by item and verdict (`exact`, `tolerance`)."""

    rounds: list[int] = field(default_factory=list)
    items: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, item: str, verdict: str = "exact", count: int = 1) -> None:
        """Count a checked item."""
        self.items[(item, verdict)] += count

    def rows(self) -> list[dict[str, object]]:
        """Sorted rows {item, verdict, count}."""
        return [{"item": i, "verdict": v, "count": n} for (i, v), n in sorted(self.items.items())]


@dataclass
class Books:
    """The auditor's own copy of the reputation and contribution lanes, stepped from the posted words."""

    words: dict[tuple[Role, int], int] = field(default_factory=dict)
    units: dict[tuple[Role, int], int] = field(default_factory=dict)  # by (role, slot)

    def reputations(self, slots: Mapping[int, int], role: Role) -> dict[int, int]:
        """Reputation by node as the auditor has it."""
        return {node: self.lane(role, slot) for node, slot in slots.items()}

    def lane(self, role: Role, slot: int) -> int:
        """One reputation lane, 0..65535."""
        return (self.words.get((role, slot // LANES), 0) >> (16 * (slot % LANES))) & 0xFFFF

    def apply(self, role: Role, round_: int, words: list[int]) -> None:
        """Step every word of a role, as `finalise` does."""
        for index, scores in enumerate(words):
            self.words[(role, index)] = step_word(self.words.get((role, index), 0), scores, round=round_, role=role)
        lanes = unpack_scores(words, LANES * len(words))
        for slot, units in enumerate(contribution_units(lanes)):
            self.units[(role, slot)] = self.units.get((role, slot), 0) + units


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
    view, findings, books = source.view, Findings(), Books()
    with _blame("task"):
        spec = source.spec()
        _check_spec(source, spec, findings)
    rounds = range(1, view.state.params.rounds + 1)
    for round_ in rounds:
        progress(round_ - 1, len(rounds))
        posted, final = view.events("Posted", round_), view.events("Finalised", round_)
        if not posted:
            continue
        if only_round in (None, round_):
            _audit_round(source, spec, round_, books, findings, replay=replay)
            findings.rounds.append(round_)
        if final:
            for role, name in ((Role.TRAINER, "trainerWords"), (Role.VERIFIER, "verifierWords")):
                books.apply(role, round_, list(posted[-1].args[name]))
            _check_steps(view, round_, posted[-1], books, final[-1], findings)
    _check_standing(source, books, findings)
    _check_payments(source, books, findings)
    progress(len(rounds), len(rounds))
    return findings


@contextmanager
def _blame(where: str) -> Iterator[None]:
    """Turn any failure to read or check an artefact into AuditFailed that says where."""
    try:
        yield
    except AuditFailed:
        raise
    except (NodeError, StorageError, LedgerError) as error:
        raise AuditFailed(f"{where}: {error}") from error


def _same(where: str, what: str, derived: object, found: object) -> None:
    if derived != found:
        raise AuditFailed(f"{where}: {what} is {_short(found)}, but {_short(derived)} follows from the evidence")


def _short(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 96 else text[:93] + "…"


def _check_spec(source: Source, spec: TaskSpec, findings: Findings) -> None:
    params = source.view.state.params
    _same("task", "probe root", spec.probe_root, params.probe_root)
    _same("task", "genesis model", spec.genesis.digest, params.genesis_model)
    with _blame("task: genesis model"):
        load_model(source.store, spec, spec.genesis.digest)
    for number, shard in enumerate(spec.probe, 1):
        with _blame(f"task: probe shard {number}"):
            fetch(source.store, shard.sealed)
    findings.add("artefact", count=2 + len(spec.probe))


# -- one round, exactly ------------------------------------------------------------------------------------------------


def _audit_round(
    source: Source, spec: TaskSpec, round_: int, books: Books, findings: Findings, *, replay: bool
) -> None:
    view, where = source.view, f"round {round_}"
    posted = view.events("Posted", round_)[-1]
    report: Report = posted.args["report"]
    with _blame(f"{where}: round record"):
        record = RoundRecord.from_bytes(fetch_record(source.store, report.record))
    findings.add("artefact")
    facts = facts_of(
        view,
        source.scope,
        round_,
        before=posted,
        reputations=books.reputations(view.slots(Role.TRAINER), Role.TRAINER),
    )
    if facts is None:
        raise AuditFailed(f"{where}: a report was posted but no committee was drawn")
    _check_beacon(source, facts, findings)
    _check_artefacts(source, spec, facts, record, findings)
    with _blame(f"{where}: evidence"):
        dossier = compile_dossier(facts, list(record.evidence), lambda a: fetch_record(source.store, a.digest))
    findings.add("signature", count=len(record.evidence))
    _check_results(facts, spec, dossier, record, findings)
    derived = make_report(facts, dossier, record)
    for name in Report.__dataclass_fields__:
        _same(where, f"report field {name}", getattr(derived, name), getattr(report, name))
    for name, scores in (("trainerWords", record.trainer_scores), ("verifierWords", record.verifier_scores)):
        _same(where, name, pack_scores(scores), list(posted.args[name]))
    _check_quorum(source, facts, report, posted, findings)
    if replay:
        _replay_round(source, spec, facts, record, findings)


def _check_beacon(source: Source, facts: RoundFacts, findings: Findings) -> None:
    where, view = f"round {facts.round}", source.view
    armed = view.events("BeaconArmed", facts.round)[-1]
    seed_block = int(armed.args["seedBlock"])
    if seed_block <= armed.block_number:
        raise AuditFailed(f"{where}: seed block {seed_block} existed when the beacon was armed")
    mix_hash = source.chain.block(seed_block).mix_hash
    scope: Scope = facts.scope
    expected = seed_of(scope.chain_id, scope.book, facts.task, facts.round, mix_hash)
    _same(where, "beacon", expected, facts.seed)
    drawn = view.events("CommitteeDrawn", facts.round)[-1]
    seats = _seats_at(source, drawn)
    derived: list[Seat] = expected_draw(facts.seed, seats, facts.params.seats)
    _same(
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
    _same(where, "submissions", submission_entries(facts), record.submissions)
    for entry in facts.commitments:
        if record.reasons.get(entry.node) in _NO_BYTES or entry.manifest is None:
            continue
        with _blame(f"{where}: manifest of node {entry.node}"):
            data = fetch(store, Artefact(entry.manifest, entry.length))
        findings.add("artefact")
        if record.reasons.get(entry.node) is Reason.BAD_MANIFEST:
            continue
        with _blame(f"{where}: update of node {entry.node}"):
            manifest = Manifest.from_bytes(data)
            if manifest.update.length <= spec.max_update_bytes:
                fetch(store, manifest.update)
                findings.add("artefact")
    for number, shard in enumerate(spec.probe, 1):
        if number == facts.round:
            with _blame(f"{where}: probe shard"):
                fetch(store, shard.sealed)
    with _blame(f"{where}: model"):
        fetch(store, record.model)
    findings.add("artefact")


def _check_results(
    facts: RoundFacts, spec: TaskSpec, dossier: Dossier, record: RoundRecord, findings: Findings
) -> None:
    where = f"round {facts.round}"
    outcome = outcome_of(facts, spec, dossier)
    by_slot = {slot: node for node, slot in facts.trainer_slots.items()}
    _same(where, "number of trainer scores", len(outcome.trainer_scores), len(record.trainer_scores))
    for slot, (mine, theirs) in enumerate(zip(outcome.trainer_scores, record.trainer_scores, strict=True)):
        _same(f"{where}: node {by_slot.get(slot)}", "score", mine, theirs)
    by_slot = {slot: node for node, slot in facts.verifier_slots.items()}
    for slot, (mine, theirs) in enumerate(zip(outcome.verifier_scores, record.verifier_scores, strict=True)):
        _same(f"{where}: node {by_slot.get(slot)}", "verifier score", mine, theirs)
    _same(where, "reasons", outcome.reasons, record.reasons)
    _same(where, "member reasons", outcome.member_reasons, record.member_reasons)
    sketches = {node: encode_sketch(row) for node, row in outcome.sketches.items()}
    _same(where, "agreed sketches", sketches, dict(record.sketches))
    _same(where, "weights", integer_weights(facts, spec, outcome.accepted), dict(record.weights))
    findings.add("score", count=len(record.trainer_scores) + len(record.verifier_scores))
    findings.add("weight", count=len(record.weights))


def _check_quorum(source: Source, facts: RoundFacts, report: Report, posted: Event, findings: Findings) -> None:
    where = f"round {facts.round}"
    digest = report_digest(report, chain_id=facts.scope.chain_id, book=facts.scope.book)
    _same(where, "report digest", digest, bytes(posted.args["reportDigest"]))
    sent = source.ledger.book.interface.functions["post"]
    call = dict(
        zip(
            sent.inputs.names,
            sent.inputs.decode(source.chain.transaction(posted.tx_hash).data[4:]),
            strict=True,
        )
    )
    bitmap, signatures = int(call["signerBitmap"]), bytes(call["signatures"])
    seats = [seat for j, seat in enumerate(facts.committee) if bitmap >> j & 1]
    if len(seats) < facts.params.quorum:
        raise AuditFailed(f"{where}: {len(seats)} seats signed, {facts.params.quorum} are needed")
    signing = list(dict.fromkeys((seat.node, seat.signer) for seat in seats))
    _same(where, "length of signatures", 65 * len(signing), len(signatures))
    for number, (node, address) in enumerate(signing):
        found = recover(digest, signatures[65 * number : 65 * (number + 1)])
        _same(f"{where}: node {node}", "signer of the report", address, found)
    findings.add("signature", count=len(signing))


# -- books and money ---------------------------------------------------------------------------------------------------


def _check_steps(view: TaskView, round_: int, posted: Event, books: Books, final: Event, findings: Findings) -> None:
    where = f"round {round_}"
    _same(where, "adopted model", posted.args["report"].model, bytes(final.args["model"]))
    for role, name in ((Role.TRAINER, "trainerUnits"), (Role.VERIFIER, "verifierUnits")):
        words = "trainerWords" if role is Role.TRAINER else "verifierWords"
        lanes = unpack_scores(list(posted.args[words]), LANES * len(posted.args[words]))
        _same(where, name, sum(contribution_units(lanes)), int(final.args[name]))
    for event in view.events("WordStepped", round_):
        role, index = Role(int(event.args["role"])), int(event.args["index"])
        _same(where, f"{role.name.lower()} word {index}", books.words[(role, index)], int(event.args["next"]))
        findings.add("word")


def _check_standing(source: Source, books: Books, findings: Findings) -> None:
    """What the contracts answer today is what the auditor's books say."""
    view, ledger = source.view, source.ledger
    for role in Role:
        reputations = ledger.reputations(view.task, role)
        for node, slot in view.slots(role).items():
            _same(f"node {node}", "reputation", books.lane(role, slot), reputations[node])
            units = ledger.contribution(view.task, role, node)
            _same(f"node {node}", "contribution", books.units.get((role, slot), 0), units)
            findings.add("reputation")


def _check_payments(source: Source, books: Books, findings: Findings) -> None:
    view, params = source.view, source.view.state.params
    paid: Counter[tuple[Role, int]] = Counter()
    for event in view.events("Claimed"):
        role, node, units = Role(int(event.args["role"])), int(event.args["node"]), int(event.args["units"])
        pool = params.trainer_pool if role is Role.TRAINER else params.verifier_pool
        _same(f"node {node}", "payment", units * pool // CONTRIBUTION_TOTAL, int(event.args["amount"]))
        paid[(role, node)] += units
        findings.add("payment")
    for (role, node), units in paid.items():
        earned = books.units.get((role, view.slots(role)[node]), 0)
        if units > earned:
            raise AuditFailed(f"node {node}: paid for {units} units but earned {earned}")


# -- replay ------------------------------------------------------------------------------------------------------------


def _replay_round(source: Source, spec: TaskSpec, facts: RoundFacts, record: RoundRecord, findings: Findings) -> None:
    """Fetch, re-execute the probes, and recompute the aggregate."""
    where, store, tau = f"round {facts.round}", source.store, spec.number("tau")
    key = source.view.probe_key(facts.round)
    if key is None:
        raise AuditFailed(f"{where}: a report was posted but the probe shard was never opened")
    with _blame(f"{where}: probe shard"):
        shard = open_shard(store, spec, facts.round, key)
    with _blame(f"{where}: parent model"):
        parent = load_model(store, spec, facts.parent)
    inputs = RoundInputs(
        task=facts.task,
        round=facts.round,
        beacon=facts.seed,
        parent=parent,
        probe=probe_batch(shard, beacon=facts.seed, size=spec.probe_batch),
        stakes=facts.stakes,
        reputations=facts.reputations,
    )
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
    for node, slot in sorted(facts.trainer_slots.items()):
        agreed = record.sketches.get(node)
        if agreed is not None:
            if node not in seen.sketches or not agrees(decode_sketch(agreed), seen.sketches[node], tau=tau):
                raise AuditFailed(f"{where}: node {node}: the agreed sketch is not that of its update")
            findings.add("sketch", "exact" if encode_sketch(seen.sketches[node]) == agreed else "tolerance")
        _compare_vote(where, node, seen.votes[slot], record, slot, findings)
    _replay_model(source, spec, facts, record, submissions, findings)


def _compare_vote(where: str, node: int, vote: int, record: RoundRecord, slot: int, findings: Findings) -> None:
    score = record.trainer_scores[slot]
    if record.reasons.get(node) in (Reason.NO_CLAIM, Reason.SKETCH_MISMATCH):
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
    with _blame(f"{where}: model"):
        parent, settled = load_model(store, spec, facts.parent), load_model(store, spec, record.model.digest)
        accepted = sorted(record.weights)
        own = next_model(parent, accepted_updates(submissions, accepted), record.weights, spec)
    if Artefact.of(encode(own)) == record.model:
        findings.add("model")
    elif same_model(own, settled, parent, tau=spec.number("tau")):
        findings.add("model", "tolerance")
    else:
        raise AuditFailed(f"{where}: the settled model is not the aggregate of the accepted updates")
    _same(where, "model sketch", model_sketch(parent, settled, record.model.digest, spec), record.model_sketch)
