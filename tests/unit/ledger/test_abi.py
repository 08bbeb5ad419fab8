"""Coding of calls, results and events."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import Phase, abi
from ledger.abi import Contract, artefact, decode_log, method_names, to_snake
from ledger.errors import BadArgument, NotCompiled, TransactionFailed
from ledger.report import pack_committee
from ledger.types import Event, RawLog, Receipt, Seat

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def _log(topics: tuple[bytes, ...], data: bytes) -> RawLog:
    return RawLog(ADDRESS, topics, data, 1, b"\1" * 32, b"\2" * 32, 0)


def test_a_missing_artefact_names_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(abi, "BUILD", tmp_path)
    with pytest.raises(NotCompiled, match=r"compile\.py"):
        artefact("Nothing")


def test_names_turn_to_snake_case() -> None:
    assert [to_snake(name) for name in ("trainerPool", "commitS", "model", "startsAt")] == [
        "trainer_pool",
        "commit_s",
        "model",
        "starts_at",
    ]


def test_arguments_that_do_not_fit_are_refused_before_sending() -> None:
    book = Contract("RoundBook", ADDRESS)
    for arguments in ((-1,), (2**64,), ("x",)):
        with pytest.raises(BadArgument, match="task"):
            _ = book.call("taskOf", *arguments).data
    with pytest.raises(BadArgument):
        _ = book.call("commit", 1, 1, 1, b"\1" * 33).data


def test_results_that_do_not_decode_point_to_the_deployment() -> None:
    call = Contract("RoundBook", ADDRESS).call("taskCount")
    with pytest.raises(TransactionFailed, match="deployment"):
        call.decode(b"")
    assert call.decode((5).to_bytes(32, "big")) == 5
    clock = Contract("RoundBook", ADDRESS).call("clockAt", 1, 0)
    decoded = clock.decode(b"".join(n.to_bytes(32, "big") for n in (3, 2, 99)))
    assert decoded == (3, Phase.POST, 99)


def test_topics_name_what_is_not_indexed() -> None:
    book = Contract("RoundBook", ADDRESS)
    assert len(book.topics("Committed")) == 1
    assert book.topics("Committed", node=5)[1:] == [None, None, (5).to_bytes(32, "big")]
    assert len(book.topics("Committed", task=1)) == 2
    with pytest.raises(BadArgument, match="commitment"):
        book.topics("Committed", commitment=1)


def test_logs_of_others_are_passed_by() -> None:
    topic = Contract("RoundBook", ADDRESS).interface.events["Committed"].topic
    assert decode_log(_log((), b"")) is None
    assert decode_log(_log((b"\3" * 32,), b"")) is None
    assert decode_log(_log((topic,), b"\0" * 128)) is None
    assert decode_log(_log((topic, *[b"\0" * 32] * 3), b"")) is None
    good = decode_log(_log((topic, *[b"\0" * 32] * 3), b"\7" * 32))
    assert good is not None
    assert good.args["commitment"] == b"\7" * 32


def test_a_packed_committee_is_unpacked_and_a_broken_one_passed_by() -> None:
    book = Contract("RoundBook", ADDRESS)
    kind = book.interface.events["CommitteeDrawn"]
    topics = (kind.topic, b"\0" * 31 + b"\1", b"\0" * 31 + b"\2")
    seats = [Seat(7, ADDRESS), Seat(0, "0x" + "0" * 40)]
    packed = pack_committee(seats)
    drawn = decode_log(_log(topics, kind.data.encode((b"\5" * 32, packed))))
    assert drawn is not None
    assert drawn.args == {"task": 1, "round": 2, "seed": b"\5" * 32, "committee": packed, "seats": seats}
    assert decode_log(_log(topics, kind.data.encode((b"\5" * 32, packed[:-1])))) is None


def test_a_receipt_names_the_events_it_has() -> None:
    receipt = Receipt(b"\1" * 32, 1, 2, (Event("Bonded", {}, 1, 0, b"", ADDRESS),))
    assert receipt.event("Bonded").name == "Bonded"
    with pytest.raises(KeyError, match="Bonded"):
        receipt.event("Posted")


def test_methods_are_known_by_selector() -> None:
    assert "post" in method_names().values()
    assert "finalise" in method_names().values()
