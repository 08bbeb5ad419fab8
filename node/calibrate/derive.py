"""From honest drift to tolerance, grid and published error rates, or to a refusal that says why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from decimal import ROUND_CEILING, Decimal

import numpy as np
import torch
from numpy.typing import NDArray

from node.calibrate.cheating import cheat_cases
from node.calibrate.level import Calibration, Level
from node.calibrate.replay import Comparison, Shard, compare_levels, segments_of
from node.cheat import norm
from node.data import FloatArray
from node.errors import CalibrationRefused
from node.sketch import grid_of
from node.sketch.level import LEVELS, LevelName
from node.sketch.trials import trials
from node.train import Profile, Recipe

MARGIN = 10
"""tau over the largest honest drift."""

MAX_TAU = 1e-3
"""Above it a tolerance hides cheats: a skipped step in 50 moves an update by 1e-2."""

MIN_DRIFT = 2.0**-23
"""One float32 rounding: no machine is promised less, even if all replays here agreed to the bit."""

ROOM = 16
"""Norm bound over the largest honest norm: later rounds are longer, and int32 leaves a step of 6e-8 of the norm."""

Tick = Callable[[str], None]


def calibrate(
    task: str,
    module: torch.nn.Module,
    params: Mapping[str, FloatArray],
    shards: Sequence[Shard],
    recipe: Recipe,
    *,
    profiles: Sequence[Profile],
    segment: int,
    rows: int,
    seeds: int,
    tick: Tick = lambda _: None,
) -> Calibration:
    """Replay each shard under each profile; derive tolerances and bounds; try `seeds` fresh seeds on every case.

    Honest cases are, for each level, group and profile, the replay that drifted furthest; cheats are those of
    `node.cheat` on the first shard; the output level sees claims only. `tick` is called with the name of each piece
    of work done. Raises CalibrationRefused if the tolerance of a level would exceed MAX_TAU.
    """
    found: list[Comparison] = []
    for shard in shards:
        segments = segments_of(module, params, shard, recipe, segment=segment)
        tick("reference")
        for profile in profiles:
            found += compare_levels(segments, shard.probe, profile)
            tick(profile.name)
    drifts = {level: max((c for c in found if c.level == level), key=lambda c: c.drift) for level in LEVELS}
    taus = {level: _tau_of(worst) for level, worst in drifts.items()}
    bounds = {"output": _bound(found, ("output",)), "update": _bound(found, ("update", "segment", "step"))}
    middle = segments_of(module, params, shards[0], recipe, segment=segment)
    levels = []
    for level in LEVELS:
        grid = grid_of(float(bounds["output" if level == "output" else "update"]))
        honest, cheats = _worst(found, level), cheat_cases(level, middle, shards[0].probe, rows)
        drawn = trial_seeds(seeds, level)
        cases = [*([case] for case in honest), *cheats]
        passed = passing(cases, seeds=drawn, tau=float(taus[level]), grid=grid, rows=rows)
        refused = int((~passed[:, : len(honest)]).sum())
        missed = int(passed[:, len(honest) :].sum())
        drift = _decimal(drifts[level].drift)
        levels.append(Level(level, drift, taus[level], seeds * len(honest), refused, seeds * len(cheats), missed))
        tick(level)
    return Calibration(
        task=task,
        recipe=asdict(recipe),
        segment=segment,
        profiles=tuple(profile.name for profile in profiles),
        sketch_rows=rows,
        output_bound=bounds["output"],
        update_bound=bounds["update"],
        levels=tuple(levels),
    )


def trial_seeds(count: int, label: str) -> list[bytes]:
    """`count` seeds of rows, by SHA-256 of a label and a counter, stretched to a seed's 77 bytes."""
    return [hashlib.shake_256(f"credence trial {label} {i}".encode()).digest(77) for i in range(count)]


def _tau_of(worst: Comparison) -> str:
    tau = MARGIN * max(worst.drift, MIN_DRIFT)
    if not tau <= MAX_TAU:
        raise CalibrationRefused(
            f"profile {worst.profile} drifts by {worst.drift:.1e} at level {worst.level} ({worst.group}): "
            f"tau would be {tau:.1e}, above {MAX_TAU:g}, and cheats of a skipped step would pass",
            hint=f"do not allow members profile {worst.profile}, or train without kinks (task smooth_digits)",
        )
    return _decimal(tau)


def _decimal(value: float) -> str:
    """The decimal of two significant digits that is not below `value` >= 0."""
    exact = Decimal(value)
    if not exact:
        return "0"
    step = Decimal((0, (1,), exact.adjusted() - 1))
    return f"{exact.quantize(step, rounding=ROUND_CEILING):f}"


def _bound(found: Sequence[Comparison], levels: Sequence[LevelName]) -> str:
    return _decimal(ROOM * max(norm(c.reference) for c in found if c.level in levels))


def _worst(found: Sequence[Comparison], level: LevelName) -> list[Comparison]:
    best: dict[tuple[str, str], Comparison] = {}
    for item in found:
        key = (item.group, item.profile)
        if item.level == level and (key not in best or item.drift > best[key].drift):
            best[key] = item
    return list(best.values())


def passing(
    cases: Sequence[Sequence[Comparison]], *, seeds: Sequence[bytes], tau: float, grid: float, rows: int
) -> NDArray[np.bool_]:
    """(s, cases) bool: under which seeds a piece of work passes: all of its vectors, of one length, agree.

    An empty list of cases has no columns. Cases share rows, which leaves each one's odds as they are.
    """
    flat = [(number, case) for number, case_ in enumerate(cases) for case in case_]
    if not flat:
        return np.empty((len(seeds), 0), np.bool_)
    references: dict[int, FloatArray] = {id(case.reference): case.reference for _, case in flat}
    place = {key: index for index, key in enumerate(references)}
    agreed = trials(
        np.stack(list(references.values())),
        np.stack([case.claim for _, case in flat]),
        [place[id(case.reference)] for _, case in flat],
        seeds=seeds,
        tau=tau,
        grid=grid,
        k=rows,
    )
    passed = np.ones((len(seeds), len(cases)), np.bool_)
    for column, (number, _) in enumerate(flat):
        passed[:, number] &= agreed[:, column]
    return passed
