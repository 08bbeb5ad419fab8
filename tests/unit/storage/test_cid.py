"""CIDs are those of IPFS, and files come back from their blocks only if every block is honest."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import cid as cids
from storage.cid import (
    CHUNK_BYTES,
    DAG_PB,
    MAX_LINKS,
    RAW,
    Cid,
    Link,
    assemble,
    canonical,
    check,
    cid_of,
    decode_node,
    digest_of,
    encode_node,
    from_digest,
    iter_blocks,
    parse,
)
from storage.errors import CidMismatch, CodecError, InvalidCid, TooLarge
from tests.unit.storage.cid_vectors import SIZES, Vector, content, load

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make deep trees out of little content."""
    monkeypatch.setattr(cids, "CHUNK_BYTES", 4)
    monkeypatch.setattr(cids, "MAX_LINKS", 3)


def blocks_of(data: bytes) -> dict[Cid, bytes]:
    return {block.cid: bytes(block.data) for block in iter_blocks(data)}


@pytest.mark.parametrize("vector", load(), ids=lambda vector: str(vector.size_bytes))
def test_golden_vectors_of_a_real_daemon(vector: Vector) -> None:
    data = content(vector.size_bytes)
    start_s = time.perf_counter()
    assert cid_of(data) == vector.cid
    assert time.perf_counter() - start_s < 3
    assert from_digest(digest_of(vector.cid), vector.size_bytes) == vector.cid


def test_golden_vectors_cover_the_edges() -> None:
    assert tuple(vector.size_bytes for vector in load()) == SIZES


def test_one_chunk_is_one_raw_block_and_more_is_a_tree() -> None:
    assert [block.cid for block in iter_blocks(b"")] == [EMPTY]
    assert parse(cid_of(b"x" * CHUNK_BYTES))[0] == RAW
    blocks = list(iter_blocks(b"x" * (CHUNK_BYTES + 1)))
    assert [len(block.data) for block in blocks[:2]] == [CHUNK_BYTES, 1]
    assert parse(blocks[-1].cid)[0] == DAG_PB
    assert len(blocks) == 3


def test_more_than_max_links_chunks_make_a_second_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cids, "CHUNK_BYTES", chunk := 64)
    leaf = Link(cid_of(b"z" * chunk), chunk, chunk)
    full = encode_node([leaf] * MAX_LINKS)
    rest = encode_node([leaf])
    root = encode_node(
        [
            Link(from_digest(cids.hashlib.sha256(node).digest(), CHUNK_BYTES + 1), size, len(node) + size)
            for node, size in ((full, MAX_LINKS * chunk), (rest, chunk))
        ]
    )
    assert digest_of(cid_of(b"z" * chunk * (MAX_LINKS + 1))) == cids.hashlib.sha256(root).digest()


@given(data=st.binary(max_size=300))
def test_blocks_give_the_file_back(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cids, "CHUNK_BYTES", 4)
        patch.setattr(cids, "MAX_LINKS", 3)
        blocks = blocks_of(data)
        root = cid_of(data)
        assert list(iter_blocks(data))[-1].cid == root
        assert assemble(root, blocks.__getitem__, max_bytes=len(data)) == data
        assert cid_of(memoryview(data)) == root


@given(data=st.binary(min_size=5, max_size=60), where=st.integers(0), flip=st.integers(1, 255))
def test_one_flipped_byte_in_any_block_is_noticed(data: bytes, where: int, flip: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cids, "CHUNK_BYTES", 4)
        patch.setattr(cids, "MAX_LINKS", 3)
        blocks = blocks_of(data)
        victim = list(blocks)[where % len(blocks)]
        damaged = bytearray(blocks[victim])
        damaged[where % len(damaged)] ^= flip
        blocks[victim] = bytes(damaged)
        with pytest.raises(CidMismatch, match=victim):
            assemble(cid_of(data), blocks.__getitem__, max_bytes=len(data))


@given(junk=st.binary(max_size=200))
def test_junk_is_never_a_node(junk: bytes) -> None:
    with pytest.raises(CodecError):
        decode_node(junk)


