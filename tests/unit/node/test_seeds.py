"""Derived seeds: stable, distinct, in range."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from node.seeds import derive_bytes, derive_seed

LABEL = st.one_of(st.integers(-(2**70), 2**70), st.text(max_size=8))


def test_definition_by_hand() -> None:
    encoded = b"i\0\0\0\x017" + b"s\0\0\0\x05train" + b"i\0\0\0\x0212"
    expected = int.from_bytes(hashlib.sha256(encoded).digest()[:8], "big") >> 1
    assert derive_seed(7, "train", 12) == expected


@given(st.lists(LABEL, max_size=4), st.lists(LABEL, max_size=4))
def test_different_labels_give_different_seeds(one: list[int | str], other: list[int | str]) -> None:
    assert (derive_seed(1, *one) == derive_seed(1, *other)) == (one == other)


@given(st.integers(), st.text())
def test_range(seed: int, label: str) -> None:
    assert 0 <= derive_seed(seed, label) < 2**63


def test_bytes_are_another_stream() -> None:
    assert len(derive_bytes(1, "salt")) == 32
    assert int.from_bytes(derive_bytes(1, "salt")[:8], "big") >> 1 != derive_seed(1, "salt")
    assert derive_bytes(1, "salt", 2) != derive_bytes(1, "salt", 3)


def test_a_number_is_not_its_text() -> None:
    assert derive_seed(1, 2) != derive_seed(1, "2")
