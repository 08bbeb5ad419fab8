"""One-time probe shards: each has a key of its own, and any other key or byte is noticed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import DataError
from node.probe import key_hash, seal, shard_key, unseal

SECRET = b"owner's secret"


@settings(max_examples=50, deadline=None, derandomize=True)
@given(plain=st.binary(max_size=200), round_=st.integers(0, 2**32 - 1))
def test_what_was_sealed_opens_with_its_key(plain: bytes, round_: int) -> None:
    key = shard_key(SECRET, round_)
    assert len(key) == 32
    assert unseal(seal(plain, key), key) == plain


def test_every_round_and_secret_has_its_own_key_and_hash() -> None:
    keys = [shard_key(SECRET, round_) for round_ in range(50)] + [shard_key(b"another", 0)]
    assert len(set(keys)) == len({key_hash(key) for key in keys}) == 51
    assert shard_key(SECRET, 3) == keys[3]


def test_the_next_key_does_not_open_this_shard() -> None:
    with pytest.raises(DataError, match="does not open") as caught:
        unseal(seal(b"probe", shard_key(SECRET, 1)), shard_key(SECRET, 2))
    assert caught.value.hint


@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    key = shard_key(SECRET, 1)
    sealed = bytearray(seal(b"probe shard", key))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DataError):
        unseal(bytes(sealed), key)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(15), bytes(16)])
def test_bytes_too_short_to_be_sealed_are_noticed(sealed: bytes) -> None:
    with pytest.raises(DataError):
        unseal(sealed, shard_key(SECRET, 1))


def test_sealed_bytes_show_nothing_of_the_plain_ones() -> None:
    assert b"probe shard" not in seal(b"probe shard", shard_key(SECRET, 1))
