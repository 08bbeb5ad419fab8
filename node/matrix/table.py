"""What a finished matrix says: mean over seeds a cell, worst case a row, and what was promised of the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from node.matrix.cell import NO_ATTACK, Cell, Result
from node.matrix.defences import DEFAULT, UNDEFENDED
from node.matrix.grid import Grid

GAPS = {"iid": 0.02, "dirichlet": 0.04, "label": 0.08}
"""How far the default's worst case may lie below clean training, by kind of partition."""
NEAR_BEST = 0.01
OWN = ("clusters", DEFAULT)


def tabulate(grid: Grid, results: Mapping[Cell, Result]) -> dict[str, Any]:
    """The matrix as plain values: `partitions[p]["accuracy"][defence][attack]`, `success`, `worst`, `clean`, `checks`.

    The worst case is over all attacks, the absence of one included. `best rule` is the published rule with the best
    worst case of that partition; where a check failed, `missed` lists the cells and by how much.
    """
    tables = {name: _table(grid, results, name) for name in grid.partitions}
    return {
        "setting": asdict(grid.setting),
        "seeds": list(grid.seeds),
        "attacks": list(grid.attacks),
        "partitions": tables,
    }


def _table(grid: Grid, results: Mapping[Cell, Result], partition: str) -> dict[str, Any]:
    def over_seeds(attack: str, defence: str) -> tuple[float, float | None]:
        found = [results[Cell(attack, defence, partition, seed)] for seed in grid.seeds]
        successes = [result.success for result in found if result.success is not None]
        return float(np.mean([r.accuracy for r in found])), float(np.mean(successes)) if successes else None

    cells = {d: {a: over_seeds(a, d) for a in grid.attacks} for d in grid.defences}
    accuracy = {d: {a: cell[0] for a, cell in row.items()} for d, row in cells.items()}
    success = {d: {a: cell[1] for a, cell in row.items() if cell[1] is not None} for d, row in cells.items()}
    worst = {d: min(row.values()) for d, row in accuracy.items()}
    table: dict[str, Any] = {"accuracy": accuracy, "success": success, "worst": worst}
    if NO_ATTACK in grid.attacks and {DEFAULT, UNDEFENDED} <= set(grid.defences):
        table["clean"] = accuracy[UNDEFENDED][NO_ATTACK]
        table["checks"] = _checks(partition, table)
    return table


def _checks(partition: str, table: Mapping[str, Any]) -> dict[str, Any]:
    accuracy, worst = table["accuracy"], table["worst"]
    published = [name for name in worst if name not in OWN]
    best = max(published, key=lambda name: (worst[name], name))
    ours = accuracy[DEFAULT]
    missed = {a: ours[a] - accuracy[best][a] for a in ours if ours[a] < accuracy[best][a] - NEAR_BEST}
    oracle = {a: max(accuracy[name][a] for name in published) for a in ours}
    below = {a: ours[a] - oracle[a] for a in ours if ours[a] < oracle[a] - NEAR_BEST}
    allowed = GAPS.get(partition.partition(":")[0])
    gap = table["clean"] - worst[DEFAULT]
    return {
        "gap": gap,
        "allowed gap": allowed,
        "gap met": allowed is None or gap <= allowed,
        "best rule": best,
        "missed": missed,
        "below the best of every rule": below,
    }
