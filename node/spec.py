"""The task specification: everything that trainers, verifiers and auditors must agree on, as canonical bytes.

Its SHA-256 is fixed on chain at creation. Integers and strings only: decimals are strings, so that the bytes are the
same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from node.calibrate.level import Level
from node.errors import ConfigError
from node.model import Layout
from node.sketch import MAX_K, K
from node.sketch.level import LevelName
from node.train import MOMENTS, Recipe
from storage import canonical_json, cid_of, digest_of, parse_canonical_json

SPEC_VERSION = 1
_NAMES = ("name", "codec", "aggregator", "weighting", "utility", "collector")
_DECIMALS = (
    "tau", "output_bound", "update_bound", "duplicate_tau", "cosine_margin", "byzantine_fraction", "utility_scale",
    "stake_bad", "capture_bound", "stall_bound",
    "cluster_tau", "shapley_skip", "shapley_truncate",
)  # fmt: skip
MAX_SPEC_BYTES = 1 << 20
NO_CANARIES = "0"
MAX_CANARY_RATE = Fraction(1, 2)  # above, more work would be left out of the model than goes into it


@dataclass(frozen=True)
class Artefact:
    """A stored object: SHA-256 digest of its root block and its length in bytes (the CID follows from both)."""

    digest: bytes
    length: int

    def to_json(self) -> dict[str, Any]:
        """The canonical form: `{"digest": hex, "length": int}`."""
        return {"digest": self.digest.hex(), "length": self.length}

    @staticmethod
    def from_json(data: object) -> Artefact:
        """Inverse of `to_json`. Raises ConfigError on another shape or spelling."""
        try:
            found = Artefact(bytes.fromhex(data["digest"]), data["length"])  # type: ignore[index]
            exact = len(found.digest) == 32 and type(found.length) is int and found.length >= 0
        except (LookupError, TypeError, ValueError) as error:
            raise ConfigError(f"an artefact needs a hex digest and a length, got {data!r:.99}") from error
        if not exact or found.to_json() != data:
            raise ConfigError(
                f"an artefact needs a 32-byte digest in lower-case hex and a length >= 0, got {data!r:.99}"
            )
        return found

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
class PublicShard:
    """Training data that anybody may fetch: its container and its number of samples."""

    data: Artefact
    rows: int


@dataclass(frozen=True)
class ReplayPlan:
    """What makes training repeatable by others, in replay mode (DESIGN §4). The trainer chooses none of it.

    A checkpoint every `segment` steps, of which the beacon draws `drawn` segments of each submission to be executed
    again; the trainer in slot s holds shard s mod the number of shards; batch orders follow from `batch_seed`. The
    numeric profile is float32, one thread, deterministic kernels. Raises ConfigError on values out of range.
    """

    segment: int
    drawn: int
    batch_seed: int
    shards: tuple[PublicShard, ...]

    def __post_init__(self) -> None:
        sizes = (self.segment, self.drawn, *(shard.rows for shard in self.shards))
        if not self.shards or any(type(size) is not int or size < 1 for size in sizes):
            raise ConfigError("a replay plan needs shards with samples, and at least one step and one drawn segment")
        if type(self.batch_seed) is not int or not 0 <= self.batch_seed < 2**63:
            raise ConfigError(f"batch_seed must be an integer in [0, 2^63), got {self.batch_seed!r:.99}")

    def to_json(self) -> dict[str, Any]:
        """The canonical form."""
        shards = [{"data": shard.data.to_json(), "rows": shard.rows} for shard in self.shards]
        return {"segment": self.segment, "drawn": self.drawn, "batch_seed": self.batch_seed, "shards": shards}

    @staticmethod
    def from_json(data: Any) -> ReplayPlan:
        """Inverse of `to_json`; the caller checks the spelling. Raises ConfigError, or LookupError and its like."""
        shards = tuple(PublicShard(Artefact.from_json(item["data"]), item["rows"]) for item in data["shards"])
        return ReplayPlan(data["segment"], data["drawn"], data["batch_seed"], shards)


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
    sketch_rows: int = K  # a multiple of 8
    tau: str = "0.0001"
    output_bound: str = "20000"
    update_bound: str = "1000"
    duplicate_tau: str = "0.01"
    cosine_margin: str = "0.2"
    aggregator: str = "nnm+trimmed_mean"
    byzantine_fraction: str = "0.1"
    weighting: str = "clusters"
    utility: str = "gtg_shapley"
    utility_scale: str = "0.25"
    stake_bad: str = "0.2"  # hostile share of stake that the next two bounds assume
    capture_bound: str = "1"  # greatest odds of a captured committee that the owner bears; 1 = promises nothing
    stall_bound: str = "1"
    cluster_tau: str = "0.1"  # updates within this relative distance are one player when utilities are measured
    shapley_skip: str = "0.0001"  # nats
    shapley_truncate: str = "0.01"  # of the round's gain
    collector: str = "owner"  # who logs commits and reveals for all: the task's owner, or `none`
    calibration: tuple[Level, ...] = ()  # what tau and the bounds were derived from; empty: not calibrated
    replay: ReplayPlan | None = None  # None: output mode
    profiles: tuple[str, ...] = ()  # ways of computing (see node.train.profile) that the calibration made room for
    canary_rate: str = NO_CANARIES  # share of submissions that their trainers plant (see node.canary); absent when 0
    version: int = field(default=SPEC_VERSION)

    def __post_init__(self) -> None:
        for name in _DECIMALS:
            self.number(name)
        for name, low, high in (("classes", 2, 2**31), ("sketch_rows", 8, MAX_K), ("probe_batch", 1, self.probe_shard)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ConfigError(f"{name} of a task must be an integer from {low} to {high}, got {value!r:.99}")
        if self.sketch_rows % 8:
            raise ConfigError(f"sketch_rows of a task must be a multiple of 8, got {self.sketch_rows}")
        extents = (*self.shape, *(extent for _, shape in self.layout for extent in shape))
        if not self.shape or not self.layout or any(type(e) is not int or e < 1 for e in extents):
            raise ConfigError("the sample shape and every tensor shape of a task are made of integers >= 1")
        texts = [*self.profiles, *(getattr(self, name) for name in _NAMES)] + [name for name, _ in self.layout]
        if any(not isinstance(text, str) for text in texts) or len(dict(self.layout)) != len(self.layout):
            raise ConfigError("names in a task are strings, and its tensors have distinct ones")
        if self.collector not in ("owner", "none"):
            raise ConfigError(f"collector of a task is `owner` or `none`, got {self.collector!r:.99}")
        if len({level.name for level in self.calibration}) != len(self.calibration):
            raise ConfigError("a task is calibrated once at each level")
        if self.replay is not None and self.codec != "raw":
            raise ConfigError(f"a task in replay mode has the codec raw, got {self.codec!r:.99}", hint="--codec raw")
        canary_share(self.canary_rate)
        if any(len(shard.key_hash) != 32 for shard in self.probe):
            raise ConfigError("the key hash of a probe shard has 32 bytes")

    def number(self, name: str) -> float:
        """A decimal field as float64. Raises ConfigError unless it is a finite decimal >= 0."""
        text = getattr(self, name)
        try:
            value = float(Decimal(text)) if isinstance(text, str) else math.nan
        except (InvalidOperation, ValueError, OverflowError) as error:
            raise ConfigError(f"{name} must be a decimal, got {text!r:.99}") from error
        if not math.isfinite(value) or value < 0:
            raise ConfigError(f"{name} must be a finite decimal >= 0, as a string, got {text!r:.99}")
        return value

    @property
    def canary_share(self) -> Fraction:
        """The float64 nearest to `canary_rate`, as a fraction; 0 in a task without canaries."""
        return canary_share(self.canary_rate)

    def tau_of(self, level: LevelName) -> float:
        """The tolerance of a level: the calibrated one, or `tau` for a task that was not calibrated."""
        found = [item.tau for item in self.calibration if item.name == level]
        return float(Decimal(found[0])) if found else self.number("tau")

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
    def sketch_groups(self) -> int:
        """Groups of rows that are judged apart: in replay mode the weights and each array of the optimiser."""
        return 1 if self.replay is None else 1 + len(MOMENTS[self.recipe.optimiser])

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
        body["recipe"] = {f.name: _plain(getattr(self.recipe, f.name), f.type) for f in fields(self.recipe)}
        body["profiles"] = list(self.profiles)
        body["calibration"] = [level.to_json() for level in self.calibration]
        body["probe"] = [_shard_json(shard) for shard in self.probe]
        body["replay"] = {} if self.replay is None else self.replay.to_json()
        if self.canary_rate == NO_CANARIES:
            del body["canary_rate"]  # the bytes, and so the digest, that such a task had before there were canaries
        return canonical_json(body)

    @property
    def probe_root(self) -> bytes:
        """SHA-256 of the canonical list of probe shards (`probeRoot` on chain)."""
        return hashlib.sha256(canonical_json([_shard_json(shard) for shard in self.probe])).digest()

    @staticmethod
    def from_bytes(data: bytes) -> TaskSpec:
        """Parse canonical bytes. Raises ConfigError on unknown versions or fields, and on any other spelling."""
        try:
            body: Any = parse_canonical_json(data, max_bytes=MAX_SPEC_BYTES)
            version = body.get("version") if isinstance(body, dict) else None
            if version != SPEC_VERSION:
                raise ConfigError(f"task spec version {SPEC_VERSION} expected, got {version!r:.99}", hint="upgrade")
            body.setdefault("canary_rate", NO_CANARIES)
            names = {f.name for f in fields(TaskSpec)}
            if set(body) != names:
                raise ConfigError(f"task spec has wrong fields: {sorted(set(body) ^ names)}")
            recipe: dict[str, Any] = {f.name: _unplain(body["recipe"][f.name], f.type) for f in fields(Recipe)}
            body["recipe"] = Recipe(**recipe)
            body["shape"] = tuple(body["shape"])
            body["layout"] = tuple((name, tuple(shape)) for name, shape in body["layout"])
            body["genesis"] = Artefact.from_json(body["genesis"])
            body["profiles"] = tuple(body["profiles"])
            body["calibration"] = tuple(Level.from_json(level) for level in body["calibration"])
            body["probe"] = tuple(
                ProbeShard(Artefact.from_json(shard["sealed"]), bytes.fromhex(shard["key_hash"]))
                for shard in body["probe"]
            )
            body["replay"] = ReplayPlan.from_json(body["replay"]) if body["replay"] != {} else None
            spec = TaskSpec(**body)
            exact = spec.to_bytes() == data
        except ConfigError:
            raise
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"task spec is malformed: {error}") from error
        if not exact:
            raise ConfigError("task spec is not in canonical form", hint="its owner must publish it again")
        return spec


def canary_share(text: str) -> Fraction:
    """A canary rate, which is a decimal, as a fraction: the float64 nearest to it. Raises ConfigError out of range."""
    try:
        value = float(Decimal(text)) if isinstance(text, str) else math.nan
    except (InvalidOperation, ValueError, OverflowError):
        value = math.nan
    if not 0 <= value <= MAX_CANARY_RATE:
        raise ConfigError(
            f"canary_rate is the share of submissions that are planted, got {text!r:.99}",
            hint=f"give a decimal from {NO_CANARIES} (none) to {float(MAX_CANARY_RATE)}, for example 0.05",
        )
    return Fraction(value)


def _shard_json(shard: ProbeShard) -> dict[str, Any]:
    return {"sealed": shard.sealed.to_json(), "key_hash": shard.key_hash.hex()}


def _plain(value: object, kind: object) -> str | int:
    if kind in (float, "float"):
        return repr(float(str(value)))
    return value if isinstance(value, int | str) else repr(value)


def _unplain(value: object, kind: object) -> object:
    if kind in (float, "float"):
        return float(str(value))
    if kind in (int, "int") and type(value) is not int:
        raise ValueError(f"{value!r:.99} is no integer")
    return value
