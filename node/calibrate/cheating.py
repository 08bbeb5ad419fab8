"""The cheats of `node.cheat` as comparisons, on a run of which the honest vectors are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from node.calibrate.replay import Comparison, outputs_under
from node.cheat import CLAIMS, EXECUTIONS, Knowledge, Work, quantised_weights
from node.data import FloatArray
from node.sketch.level import LevelName
from node.train.profile import REFERENCE


def cheat_cases(level: LevelName, segments: Sequence[Work], probe: FloatArray, rows: int) -> list[list[Comparison]]:
    """Every cheat that a level can see, as the vectors that it states: claims everywhere, executions where steps are
    replayed, on the middle segment of a run. A case passes if all its vectors do; one that changed nothing is left out.
    """
    middle = segments[len(segments) // 2]
    rng = np.random.default_rng(0)
    if level == "output":
        last = segments[-1]
        true, previous, neighbour, quantised = (
            outputs_under(REFERENCE, last.module, params, probe)
            for params in (
                last.end.params,
                last.start.params,
                EXECUTIONS.get("other_data").run(last).params,
                quantised_weights(last.end.params),
            )
        )
        return _claims(level, true, Knowledge(previous, neighbour, quantised, rng, k=rows))
    spans = {"update": (segments[0].start, sum(w.steps for w in segments)), "step": (middle.start, 1)}
    start, steps = spans.get(level, (middle.start, middle.steps))
    work = replace(middle, start=start, steps=steps)
    honest = work.moves(work.end)
    moved = {name: work.moves(EXECUTIONS.get(name).run(work)) for name in EXECUTIONS}
    groups = ("weights",) if level == "update" else tuple(honest)
    executed = [
        [Comparison(level, group, name, honest[group], forged[group]) for group in groups]
        for name, forged in moved.items()
        if any((forged[group] != honest[group]).any() for group in groups)
    ]
    int8 = work.moves(replace(work.end, params=quantised_weights(work.end.params)))["weights"]
    earlier = segments[max(0, len(segments) // 2 - 1)]
    previous = np.roll(earlier.moves(earlier.end)["weights"], 1 if earlier is middle else 0)
    knowledge = Knowledge(previous, moved["other_data"]["weights"], int8, rng, k=rows)
    return executed + _claims(level, honest["weights"], knowledge)


def _claims(level: LevelName, true: FloatArray, knowledge: Knowledge) -> list[list[Comparison]]:
    return [[Comparison(level, "claim", name, true, CLAIMS.get(name).say(true, knowledge))] for name in CLAIMS]
