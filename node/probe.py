"""One-time probe shards: sealed at creation, opened one a round (DESIGN §3).

A pool that trainers know in advance can be trained on, so each shard is encrypted under its own key and the owner
commits to every key's hash in the task spec. ChaCha20-Poly1305 authenticates the bytes; the nonce is fixed because a
key seals exactly one message.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from node.errors import DataError

_NONCE = b"\x00" * 12


def shard_key(secret: bytes, round_: int) -> bytes:
    """The 32-byte key of a round's shard, derived from the owner's secret (HKDF-like: SHA-256 of a labelled secret)."""
    return hashlib.sha256(b"credence probe shard\x00" + secret + round_.to_bytes(4, "big")).digest()


def key_hash(key: bytes) -> bytes:
    """What the spec commits to: SHA-256 of the key."""
    return hashlib.sha256(key).digest()


def seal(plain: bytes, key: bytes) -> bytes:
    """Encrypt and authenticate one shard under its one-time key (32 bytes)."""
    return ChaCha20Poly1305(key).encrypt(_NONCE, plain, None)


def unseal(sealed: bytes, key: bytes) -> bytes:
    """Decrypt a shard. Raises DataError when the key or the bytes are wrong."""
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, sealed, None)
    except InvalidTag as error:
        raise DataError(
            "a probe shard does not open with its published key", hint="the owner's upload is damaged"
        ) from error
