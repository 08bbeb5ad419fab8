"""Names of content: exact IPFS CIDs, computed without a daemon.

Profile ``unixfs-v1-2025`` (IPIP-499): CIDv1, sha2-256, UnixFS files cut into 1 MiB raw leaves under a
balanced tree of dag-pb nodes with at most 1024 links, written in lower-case base32. Content of one chunk
or less, the empty file included, is a single raw block. Specifications: those of CID, dag-pb and UnixFS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NewType

from storage.errors import CidMismatch, CodecError, InvalidCid, Reject, TooLarge

Cid = NewType("Cid", str)
Buffer = bytes | memoryview

CHUNK_BYTES = 1 << 20
MAX_LINKS = 1024
RAW = 0x55
DAG_PB = 0x70

_SHA2_256 = b"\x12\x20"
_DIGEST_BYTES = 32
_CID_BYTES = 4 + _DIGEST_BYTES
_UNIXFS_FILE = 2
# 1024**4 MiB is beyond any file: a deeper tree is an attack on the reader's stack.
_MAX_DEPTH = 4
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a file's DAG: a view of the content (raw leaf) or an encoded dag-pb node."""

    cid: Cid
    data: Buffer


@dataclass(frozen=True, slots=True)
class Link:
    """A child of a dag-pb file node. ``file_bytes`` counts content, ``tree_bytes`` encoded blocks (Tsize)."""

    cid: Cid
    file_bytes: int
    tree_bytes: int


def cid_of(data: Buffer) -> Cid:
    """Name some content as any IPFS node with the same profile would.

    One pass of sha2-256 over ``data``; no copy of it is made.
    """
    return _last(iter_blocks(data)).cid


def iter_blocks(data: Buffer) -> Iterator[Block]:
    """Cut content into the blocks of its DAG, children before parents, the root last.

    Leaves are views of ``data``, not copies; identical leaves are yielded as often as they occur.
    """
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    level: list[Link] = []
    for start in range(0, max(len(view), 1), CHUNK_BYTES):
        leaf = view[start : start + CHUNK_BYTES]
        cid = _name(RAW, leaf)
        level.append(Link(cid, len(leaf), len(leaf)))
        yield Block(cid, leaf)
    while len(level) > 1:
        parents: list[Link] = []
        for start in range(0, len(level), MAX_LINKS):
            children = level[start : start + MAX_LINKS]
            node = encode_node(children)
            cid = _name(DAG_PB, node)
            file_bytes = sum(child.file_bytes for child in children)
            parents.append(Link(cid, file_bytes, len(node) + sum(child.tree_bytes for child in children)))
            yield Block(cid, node)
        level = parents


def assemble(root: Cid, fetch: Callable[[Cid], bytes], *, max_bytes: int) -> bytes:
    """Read a file back from its blocks, checking each block against its CID before use.

    Sizes announced by the root are compared with ``max_bytes`` before any leaf is fetched, and every child
    must bring exactly the size that its parent announced, so a hostile DAG cannot grow beyond it.

    Raises:
        CidMismatch: a block does not hash to its CID, or the DAG is cut otherwise than the profile says.
        TooLarge: the file exceeds ``max_bytes``.
        CodecError: a node is not a dag-pb file node.
    """
    data = b"".join(_leaves(root, None, fetch, max_bytes=max_bytes, depth=0))
    check(root, data)
    return data


def check(cid: Cid, data: Buffer) -> None:
    """Refuse content that is not what its CID names.

    Raises:
        CidMismatch: naming both CIDs.
        InvalidCid: ``cid`` itself is not one of this profile.
    """
    parse(cid)
    actual = cid_of(data)
    if actual != cid:
        raise CidMismatch(
            f"the {len(data)} bytes received for {cid} hash to {actual}",
            "fetch it from another peer, or restore the damaged copy",
        )


def parse(cid: str) -> tuple[int, bytes]:
    """Split a CID into codec (``RAW`` or ``DAG_PB``) and 32-byte sha2-256 digest.

    Raises:
        InvalidCid: not CIDv1, base32, sha2-256 and one of the two codecs, or not in canonical spelling.
    """
    try:
        binary = base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
    except (binascii.Error, ValueError) as error:
        raise _invalid(cid) from error
    codec, digest = _split(binary, cid)
    if _text(binary) != cid:
        raise _invalid(cid)
    return codec, digest


def canonical(text: str) -> Cid:
    """Respell a CID that a daemon wrote in base58btc (``z...``) in base32; base32 passes through checked.

    Raises:
        InvalidCid: not a CIDv1 of this profile in either spelling.
    """
    if not text.startswith("z"):
        parse(text)
        return Cid(text)
    number = 0
    # The length is bounded first: conversion from base 58 is quadratic.
    if len(text) > 2 * _CID_BYTES:
        raise _invalid(text)
    for letter in text[1:]:
        value = _BASE58.find(letter)
        if value < 0:
            raise _invalid(text)
        number = number * 58 + value
    try:
        binary = number.to_bytes(_CID_BYTES, "big")
    except OverflowError as error:
        raise _invalid(text) from error
    _split(binary, text)
    return _text(binary)


def digest_of(cid: str) -> bytes:
    """Return the 32 bytes that a chain records for this CID; raises InvalidCid as :func:`parse` does."""
    return parse(cid)[1]


