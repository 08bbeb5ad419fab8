"""The user's ``--store`` becomes a store, or an error that helps; errors keep their promises."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from storage import errors
from storage.disk import DiskStore
from storage.errors import CodecError, Reject, StorageError, UnknownStore
from storage.ipfs import IpfsStore
from storage.store import open_store


def test_disk_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain = open_store("disk", root=tmp_path / "given")
    assert isinstance(plain, DiskStore)
    assert plain.root == tmp_path / "given"
    named = open_store(f"disk:{tmp_path}/with:colon", root=tmp_path / "unused")
    assert isinstance(named, DiskStore)
    assert named.root == tmp_path / "with:colon"
    assert "with:colon" in named.describe()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert (home := open_store("disk:~/kept")).describe() == f"disk store at {tmp_path}/kept", home
    default = open_store("disk")
    assert isinstance(default, DiskStore)
    assert (tmp_path / ".credence" / "store").is_dir()


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("http://127.0.0.1:5001", "http://127.0.0.1:5001"),
        ("http://127.0.0.1:5001/", "http://127.0.0.1:5001"),
        ("http://127.0.0.1:5001/api/v0", "http://127.0.0.1:5001"),
        ("http://localhost", "http://localhost:5001"),
        ("https://ipfs.example", "https://ipfs.example:443"),
        ("http://[::1]:5001", "http://[::1]:5001"),
        ("https://me:se%20cret@ipfs.example:8443", "https://ipfs.example:8443"),
        ("/ip4/127.0.0.1/tcp/5001", "/ip4/127.0.0.1/tcp/5001"),
        ("/dns/localhost/tcp/5001/https", "/dns/localhost/tcp/5001/https"),
    ],
)
def test_daemon_specs_are_opened_without_a_call(spec: str, shown: str) -> None:
    with open_store(spec, timeout_s=1) as store:
        assert isinstance(store, IpfsStore)
        assert store.describe() == f"IPFS daemon at {shown}"
        assert store.timeout_s == 1


@pytest.mark.parametrize(
    ("spec", "guess"),
    [
        ("dsk", "'disk'"),
        ("disc", "'disk'"),
        ("disk:", "'disk'"),
        ("htp://127.0.0.1:5001", "'http://"),
        ("127.0.0.1:5001", "'http://"),
        ("", None),
    ],
)
def test_unknown_specs_list_the_valid_ones(spec: str, guess: str | None) -> None:
    with pytest.raises(UnknownStore) as caught:
        open_store(spec)
    said = str(caught.value)
    assert repr(spec) in said
    assert "disk:PATH" in said
    assert "/ip4/127.0.0.1/tcp/5001" in said
    if guess:
        assert f"did you mean {guess}" in said


@pytest.mark.parametrize(
    "spec",
    [
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://host/other",
        "/ip4/nowhere",
        "/ip4/1.2.3.4",
        "/",
    ],
)
def test_bad_addresses_show_good_ones(spec: str) -> None:
    with pytest.raises(UnknownStore, match=r"127\.0\.0\.1:5001"):
        open_store(spec)


def test_every_error_keeps_text_hint_and_code_across_processes() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StorageError)]
    assert len(kinds) == 9
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        error = kind("the value 'x' is wrong", "pass another")
        assert str(error) == "the value 'x' is wrong; pass another"
        # Worker processes of a simulation send errors this way; nothing received from a network is unpickled.
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.hint) == (kind, str(error), "pass another")
    assert str(StorageError("alone")) == "alone"


def test_reasons_are_stable() -> None:
    copy = pickle.loads(pickle.dumps(CodecError("p", "h", reason=Reject.NON_FINITE)))
    assert copy.reason == "non_finite"
    assert {reason.value for reason in Reject} == {
        "truncated",
        "oversized",
        "wrong_names",
        "wrong_shape",
        "wrong_dtype",
        "non_finite",
        "malformed",
    }
