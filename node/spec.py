"""The task specification: everything that trainers, verifiers and auditors must agree on, as canonical bytes.

Its SHA-256 is fixed on chain at creation. Integers and strings only: decimals are strings, so that the bytes are the
same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from node.errors import ConfigError
from node.model import Layout
from node.train import Recipe
from storage import canonical_json, cid_of, digest_of, parse_canonical_json

SPEC_VERSION = 1
MAX_SPEC_BYTES = 1 << 20


@dataclass(frozen=True)
class Artefact:
    """A stored object: SHA-256 digest of its root block and its length in bytes (the CID follows from both)."""

    digest: bytes
    length: int

    def to_json(self) -> dict[str, Any]:
        """The canonical form: `{"digest": hex, "length": int}`."""
        return {"digest": self.digest.hex(), "length": self.length}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Artefact:
        """Inverse of `to_json`. Raises ConfigError on another shape."""
        try:
            digest, length = bytes.fromhex(data["digest"]), int(data["length"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"an artefact needs a hex digest and a length, got {dict(data)!r}") from error
        if len(digest) != 32 or length < 0:
            raise ConfigError(f"an artefact needs a 32-byte digest and a length >= 0, got {dict(data)!r}")
        return Artefact(digest, length)

    @staticmethod
    def of(data: bytes) -> Artefact:
        """The artefact that storing `data` gives."""
        return Artefact(digest_of(cid_of(data)), len(data))


@dataclass(frozen=True)
class ProbeShard:
    """One encrypted one-time probe shard: the sealed bytes and the SHA-256 of the key that opens them."""

    sealed: Artefact
    key_hash: bytes


@dataclass(frozen=True)
class TaskSpec:
    """What the owner publishes. Decimal fields are strings; see `number`."""

    name: str
    shape: tuple[int, ...]
    classes: int
    layout: Layout
    genesis: Artefact
    recipe: Recipe
    probe: tuple[ProbeShard, ...]
    codec: str = "raw"
    probe_shard: int = 48  # rows in each shard
    probe_batch: int = 32  # of which the beacon draws this many
    sketch_rows: int = 16
    tau: str = "0.0001"
    output_bound: str = "20000"
    update_bound: str = "1000"
    duplicate_tau: str = "0.01"
    cosine_margin: str = "0.1"
    aggregator: str = "trimmed_mean"
    byzantine_fraction: str = "0.2"
    weighting: str = "stake"
    utility: str = "loo"
    utility_scale: str = "0.25"
    version: int = field(default=SPEC_VERSION)

    def number(self, name: str) -> float:
        """A decimal field as float64. Raises ConfigError unless it is a finite decimal >= 0."""
        text = getattr(self, name)
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise ConfigError(f"{name} must be a decimal, got {text!r}") from error
        if not value.is_finite() or value < 0:
            raise ConfigError(f"{name} must be a finite decimal >= 0, got {text!r}")
        return float(value)

    @property
    def parameters(self) -> int:
        """Number of model parameters d."""
        total = 0
        for _, shape in self.layout:
            size = 1
            for extent in shape:
                size *= extent
            total += size
        return total

    @property
    def max_update_bytes(self) -> int:
        """Upper bound of an encoded update: float32 values plus a header."""
        return 4 * self.parameters + 65_536

    def to_bytes(self) -> bytes:
        """Canonical JSON bytes; their SHA-256 is `specDigest` on chain."""
        body: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        body["shape"] = list(self.shape)
        body["layout"] = [[name, list(shape)] for name, shape in self.layout]
        body["genesis"] = self.genesis.to_json()
        body["recipe"] = {f.name: _plain(getattr(self.recipe, f.name)) for f in fields(self.recipe)}
        body["probe"] = [_shard_json(shard) for shard in self.probe]
        return canonical_json(body)

    @property
    def probe_root(self) -> bytes:
        """SHA-256 of the canonical list of probe shards (`probeRoot` on chain)."""
        return hashlib.sha256(canonical_json([_shard_json(shard) for shard in self.probe])).digest()

    @staticmethod
    def from_bytes(data: bytes) -> TaskSpec:
        """Parse canonical bytes. Raises ConfigError on unknown versions or fields."""
        body: Any = parse_canonical_json(data, max_bytes=MAX_SPEC_BYTES)
        if not isinstance(body, dict) or body.get("version") != SPEC_VERSION:
            raise ConfigError(
                f"task spec version {SPEC_VERSION} expected", hint="upgrade credence or recreate the task"
            )
        names = {f.name for f in fields(TaskSpec)}
        if set(body) != names:
            raise ConfigError(f"task spec has wrong fields: {sorted(set(body) ^ names)}")
        try:
            recipe: dict[str, Any] = {f.name: _unplain(body["recipe"][f.name], f.type) for f in fields(Recipe)}
            body["recipe"] = Recipe(**recipe)
            body["shape"] = tuple(int(extent) for extent in body["shape"])
            body["layout"] = tuple((str(name), tuple(int(e) for e in shape)) for name, shape in body["layout"])
            body["genesis"] = Artefact.from_json(body["genesis"])
            body["probe"] = tuple(
                ProbeShard(Artefact.from_json(shard["sealed"]), bytes.fromhex(shard["key_hash"]))
                for shard in body["probe"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"task spec is malformed: {error}") from error
        return TaskSpec(**body)


def _shard_json(shard: ProbeShard) -> dict[str, Any]:
    return {"sealed": shard.sealed.to_json(), "key_hash": shard.key_hash.hex()}


def _plain(value: object) -> str | int:
    return value if isinstance(value, int | str) else repr(value)


def _unplain(value: object, kind: object) -> object:
    return float(str(value)) if kind in (float, "float") else value
