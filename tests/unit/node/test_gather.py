"""From chain and store to what a member verifies: every failure of a trainer is a reason, none stops the round."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import update_commitment
from node.data import Dataset
from node.errors import DataError
from node.message import Scope
from node.probe import key_hash, seal, shard_key
from node.record import MAX_MANIFEST_BYTES, MAX_RECORD_BYTES, Manifest
from node.round.gather import fetch, fetch_record, gather, load_model, open_commitment, open_shard
from node.round.view import Commitment
from node.spec import Artefact, ProbeShard, TaskSpec
from node.verify import Reason, Submission
from storage import (
    CHUNK_BYTES,
    CidMismatch,
    CodecError,
    DiskStore,
    MissingContent,
    StoreUnavailable,
    TooLarge,
    encode,
    from_digest,
)
from tests.support.protocol import (
    GENESIS,
    PARENT,
    PARENT_DIGEST,
    ROUND,
    SALT,
    SCOPE,
    TASK,
    commitment,
    manifest,
    payload,
    tiny_spec,
    update,
)

SPEC = tiny_spec()
GOOD = update(1, 2, 3, 4, 5, 6)
DATA = payload(GOOD, SPEC)


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "store")


def gathered(store: DiskStore, *entries: Commitment, spec: TaskSpec = SPEC) -> list[Submission]:
    return gather(list(entries), store=store, spec=spec, scope=SCOPE, task=TASK, round_=ROUND, parent=PARENT_DIGEST)


def submit(store: DiskStore, node: int = 1, *, data: bytes = DATA, **changes: Any) -> Commitment:
    """Store an update and its manifest, changed in some fields, and commit to it."""
    promised = manifest(node, data, **changes).to_bytes()
    store.put(data)
    store.put(promised)
    return commitment(node, node - 1, promised)


def path_of(store: DiskStore, data: bytes) -> Path:
    artefact = Artefact.of(data)
    cid = from_digest(artefact.digest, artefact.length)
    return store.root / "objects" / cid[-2:] / cid


def flip(store: DiskStore, data: bytes) -> None:
    path = path_of(store, data)
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def reason(store: DiskStore, entry: Commitment, spec: TaskSpec = SPEC) -> Reason:
    """The reason for a rejection, beside an honest submission that must not suffer from it."""
    bad, honest = gathered(store, entry, submit(store, 5, data=payload(GOOD * 2, spec), codec=spec.codec), spec=spec)
    assert (bad.node, bad.slot, bad.order) == (entry.node, entry.slot, entry.order)
    assert (bad.update is None) is (bad.reason is not Reason.ACCEPTED)
    assert honest.reason is Reason.ACCEPTED
    return bad.reason


# -- submissions -----------------------------------------------------------------------------------------


def test_an_honest_submission_arrives_as_its_update(store: DiskStore) -> None:
    first, second = gathered(store, submit(store, 2), submit(store, 1, data=payload(GOOD * 2, SPEC)))
    assert (first.node, first.slot, first.order, first.reason) == (2, 1, 1, Reason.ACCEPTED)
    assert first.update is not None
    assert first.update.tolist() == GOOD.tolist()
    assert second.update is not None
    assert second.update.tolist() == (GOOD * 2).tolist()


def test_without_commitments_there_is_nothing(store: DiskStore) -> None:
    assert gathered(store) == []


def test_a_commit_without_a_reveal_is_unrevealed(store: DiskStore) -> None:
    entry = submit(store)
    assert reason(store, replace(entry, manifest=None, length=0, salt=b"")) is Reason.UNREVEALED


@pytest.mark.parametrize(
    "change", [{"salt": b"\x0b" * 32}, {"commitment": b"\x01" * 32}, {"manifest": b"\x02" * 32}], ids=str
)
def test_a_reveal_that_does_not_open_the_commitment(store: DiskStore, change: dict[str, bytes]) -> None:
    assert reason(store, replace(submit(store), **change)) is Reason.COMMITMENT_MISMATCH


def test_a_copied_commitment_opens_for_its_author_only(store: DiskStore) -> None:
    author = submit(store, 1)
    copied = replace(author, node=2, slot=1, order=1)
    assert reason(store, copied) is Reason.COMMITMENT_MISMATCH
    assert gathered(store, author)[0].reason is Reason.ACCEPTED


@pytest.mark.parametrize(
    ("scope", "task", "round_"),
    [
        (Scope(1, SCOPE.book), TASK, ROUND),
        (Scope(SCOPE.chain_id, "0x" + "cd" * 20), TASK, ROUND),
        (SCOPE, TASK + 1, ROUND),
        (SCOPE, TASK, ROUND + 1),
    ],
)
def test_a_commitment_is_bound_to_chain_contract_task_and_round(scope: Scope, task: int, round_: int) -> None:
    entry = commitment(1, 0, b"manifest")
    assert open_commitment(entry, scope=SCOPE, task=TASK, round_=ROUND) is None
    assert open_commitment(entry, scope=scope, task=task, round_=round_) is Reason.COMMITMENT_MISMATCH


@pytest.mark.parametrize("missing", ["update", "manifest", "both"])
def test_missing_bytes_are_unavailable(store: DiskStore, missing: str) -> None:
    entry = submit(store)
    if missing != "manifest":
        path_of(store, DATA).unlink()
    if missing != "update":
        path_of(store, manifest(1, DATA).to_bytes()).unlink()
    assert reason(store, entry) is Reason.UNAVAILABLE


@pytest.mark.parametrize("damaged", ["update", "manifest"])
def test_a_flipped_byte_on_disk_is_a_wrong_cid(store: DiskStore, damaged: str) -> None:
    entry = submit(store)
    flip(store, DATA if damaged == "update" else manifest(1, DATA).to_bytes())
    assert reason(store, entry) is Reason.WRONG_CID


@pytest.mark.parametrize(
    "change",
    [
        {"task": TASK + 1},
        {"round": ROUND + 1},
        {"node": 2},
        {"codec": "fp16"},
        {"parent": b"\x01" * 32},
        {"parent": b""},
    ],
    ids=str,
)
def test_a_manifest_for_something_else_is_a_bad_manifest(store: DiskStore, change: dict[str, Any]) -> None:
    promised = Manifest(**{**vars(manifest(1, DATA)), **change}).to_bytes()
    store.put(DATA)
    store.put(promised)
    assert reason(store, commitment(1, 0, promised)) is Reason.BAD_MANIFEST


@pytest.mark.parametrize(("rate", "origin"), [("0.1", None), ("0", b"\x0c" * 32)])
def test_an_origin_is_there_in_a_task_with_canaries_and_nowhere_else(
    store: DiskStore, rate: str, origin: bytes | None
) -> None:
    spec, other = tiny_spec(canary_rate=rate), tiny_spec(canary_rate="0" if rate != "0" else "0.1")
    entry = submit(store, origin=origin)
    assert gathered(store, entry, spec=spec)[0].reason is Reason.BAD_MANIFEST
    assert gathered(store, entry, spec=other)[0].reason is Reason.ACCEPTED


@pytest.mark.parametrize("promised", [b"", b"garbage", b"{}", b"[" * 1_000, manifest(1, DATA).to_bytes() + b" "])
def test_a_manifest_that_cannot_be_read_is_a_bad_manifest(store: DiskStore, promised: bytes) -> None:
    store.put(promised)
    assert reason(store, commitment(1, 0, promised)) is Reason.BAD_MANIFEST


def test_a_manifest_that_is_too_long_is_not_even_fetched(store: DiskStore) -> None:
    long = b" " * (MAX_MANIFEST_BYTES + 1)
    assert reason(store, commitment(1, 0, long)) is Reason.BAD_MANIFEST


def test_bytes_longer_than_announced_are_oversized(store: DiskStore) -> None:
    entry = submit(store)
    assert reason(store, replace(entry, length=entry.length - 1)) is Reason.OVERSIZED
    short = replace(manifest(1, DATA), update=Artefact(Artefact.of(DATA).digest, len(DATA) - 1)).to_bytes()
    store.put(short)
    assert reason(store, commitment(1, 0, short)) is Reason.OVERSIZED


def test_an_update_larger_than_the_task_allows_is_oversized_unread(store: DiskStore) -> None:
    limit = SPEC.max_update_bytes
    huge = replace(manifest(1, DATA), update=Artefact(b"\x01" * 32, limit + 1)).to_bytes()
    largest = replace(manifest(1, DATA), update=Artefact(b"\x01" * 32, limit)).to_bytes()
    store.put(huge)
    store.put(largest)
    assert reason(store, commitment(1, 0, huge)) is Reason.OVERSIZED
    assert reason(store, commitment(1, 0, largest)) is Reason.UNAVAILABLE


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (DATA[:-1], Reason.TRUNCATED),
        (DATA + b"x", Reason.MALFORMED),
        (encode({"weight": np.full((2, 3), np.nan, np.float32)}), Reason.NON_FINITE),
        (encode({"weight": np.ones((3, 2), np.float32)}), Reason.WRONG_SHAPE),
        (encode({"weight": np.ones((2, 3), np.float64)}), Reason.WRONG_DTYPE),
        (encode({"other": np.ones((2, 3), np.float32)}), Reason.WRONG_NAMES),
        (b"", Reason.TRUNCATED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_bytes_that_do_not_decode_keep_the_codec_s_reason(store: DiskStore, data: bytes, expected: Reason) -> None:
    assert reason(store, submit(store, data=data)) is expected


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_manifest_stops_the_round(store: DiskStore, data: st.DataObject) -> None:
    promised = bytearray(manifest(1, DATA).to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        promised[data.draw(st.integers(0, len(promised) - 1))] = data.draw(st.integers(32, 126))
    store.put(bytes(promised))
    unchanged = bytes(promised) == manifest(1, DATA).to_bytes()
    store.put(DATA)
    assert (reason(store, commitment(1, 0, bytes(promised))) is Reason.ACCEPTED) == unchanged


def test_a_store_that_is_down_stops_the_round_and_blames_nobody(
    store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = submit(store)

    def down(*_: object, **__: object) -> bytes:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(DiskStore, "get", down)
    with pytest.raises(StoreUnavailable):
        gathered(store, entry)


# -- artefacts and records -------------------------------------------------------------------------------


def test_fetch_returns_what_hashes_to_the_artefact(store: DiskStore) -> None:
    store.put(b"content")
    assert fetch(store, Artefact.of(b"content")) == b"content"
    with pytest.raises(MissingContent):
        fetch(store, Artefact.of(b"other"))
    with pytest.raises(TooLarge):
        fetch(store, replace(Artefact.of(b"content"), length=6))
    flip(store, b"content")
    with pytest.raises(CidMismatch):
        fetch(store, Artefact.of(b"content"))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_a_record_is_found_by_its_digest_alone(store: DiskStore, size: int) -> None:
    data = bytes(size)
    store.put(data)
    assert fetch_record(store, Artefact.of(data).digest) == data


def test_a_record_that_is_missing_or_too_large(store: DiskStore) -> None:
    with pytest.raises(MissingContent):
        fetch_record(store, b"\x01" * 32)
    huge = bytes(MAX_RECORD_BYTES + 1)
    store.put(huge)
    with pytest.raises(TooLarge):
        fetch_record(store, Artefact.of(huge).digest)


# -- the probe shard -------------------------------------------------------------------------------------

KEY = shard_key(b"owner's secret", 1)
X = np.arange(24, dtype=np.float32).reshape(8, 3)
Y = np.array([0, 1] * 4, dtype=np.int64)


def sealed(store: DiskStore, plain: bytes, *, key: bytes = KEY, promise: bytes | None = None) -> TaskSpec:
    """A task whose first shard holds `plain`."""
    data = seal(plain, key)
    store.put(data)
    shard = ProbeShard(Artefact.of(data), promise or key_hash(key))
    return tiny_spec(probe=(shard,), probe_shard=8, probe_batch=4)


def test_a_shard_opens_with_its_key(store: DiskStore) -> None:
    found = open_shard(store, sealed(store, encode({"x": X, "y": Y})), 1, KEY)
    assert isinstance(found, Dataset)
    assert (found.x.tolist(), found.y.tolist(), found.classes) == (X.tolist(), Y.tolist(), 2)


def test_another_key_than_the_promised_one_is_refused(store: DiskStore) -> None:
    spec = sealed(store, encode({"x": X, "y": Y}))
    with pytest.raises(DataError, match="round 1 is not the one committed to") as caught:
        open_shard(store, spec, 1, shard_key(b"owner's secret", 2))
    assert "skipped" in caught.value.hint


def test_a_promised_key_that_does_not_open_the_shard_is_the_owner_s_fault(store: DiskStore) -> None:
    spec = sealed(store, encode({"x": X, "y": Y}), promise=key_hash(b"\x01" * 32))
    with pytest.raises(DataError, match="does not open"):
        open_shard(store, spec, 1, b"\x01" * 32)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"garbage",
        encode({"x": X}),
        encode({"x": X, "y": Y, "z": Y}),
        encode({"x": X[:7], "y": Y[:7]}),
        encode({"x": X.astype(np.float64), "y": Y}),
        encode({"x": X, "y": Y.astype(np.int32)}),
        encode({"x": np.full_like(X, np.nan), "y": Y}),
        encode({"x": X, "y": Y + 1}),
        encode({"x": X, "y": Y - 1}),
    ],
    ids=range(10),
)
def test_a_shard_of_other_content_is_the_owner_s_fault(store: DiskStore, plain: bytes) -> None:
    with pytest.raises(DataError):
        open_shard(store, sealed(store, plain), 1, KEY)


def test_a_damaged_or_missing_shard_is_the_store_s_fault(store: DiskStore) -> None:
    plain = encode({"x": X, "y": Y})
    spec = sealed(store, plain)
    flip(store, seal(plain, KEY))
    with pytest.raises(CidMismatch):
        open_shard(store, spec, 1, KEY)
    path_of(store, seal(plain, KEY)).unlink()
    with pytest.raises(MissingContent):
        open_shard(store, spec, 1, KEY)


# -- models ----------------------------------------------------------------------------------------------


def test_a_model_is_found_by_its_digest(store: DiskStore) -> None:
    store.put(GENESIS)
    assert load_model(store, SPEC, PARENT_DIGEST)["weight"].tolist() == PARENT["weight"].tolist()
    with pytest.raises(MissingContent):
        load_model(store, SPEC, b"\x01" * 32)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (encode({"weight": np.full((2, 3), np.inf, np.float32)}), CodecError),
        (encode({"weight": np.ones((3, 2), np.float32)}), CodecError),
        (GENESIS + b"x", TooLarge),
    ],
)
def test_a_model_that_does_not_fit_the_task_is_refused(store: DiskStore, data: bytes, error: type[Exception]) -> None:
    store.put(data)
    with pytest.raises(error):
        load_model(store, SPEC, Artefact.of(data).digest)


def test_commitments_of_the_tests_are_those_of_the_contract(store: DiskStore) -> None:
    """The builder's default equals what `RoundBook` computes, or every test above would test the builder."""
    built: Callable[..., bytes] = update_commitment
    expected = built(
        chain_id=SCOPE.chain_id,
        book=SCOPE.book,
        task=TASK,
        round=ROUND,
        node=1,
        manifest=Artefact.of(DATA).digest,
        salt=SALT,
    )
    assert commitment(1, 0, DATA).commitment == expected
