"""A collector's bundle: bytes that come back exactly, leaves that are proved at their place, nothing else."""

from __future__ import annotations

import hashlib

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import Bundle, TaskParams, bundle_counts, decode_bundle, verify_leaf
from ledger.collect import MAX_LEAF_BYTES
from ledger.errors import BadArgument
from ledger.tree import tree_root
from ledger.types import Event

LEAVES = st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=20)


@given(LEAVES, st.data())
def test_a_bundle_comes_back_and_every_leaf_is_proved(leaves: list[bytes], data: st.DataObject) -> None:
    bundle = Bundle(tuple(leaves))
    assert bundle.root == tree_root([int.from_bytes(keccak(leaf), "big") for leaf in leaves])
    assert bundle.data == hashlib.sha256(bundle.encoded).digest()
    assert decode_bundle(bundle.encoded, root=bundle.root, count=len(leaves)) == bundle
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = bundle.proof(index)
    assert verify_leaf(leaves[index], index, bundle.count, proof, bundle.root)
    assert not verify_leaf(leaves[index] + b"\0", index, bundle.count, proof, bundle.root)
    assert not verify_leaf(leaves[index], bundle.count, bundle.count, proof, bundle.root)
    for other in range(len(leaves)):
        if leaves[other] != leaves[index]:
            assert not verify_leaf(leaves[index], other, bundle.count, proof, bundle.root)


@given(LEAVES, st.data())
def test_no_other_bytes_are_a_bundle(leaves: list[bytes], data: st.DataObject) -> None:
    encoded = Bundle(tuple(leaves)).encoded
    for wrong in (
        encoded + b"\0",
        encoded[:-1],
        b"",
        b"x" + encoded[1:],
        encoded[: data.draw(st.integers(0, len(encoded) - 1))],
    ):
        with pytest.raises(BadArgument):
            decode_bundle(wrong)


def test_another_bundle_than_the_logged_one_is_refused() -> None:
    bundle, other = Bundle((b"a", b"b")), Bundle((b"b", b"a"))
    assert bundle.root != other.root
    with pytest.raises(BadArgument, match="logged"):
        decode_bundle(other.encoded, root=bundle.root)
    with pytest.raises(BadArgument, match="logged"):
        decode_bundle(other.encoded, count=3)


def test_sizes_are_bounded_before_anything_is_read() -> None:
    for leaves in ((), (b"",), (b"x" * (MAX_LEAF_BYTES + 1),)):
        with pytest.raises(BadArgument):
            Bundle(leaves)
    head = Bundle((b"a",)).encoded[:-5]
    for count, rest in ((2**32 - 1, b""), (1, b"\xff\xff\xff\xff" + b"a"), (2, b"\0\0\0\1a\0\0"), (0, b"")):
        with pytest.raises(BadArgument):
            decode_bundle(head[:-4] + count.to_bytes(4, "big") + rest)
    with pytest.raises(BadArgument, match="leaf 1"):
        Bundle((b"a",)).proof(1)


PARAMS = TaskParams(
    spec_digest=b"\1" * 32, genesis_model=b"\2" * 32, probe_root=b"\3" * 32, starts_at=1_000, commit_s=10, reveal_s=10,
    post_s=10, window_s=10, attempt_s=5, rounds=3, seats=1, quorum=1, trainer_pool=0, verifier_pool=0, slash=0,
)  # fmt: skip


def _log(name: str, *, block: int = 7, index: int = 0, tx: bytes = b"tx", **args: object) -> Event:
    return Event(name, {"round": 2, **args}, block, index, tx, "")


@pytest.mark.parametrize(
    ("reveals", "time", "counts"),
    [
        (False, 1_039, False), (False, 1_040, True), (False, 1_049, True), (False, 1_050, False),
        (True, 1_049, False), (True, 1_050, True), (True, 1_059, True), (True, 1_060, True),
        (True, 1_069, True), (True, 1_070, False), (False, 1_000, False),
    ],
)  # fmt: skip
def test_a_bundle_counts_in_its_phase_alone(reveals: bool, time: int, counts: bool) -> None:
    assert bundle_counts(PARAMS, _log("Collected", reveals=reveals), time=time, armed=None) == counts


def test_a_late_bundle_of_reveals_counts_until_the_beacon_is_armed() -> None:
    armed = _log("BeaconArmed", block=7, index=3, tx=b"arm")
    for block, index, tx, counts in (
        (6, 9, b"a", True), (7, 2, b"a", True), (7, 2, b"arm", True), (7, 4, b"arm", True), (7, 4, b"a", False),
        (8, 0, b"a", False),
    ):  # fmt: skip
        event = _log("Collected", block=block, index=index, tx=tx, reveals=True)
        assert bundle_counts(PARAMS, event, time=1_065, armed=armed) == counts
        assert bundle_counts(PARAMS, event, time=1_055, armed=armed)  # in REVEAL the beacon says nothing
