"""One frozen configuration of a run; the same names on the command line, in `config.json` and in code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from node.aggregate import AGGREGATORS
from node.attacks import ATTACKS, AttackSpec, parse_attack
from node.codec import CODECS
from node.errors import ConfigError
from node.partition import PARTITIONS
from node.spec import NO_CANARIES, canary_share
from node.task import TASKS
from node.utility import UTILITIES
from node.weight import WEIGHTINGS

MAX_NODES = 1_000


@dataclass(frozen=True)
class SimulationConfig:
    """A whole simulated network. Raises ConfigError, naming the value and the valid ones, when made."""

    task: str = "digits"
    options: Mapping[str, str] = field(default_factory=dict)
    nodes: int = 8
    verifiers: int = 3
    rounds: int = 5
    seed: int = 7
    attack: tuple[str, ...] = ()
    partition: str = "iid"
    aggregator: str = "nnm+trimmed_mean"
    weighting: str = "clusters"
    utility: str = "gtg_shapley"
    codec: str = "raw"
    settlement: str = "words"
    collector: str = "owner"
    verification: str = "output"
    canary_rate: str = NO_CANARIES
    chain: str = "tester"
    store: str = "disk"

    def __post_init__(self) -> None:
        for name, low, high in (("nodes", 1, MAX_NODES), ("verifiers", 1, 128), ("rounds", 1, 4_294)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"--{name} {value} is out of range", hint=f"give {low} to {high}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"--seed {self.seed} is out of range", hint="give 0 to 2^63 - 1")
        for name, valid in (
            ("settlement", ("words", "root")),
            ("collector", ("owner", "none")),
            ("verification", ("output", "replay")),
        ):
            if getattr(self, name) not in valid:
                raise ConfigError(f"--{name} {getattr(self, name)!r} is not known", hint=f"give {' or '.join(valid)}")
        canary_share(self.canary_rate)
        TASKS.get(self.task)
        AGGREGATORS.get(self.aggregator)
        WEIGHTINGS.get(self.weighting)
        UTILITIES.get(self.utility)
        CODECS.get(self.codec)
        PARTITIONS.get(self.partition.partition(":")[0])
        for role, limit in (("trainer", self.nodes), ("verifier", self.verifiers)):
            count = sum(a.count for a in self.attacks if ATTACKS.get(a.name).role == role)
            if count > limit:
                raise ConfigError(
                    f"{count} {role}s attack but there are only {limit}", hint="lower the counts of --attack"
                )

    @property
    def attacks(self) -> tuple[AttackSpec, ...]:
        """Parsed `--attack` values."""
        return tuple(parse_attack(text) for text in self.attack)

    def assignment(self, role: str) -> list[AttackSpec | None]:
        """Attack of each node of a role, by index; the attackers are the last ones."""
        total = self.nodes if role == "trainer" else self.verifiers
        attackers = [a for a in self.attacks if ATTACKS.get(a.name).role == role for _ in range(a.count)]
        return [None] * (total - len(attackers)) + attackers

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written to `config.json`; without the canary rate where there is none, as ever."""
        data = asdict(self)
        if self.canary_rate == NO_CANARIES:
            del data["canary_rate"]
        data["attack"] = list(self.attack)
        data["options"] = dict(self.options)
        return data

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> SimulationConfig:
        """Inverse of `to_json`. Raises ConfigError for unknown fields."""
        names = {f.name for f in fields(SimulationConfig)}
        data = {"canary_rate": NO_CANARIES, **data}
        if set(data) != names:
            raise ConfigError(f"config.json has wrong fields: {sorted(set(data) ^ names)}")
        default = {**SimulationConfig().to_json(), "canary_rate": NO_CANARIES}
        for name, value in data.items():
            if type(value) is not type(default[name]):
                raise ConfigError(
                    f"config.json: {name} = {value!r:.99} is not of the right type", hint="make a new run"
                )
        texts = [*data["attack"], *data["options"].values()]
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError("config.json: attacks and options are strings", hint="make a new run")
        return SimulationConfig(**{**data, "attack": tuple(data["attack"])})

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that differ when any value differs."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def default_folder(self) -> Path:
        """Where a run goes unless `--out` says otherwise."""
        return Path("runs") / f"{self.task}-seed{self.seed}-{self.fingerprint}"
