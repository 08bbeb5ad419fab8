"""Content-addressed storage: exact IPFS CIDs, a disk store, any Kubo-style daemon, safe encodings."""

from storage.cid import CHUNK_BYTES, Cid, cid_of, digest_of, from_digest
from storage.codec import TensorSpec, canonical_json, decode, encode, parse_canonical_json, parse_json
from storage.disk import DiskStore
from storage.errors import (
    CidMismatch,
    CodecError,
    MissingContent,
    Reject,
    StorageError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from storage.ipfs import IpfsStore
from storage.store import Store, open_store

__all__ = [
    "CHUNK_BYTES",
    "Cid",
    "CidMismatch",
    "CodecError",
    "DiskStore",
    "IpfsStore",
    "MissingContent",
    "Reject",
    "StorageError",
    "Store",
    "StoreFull",
    "StoreUnavailable",
    "TensorSpec",
    "TooLarge",
    "canonical_json",
    "cid_of",
    "decode",
    "digest_of",
    "encode",
    "from_digest",
    "open_store",
    "parse_canonical_json",
    "parse_json",
]
