"""Safe encodings: tensors in the safetensors container, signed records in canonical JSON.

Received bytes are hostile until decoded. Every size, name, dtype, shape and offset is compared with what the
caller expects before memory for tensors is allocated, and nothing is ever unpickled. Format: the safetensors
specification (8-byte little-endian header length, JSON header, data without gaps).
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from storage.errors import CodecError, Reject

Tensor = npt.NDArray[Any]
Json = int | str | bool | list["Json"] | dict[str, "Json"]

_TAGS = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "float16": "F16",
    "uint32": "U32",
    "int32": "I32",
    "float32": "F32",
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
}
_LENGTH = struct.Struct("<Q")
_MAX_DEPTH = 64
_RESERVED = "__metadata__"
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What one tensor must be: ``dtype`` is numpy's name (``"float32"``), ``shape`` may be ``()``."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in _TAGS:
            _reject(Reject.WRONG_DTYPE, f"tensor {self.name!r} has dtype {self.dtype}", _DTYPE_HINT)
        if self.name == _RESERVED:
            _reject(Reject.WRONG_NAMES, f"the tensor name {self.name!r} is reserved", "rename the tensor")

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor's data."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


_DTYPE_HINT = f"use one of {', '.join(_TAGS)}"


def specs_of(tensors: Mapping[str, Tensor]) -> tuple[TensorSpec, ...]:
    """Describe tensors, sorted by name, so that a reader can demand the same.

    Raises:
        CodecError: ``wrong_dtype`` where the container has no such type, ``wrong_names`` for a reserved name.
    """
    return tuple(TensorSpec(name, tensors[name].shape, tensors[name].dtype.name) for name in sorted(tensors))


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    """Write tensors into one container; equal tensors give equal bytes on every machine and in every version.

    Data lie in the order of names, little-endian, C order. Values are not checked: finiteness is the reader's
    business. Cost: one copy of the data.

    Raises:
        CodecError: as :func:`specs_of`.
    """
    header: dict[str, object] = {}
    parts: list[bytes | memoryview] = []
    offset = 0
    for spec in specs_of(tensors):
        end = offset + spec.nbytes
        header[spec.name] = {
            "dtype": _TAGS[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [offset, end],
        }
        offset = end
        array = tensors[spec.name]
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        parts.append(little.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    text += b" " * (-len(text) % 8)
    return b"".join([_LENGTH.pack(len(text)), text, *parts])


def decode(data: bytes, specs: Sequence[TensorSpec], *, max_bytes: int) -> dict[str, Tensor]:
    """Read exactly the tensors that were asked for out of untrusted bytes.

    Returns fresh, writable arrays in the order of ``specs``. Cost: one copy of the data, and one temporary
    byte per element of the largest float tensor while finiteness is checked.

    Raises:
        CodecError: with ``reason``: ``oversized`` (above ``max_bytes``, or a header longer than these specs
            can need), ``truncated``, ``malformed``, ``wrong_names``, ``wrong_dtype``, ``wrong_shape`` or
            ``non_finite``; the first that applies, in this order of checks, nothing being allocated before.
    """
    if len(data) > max_bytes:
        _reject(Reject.OVERSIZED, f"{len(data)} bytes exceed the limit of {max_bytes}", "send fewer bytes")
    offsets, start = _layout(data, specs)
    out: dict[str, Tensor] = {}
    for spec in specs:
        kind = np.dtype(spec.dtype)
        flat = np.frombuffer(
            data, kind.newbyteorder("<"), count=math.prod(spec.shape), offset=start + offsets[spec.name]
        )
        if kind.kind == "b" and flat.view(np.uint8).max(initial=0) > 1:
            _reject(Reject.MALFORMED, f"tensor {spec.name!r} holds a bool that is not 0 or 1", _SENDER)
        if kind.kind == "f" and not np.isfinite(flat).all():
            _reject(Reject.NON_FINITE, f"tensor {spec.name!r} holds NaN or infinity", _SENDER)
        out[spec.name] = flat.reshape(spec.shape).astype(kind, copy=True)
    return out


def canonical_json(value: Json) -> bytes:
    """Write a record for hashing or signing: sorted keys, no spaces, ASCII; one value has one spelling.

    Records hold objects, lists, strings, integers and booleans. Keys sort by code point.

    Raises:
        CodecError: ``malformed``, naming the path of a float, null, other type, key that is no string, or
            nesting beyond 64 levels.
    """
    _check_json(value, path="$", depth=0)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except ValueError as error:
        raise _malformed(f"the record cannot be written ({error})", "use smaller integers") from error
    return text.encode("ascii")


def parse_canonical_json(data: bytes, *, max_bytes: int) -> Json:
    """Read a record, accepting only the bytes that :func:`canonical_json` writes for it.

    Raises:
        CodecError: ``oversized`` above ``max_bytes``; ``malformed`` for anything not canonical.
    """
    if len(data) > max_bytes:
        _reject(Reject.OVERSIZED, f"a record of {len(data)} bytes exceeds {max_bytes}", "send a shorter one")
    value: Json = _load_json(data, "a record")
    if canonical_json(value) != data:
        raise _malformed(f"a record of {len(data)} bytes is not in canonical form", "encode it canonically")
    return value


_SENDER = "refuse it; the sender must encode it again"


def _layout(data: bytes, specs: Sequence[TensorSpec]) -> tuple[dict[str, int], int]:
    if len(data) < _LENGTH.size:
        _reject(Reject.TRUNCATED, f"{len(data)} bytes are too few for a header", _SENDER)
    (header_bytes,) = _LENGTH.unpack_from(data)
    # Room for other writers' spacing and alignment; six bytes is the longest escape of a character.
    limit = 256 + sum(256 + 12 * len(spec.name) + 32 * len(spec.shape) for spec in specs)
    if header_bytes > limit:
        _reject(Reject.OVERSIZED, f"a header of {header_bytes} bytes exceeds {limit}", _SENDER)
    start = _LENGTH.size + header_bytes
    if len(data) < start:
        _reject(Reject.TRUNCATED, f"{len(data)} bytes end inside a header of {header_bytes}", _SENDER)
    header = _load_json(data[_LENGTH.size : start], "the tensor header")
    if not isinstance(header, dict):
        raise _malformed("the tensor header is not an object", _SENDER)
    if header.keys() != {spec.name for spec in specs} or len(header) != len(specs):
        got = ", ".join(sorted(header)[:8])[:200]
        _reject(Reject.WRONG_NAMES, f"the tensors {got!r} are not the {len(specs)} expected", _SENDER)
    spans = {spec.name: _span(header[spec.name], spec) for spec in specs}
    end = 0
    for first, last in sorted(spans.values()):
        if first != end:
            raise _malformed(f"tensor data have a gap or overlap at byte {end}", _SENDER)
        end = last
    if len(data) < start + end:
        _reject(Reject.TRUNCATED, f"{len(data)} bytes end before the {start + end} announced", _SENDER)
    if len(data) > start + end:
        raise _malformed(f"{len(data) - start - end} bytes follow the last tensor", _SENDER)
    return {name: first for name, (first, _) in spans.items()}, start


def _span(entry: object, spec: TensorSpec) -> tuple[int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _malformed(f"the header entry of tensor {spec.name!r} is incomplete", _SENDER)
    if entry["dtype"] != _TAGS[spec.dtype]:
        got = str(entry["dtype"])[:20]
        _reject(Reject.WRONG_DTYPE, f"tensor {spec.name!r} is {got}, not {_TAGS[spec.dtype]}", _SENDER)
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _integers(shape) or not _integers(offsets) or len(offsets) != 2:
        raise _malformed(f"the header entry of tensor {spec.name!r} is not made of integers", _SENDER)
    if tuple(shape) != spec.shape:
        got = str(shape)[:60]
        _reject(Reject.WRONG_SHAPE, f"tensor {spec.name!r} has shape {got}, not {list(spec.shape)}", _SENDER)
    if offsets[0] < 0 or offsets[1] - offsets[0] != spec.nbytes:
        raise _malformed(f"the offsets of tensor {spec.name!r} do not span {spec.nbytes} bytes", _SENDER)
    return offsets[0], offsets[1]


def _integers(value: object) -> bool:
    # True and 1.0 equal 1 but are not its spelling.
    return isinstance(value, list) and all(type(item) is int for item in value)


def parse_json(data: bytes, *, max_bytes: int) -> Any:
    """Read any JSON text out of untrusted bytes, canonical or not.

    Raises:
        CodecError: ``oversized`` above ``max_bytes``; ``malformed`` for what is not JSON, repeats a key, or nests
            deeper than 64 levels.
    """
    if len(data) > max_bytes:
        _reject(Reject.OVERSIZED, f"{len(data)} bytes exceed the limit of {max_bytes}", "send fewer bytes")
    return _load_json(data, "a text")


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings."""
    level = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", data)):
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def _load_json(data: bytes, what: str) -> Any:
    # Before the parser sees it: it recurses on the C stack, and libraries raise Python's limit beyond what that holds.
    if _depth(data) > _MAX_DEPTH:
        raise _malformed(f"{what} of {len(data)} bytes nests deeper than {_MAX_DEPTH} levels", _SENDER)
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"{what} of {len(data)} bytes is not JSON ({error})", _SENDER) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key is repeated")
    return out


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _check_json(value: object, *, path: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _malformed(f"the record nests deeper than {_MAX_DEPTH} levels", "flatten it")
    if isinstance(value, int | str):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise _malformed(f"the key {key!r} at {path} is not a string", "use string keys")
            _check_json(item, path=f"{path}.{key}", depth=depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_json(item, path=f"{path}[{index}]", depth=depth + 1)
    else:
        raise _malformed(
            f"{path} is {value!r:.40} of type {type(value).__name__}",
            "use integers (scaled), strings or booleans, and leave absent fields out",
        )


def _malformed(problem: str, hint: str) -> CodecError:
    return CodecError(problem, hint, reason=Reject.MALFORMED)


def _reject(reason: Reject, problem: str, hint: str) -> NoReturn:
    raise CodecError(problem, hint, reason=reason)
