"""Calls, results, events and custom errors of the contracts, from the committed ABIs, to and from the
dataclasses.

Coders are built once a process. Structs become the dataclasses of `ledger.types`, enums their `IntEnum`s,
addresses checksum strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_checksum_address

from ledger import types
from ledger.contract_errors import ContractError, class_of
from ledger.errors import BadArgument, NotCompiled, TransactionFailed
from ledger.hashing import keccak
from ledger.report import unpack_committee
from ledger.types import Event, RawLog

BUILD = Path(__file__).resolve().parent.parent / "contracts" / "build"
CONTRACTS = (
    "RoundBook", "StakeVault", "ReputationBook", "Rewards", "Disputes", "HashChainSeed", "TrainingDisputes", "DevToken",
)  # fmt: skip

_STRUCTS: dict[str, type[Any]] = {
    "TaskParams": types.TaskParams,
    "Task": types.StoredTask,
    "Live": types.Live,
    "Vote": types.Vote,
    "Report": types.Report,
    "Settled": types.Settled,
    "RootState": types.RootState,
    "Accused": types.Accused,
    "WordProof": types.WordProof,
    "PayProof": types.PayProof,
    "Node": types.NodeInfo,
    "Training": types.Training,
    "Border": types.Border,
    "Dispute": types.TrainingDispute,
}
_ENUMS: dict[str, Callable[[int], int]] = {
    "Role": types.Role,
    "Phase": types.Phase,
    "Kind": types.DemandKind,
    "Turn": types.DisputeTurn,
    "Outcome": types.DisputeOutcome,
}
_ERROR_STRING, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")


@cache
def artefact(name: str) -> dict[str, Any]:
    """The compiled contract `name`: abi, bytecode, deployedBytecode. Raises `NotCompiled` where it is
    missing."""
    path = BUILD / f"{name}.json"
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotCompiled(f"{path} is missing") from None
    return loaded


def to_snake(name: str) -> str:
    """camelCase to snake_case, as the dataclasses name the contracts' fields."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _type_of(component: dict[str, Any]) -> str:
    kind: str = component["type"]
    if kind.startswith("tuple"):
        parts = ",".join(map(_type_of, component["components"]))
        return f"({parts}){kind.removeprefix('tuple')}"
    return kind


def _plain(value: Any) -> Any:
    """A dataclass as a tuple of its fields, at any depth, as the encoder wants it."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_plain(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _typed(component: dict[str, Any], value: Any) -> Any:
    """A decoded value as our types; `component` is its ABI entry."""
    kind: str = component["type"]
    if kind.endswith("]"):
        item = {**component, "type": kind[: kind.rindex("[")]}
        return tuple(_typed(item, entry) for entry in value)
    internal = component.get("internalType", "").split(" ")[-1].split(".")[-1].rstrip("[]")
    if kind == "tuple":
        parts = component["components"]
        named = {part["name"]: _typed(part, entry) for part, entry in zip(parts, value, strict=True)}
        struct = _STRUCTS.get(internal)
        return struct(**{to_snake(name): entry for name, entry in named.items()}) if struct else named
    if kind == "address":
        return str(to_checksum_address(value))
    if "enum " in component.get("internalType", "") and internal in _ENUMS:
        return _ENUMS[internal](value)
    return value


class Coder:
    """Encodes and decodes one list of ABI parameters."""

    def __init__(self, components: Sequence[dict[str, Any]]) -> None:
        self.components = components
        self.types = [_type_of(component) for component in components]
        self.names = [component["name"] for component in components]

    def encode(self, values: Sequence[Any]) -> bytes:
        """ABI bytes of `values`. Raises `BadArgument` naming what does not fit."""
        try:
            return encode(self.types, [_plain(value) for value in values])
        except (EncodingError, TypeError, ValueError, OverflowError) as failure:
            raise BadArgument(f"arguments do not fit {self.names}: {failure}") from failure

    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Our types from ABI bytes. Raises `eth_abi`'s `DecodingError` on other data."""
        values = decode(self.types, data)
        return tuple(_typed(part, value) for part, value in zip(self.components, values, strict=True))


@dataclass(frozen=True)
class Function:
    """A contract function's selector and coders."""

    name: str
    selector: bytes
    inputs: Coder
    outputs: Coder


@dataclass(frozen=True)
class EventType:
    """An event's topic and coders; `indexed` are the parameters that stand in topics 1.. ."""

    name: str
    topic: bytes
    indexed: Coder
    data: Coder


@dataclass(frozen=True)
class ErrorType:
    """A custom error's coder."""

    name: str
    inputs: Coder


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(map(_type_of, entry['inputs']))})"


