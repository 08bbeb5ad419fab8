"""Seeds: every random choice of a run derives from one run seed, so that a verifier can replay it."""

from __future__ import annotations

import hashlib


def derive_seed(run_seed: int, *labels: int | str) -> int:
    """The 63-bit seed for one purpose, e.g. `derive_seed(seed, "train", round_, node)`.

    SHA-256 over the run seed and the labels, each as type tag (`i` or `s`), uint32 big-endian byte length
    and decimal digits or UTF-8 text; so no two different label lists share an encoding. The first 8 bytes,
    big-endian, lose their lowest bit, which leaves a value in [0, 2^63).

    >>> derive_seed(7, "train", 1, 3) == derive_seed(7, "train", 13)
    False
    """
    digest = hashlib.sha256(b"".join(_field(label) for label in (run_seed, *labels))).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _field(label: int | str) -> bytes:
    tag, text = (b"s", label) if isinstance(label, str) else (b"i", str(int(label)))
    data = text.encode()
    return tag + len(data).to_bytes(4, "big") + data


def derive_bytes(run_seed: int, *labels: int | str) -> bytes:
    """32 bytes for one purpose (salts), over the same unambiguous encoding as `derive_seed`."""
    return hashlib.sha256(b"bytes\x00" + b"".join(_field(label) for label in (run_seed, *labels))).digest()
