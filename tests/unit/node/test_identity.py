"""A real node's password, key, secret and gas money."""

import io
import os
import stat
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger import LedgerError, create_key
from ledger.errors import KeystoreLocked, WrongPassword
from node import identity
from node.errors import ConfigError
from node.identity import GAS_MONEY, LOW_GAS_MONEY, ask_password, ensure_gas_money, node_secret, own_key


class Terminal(io.StringIO):
    """Standard input of somebody who sits there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No password in the environment, nobody at the terminal, cheap key derivation."""
    monkeypatch.delenv("CREDENCE_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(identity, "create_key", partial(create_key, scrypt_n=2**4))


# -- passwords -------------------------------------------------------------------------------------------


def test_a_password_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("from file\nsecond line\n")
    monkeypatch.setenv("CREDENCE_PASSWORD", "from environment")
    assert ask_password(tmp_path / "password") == "from file"
    assert ask_password(None) == "from environment"


def test_the_terminal_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed after {prompt!r}")
    assert ask_password(None) == "typed after 'keystore password: '"


def test_without_a_terminal_the_ways_to_give_one_are_named() -> None:
    with pytest.raises(ConfigError, match="no keystore password") as caught:
        ask_password(None)
    assert "CREDENCE_PASSWORD" in caught.value.hint
    assert "--password-file" in caught.value.hint


def test_an_empty_or_missing_password_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").write_text("")
    for file in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(KeystoreLocked):
            ask_password(file)
    monkeypatch.setenv("CREDENCE_PASSWORD", "")
    with pytest.raises(KeystoreLocked):
        ask_password(None)


# -- keys ------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_opened_afterwards(tmp_path: Path) -> None:
    made = own_key(tmp_path, "alice", "secret")
    assert own_key(tmp_path, "alice", "secret").address == made.address
    assert own_key(tmp_path, "bob", "secret").address != made.address
    with pytest.raises(WrongPassword):
        own_key(tmp_path, "alice", "wrong")
    assert own_key(tmp_path, "alice", "secret").address == made.address


def test_a_damaged_keystore_is_not_replaced(tmp_path: Path) -> None:
    own_key(tmp_path, "alice", "secret")
    path = tmp_path / "keys" / "alice.json"
    path.write_text("{}")
    with pytest.raises(LedgerError):
        own_key(tmp_path, "alice", "secret")
    assert path.read_text() == "{}"


# -- the node's secret -----------------------------------------------------------------------------------


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    secret = node_secret(home)
    assert 0 <= secret < 2**63
    assert node_secret(home) == secret
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]
    assert node_secret(tmp_path / "other") != secret


def test_the_secret_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="killed"):
            node_secret(tmp_path)
    assert not (tmp_path / "secret").exists()
    assert node_secret(tmp_path) == node_secret(tmp_path)


def test_a_readable_leftover_does_not_make_the_secret_readable(tmp_path: Path) -> None:
    leftover = tmp_path / ".secret.part"
    leftover.write_text("old")
    leftover.chmod(0o644)
    node_secret(tmp_path)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "words", "1.5", "0x10"])
def test_a_damaged_secret_is_named_and_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    with pytest.raises(ConfigError, match="is not a node's secret") as caught:
        node_secret(tmp_path)
    assert caught.value.hint
    assert (tmp_path / "secret").read_text() == text


# -- gas money -------------------------------------------------------------------------------------------


class Chain:
    """A chain on which one account may be unlocked."""

    def __init__(self, *, balance: int, accounts: list[str] | Exception) -> None:
        self.sent: list[dict[str, Any]] = []
        self.waited: list[bytes] = []
        chain = self

        class Eth:
            def get_balance(self, address: str) -> int:
                return balance

            @property
            def accounts(self) -> list[str]:
                if isinstance(accounts, Exception):
                    raise accounts
                return accounts

            def send_transaction(self, transaction: dict[str, Any]) -> bytes:
                chain.sent.append(transaction)
                return b"\x01" * 32

        self.w3 = SimpleNamespace(eth=Eth())

    def wait(self, tx_hash: bytes, *, timeout_s: float) -> None:
        self.waited.append(tx_hash)


def fund(chain: Any) -> None:
    ensure_gas_money(chain, "0xNode")


def test_who_has_gas_money_is_left_alone() -> None:
    chain = Chain(balance=LOW_GAS_MONEY, accounts=["0xDev"])
    fund(chain)
    assert chain.sent == []


def test_a_development_chain_pays_and_the_payment_is_waited_for() -> None:
    chain = Chain(balance=LOW_GAS_MONEY - 1, accounts=["0xDev", "0xOther"])
    fund(chain)
    assert chain.sent == [{"from": "0xDev", "to": "0xNode", "value": GAS_MONEY}]
    assert chain.waited == [b"\x01" * 32]


@pytest.mark.parametrize(
    "accounts", [[], ConnectionError("method not allowed"), ValueError("no such method")], ids=repr
)
def test_on_a_real_chain_the_owner_must_send_coin(accounts: list[str] | Exception) -> None:
    with pytest.raises(ConfigError, match="0xNode has no gas money") as caught:
        fund(Chain(balance=0, accounts=accounts))
    assert "send it" in caught.value.hint
