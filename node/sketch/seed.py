"""Seeds of a sketch's rows: what it is for, and which beacon, task, round, node and member it belongs to."""

from __future__ import annotations

from enum import IntEnum


class Domain(IntEnum):
    """What a sketch is for. Sketches of different domains share no row."""

    OUTPUT = 1
    """Outputs of base + update on the probe batch; names the trainer."""
    REPLAY = 2
    """A replayed update segment; names the trainer."""
    MEMBER = 3
    """A committee member's second sketch, useless to a copier; names the trainer and the member."""
    DUPLICATE = 4
    """The same rows for all updates of a round, so that near-duplicates show; names nobody."""


def sketch_seed(
    domain: Domain,
    *,
    beacon: bytes,
    task: int,
    round_: int,
    node: int | None = None,
    member: str | None = None,
) -> bytes:
    """The 77-byte seed of a sketch's rows.

    uint8 domain || 32 bytes beacon || uint64_be task || uint64_be round || uint64_be node || 20 bytes member.
    Fields that the domain leaves out are zero: the domain says which are present, so nothing is ambiguous.
    `member` is a 0x-prefixed address in any case. Raises ValueError for a field that is missing, superfluous
    or out of range.
    """
    if len(beacon) != 32:
        raise ValueError(f"a beacon has 32 bytes, not {len(beacon)}")
    names_node = domain in (Domain.OUTPUT, Domain.REPLAY, Domain.MEMBER)
    names_member = domain is Domain.MEMBER
    if (node is not None) != names_node or (member is not None) != names_member:
        raise ValueError(f"domain {domain.name}: node={node!r}, member={member!r}: one is missing or superfluous")
    numbers = (task, round_, node or 0)
    if not all(0 <= number < 2**64 for number in numbers):
        raise ValueError(f"task, round and node are uint64, not {numbers}")
    address = bytes(20) if member is None else _address(member)
    return bytes([domain]) + beacon + b"".join(number.to_bytes(8, "big") for number in numbers) + address


def _address(text: str) -> bytes:
    if not (text.startswith("0x") and len(text) == 42 and all(c in "0123456789abcdefABCDEF" for c in text[2:])):
        raise ValueError(f"{text!r} is no 0x-prefixed address of 20 bytes")
    return bytes.fromhex(text[2:])
