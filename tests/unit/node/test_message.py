"""Signed messages: bound to chain, contract and every field; bounded in size; strict about shape."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import PeerError
from node.message import (
    MAX_MESSAGE_BYTES,
    Kind,
    Message,
    Scope,
    message_digest,
    parse_message,
    parse_message_bytes,
    sign_message,
    verify_message,
)
from storage import canonical_json
from tests.support.protocol import SCOPE, address, message, signer

JSON = st.recursive(
    st.one_of(st.integers(-(2**70), 2**70), st.booleans(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
WIRE = message(node=1, digest="ab").to_json()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(kind=st.sampled_from(Kind), body=st.dictionaries(st.text(max_size=6), JSON, max_size=3))
def test_a_message_survives_the_wire_and_is_its_sender_s(kind: Kind, body: dict[str, Any]) -> None:
    sent = sign_message(signer(1), SCOPE, kind=kind, task=1, round_=2, node=1, body=body, attempt=3)
    received = parse_message_bytes(canonical_json(sent.to_json()))
    assert received == sent
    assert received.key == (kind.value, 1, 2, 3, 1)
    verify_message(received, SCOPE, address(1))


def test_the_wrong_signer_is_named() -> None:
    forged = message(node=1, key=2)
    with pytest.raises(PeerError, match=f"signed by {address(2)}, not by its key {address(1)}"):
        verify_message(forged, SCOPE, address(1))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.OBSERVED},
        {"task": 9},
        {"round": 9},
        {"attempt": 9},
        {"node": 9},
        {"body": {"digest": "other"}},
        {"body": {}},
    ],
)
def test_any_changed_field_breaks_the_signature(change: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        verify_message(replace(message(digest="mine"), **change), SCOPE, address(1))


@pytest.mark.parametrize("scope", [Scope(1, SCOPE.book), Scope(SCOPE.chain_id, "0x" + "cd" * 20)])
def test_a_message_of_another_chain_or_contract_is_refused(scope: Scope) -> None:
    with pytest.raises(PeerError, match="is signed by"):
        verify_message(message(scope=scope), SCOPE, address(1))


def test_the_digest_says_exactly_what_is_signed() -> None:
    one = message_digest({"a": 1}, SCOPE)
    assert len(one) == 32
    assert message_digest({"a": 1}, Scope(SCOPE.chain_id, SCOPE.book.removeprefix("0x"))) == one
    others = [
        message_digest({"a": 2}, SCOPE),
        message_digest({"a": 1}, Scope(SCOPE.chain_id + 1, SCOPE.book)),
    ]
    assert len({one, *others}) == 3


@pytest.mark.parametrize("signature", [bytes(65), b"\xff" * 65, b"", b"\x01" * 64])
def test_a_signature_that_is_none_is_a_peer_error(signature: bytes) -> None:
    with pytest.raises(PeerError, match="malformed signature"):
        verify_message(replace(message(), signature=signature), SCOPE, address(1))


def test_a_body_that_cannot_be_canonical_is_a_peer_error() -> None:
    with pytest.raises(PeerError):
        verify_message(replace(message(), body={"loss": 0.5}), SCOPE, address(1))


def test_an_oversized_message_is_not_signed() -> None:
    message(text="x" * (MAX_MESSAGE_BYTES - 200))
    with pytest.raises(PeerError, match=str(MAX_MESSAGE_BYTES)) as caught:
        message(text="x" * MAX_MESSAGE_BYTES)
    assert caught.value.hint


def test_an_oversized_message_that_its_sender_signed_by_hand_is_refused() -> None:
    unsigned = Message(Kind.CLAIM, 1, 2, 0, 1, {"text": "x" * (MAX_MESSAGE_BYTES + 1)}, b"")
    signature = signer(1).sign_digest(message_digest(unsigned.content(), SCOPE))
    with pytest.raises(PeerError):
        verify_message(parse_message(replace(unsigned, signature=signature).to_json()), SCOPE, address(1))


@pytest.mark.parametrize("field", sorted(WIRE))
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(PeerError, match="exactly the fields"):
        parse_message({name: value for name, value in WIRE.items() if name != field})


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"kind": "gossip"},
        {"kind": 1},
        {"kind": []},
        {"task": -1},
        {"round": 2**64},
        {"attempt": "0"},
        {"node": True},
        {"node": 1.0},
        {"node": None},
        {"body": []},
        {"body": "text"},
        {"signature": 5},
        {"signature": "zz" * 65},
        {"signature": "é" * 130},
        {"signature": "00" * 64},
        {"signature": ""},
    ],
)
def test_other_shapes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PeerError):
        parse_message({**WIRE, **change})


@pytest.mark.parametrize("data", [[], "text", 5, None, [WIRE]])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(PeerError):
        parse_message(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[" * 2_000,
        json.dumps(WIRE, indent=1).encode(),
        canonical_json(WIRE) + b" ",
        canonical_json(WIRE)[:-1],
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b" " * (MAX_MESSAGE_BYTES + 2_000),
    ],
)
def test_bytes_that_are_no_canonical_message_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        parse_message_bytes(data)


def test_deep_nesting_is_refused_and_does_not_kill_the_process() -> None:
    """In a process of its own: a library raises the recursion limit so far that the C stack overflows first."""
    code = "from node.message import parse_message_bytes as parse; parse(b'[' * 1_000_000)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1, f"killed by signal {-ran.returncode}"
    assert "PeerError" in ran.stderr


@settings(max_examples=150, deadline=None, derandomize=True)
@given(position=st.integers(0, len(canonical_json(WIRE)) - 1), value=st.integers(0, 255))
def test_one_changed_byte_is_never_accepted(position: int, value: int) -> None:
    data = bytearray(canonical_json(WIRE))
    if data[position] == value:
        return
    data[position] = value
    with pytest.raises(PeerError):
        verify_message(parse_message_bytes(bytes(data)), SCOPE, address(1))
