"""What a calibration found, as it is published with a task: by level the drift, the tolerance and the error rates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from node.errors import ConfigError
from node.sketch.level import LEVELS, LevelName


@dataclass(frozen=True)
class Level:
    """One level: what is compared, and how often fresh rows decided wrongly in the trials of the calibration.

    Decimals are strings, as everywhere in a task. Raises ConfigError on a value out of range.
    """

    name: LevelName
    drift: str  # largest relative L2 distance between honest replays
    tau: str
    honest: int  # comparisons of honest work
    rejected: int  # of which the sketch refused
    cheats: int  # comparisons of cheats
    missed: int  # of which the sketch accepted

    def __post_init__(self) -> None:
        if self.name not in LEVELS:
            raise ConfigError(f"a calibration has no level {self.name!r:.99}", hint=f"levels: {', '.join(LEVELS)}")
        for name in ("drift", "tau"):
            text = getattr(self, name)
            try:
                value = float(Decimal(text)) if isinstance(text, str) else math.nan
            except (InvalidOperation, OverflowError) as error:
                raise ConfigError(f"{name} of level {self.name} must be a decimal, got {text!r:.99}") from error
            if not 0 <= value < math.inf:
                raise ConfigError(f"{name} of level {self.name} must be a finite decimal >= 0, got {text!r:.99}")
        counts = (self.honest, self.rejected, self.cheats, self.missed)
        if any(type(c) is not int or c < 0 for c in counts) or self.rejected > self.honest or self.missed > self.cheats:
            raise ConfigError(f"counts of level {self.name} are integers >= 0, none above its total: {counts!r:.99}")

    def to_json(self) -> dict[str, Any]:
        """The canonical form: an object with the fields."""
        return asdict(self)

    @staticmethod
    def from_json(data: object) -> Level:
        """Inverse of `to_json`. Raises ConfigError on other fields or values."""
        if not isinstance(data, Mapping) or set(data) != {f.name for f in fields(Level)}:
            raise ConfigError(f"a calibrated level has other fields: {data!r:.99}")
        return Level(**data)


@dataclass(frozen=True)
class Calibration:
    """A whole calibration: for which task and recipe, under which profiles, and what a task takes from it."""

    task: str
    recipe: Mapping[str, Any]
    segment: int  # steps
    profiles: tuple[str, ...]
    sketch_rows: int
    output_bound: str
    update_bound: str
    levels: tuple[Level, ...]

    def overrides(self, *, task: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of the task spec. Raises ConfigError if the calibration is of another task or recipe."""
        if (task, dict(recipe)) != (self.task, dict(self.recipe)):
            raise ConfigError(
                f"the calibration is of task {self.task!r} with another recipe or name than {task!r}",
                hint=f"run `credence calibrate {task}` again",
            )
        tau = next(level.tau for level in self.levels if level.name == "output")
        return {
            "tau": tau,
            "sketch_rows": self.sketch_rows,
            "output_bound": self.output_bound,
            "update_bound": self.update_bound,
            "profiles": self.profiles,
            "calibration": self.levels,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written to a file."""
        body = {f.name: getattr(self, f.name) for f in fields(self)}
        levels = [level.to_json() for level in self.levels]
        return {**body, "recipe": dict(self.recipe), "profiles": list(self.profiles), "levels": levels}

    @staticmethod
    def from_text(text: str) -> Calibration:
        """Read the JSON of a file. Raises ConfigError for anything that `to_json` does not write."""
        try:
            body = json.loads(text)
            levels = tuple(Level.from_json(item) for item in body["levels"])
            found = Calibration(**{**body, "profiles": tuple(body["profiles"]), "levels": levels})
            exact = [level.name for level in levels] == list(LEVELS) and isinstance(found.recipe, Mapping)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the calibration file is malformed: {error}", hint="run `credence calibrate`") from error
        if not exact:
            raise ConfigError(f"a calibration has the levels {', '.join(get_args(LevelName))}, in this order")
        return found
