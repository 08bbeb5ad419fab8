"""All cells of a matrix, on processes or on Ray: one small file a cell, so that an interrupted run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from node.errors import ConfigError
from node.matrix.cell import NO_ATTACK, Cell, Result, Setting, run_cell
from node.matrix.defences import CHAINS, DEFENCES, defence_of

ATTACK_ROWS = (
    NO_ATTACK, "sign_flip", "gaussian", "free_rider", "copycat", "alie", "alie=search", "ipm", "ipm=search", "mimic",
    "label_flip", "backdoor", "sybil_clones", "sybil_noise", "outlier",
)  # fmt: skip
PARTITIONS = ("iid", "dirichlet:0.5", "label:3")
ENGINES = ("processes", "ray")

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Grid:
    """Which cells there are. The undefended clean run of every partition and seed is always among them."""

    setting: Setting = field(default_factory=Setting)
    attacks: tuple[str, ...] = ATTACK_ROWS
    defences: tuple[str, ...] = field(default_factory=lambda: (*DEFENCES.names(), *CHAINS))
    partitions: tuple[str, ...] = PARTITIONS
    seeds: tuple[int, ...] = (1, 2, 3)

    def cells(self) -> list[Cell]:
        """Every cell, cheap defences and expensive ones mixed so that workers end together."""
        found = [
            Cell(attack, defence, partition, seed)
            for seed in self.seeds
            for partition in self.partitions
            for attack in self.attacks
            for defence in self.defences
        ]
        for cell in found[: len(self.attacks) * len(self.defences)]:
            _ = cell.kind
            defence_of(cell.defence)
        return found


def run_grid(
    grid: Grid, folder: Path, *, workers: int, engine: str = "processes", tick: Tick = lambda done, total: None
) -> dict[Cell, Result]:
    """Run what `folder` does not hold yet and return all. Results do not depend on engine or number of workers.

    Raises ConfigError for a folder of another setting, an unknown engine, or `ray` where it is not installed;
    UnknownName for a name that does not exist.
    """
    cells = grid.cells()
    _claim(folder, grid.setting)
    done = {cell: result for cell in cells if (result := _read(folder, cell)) is not None}
    todo = [cell for cell in cells if cell not in done]
    tick(len(done), len(cells))
    for cell, result in _results(grid.setting, todo, workers, engine):
        _write(folder, cell, result)
        done[cell] = result
        tick(len(done), len(cells))
    return done


def _results(setting: Setting, todo: Sequence[Cell], workers: int, engine: str) -> Iterator[tuple[Cell, Result]]:
    if engine not in ENGINES:
        raise ConfigError(f"engine {engine!r} is not known", hint=f"valid: {', '.join(ENGINES)}")
    if engine == "ray":
        yield from _on_ray(setting, todo, workers)
    elif workers == 1:
        yield from ((cell, run_cell(setting, cell)) for cell in todo)
    else:
        with ProcessPoolExecutor(max_workers=workers) as pool:
            futures = {pool.submit(run_cell, setting, cell): cell for cell in todo}
            for future in as_completed(futures):
                yield futures[future], future.result()


def _on_ray(setting: Setting, todo: Sequence[Cell], workers: int) -> Iterator[tuple[Cell, Result]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ConfigError(
            "--engine ray: ray is not installed", hint="pip install ray, or --engine processes"
        ) from error
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        remote = ray.remote(run_cell)
        waiting = {remote.remote(setting, cell): cell for cell in todo}
        while waiting:
            ready, _ = ray.wait(list(waiting))
            for reference in ready:
                yield waiting.pop(reference), ray.get(reference)
    finally:
        ray.shutdown()


def _claim(folder: Path, setting: Setting) -> None:
    marker, text = folder / "setting.json", json.dumps(asdict(setting), sort_keys=True)
    folder.mkdir(parents=True, exist_ok=True)
    if marker.exists():
        if marker.read_text() != text:
            raise ConfigError(f"{folder} holds cells of another setting", hint="choose another --out")
    elif any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty and holds no matrix", hint="choose another --out")
    else:
        _replace(marker, text)


def _path(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.partition}-{cell.attack}-{cell.defence}-{cell.seed}.json".replace(":", "_")


def _read(folder: Path, cell: Cell) -> Result | None:
    path = _path(folder, cell)
    if not path.exists():
        return None
    held: dict[str, Any] = json.loads(path.read_text())
    return Result(held["accuracy"], held["success"])


def _write(folder: Path, cell: Cell, result: Result) -> None:
    _replace(_path(folder, cell), json.dumps({**asdict(cell), **asdict(result)}, sort_keys=True))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(text)
    os.replace(temporary, path)
