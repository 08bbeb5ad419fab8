"""What every store must do: subclass and give a ``store`` fixture."""

from __future__ import annotations

import pytest

from storage.cid import CHUNK_BYTES, Cid, cid_of
from storage.errors import InvalidCid, MissingContent, TooLarge
from storage.store import Store

ABSENT = cid_of(b"content that nobody ever stored")
SIZES = (0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7)


class StoreContract:
    """Inherit, define the fixture ``store``, and every test below runs against it."""

    @pytest.mark.parametrize("size", SIZES)
    def test_put_names_content_as_ipfs_does_and_get_returns_it(self, store: Store, size: int) -> None:
        data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
        data = data[:size]
        cid = store.put(data)
        assert cid == cid_of(data)
        assert store.get(cid, max_bytes=size) == data
        assert store.has(cid)

    def test_put_twice_is_put_once(self, store: Store) -> None:
        assert store.put(b"twice") == store.put(b"twice")
        assert store.get(cid_of(b"twice"), max_bytes=5) == b"twice"

    def test_put_pins(self, store: Store) -> None:
        cid = store.put(b"kept from collection")
        assert cid in store.pins()

    @pytest.mark.parametrize("size", [1, 1000, CHUNK_BYTES + 1])
    def test_get_refuses_more_than_the_limit(self, store: Store, size: int) -> None:
        cid = store.put(b"\x07" * size)
        with pytest.raises(TooLarge, match=cid) as caught:
            store.get(cid, max_bytes=size - 1)
        assert str(size - 1) in str(caught.value)

    def test_get_of_absent_content(self, store: Store) -> None:
        with pytest.raises(MissingContent, match=ABSENT) as caught:
            store.get(ABSENT, max_bytes=100)
        assert isinstance(caught.value, KeyError)
        assert caught.value.code == "STORE_MISSING"
        assert caught.value.hint

    def test_has_not_of_absent_content(self, store: Store) -> None:
        assert not store.has(ABSENT)

    def test_pin_of_absent_content(self, store: Store) -> None:
        with pytest.raises(MissingContent, match=ABSENT):
            store.pin(ABSENT)
        assert ABSENT not in store.pins()

    def test_unpin_and_pin_again(self, store: Store) -> None:
        cid = store.put(b"pinned, unpinned, pinned")
        other = store.put(b"untouched" * CHUNK_BYTES)
        store.unpin(cid)
        assert cid not in store.pins()
        assert other in store.pins()
        store.pin(cid)
        store.pin(cid)
        assert cid in store.pins()

    def test_unpin_of_unpinned_content_does_nothing(self, store: Store) -> None:
        cid = store.put(b"unpinned twice")
        store.unpin(cid)
        store.unpin(cid)
        store.unpin(ABSENT)
        assert cid not in store.pins()

    @pytest.mark.parametrize("text", ["", "x", "../../etc/passwd", ABSENT.upper(), ABSENT[:-1], ABSENT + "a"])
    def test_malformed_cids_are_refused_by_every_method(self, store: Store, text: str) -> None:
        cid = Cid(text)
        with pytest.raises(InvalidCid):
            store.get(cid, max_bytes=1)
        for method in (store.has, store.pin, store.unpin):
            with pytest.raises(InvalidCid):
                method(cid)

    def test_describe_is_one_line(self, store: Store) -> None:
        assert store.describe()
        assert "\n" not in store.describe()

    def test_with_statement_gives_the_store(self, store: Store) -> None:
        with store as entered:
            assert entered is store