class Interface:
    """The functions, events and constructor of one contract, by name (the contracts overload nothing)."""

    def __init__(self, abi: Iterable[dict[str, Any]]) -> None:
        self.functions: dict[str, Function] = {}
        self.events: dict[str, EventType] = {}
        self.constructor = Coder([])
        for entry in abi:
            if entry["type"] == "function":
                selector = keccak(_signature(entry).encode())[:4]
                inputs, outputs = Coder(entry["inputs"]), Coder(entry["outputs"])
                self.functions[entry["name"]] = Function(entry["name"], selector, inputs, outputs)
            elif entry["type"] == "event":
                indexed = Coder([part for part in entry["inputs"] if part["indexed"]])
                data = Coder([part for part in entry["inputs"] if not part["indexed"]])
                self.events[entry["name"]] = EventType(entry["name"], keccak(_signature(entry).encode()), indexed, data)
            elif entry["type"] == "constructor":
                self.constructor = Coder(entry["inputs"])


@cache
def interface(name: str) -> Interface:
    """The interface of the compiled contract `name`."""
    return Interface(artefact(name)["abi"])


@cache
def _events() -> dict[bytes, EventType]:
    return {event.topic: event for name in CONTRACTS for event in interface(name).events.values()}


@cache
def _errors() -> dict[bytes, ErrorType]:
    """Custom errors by selector; where contracts name an error's arguments differently, the first's names."""
    found: dict[bytes, ErrorType] = {}
    for name in CONTRACTS:
        for entry in artefact(name)["abi"]:
            if entry["type"] == "error":
                selector = keccak(_signature(entry).encode())[:4]
                found.setdefault(selector, ErrorType(entry["name"], Coder(entry["inputs"])))
    return found


@cache
def method_names() -> dict[bytes, str]:
    """Function names by selector, over all contracts."""
    return {call.selector: call.name for name in CONTRACTS for call in interface(name).functions.values()}


@dataclass(frozen=True)
class Call:
    """A contract function with its arguments: what `Transmitter.send` sends and `Chain.call` evaluates."""

    address: str
    function: Function
    args: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.name

    @property
    def data(self) -> bytes:
        """The call data."""
        return self.function.selector + self.function.inputs.encode(self.args)

    def decode(self, output: bytes) -> Any:
        """The result: one value, or a tuple where the function returns several."""
        try:
            values = self.function.outputs.decode(output)
        except DecodingError as failure:
            raise TransactionFailed(
                f"{self.name} at {self.address} returned {len(output)} bytes that do not decode",
                hint="the contract there is not the one expected: check the deployment",
            ) from failure
        return values[0] if len(values) == 1 else values


class Contract:
    """A deployed contract: makes `Call`s and topic filters."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.interface = interface(name)

    def call(self, function: str, *args: Any) -> Call:
        """The call of `function` with `args`; encoding happens at `.data`."""
        return Call(self.address, self.interface.functions[function], args)

    def topics(self, event: str, **indexed: int | None) -> list[bytes | None]:
        """A topic filter for `event`; indexed integers by parameter name, absent = any."""
        kind = self.interface.events[event]
        values = [indexed.pop(name, None) for name in kind.indexed.names]
        if indexed:
            raise BadArgument(f"{event} has no indexed {sorted(indexed)}", hint=f"it has {kind.indexed.names}")
        topics = [kind.topic, *(None if v is None else int(v).to_bytes(32, "big") for v in values)]
        while topics[-1] is None:
            topics.pop()
        return topics


def decode_log(log: RawLog) -> Event | None:
    """The event in a log, or None where it is none of ours."""
    kind = _events().get(log.topics[0]) if log.topics else None
    if kind is None or len(log.topics) != 1 + len(kind.indexed.types):
        return None
    try:
        indexed = kind.indexed.decode(b"".join(log.topics[1:]))
        rest = kind.data.decode(log.data)
    except DecodingError:
        return None  # another contract's event with our signature and other indexing
    args = {
        **dict(zip(kind.indexed.names, indexed, strict=True)),
        **dict(zip(kind.data.names, rest, strict=True)),
    }
    if kind.name == "CommitteeDrawn":
        try:
            args["seats"] = unpack_committee(args["committee"])
        except BadArgument:
            return None  # no contract of ours packs seats like that
    return Event(kind.name, args, log.block_number, log.log_index, log.tx_hash, log.address)


def decode_error(data: bytes, *, what: str, tx_hash: bytes | None = None) -> TransactionFailed:
    """The typed error in revert data; `what` names the call for errors without a name."""
    selector, body = bytes(data[:4]), bytes(data[4:])
    kind = _errors().get(selector)
    try:
        if kind is not None:
            args = dict(zip(kind.inputs.names, kind.inputs.decode(body), strict=True))
            return class_of(kind.name)(kind.name, args, tx_hash=tx_hash)
        if selector == _ERROR_STRING:
            (text,) = decode(["string"], body)
            return TransactionFailed(f"{what} reverted: {text}", tx_hash=tx_hash)
        if selector == _PANIC:
            (number,) = decode(["uint256"], body)
            return ContractError("Panic", {"code": number, "call": what}, tx_hash=tx_hash)
    except DecodingError:
        pass  # falls through to the undecoded form, which shows the data
    shown = "0x" + data.hex() if data else "no data"
    return TransactionFailed(
        f"{what} reverted with {shown}", hint="check that the deployment is of this version", tx_hash=tx_hash
    )
