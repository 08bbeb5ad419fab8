"""Every error has a code, a hint and one sentence; every custom error of every ABI has its class."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger import contract_errors, errors
from ledger.abi import CONTRACTS, Coder, artefact, decode_error
from ledger.contract_errors import ContractError, class_of
from ledger.errors import LedgerError, TransactionFailed

_ENTRIES = [entry for name in CONTRACTS for entry in artefact(name)["abi"] if entry["type"] == "error"]
# By selector: contracts may name the arguments of one error differently, and two errors may share a name.
ABI_ERRORS = {f"{entry['name']}({','.join(part['type'] for part in entry['inputs'])})": entry for entry in _ENTRIES}
SAMPLE = {"uint8": 1, "address": "0x" + "ab" * 20, "bytes32": b"quorum".ljust(32, b"\0"), "string": "text"}


def _classes(module: ModuleType) -> list[type[LedgerError]]:
    found = [entry for _, entry in inspect.getmembers(module, inspect.isclass)]
    return [entry for entry in found if issubclass(entry, LedgerError) and entry.__module__ == module.__name__]


@pytest.mark.parametrize("signature", sorted(ABI_ERRORS))
def test_every_custom_error_has_its_class_and_a_sentence(signature: str) -> None:
    entry = ABI_ERRORS[signature]
    name = entry["name"]
    assert class_of(name) is getattr(contract_errors, name)
    coder = Coder(entry["inputs"])
    values = [SAMPLE.get(kind, 3) for kind in coder.types]
    data = keccak(text=signature)[:4] + encode(coder.types, values)
    error = decode_error(data, what="call", tx_hash=b"\1" * 32)
    assert type(error) is getattr(contract_errors, name)
    assert isinstance(error, ContractError)
    assert (error.name, error.tx_hash) == (name, b"\1" * 32)
    spellings = [[part["name"] for part in other["inputs"]] for other in _ENTRIES if other["name"] == name]
    assert list(error.args_by_name) in spellings
    assert len(error.args_by_name) == len(values)
    assert error.hint
    assert name in str(error)
    assert "{" not in str(error)


def test_every_class_is_an_error_that_some_contract_has() -> None:
    assert {kind.__name__ for kind in _classes(contract_errors)} - {"ContractError"} == {e["name"] for e in _ENTRIES}


def test_codes_are_unique_and_documented() -> None:
    classes = _classes(errors) + _classes(contract_errors)
    codes = [entry.code for entry in classes]
    assert len(set(codes)) == len(codes)
    assert all(entry.__doc__ for entry in classes)


def test_natural_built_ins_are_bases() -> None:
    for error, base in (
        (errors.ChainUnavailable, ConnectionError),
        (errors.TransactionTimeout, TimeoutError),
        (errors.ClockStandsStill, TimeoutError),
        (errors.BadArgument, ValueError),
        (errors.WrongPassword, errors.KeystoreLocked),
        (errors.OutOfGas, errors.TransactionFailed),
    ):
        assert issubclass(error, base)
        assert issubclass(error, LedgerError)


def test_other_reverts_are_shown() -> None:
    text = decode_error(bytes.fromhex("08c379a0") + encode(["string"], ["too late"]), what="post")
    assert "post reverted: too late" in str(text)
    panic = decode_error(bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), what="post")
    assert isinstance(panic, ContractError)
    assert panic.args_by_name["code"] == 0x11
    for data in (b"", b"\1\2\3\4", bytes.fromhex("08c379a0") + b"\1"):
        plain = decode_error(data, what="post")
        assert type(plain) is TransactionFailed
        assert (data.hex() or "no data") in str(plain)
    assert class_of("LedgerError") is ContractError
    assert class_of("Nonsense") is ContractError


def test_an_error_names_block_and_artefact() -> None:
    error = errors.ArchiveCorrupt("wrong", block=7, artefact="transaction 0")
    assert (error.block, error.artefact) == (7, "transaction 0")
    assert str(error).startswith("block 7, transaction 0: wrong (")
    assert str(LedgerError("plain")) == "plain"
    assert str(LedgerError("plain", hint="do it")) == "plain (do it)"
