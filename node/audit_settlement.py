"""The settlement half of an audit: signatures of the quorum, words and roots, standing, pay. Exact, in both modes.

Words come from the logs of the posts, and in root mode from the blocks in the store that the posted roots bind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ledger import Event, Report, Role, pack_scores, recover, report_digest, unpack_committee
from ledger.abi import interface
from ledger.posts import Post
from ledger.words import UNITS, words_for
from node.errors import AuditFailed
from node.findings import Findings, blame, same
from node.record import RoundRecord
from node.round.gather import fetch_record
from node.round.settle import RoundFacts, root_settlement
from node.round.standing import Standing, standing_before
from node.source import Source


def check_quorum(source: Source, facts: RoundFacts, report: Report, posted: Event, findings: Findings) -> None:
    """Every signature of the post, read from the transaction that carried it."""
    where = f"round {facts.round}"
    digest = report_digest(report, chain_id=facts.scope.chain_id, book=facts.scope.book)
    same(where, "report digest", digest, bytes(posted.args["reportDigest"]))
    bitmap, signatures, committee = _sent(source, posted, report)
    same(where, "bitmap of signers", bitmap, int(posted.args["signers"]))
    same(where, "posted committee", tuple(unpack_committee(committee)), tuple(facts.committee))
    seats = [seat for j, seat in enumerate(facts.committee) if bitmap >> j & 1]
    if len(seats) < facts.params.quorum:
        raise AuditFailed(f"{where}: {len(seats)} seats signed, {facts.params.quorum} are needed")
    signing = list(dict.fromkeys((seat.node, seat.signer) for seat in seats))
    same(where, "length of signatures", 65 * len(signing), len(signatures))
    for number, (node, address) in enumerate(signing):
        found = recover(digest, signatures[65 * number : 65 * (number + 1)])
        same(f"{where}: node {node}", "signer of the report", address, found)
    findings.add("signature", count=len(signing))


def _sent(source: Source, posted: Event, report: Report) -> tuple[int, bytes, bytes]:
    """Bitmap, signatures and committee as sent, also out of a batch of calls."""
    for call in _calls(source.chain.transaction(posted.tx_hash).data):
        if call["report"] == report:
            return int(call["signers"]), bytes(call["signatures"]), bytes(call["committee"])
    raise AuditFailed(f"round {report.round}: transaction 0x{posted.tx_hash.hex()} does not carry the report it logged")


def _calls(data: bytes) -> Iterator[dict[str, Any]]:
    functions = interface("RoundBook").functions
    for name in ("post", "postRoot"):
        if data[:4] == functions[name].selector:
            inputs = functions[name].inputs
            yield dict(zip(inputs.names, inputs.decode(data[4:]), strict=True))
    if data[:4] == functions["multicall"].selector:
        (inner,) = functions["multicall"].inputs.decode(data[4:])
        for part in inner:
            yield from _calls(bytes(part))


def check_words(source: Source, facts: RoundFacts, record: RoundRecord, posted: Event, findings: Findings) -> None:
    """What was posted is what the scores give: the score words, or the root of everything that follows from them."""
    where, post = f"round {facts.round}", Post.of(posted)
    if not source.view.root_mode:
        for role, scores in ((Role.TRAINER, record.trainer_scores), (Role.VERIFIER, record.verifier_scores)):
            same(where, f"{role.name.lower()} words", tuple(pack_scores(scores)), post.words_of(role))
        findings.add("word", count=len(post.words))
        return
    settlement, root = root_settlement(facts, record), post.state
    same(where, "words per role", words_for(len(record.trainer_scores)), int(posted.args["trainerWords"]))
    for name in root.__dataclass_fields__:
        same(where, f"root of {name}", getattr(settlement.state, name), getattr(root, name))
    with blame(f"{where}: state"):
        same(where, "state in the store", settlement.data, fetch_record(source.store, root.data))
    findings.add("root")
    findings.add("word", count=2 * sum(words_for(len(s)) for s in (record.trainer_scores, record.verifier_scores)))


def check_standing(source: Source, findings: Findings) -> None:
    """What the contracts answer today is what the logs give: words and totals, or the hash of the final record."""
    view = source.view
    standing = standing_before(view, view.clock.round + 1 if view.clock.round else 1)
    if view.root_mode:
        _check_final_record(source, findings)
        return
    if view.pending_round:
        standing = standing_before(view, view.pending_round)  # its words wait to be applied
    for role in Role:
        for index, word in enumerate(standing.state.reputation[role]):
            same(f"{role.name.lower()} word {index}", "reputation", word, _stored(source, role, index))
        for node, slot in view.slots(role).items():
            units = source.ledger.contribution(view.task, role, node)
            if view.state.params.contributions:
                same(f"node {node}", "contribution", standing.contribution(role, slot), units)
            findings.add("reputation")


def _stored(source: Source, role: Role, index: int) -> int:
    ledger = source.ledger
    return int(ledger.read(ledger.reputation_book.call("wordAt", source.view.task, role, index)))


def _check_final_record(source: Source, findings: Findings) -> None:
    view = source.view
    finals = [e for r in range(1, view.state.params.rounds + 1) if (e := view.settled(r)) is not None]
    live = source.ledger.live(view.task)
    stored = live.posted_hash if live.posted_round else live.final_hash
    if finals and not (live.posted_round and view.pending_round):
        post = Post.of(finals[-1])
        same(f"round {post.round}", "final record", post.hash, stored)
        findings.add("record")


def check_payments(source: Source, findings: Findings) -> None:
    """Every claim paid what had been earned by then and not been paid; no one was paid more than it earned."""
    view, params = source.view, source.view.state.params
    paid: dict[tuple[Role, int], int] = defaultdict(int)
    for event in view.events("Claimed"):
        role, node, total = Role(int(event.args["role"])), int(event.args["node"]), int(event.args["total"])
        before, pool = paid[role, node], params.pool(role)
        due = total - before if view.root_mode else total * pool // UNITS - before * pool // UNITS
        same(f"node {node}", "payment", due, int(event.args["amount"]))
        paid[role, node] = total
        findings.add("payment")
    standing = standing_before(view, params.rounds + 1)
    for (role, node), total in paid.items():
        earned = _earned(standing, role, view.slots(role)[node], root_mode=view.root_mode)
        if total > earned:
            raise AuditFailed(f"node {node}: paid for {total} but earned {earned}")


def _earned(standing: Standing, role: Role, slot: int, *, root_mode: bool) -> int:
    pay = standing.state.pay[role] if root_mode else standing.units.pay[role]
    return pay[slot] if slot < len(pay) else 0
