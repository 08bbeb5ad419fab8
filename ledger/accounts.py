"""Keys: signing, recovery, and keystore files (Web3 secret storage V3, scrypt).

A private key never leaves a `Signer`: not in `repr`, not in logs, not in argv. Passwords come from the
environment or a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_typing import Hash32
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from ledger.errors import BadArgument, BadSignatureBytes, KeystoreLocked, WrongPassword

SCRYPT_N = 2**18  # the default of the format: about a second and 256 MiB
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Signer:
    """A private key that signs transactions and digests. Only the address is ever shown."""

    __slots__ = ("_account", "address")

    def __init__(self, private_key: bytes) -> None:
        """`private_key`: 32 bytes. Raises `BadArgument` (without the key in it) where it is none."""
        try:
            account: LocalAccount = Account.from_key(private_key)
        except Exception:  # noqa: BLE001 - eth_account raises several kinds
            # The original message may quote the key.
            raise BadArgument("not a private key", hint="32 bytes, not zero, below the curve order") from None
        self._account = account
        self.address: str = str(account.address)

    @classmethod
    def from_seed(cls, seed: bytes, label: str) -> Signer:
        """A key derived from a run's seed, for simulation only: whoever knows the seed owns it."""
        counter = 0
        while True:
            material = keccak(b"credence simulation key\0" + seed + b"\0" + label.encode() + counter.to_bytes(4, "big"))
            if 0 < int.from_bytes(material, "big") < _ORDER:
                return cls(material)
            counter += 1  # pragma: no cover - one seed in 2^127

    def sign_transaction(self, transaction: dict[str, Any]) -> bytes:
        """The raw signed transaction, ready to send."""
        return bytes(self._account.sign_transaction(transaction).raw_transaction)

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes r ‖ s ‖ v over a 32-byte digest, low s, v 27 or 28. Deterministic (RFC 6979)."""
        if len(digest) != 32:
            raise BadArgument(f"a digest has {len(digest)} bytes", hint="32 are needed")
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a Signer is not pickled: a key does not leave its process")


def recover(digest: bytes, signature: bytes) -> str:
    """The address that signed `digest`. Raises `BadSignatureBytes` unless r ‖ s ‖ v is canonical (low s, v
    27/28)."""
    if len(digest) != 32 or len(signature) != 65:
        raise BadSignatureBytes(f"got a digest of {len(digest)} and a signature of {len(signature)} bytes")
    v, s = signature[64], int.from_bytes(signature[32:64], "big")
    if v not in (27, 28) or s > _HALF_ORDER:
        raise BadSignatureBytes(f"v is {v}, s is {'high' if s > _HALF_ORDER else 'low'}")
    try:
        public = Signature(signature[:64] + bytes([v - 27])).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError, ValueError) as failure:
        raise BadSignatureBytes("the signature recovers to no key") from failure
    return str(public.to_checksum_address())


def create_key(
    directory: Path | str,
    name: str,
    password: str,
    *,
    private_key: bytes | None = None,
    scrypt_n: int = SCRYPT_N,
) -> Signer:
    """Make a key and write it to `directory/name.json`, mode 0600, atomically; an existing file is never
    replaced.

    `scrypt_n` is the work factor (a power of two; lower it in tests only). Raises `BadArgument` on an
    unusable name, an empty password or an existing file.
    """
    path = _path(directory, name)
    if not password:
        raise BadArgument("the password is empty", hint="choose one")
    key = os.urandom(32) if private_key is None else private_key
    signer = Signer(key)
    keystore = Account.encrypt(key, password, kdf="scrypt", iterations=scrypt_n)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}.")  # mkstemp gives mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(keystore, file)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails where the name is taken, unlike a rename
    except FileExistsError:
        raise BadArgument(f"{path} exists", hint="choose another name; keys are never overwritten") from None
    finally:
        os.unlink(temporary)
    return signer


def load_key(directory: Path | str, name: str, password: str) -> Signer:
    """Open `directory/name.json`. Raises `KeystoreLocked` where there is no such key, `WrongPassword`
    otherwise."""
    path = _path(directory, name)
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KeystoreLocked(
            f"there is no key {name!r} in {path.parent}", hint=f"keys there: {list_keys(directory) or 'none'}"
        ) from None
    except ValueError:
        raise KeystoreLocked(f"{path} is no keystore", hint="restore it from a copy") from None
    try:
        return Signer(bytes(Account.decrypt(keystore, password)))
    except ValueError as failure:
        if "mac" in str(failure).lower():
            raise WrongPassword(f"the password does not open {path}") from None
        raise KeystoreLocked(f"{path} is no keystore of a known kind", hint="use Web3 secret storage V3") from None
    except (KeyError, TypeError, AttributeError):
        raise KeystoreLocked(f"{path} is no keystore", hint="restore it from a copy") from None


def list_keys(directory: Path | str) -> dict[str, str]:
    """Names and addresses of the keystore files in a directory, by name; empty where it does not exist."""
    found: dict[str, str] = {}
    for path in sorted(Path(directory).glob("*.json")):
        # Other files may lie there; a keystore has an address.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found[path.stem] = str(
                to_checksum_address("0x" + json.loads(path.read_text(encoding="utf-8"))["address"].removeprefix("0x"))
            )
    return found


def read_password(env: str = "CREDENCE_PASSWORD", file: Path | str | None = None) -> str:
    """The keystore password, from `file` (first line) or else the environment; never from argv.

    Raises `KeystoreLocked` where neither has one.
    """
    if file is not None:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except OSError as failure:
            raise KeystoreLocked(f"the password file {file} cannot be read: {failure.strerror}") from failure
        password = lines[0] if lines else ""
    else:
        password = os.environ.get(env, "")
    if not password:
        where = f"the password file {file}" if file is not None else f"the variable {env}"
        raise KeystoreLocked(f"{where} is empty")
    return password


def _path(directory: Path | str, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise BadArgument(f"{name!r} is no key name", hint="letters, digits, dot, dash and underscore, 64 at most")
    return Path(directory) / f"{name}.json"
