"""A real node's keys, home folder and funds on a development chain."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ledger import Chain, RpcChain, Signer, create_key, list_keys, load_key, read_password
from node.errors import ConfigError

DEFAULT_HOME = Path(".credence")
GAS_MONEY = 10**18  # wei of the chain's own coin
LOW_GAS_MONEY = 10**16


def ask_password(file: Path | None) -> str:
    """The keystore password: from a file, $CREDENCE_PASSWORD, or the terminal. Never from the command line."""
    if file is not None or os.environ.get("CREDENCE_PASSWORD") is not None:
        return read_password(file=file)
    if not sys.stdin.isatty():
        raise ConfigError("no keystore password", hint="set CREDENCE_PASSWORD or give --password-file FILE")
    return getpass.getpass("keystore password: ")


def own_key(home: Path, name: str, password: str) -> Signer:
    """The key called `name`, created on first use."""
    folder = home / "keys"
    return load_key(folder, name, password) if name in list_keys(folder) else create_key(folder, name, password)


def node_secret(home: Path) -> int:
    """This node's own 63-bit secret, from which its salts derive; made once, readable by its owner only."""
    path = home / "secret"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        temporary = home / ".secret.part"
        temporary.unlink(missing_ok=True)  # a leftover might be readable by others
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(str(int.from_bytes(os.urandom(8), "big") >> 1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    try:
        return int(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is not a node's secret", hint="restore it, or use a new --home") from error


def ensure_gas_money(chain: Chain, address: str) -> None:
    """On a development chain, let its unlocked account pay for gas. Raises ConfigError when the account stays empty."""
    if chain.w3.eth.get_balance(address) >= LOW_GAS_MONEY:  # type: ignore[arg-type]
        return
    try:
        unlocked = chain.w3.eth.accounts
    except Exception as error:
        raise ConfigError(f"{address} has no gas money", hint="send it some of the chain's coin") from error
    if not unlocked:
        raise ConfigError(f"{address} has no gas money", hint="send it some of the chain's coin")
    sent = chain.w3.eth.send_transaction({"from": unlocked[0], "to": address, "value": GAS_MONEY})  # type: ignore[typeddict-item]
    chain.wait(bytes(sent), timeout_s=60)


def require_live(chain: Chain, *, timeout_s: float = 10.0) -> None:
    """Raise ClockStandsStill where no block comes: phases end by the chain's clock alone."""
    if isinstance(chain, RpcChain):
        chain.require_moving_clock(timeout_s)