def from_digest(digest: bytes, length: int) -> Cid:
    """Rebuild the CID from a chain's record of digest and content length in bytes.

    The codec follows from the length: one raw block up to ``CHUNK_BYTES``, a dag-pb root above.

    Raises:
        InvalidCid: the digest is not 32 bytes, or the length is negative.
    """
    if len(digest) != _DIGEST_BYTES or length < 0:
        raise InvalidCid(
            f"a digest of {len(digest)} bytes with length {length} names no content",
            "pass the 32-byte digest and the byte length from the same record",
        )
    codec = RAW if length <= CHUNK_BYTES else DAG_PB
    return _text(bytes((1, codec)) + _SHA2_256 + digest)


def encode_node(links: Sequence[Link]) -> bytes:
    """Encode an inner node: links first, then the UnixFS header, as canonical dag-pb requires."""
    body = bytearray()
    for link in links:
        name = b"\x0a" + _varint(_CID_BYTES) + _binary(link.cid) + b"\x12\x00"
        entry = name + b"\x18" + _varint(link.tree_bytes)
        body += b"\x12" + _varint(len(entry)) + entry
    header = b"\x08" + _varint(_UNIXFS_FILE) + b"\x18" + _varint(sum(link.file_bytes for link in links))
    header += b"".join(b"\x20" + _varint(link.file_bytes) for link in links)
    body += b"\x0a" + _varint(len(header)) + header
    return bytes(body)


def decode_node(block: bytes) -> tuple[Link, ...]:
    """Decode an inner node; only the one canonical spelling that :func:`encode_node` writes is accepted.

    Raises:
        CodecError: ``malformed``, for anything else.
    """
    try:
        cids: list[tuple[Cid, int]] = []
        sizes: list[int] = []
        for field, value in _fields(block):
            if field == 2 and isinstance(value, bytes):
                entry = dict(_fields(value))
                cids.append((_text(_bytes(entry[1])), _int(entry[3])))
            elif field == 1 and isinstance(value, bytes):
                sizes = [_int(size) for key, size in _fields(value) if key == 4]
        links = tuple(Link(cid, size, tree) for (cid, tree), size in zip(cids, sizes, strict=True) if parse(cid))
        if not links or encode_node(links) != block:
            raise ValueError("not in canonical form")
    except (ValueError, KeyError, IndexError) as error:
        raise CodecError(
            f"a dag-pb node of {len(block)} bytes is not a file node of this profile ({error})",
            "the content was added with other settings; add it again",
            reason=Reject.MALFORMED,
        ) from error
    return links


def _leaves(
    cid: Cid, expected_bytes: int | None, fetch: Callable[[Cid], bytes], *, max_bytes: int, depth: int
) -> Iterator[bytes]:
    codec, digest = parse(cid)
    block = fetch(cid)
    if hashlib.sha256(block).digest() != digest:
        raise CidMismatch(f"the block fetched for {cid} does not hash to it", "fetch it from another peer")
    links = () if codec == RAW else decode_node(block)
    size = len(block) if codec == RAW else sum(link.file_bytes for link in links)
    if size > max_bytes:
        raise TooLarge(f"{cid} holds {size} bytes, above the limit of {max_bytes}", "raise max_bytes")
    if depth > _MAX_DEPTH or (expected_bytes is not None and (size != expected_bytes or size == 0)):
        raise CodecError(
            f"the block {cid} holds {size} bytes where its parent announced {expected_bytes}",
            "the content is forged; refuse its source",
            reason=Reject.MALFORMED,
        )
    if codec == RAW:
        yield block
    for link in links:
        yield from _leaves(link.cid, link.file_bytes, fetch, max_bytes=max_bytes, depth=depth + 1)


def _name(codec: int, block: Buffer) -> Cid:
    return _text(bytes((1, codec)) + _SHA2_256 + hashlib.sha256(block).digest())


def _text(binary: bytes) -> Cid:
    return Cid("b" + base64.b32encode(binary).decode("ascii").lower().rstrip("="))


def _binary(cid: Cid) -> bytes:
    codec, digest = parse(cid)
    return bytes((1, codec)) + _SHA2_256 + digest


def _split(binary: bytes, text: str) -> tuple[int, bytes]:
    if len(binary) != _CID_BYTES or binary[0] != 1 or binary[2:4] != _SHA2_256:
        raise _invalid(text)
    if binary[1] not in (RAW, DAG_PB):
        raise _invalid(text)
    return binary[1], binary[4:]


def _invalid(text: str) -> InvalidCid:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return InvalidCid(
        f"{shown!r} is not a CIDv1 with sha2-256 in lower-case base32 (raw or dag-pb)",
        "pass a CID that this store or `ipfs add --cid-version=1` printed",
    )


def _last(blocks: Iterable[Block]) -> Block:
    *_, last = blocks
    return last


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        value, position = _read_varint(data, position)
        if key & 7 == 0:
            yield key >> 3, value
        elif key & 7 == 2:
            yield key >> 3, data[position : position + value]
            position += value
        else:
            raise ValueError(f"wire type {key & 7}")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 63, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("varint longer than 63 bits")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ValueError("number where bytes are due")


def _int(value: int | bytes) -> int:
    if isinstance(value, int):
        return value
    raise ValueError("bytes where a number is due")
