"""Opened origins in a round's evidence: what fits its manifest counts, nothing else does, and audits see the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from node.canary import Origin
from node.errors import PeerError
from node.message import Kind, Message
from node.record import Manifest
from node.round.origins import manifests_of, planted_by
from node.round.planter import leaked_outputs
from node.round.settle import Dossier, compile_dossier, outcome_of
from node.round.turns import OPEN_BY, due_shares
from node.verify import Reason
from storage import DiskStore, MissingContent
from tests.support.protocol import (
    ROUND,
    TASK,
    Script,
    commitment,
    facts,
    manifest,
    message,
    observation,
    row,
    tiny_spec,
)

SPEC = tiny_spec(canary_rate="0.5")
SALTS = {1: b"\x01" * 32, 2: b"\x02" * 32}
PLANTED = {1: True, 2: False}


def origin(node: int, **changes: Any) -> Origin:
    update = manifest(node, b"update of %d" % node).update.digest
    return replace(Origin(TASK, ROUND, node, update, PLANTED[node], SALTS[node]), **changes)


MANIFESTS: Mapping[int, Manifest] = {
    node: manifest(node, b"update of %d" % node, origin=origin(node).digest()) for node in PLANTED
}


def opening(node: int, *, attempt: int = 0, **body: Any) -> Message:
    said = {"planted": PLANTED.get(node, True), "salt": SALTS.get(node, SALTS[1]).hex(), **body}
    return message(node, kind=Kind.ORIGIN_OPENED, attempt=attempt, **said)


def planted(*openings: Message) -> frozenset[int]:
    return planted_by(openings, MANIFESTS.get)


def test_an_opening_that_fits_its_manifest_makes_a_canary() -> None:
    assert planted(opening(1), opening(2)) == {1}
    assert planted() == frozenset()
    assert planted(opening(1), opening(1, salt=SALTS[2].hex())) == {1}  # a second, wrong one takes nothing back


@pytest.mark.parametrize(
    "said",
    [
        opening(1, salt=SALTS[2].hex()),  # wrong origin
        opening(2, salt=SALTS[1].hex(), planted=True),  # somebody else's
        opening(2, planted=True),  # not planted, opened as planted
        opening(1, planted=False),
        opening(1, planted=1),
        opening(1, planted="true"),
        opening(1, salt=""),
        opening(1, salt="zz"),
        opening(1, salt=SALTS[1].hex() + "00"),
        opening(1, salt=[1]),
        opening(1, attempt=1),  # said once a round
        opening(9, planted=True),  # of no submission
        message(1, kind=Kind.ORIGIN_OPENED),
    ],
    ids=lambda said: str(dict(said.body))[:60],
)
def test_any_other_opening_opens_nothing(said: Message) -> None:
    assert planted(said) == frozenset()


def test_what_binds_is_the_manifest_that_was_committed_to(tmp_path: Any) -> None:
    store = DiskStore(tmp_path)
    entries = tuple(commitment(n, n - 1, MANIFESTS[n].to_bytes()) for n in MANIFESTS)
    found = facts(commitments=entries)
    read = manifests_of(store, SPEC, found)
    assert read is not None
    with pytest.raises(MissingContent):
        read(1)
    for item in MANIFESTS.values():
        store.put(item.to_bytes())
    assert {node: read(node) for node in (1, 2, 9)} == {**MANIFESTS, 9: None}
    assert manifests_of(store, tiny_spec(), found) is None
    assert planted_by([opening(1)], read) == {1}
    for change in ({"salt": b"\x0b" * 32}, {"manifest": None}, {"length": 1 << 20}):
        other = manifests_of(store, SPEC, facts(commitments=(replace(entries[0], **change), entries[1])))
        assert other is not None
        assert other(1) is None


SKETCHES = {1: row(70_000), 2: row(90_000)}
SEEN = observation(40_000, 50_000, sketches=SKETCHES)


def compiled(found: Script, messages: Sequence[Message], manifests: Any = MANIFESTS.get) -> Dossier:
    return compile_dossier(found.facts, messages, found.load, None, manifests)


def test_an_opening_is_evidence_and_counts_in_a_task_with_canaries_only() -> None:
    found = Script(facts())
    messages = found.evidence(dict.fromkeys((11, 12, 13, 14), SEEN), SKETCHES)
    dossier = compiled(found, [*messages, opening(1), opening(2)])
    assert dossier.canaries == {1}
    assert {m.key for m in dossier.messages} >= {opening(1).key, opening(2).key}
    outcome = outcome_of(found.facts, SPEC, dossier)
    assert outcome.reasons == {1: Reason.CANARY, 2: Reason.ACCEPTED}
    assert (outcome.trainer_scores, outcome.accepted) == ((40_000, 50_000), (2,))
    unopened = outcome_of(found.facts, SPEC, compiled(found, messages))
    assert (unopened.reasons[1], unopened.accepted) == (Reason.ACCEPTED, (1, 2))
    assert compiled(found, [*messages, opening(1)], None).canaries == frozenset()


def test_a_forged_opening_spoils_the_evidence_as_any_forged_message_does() -> None:
    found = Script(facts())
    messages = found.evidence(dict.fromkeys((11, 12, 13, 14), SEEN), SKETCHES)
    forged = message(1, kind=Kind.ORIGIN_OPENED, key=2, planted=True, salt=SALTS[1].hex())
    with pytest.raises(PeerError, match="signed by"):
        compiled(found, [*messages, forged])


def test_leaks_of_another_size_or_kind_are_nobody_s_outputs() -> None:
    good = np.arange(6, dtype="<f4").reshape(3, 2)
    bodies: dict[int, dict[str, Any]] = {
        1: {"outputs": good.tobytes().hex()},
        2: {"outputs": good[:2].tobytes().hex()},
        3: {"outputs": np.full((3, 2), np.nan, "<f4").tobytes().hex()},
        4: {"outputs": "zz"},
        5: {"outputs": 5},
        6: {},
    }
    said = [message(node, kind=Kind.LEAKED, **body) for node, body in bodies.items()]
    found = leaked_outputs(said, shape=(3, 2))
    assert list(found) == [1]
    assert (found[1] == good).all()


def test_the_clock_stops_for_origins_only_where_there_are_any() -> None:
    assert OPEN_BY in due_shares(SPEC)
    assert OPEN_BY not in due_shares(tiny_spec())