@given(
    links=st.lists(
        st.builds(
            lambda seed, size, tree: Link(cid_of(seed), size, tree),
            st.binary(max_size=8),
            st.integers(0, 2**40),
            st.integers(0, 2**40),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_nodes_round_trip(links: list[Link]) -> None:
    node = encode_node(links)
    assert decode_node(node) == tuple(links)
    for cut in range(len(node)):
        with pytest.raises(CodecError):
            decode_node(node[:cut])


@pytest.mark.parametrize(
    "node",
    [
        b"\x12\x05\x0a\x03abc",  # a link without a size, its name cut short
        b"\x12\x02\x08\x01",  # a number where the CID is due
        b"\x12\x04\x0a\x00\x1a\x00",  # bytes where the size is due
        b"\x0a\x02\x22\x00",  # bytes where a block size is due
        b"\x0d\x00\x00\x00\x00",  # a wire type that dag-pb does not have
        b"\x12" + b"\xff" * 10,  # a varint without end
    ],
)
def test_malformed_nodes(node: bytes) -> None:
    with pytest.raises(CodecError, match="not a file node"):
        decode_node(node)


@pytest.mark.usefixtures("small_chunks")
def test_limit_counts_before_any_leaf_is_fetched() -> None:
    data = b"0123456789"
    blocks = blocks_of(data)
    fetched: list[Cid] = []

    def fetch(cid: Cid) -> bytes:
        fetched.append(cid)
        return blocks[cid]

    with pytest.raises(TooLarge, match="10 bytes"):
        assemble(cid_of(data), fetch, max_bytes=9)
    assert fetched == [cid_of(data)]


def test_children_must_bring_the_announced_size() -> None:
    leaf = cid_of(b"abc")
    node = encode_node([Link(leaf, 2, 3)])
    root = from_digest(cids.hashlib.sha256(node).digest(), CHUNK_BYTES + 1)
    with pytest.raises(CodecError, match="announced 2"):
        assemble(root, {leaf: b"abc", root: node}.__getitem__, max_bytes=100)


def test_deep_and_empty_chains_are_refused() -> None:
    blocks = {cid_of(b"ab"): b"ab"}
    link = Link(cid_of(b"ab"), 2, 2)
    for _ in range(20):
        node = encode_node([link])
        name = from_digest(cids.hashlib.sha256(node).digest(), CHUNK_BYTES + 1)
        blocks[name] = node
        link = Link(name, 2, 2)
    with pytest.raises(CodecError):
        assemble(link.cid, blocks.__getitem__, max_bytes=100)
    hollow = encode_node([Link(cid_of(b""), 0, 0)] * 2)
    root = from_digest(cids.hashlib.sha256(hollow).digest(), CHUNK_BYTES + 1)
    with pytest.raises(CodecError):
        assemble(root, {root: hollow, cid_of(b""): b""}.__getitem__, max_bytes=100)


def test_another_cut_of_the_same_content_is_another_name() -> None:
    parts = [b"ab", b"c"]
    node = encode_node([Link(cid_of(part), len(part), len(part)) for part in parts])
    root = from_digest(cids.hashlib.sha256(node).digest(), CHUNK_BYTES + 1)
    blocks = {root: node, **{cid_of(part): part for part in parts}}
    with pytest.raises(CidMismatch):
        assemble(root, blocks.__getitem__, max_bytes=100)


def test_check_names_both_cids() -> None:
    check(cid_of(b"a"), b"a")
    with pytest.raises(CidMismatch) as caught:
        check(cid_of(b"a"), b"b")
    assert cid_of(b"a") in str(caught.value)
    assert cid_of(b"b") in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "bafkrei",
        "é" * 59,
        EMPTY.upper(),
        EMPTY[:-1],
        EMPTY + "a",
        EMPTY[:-1] + "v",  # the unused last bits set: another spelling of the same bytes
        "z" + EMPTY[1:],
        "QmULKig5Fxrs2sC4qt9nNduucXfb92AFYQ6Hi3YRqDmrYC",
        "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",  # dag-cbor
        "../../etc/passwd",
        "b" + "a" * 500,
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidCid) as caught:
        parse(text)
    assert len(str(caught.value)) < 300
    with pytest.raises(InvalidCid):
        canonical(text)


def test_base58_spelling_of_daemons() -> None:
    # What js-ipfs printed for the same CID without and with cid-base=base32.
    assert canonical("zdj7WjAeZCidwZQWi5CqZ5gCRsvRdmiwKVuJMssiQ7DhTnNzu") == (
        "bafybeigmdn54ysmbug2zhflk2dygoxlh6yn2tnjmaoyp55mtxqvje7erxi"
    )
    assert canonical(EMPTY) == EMPTY
    for text in ("z", "z0OIl", "z" + "9" * 50, "z" + "z" * 60, "z" + "z" * 500):
        with pytest.raises(InvalidCid):
            canonical(text)


def test_digests() -> None:
    digest = digest_of(EMPTY)
    assert len(digest) == 32
    assert parse(from_digest(digest, CHUNK_BYTES)) == (RAW, digest)
    assert parse(from_digest(digest, CHUNK_BYTES + 1)) == (DAG_PB, digest)
    for bad, length in ((digest[:31], 1), (digest, -1)):
        with pytest.raises(InvalidCid):
            from_digest(bad, length)
