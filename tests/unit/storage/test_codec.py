"""Tensors and records survive the trip; anything else is refused with its reason."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from storage.codec import (
    Json,
    TensorSpec,
    canonical_json,
    decode,
    encode,
    parse_canonical_json,
    specs_of,
)
from storage.errors import CodecError, Reject

DTYPES = (
    *("bool", "uint8", "int8", "uint16", "int16", "float16"),
    *("uint32", "int32", "float32", "uint64", "int64", "float64"),
)
BIG = 1 << 20


def finite(dtype: str) -> dict[str, Any]:
    return {"allow_nan": False, "allow_infinity": False} if dtype.startswith("float") else {}


tensors = st.dictionaries(
    st.text(max_size=6),
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
            elements=hnp.from_dtype(np.dtype(dtype), **finite(dtype)),
        )
    ),
    max_size=4,
)


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and left[name].tobytes() == right[name].tobytes()
        for name in left
    )


def container(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


PAIR = (TensorSpec("w", (2,), "float32"),)
EIGHT = struct.pack("<2f", 1, 2)


def reason(data: bytes, specs: tuple[TensorSpec, ...] = PAIR, *, max_bytes: int = BIG) -> Reject:
    with pytest.raises(CodecError) as caught:
        decode(data, specs, max_bytes=max_bytes)
    assert caught.value.code == "CODEC_REJECTED"
    assert caught.value.hint
    assert len(str(caught.value)) < 500
    return caught.value.reason


@given(tensors=tensors)
def test_round_trip(tensors: dict[str, Any]) -> None:
    data = encode(tensors)
    back = decode(data, specs_of(tensors), max_bytes=len(data))
    assert same(back, tensors)
    assert all(array.flags.writeable for array in back.values())
    assert encode(dict(reversed(tensors.items()))) == data
    assert same(safetensors.numpy.load(data), tensors)


@given(tensors=tensors)
def test_reads_what_the_reference_library_writes(tensors: dict[str, Any]) -> None:
    data = safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in tensors.items()})
    assert same(decode(data, specs_of(tensors), max_bytes=len(data)), tensors)


def test_bytes_are_the_same_for_ever() -> None:
    data = encode({"b": np.arange(3, dtype="int16"), "a": np.array([[0.5, -2.0]], dtype="float32")})
    header = (
        b'{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
        b'"b":{"dtype":"I16","shape":[3],"data_offsets":[8,14]}}  '
    )
    values = b"\x00\x00\x00\x3f\x00\x00\x00\xc0" + b"\x00\x00\x01\x00\x02\x00"
    assert len(header) % 8 == 0
    assert data == len(header).to_bytes(8, "little") + header + values


def test_any_memory_layout_gives_the_same_bytes() -> None:
    plain = np.arange(6, dtype="float64").reshape(2, 3)
    expected = encode({"w": plain})
    assert encode({"w": np.asfortranarray(plain)}) == expected
    assert encode({"w": plain.astype(">f8")}) == expected
    assert encode({"w": np.repeat(plain, 2, axis=1)[:, ::2]}) == expected


@settings(max_examples=300)
@given(tensors=tensors, where=st.integers(0), flip=st.integers(1, 255))
def test_corruption_gives_tensors_of_the_right_kind_or_a_codec_error(
    tensors: dict[str, Any], where: int, flip: int
) -> None:
    data = bytearray(encode(tensors))
    position = where % len(data)
    data[position] ^= flip
    specs = specs_of(tensors)
    try:
        back = decode(bytes(data), specs, max_bytes=BIG)
    except CodecError:
        return
    # A container has no checksum (its CID is one): a flip in the data part changes a value, and only that.
    assert specs_of(back) == specs
    (header_bytes,) = struct.unpack_from("<Q", data)
    assert same(back, tensors) or position >= 8 + header_bytes


@given(tensors=tensors, cut=st.integers(1))
def test_truncation_is_always_refused(tensors: dict[str, Any], cut: int) -> None:
    data = encode(tensors)
    short = data[: -1 - cut % len(data)]
    with pytest.raises(CodecError) as caught:
        decode(short, specs_of(tensors), max_bytes=BIG)
    assert caught.value.reason is Reject.TRUNCATED


@given(junk=st.binary(max_size=100))
def test_junk_is_refused(junk: bytes) -> None:
    reason(junk)


def test_oversized() -> None:
    data = encode({"w": np.ones(2, "float32")})
    decode(data, PAIR, max_bytes=len(data))
    assert reason(data, max_bytes=len(data) - 1) is Reject.OVERSIZED
    assert reason(struct.pack("<Q", 2**63) + b"{}") is Reject.OVERSIZED
    assert reason(container(b"{" + b" " * 5000 + b"}")) is Reject.OVERSIZED


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Reject.TRUNCATED),
        (struct.pack("<Q", 50) + b"{}", Reject.TRUNCATED),
        (container({"w": entry()}, EIGHT[:7]), Reject.TRUNCATED),
        (container({"w": entry()}, EIGHT + b"x"), Reject.MALFORMED),
        (container({}), Reject.WRONG_NAMES),
        (container({"v": entry()}, EIGHT), Reject.WRONG_NAMES),
        (container({"w": entry(), "v": entry(offsets=(8, 16))}, EIGHT * 2), Reject.WRONG_NAMES),
        (container({"w": entry(), "__metadata__": {}}, EIGHT), Reject.WRONG_NAMES),
        (container({"w": entry("F16")}, EIGHT), Reject.WRONG_DTYPE),
        (container({"w": entry("BF16")}, EIGHT), Reject.WRONG_DTYPE),
        (container({"w": entry(shape=(1, 2))}, EIGHT), Reject.WRONG_SHAPE),
        (container({"w": entry(shape=(3,))}, EIGHT), Reject.WRONG_SHAPE),
        (container({"w": entry(shape=(10**30,))}, EIGHT), Reject.WRONG_SHAPE),
        (container({"w": entry(shape=(2.0,))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(shape="2")}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(False, 8))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(0, 8, 8))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(8, 0))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(-8, 0))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(0, 4))}, EIGHT), Reject.MALFORMED),
        (container({"w": entry(offsets=(4, 12))}, EIGHT * 2), Reject.MALFORMED),
        (container({"w": {"dtype": "F32"}}, EIGHT), Reject.MALFORMED),
        (container({"w": {**entry(), "more": 1}}, EIGHT), Reject.MALFORMED),
        (container({"w": []}, EIGHT), Reject.MALFORMED),
        (container([]), Reject.MALFORMED),
        (container(b"\xff\xfe"), Reject.MALFORMED),
        (container(b"[" * 500), Reject.MALFORMED),
        (container(b'{"w":NaN}'), Reject.MALFORMED),
        (container(b'{"w":1,"w":2}'), Reject.MALFORMED),
    ],
)
def test_each_defect_has_its_reason(data: bytes, expected: Reject) -> None:
    assert reason(data) is expected


def test_overlapping_tensors() -> None:
    specs = (*PAIR, TensorSpec("v", (2,), "float32"))
    assert reason(container({"w": entry(), "v": entry()}, EIGHT), specs) is Reject.MALFORMED


def test_repeated_specs_are_refused() -> None:
    assert reason(encode({"w": np.ones(2, "float32")}), PAIR * 2) is Reject.WRONG_NAMES


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_that_are_no_numbers(value: float, dtype: str) -> None:
    bad = {"w": np.array([0, value], dtype)}
    assert reason(encode(bad), specs_of(bad)) is Reject.NON_FINITE


def test_bools_are_zero_or_one() -> None:
    specs = (TensorSpec("m", (2,), "bool"),)
    assert reason(container({"m": entry("BOOL", (2,), (0, 2))}, b"\x01\x02"), specs) is Reject.MALFORMED


def test_a_spec_of_terabytes_allocates_nothing() -> None:
    huge = (TensorSpec("w", (1 << 40,), "float64"),)
    header = {"w": entry("F64", (1 << 40,), (0, 1 << 43))}
    assert reason(container(header, EIGHT), huge) is Reject.TRUNCATED


def test_types_without_a_place_in_the_container() -> None:
    with pytest.raises(CodecError, match="complex64") as caught:
        encode({"w": np.zeros(1, "complex64")})
    assert caught.value.reason is Reject.WRONG_DTYPE
    with pytest.raises(CodecError) as caught:
        encode({"__metadata__": np.zeros(1)})
    assert caught.value.reason is Reject.WRONG_NAMES


records = st.recursive(
    st.booleans() | st.integers(-(2**300), 2**300) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(record=records)
def test_records_round_trip(record: Json) -> None:
    data = canonical_json(record)
    assert data.isascii()
    assert parse_canonical_json(data, max_bytes=len(data)) == record
    with pytest.raises(CodecError) as caught:
        parse_canonical_json(data, max_bytes=len(data) - 1)
    assert caught.value.reason is Reject.OVERSIZED


def test_records_have_one_spelling() -> None:
    assert canonical_json({"b": [True, -1], "a": "é"}) == b'{"a":"\\u00e9","b":[true,-1]}'


@pytest.mark.parametrize(
    ("record", "path"),
    [
        (1.5, "$ is 1.5"),
        ({"a": [1, {"b": 0.0}]}, "$.a[1].b is 0.0"),
        ({"a": float("nan")}, "$.a is nan"),
        ({"a": None}, "$.a is None"),
        ([b"raw"], "$[0] is b'raw'"),
        ({1: "x"}, "the key 1 at $"),
        ({"n": np.int64(1)}, "int64"),
        ([10**5000], "cannot be written"),
    ],
)
def test_what_records_cannot_hold(record: Any, path: str) -> None:
    with pytest.raises(CodecError) as caught:
        canonical_json(record)
    assert path in str(caught.value)


def test_depth_is_bounded() -> None:
    deep: Json = 1
    for _ in range(70):
        deep = [deep]
    with pytest.raises(CodecError, match="deeper than 64"):
        canonical_json(deep)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"[1.0]",
        b"[1e3]",
        b"[-0]",
        b"[NaN]",
        b"[Infinity]",
        b"[null]",
        b'"\xc3\xa9"',
        b'"\\u00E9"',
        b"1\n",
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b"9" * 5000, id="digits"),
    ],
)
def test_other_spellings_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError) as caught:
        parse_canonical_json(data, max_bytes=BIG)
    assert caught.value.reason is Reject.MALFORMED


@given(junk=st.binary(max_size=60))
def test_junk_records_are_refused_or_canonical(junk: bytes) -> None:
    try:
        record = parse_canonical_json(junk, max_bytes=BIG)
    except CodecError:
        return
    assert canonical_json(record) == junk
