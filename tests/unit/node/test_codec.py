"""Update codecs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from node.codec import CODECS
from node.errors import DataError

LAYOUT = (("a.bias", (2,)), ("a.weight", (2, 3)))
VECTOR = np.array([1.5, -2, 0.1, 3, 65_504, 1e-8, -7e4, 1e30], np.float32)


def test_names_and_types() -> None:
    assert CODECS.names() == ["fp16", "raw"]
    assert (CODECS.get("raw").dtype, CODECS.get("fp16").dtype) == ("float32", "float16")
    assert CODECS.get("fp16").name == "fp16"


def test_encoding_by_hand() -> None:
    tensors = CODECS.get("raw").encode(VECTOR, LAYOUT)
    assert tensors["a.bias"].tolist() == [1.5, -2]
    assert tensors["a.weight"].tolist() == VECTOR[2:].reshape(2, 3).tolist()


def test_half_precision_saturates() -> None:
    codec = CODECS.get("fp16")
    tensors = codec.encode(VECTOR, LAYOUT)
    assert {value.dtype.name for value in tensors.values()} == {"float16"}
    assert codec.decode(tensors, LAYOUT).tolist() == [
        1.5,
        -2,
        float(np.float16(0.1)),
        3,
        65_504,
        0,
        -65_504,
        65_504,
    ]


@given(hnp.arrays(np.float32, 8, elements={"allow_nan": False, "allow_infinity": False}))
def test_raw_is_exact_and_half_is_idempotent(vector: np.ndarray) -> None:
    raw, half = CODECS.get("raw"), CODECS.get("fp16")
    assert raw.decode(raw.encode(vector, LAYOUT), LAYOUT).tobytes() == vector.tobytes()
    once = half.decode(half.encode(vector, LAYOUT), LAYOUT)
    assert half.decode(half.encode(once, LAYOUT), LAYOUT).tobytes() == once.tobytes()


@pytest.mark.parametrize("name", CODECS.names())
def test_errors(name: str) -> None:
    codec = CODECS.get(name)
    with pytest.raises(DataError, match="does not fit"):
        codec.encode(VECTOR[1:], LAYOUT)
    for bad in (np.nan, np.inf):
        broken = VECTOR.copy()
        broken[3] = bad
        with pytest.raises(DataError, match="cannot be sent"):
            codec.encode(broken, LAYOUT)
        tensors = codec.encode(VECTOR, LAYOUT)
        tensors["a.weight"][0, 1] = bad
        with pytest.raises(DataError, match="has a NaN"):
            codec.decode(tensors, LAYOUT)
    good = codec.encode(VECTOR, LAYOUT)
    for change, message in (
        ({"extra": np.zeros(1, codec.dtype)}, "'extra' of an update is .*, not absent"),
        ({"a.bias": np.zeros(3, codec.dtype)}, "'a.bias'"),
        ({"a.bias": np.zeros(2, np.float64)}, "float64"),
    ):
        with pytest.raises(DataError, match=message):
            codec.decode({**good, **change}, LAYOUT)
    with pytest.raises(DataError, match=r"'a\.weight' of an update is missing"):
        codec.decode({"a.bias": good["a.bias"]}, LAYOUT)
