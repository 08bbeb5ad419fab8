"""The counts of the verification benchmark: fresh seeds, forgeries, stated sketches, hugged tolerances."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from node.calibrate.derive import passing, trial_seeds
from node.cheat import CLAIMS, Knowledge, norm, of_norm
from node.model import flatten, unflatten
from node.sketch import grid_of
from node.sketch.trials import agree_many, project_many, rounded, trials
from scripts.bench.verification_cases import ROWS, Case, Suite

DRAW_RATE = 0.5
"""Share of a round's segments that the beacon draws for replay, in the figures for a whole round."""

SPREAD = {"skip_last": "one", "no_moments": "one", "skip_2pct": "some"}
"""In how many segments of a run an execution cheat shows: one, 2 % of the steps' worth, else all."""


def level_of(suite: Suite, case: Case) -> Any:
    """The calibrated level that judges a case."""
    wanted = "segment" if case.mode == "replay" else "output"
    return next(level for level in suite.calibration.levels if level.name == wanted)


def acceptance(suite: Suite, *, honest: int, cheat_seeds: int) -> list[dict[str, Any]]:
    """One row for each (mode, name): comparisons and how many were accepted, largest and smallest distance, tau.

    `honest` comparisons of each profile in each mode; `cheat_seeds` seeds for every case of a cheat.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    groups: dict[tuple[str, bool, tuple[str, ...]], list[Case]] = defaultdict(list)
    for case in suite.cases:
        shape = tuple(vector.group for vector in case.vectors)
        groups[case.mode, case.kind == "honest", shape].append(case)
    for (mode, is_honest, _), cases in groups.items():
        level = level_of(suite, cases[0])
        bound = suite.calibration.output_bound if mode == "output" else suite.calibration.update_bound
        places = len({case.place for case in cases})
        drawn = trial_seeds(
            -(-honest // places) if is_honest else cheat_seeds, f"suite {suite.task} {mode} {is_honest}"
        )
        vectors = [case.vectors for case in cases]
        passed = passing(vectors, seeds=drawn, tau=float(level.tau), grid=grid_of(float(bound)), rows=ROWS)
        for case, column in zip(cases, passed.T, strict=True):
            blank = {
                "task": suite.task,
                "mode": mode,
                "name": case.name,
                "kind": case.kind,
                "tau": float(level.tau),
                "comparisons": 0,
                "accepted": 0,
                "nearest": math.inf,
                "furthest": 0.0,
            }
            row = rows.setdefault((mode, case.name), blank)
            row["comparisons"] += len(column)
            row["accepted"] += int(column.sum())
            row["nearest"] = min(row["nearest"], case.distance)
            row["furthest"] = max(row["furthest"], case.distance)
    for row in rows.values():
        if row["mode"] == "replay" and row["kind"] != "honest":
            row["round"] = whole_round(suite, row["name"], 1 - row["accepted"] / row["comparisons"])
    return list(rows.values())


def whole_round(suite: Suite, name: str, caught: float) -> float:
    """Odds that a round exposes a cheat which is caught with odds `caught` in a checked segment, at DRAW_RATE."""
    drawn = math.ceil(DRAW_RATE * suite.segments)
    spread = SPREAD.get(name, "all")
    bad = 1 if spread == "one" else math.ceil(0.02 * suite.steps) if spread == "some" else suite.segments
    missed = 0.0
    for hit in range(min(bad, drawn) + 1):
        ways = math.comb(bad, hit) * math.comb(suite.segments - bad, drawn - hit) / math.comb(suite.segments, drawn)
        missed += ways * (1 - caught) ** hit
    return 1 - missed


def null_space(suite: Suite, *, known: int, fresh: int) -> dict[str, int]:
    """Forgeries of an update's outputs whose rows are known: accepted under those rows, and under fresh ones."""
    case = next(c for c in suite.cases if c.mode == "output" and c.kind == "claim")
    u, tau = case.vectors[0].reference, float(level_of(suite, case).tau)
    grid = grid_of(float(suite.calibration.output_bound))
    seeds = trial_seeds(known, "known rows")
    blank = Knowledge(u, u, u, np.random.default_rng(1), k=ROWS)
    forged = np.stack([CLAIMS.get("null_space").say(u, replace(blank, known_seed=seed)) for seed in seeds])
    own = [
        bool(trials(u[None], vector[None], [0], seeds=[seed], tau=tau, grid=grid, k=ROWS)[0, 0])
        for seed, vector in zip(seeds, forged, strict=True)
    ]
    new = trial_seeds(-(-fresh // known), "fresh rows")
    others = trials(u[None], forged, [0] * known, seeds=new, tau=tau, grid=grid, k=ROWS)
    return {"known": known, "known_accepted": sum(own), "fresh": others.size, "fresh_accepted": int(others.sum())}


def stated_sketches(suite: Suite, *, count: int) -> dict[str, int]:
    """How many of `count` sketches that were not computed from the vector in question pass, by kind.

    `constant`: equal values of the true norm. `zero`. `replayed`: the true vector's sketch under the seed before.
    `neighbour`: a neighbour's vector under the true seed; `neighbour_own`: under the neighbour's own seed.
    """
    case = next(c for c in suite.cases if c.mode == "output" and c.name == "neighbour")
    vectors = np.stack([case.vectors[0].reference, case.vectors[0].claim]).astype(np.float64)
    tau, grid = float(level_of(suite, case).tau), grid_of(float(suite.calibration.output_bound))
    accepted = dict.fromkeys(("constant", "zero", "replayed", "neighbour", "neighbour_own"), 0)
    done, size = 0, 20_000
    while done < count:
        seeds = trial_seeds(min(size, count - done), f"stated {done}")
        products = np.concatenate(list(project_many(vectors, seeds=seeds, k=ROWS)))
        true, foreign = rounded(products[:, 0] / grid), rounded(products[:, 1] / grid)
        level = np.rint(np.sqrt((true**2).mean(axis=1, keepdims=True)))
        stated = {
            "constant": np.broadcast_to(level, true.shape),
            "zero": np.zeros_like(true),
            "replayed": np.roll(true, 1, axis=0),
            "neighbour": foreign,
            "neighbour_own": np.roll(foreign, 1, axis=0),
        }
        for name, claim in stated.items():
            accepted[name] += int(agree_many(claim, true, tau=tau).sum())
        done += len(seeds)
    return accepted


def hugging(suite: Suite, *, below: float = 0.99) -> dict[str, float]:
    """What a trainer gains that ends every segment `below` times tau away from honest, always in one direction.

    Each segment starts from the state that the one before was committed to. Returned, relative to the honest update:
    the bound (sum of tau |segment|) / |update|, and the distance that the run really ends at.
    """
    run = suite.runs[0]
    tau = float(next(level.tau for level in suite.calibration.levels if level.name == "segment"))
    start, end = flatten(run[0].start.params), flatten(run[-1].end.params)
    update = (end.astype(np.float64) - start).astype(np.float32)
    push = np.random.default_rng(2).standard_normal(update.size)
    state, allowed = run[0].start, 0.0
    trainer = run[0].trainer()
    layout = tuple((name, value.shape) for name, value in sorted(state.params.items()))
    for work in run:
        honest = trainer.advance(state, work.steps)
        moved = (flatten(honest.params).astype(np.float64) - flatten(state.params)).astype(np.float32)
        shift = of_norm(push, below * tau * norm(moved))
        allowed += tau * norm(moved)
        state = replace(honest, params=unflatten((flatten(honest.params) + shift).astype(np.float32), layout))
    apart = (flatten(state.params).astype(np.float64) - end).astype(np.float32)
    return {"tau": tau, "bound": allowed / norm(update), "measured": norm(apart) / norm(update)}
