"""Keys and keystores: nothing leaks, nothing is overwritten, a wrong password is named."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import pytest
from eth_account import Account

from ledger import Signer, create_key, list_keys, load_key, read_password, recover
from ledger.errors import BadArgument, BadSignatureBytes, KeystoreLocked, WrongPassword

FAST = 2**4
KEY = bytes(range(1, 33))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_a_signer_shows_its_address_only() -> None:
    signer = Signer(KEY)
    assert repr(signer) == f"Signer({signer.address})"
    assert KEY.hex() not in str(signer) + repr(signer)
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(signer)


@pytest.mark.parametrize("key", [b"", b"\0" * 32, b"\xff" * 32, KEY + b"\1"])
def test_what_is_no_key_is_refused_without_quoting_it(key: bytes) -> None:
    with pytest.raises(BadArgument) as caught:
        Signer(key)
    assert caught.value.__cause__ is None
    assert key.hex() not in str(caught.value) or not key


def test_signing_is_deterministic_and_recovers() -> None:
    signer = Signer.from_seed(b"seed", "node 1")
    assert signer.address == Signer.from_seed(b"seed", "node 1").address
    assert signer.address != Signer.from_seed(b"seed", "node 2").address
    signature = signer.sign_digest(b"\7" * 32)
    assert signature == signer.sign_digest(b"\7" * 32)
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert recover(b"\7" * 32, signature) == signer.address
    assert recover(b"\x08" * 32, signature) != signer.address
    with pytest.raises(BadArgument, match="31 bytes"):
        signer.sign_digest(b"\7" * 31)


def test_a_signature_has_one_form() -> None:
    signature = Signer(KEY).sign_digest(b"\7" * 32)
    high_s = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + high_s.to_bytes(32, "big") + bytes([55 - signature[64]])
    for bad in (twin, signature[:64], signature[:64] + b"\0", signature + b"\0", b"\0" * 64 + b"\x1b"):
        with pytest.raises(BadSignatureBytes):
            recover(b"\7" * 32, bad)


def test_a_key_file_is_private_and_opens_with_its_password(tmp_path: Path) -> None:
    created = create_key(tmp_path / "keys", "alice", "secret", scrypt_n=FAST)
    path = tmp_path / "keys" / "alice.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["alice.json"]
    assert json.loads(path.read_text())["version"] == 3
    assert load_key(tmp_path / "keys", "alice", "secret").address == created.address
    assert list_keys(tmp_path / "keys") == {"alice": created.address}
    assert bytes(Account.decrypt(path.read_text(), "secret"))  # other wallets read it
    with pytest.raises(WrongPassword, match="alice"):
        load_key(tmp_path / "keys", "alice", "Secret")


def test_a_given_key_is_kept(tmp_path: Path) -> None:
    assert create_key(tmp_path, "k", "p", private_key=KEY, scrypt_n=FAST).address == Signer(KEY).address


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = create_key(tmp_path, "alice", "secret", scrypt_n=FAST)
    with pytest.raises(BadArgument, match="exists"):
        create_key(tmp_path, "alice", "other", scrypt_n=FAST)
    assert load_key(tmp_path, "alice", "secret").address == first.address
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_key_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadArgument, match="key name"):
        create_key(tmp_path, name, "secret", scrypt_n=FAST)


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadArgument, match="password is empty"):
        create_key(tmp_path, "alice", "", scrypt_n=FAST)
    assert list_keys(tmp_path / "nowhere") == {}
    with pytest.raises(KeystoreLocked, match="bob"):
        load_key(tmp_path, "bob", "secret")
    for name, text in (("a", "no json"), ("b", "[]"), ("c", "{}"), ("d", '{"version":3,"crypto":{}}')):
        (tmp_path / f"{name}.json").write_text(text)
        with pytest.raises(KeystoreLocked):
            load_key(tmp_path, name, "secret")
    assert list_keys(tmp_path) == {}


def test_the_password_comes_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENCE_PASSWORD", raising=False)
    with pytest.raises(KeystoreLocked, match="CREDENCE_PASSWORD"):
        read_password()
    monkeypatch.setenv("CREDENCE_PASSWORD", "from env")
    assert read_password() == "from env"
    path = tmp_path / "password"
    path.write_text("from file\nsecond line\n")
    assert read_password(file=path) == "from file"
    path.write_text("")
    with pytest.raises(KeystoreLocked, match="empty"):
        read_password(file=path)
    with pytest.raises(KeystoreLocked, match="cannot be read"):
        read_password(file=tmp_path / "none")
