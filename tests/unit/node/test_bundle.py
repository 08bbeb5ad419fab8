"""Bundles of signed commits: a collector leaves out at most, and forges nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger import Event
from ledger.collect import Bundle
from ledger.contract_errors import UnknownNode
from node.errors import PeerError
from node.message import Kind, Message, Scope
from node.round.bundle import pack, unpack
from tests.support.protocol import ROUND, SCOPE, TASK, address, message

COMMITMENT = "0a" * 32


def committed(node: int, *, commitment: str = COMMITMENT, **where: Any) -> Message:
    return message(node, kind=Kind.COMMITTED, commitment=commitment, **where)


def logged(bundle: Bundle, **changes: Any) -> Event:
    args = {
        "task": TASK,
        "round": ROUND,
        "collector": address(99),
        "reveals": False,
        "root": bundle.root,
        "count": bundle.count,
        "data": bundle.data,
    }
    return Event("Collected", {**args, **changes}, 1, 0, b"\x01" * 32, SCOPE.book)


def signer_of(node: int) -> str:
    if node > 50:
        raise UnknownNode("UnknownNode", {"node": node})
    return address(node)


def leaves(bundle: Bundle, *, scope: Scope = SCOPE, kind: Kind = Kind.COMMITTED, **changes: Any) -> list[int]:
    event = logged(bundle, **changes)
    return [m.node for m in unpack(event, bundle.encoded, kind=kind, scope=scope, signer_of=signer_of)]


def test_leaves_come_back_in_the_order_of_the_bundle() -> None:
    said = [committed(node) for node in (3, 1, 2)]
    assert leaves(pack(said)) == [3, 1, 2]


def test_a_leaf_forged_for_a_victim_counts_as_absent_and_spoils_nobody_else() -> None:
    forged = replace(committed(5, commitment="bb" * 32), signature=committed(6, commitment="bb" * 32).signature)
    assert leaves(pack([committed(1), forged, committed(2)])) == [1, 2]


def test_a_leaf_replayed_from_another_chain_task_or_round_counts_as_absent() -> None:
    elsewhere = message(4, kind=Kind.COMMITTED, scope=Scope(SCOPE.chain_id + 1, SCOPE.book), commitment=COMMITMENT)
    others = [committed(2, round_=ROUND + 1), committed(3, task=TASK + 1), elsewhere, committed(5, attempt=1)]
    assert leaves(pack([committed(1), *others])) == [1]


def test_a_leaf_of_another_kind_or_of_nobody_counts_as_absent() -> None:
    assert leaves(pack([committed(1), message(2, kind=Kind.CLAIM, digest="00"), committed(77)])) == [1]
    assert leaves(pack([committed(1)]), kind=Kind.DISCLOSED) == []


def test_a_leaf_that_is_no_message_counts_as_absent() -> None:
    good = pack([committed(1)]).leaves[0]
    assert leaves(Bundle((b"nonsense", good, good[:-1], b"[" * 4_000))) == [1]


@pytest.mark.parametrize("change", [{"root": b"\x07" * 32}, {"count": 2}], ids=str)
def test_bytes_that_are_not_what_was_logged_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PeerError, match="not what its log says"):
        leaves(pack([committed(1)]), **change)


def test_cut_or_padded_bytes_are_refused() -> None:
    bundle = pack([committed(1), committed(2)])
    for data in (b"", bundle.encoded[:-1], bundle.encoded + b"\0"):
        with pytest.raises(PeerError):
            list(unpack(logged(bundle), data, kind=Kind.COMMITTED, scope=SCOPE, signer_of=signer_of))
