"""Measure every attack against every defence, on the learning half of a round."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

from node.errors import ConfigError
from node.matrix.cell import Setting
from node.matrix.grid import ATTACK_ROWS, ENGINES, PARTITIONS, Grid, run_grid
from node.matrix.page import page, write_docs
from node.matrix.table import tabulate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence matrix`; the defaults are the whole matrix."""
    default = Grid()
    parser.add_argument(
        "--attack", action="append", metavar="NAME[=STRENGTH]", help=f"repeatable; of {', '.join(ATTACK_ROWS)}, …"
    )
    parser.add_argument(
        "--defence", action="append", metavar="NAME", help=f"repeatable; of {', '.join(default.defences)}"
    )
    parser.add_argument(
        "--partition", action="append", metavar="NAME", help=f"repeatable; default {', '.join(PARTITIONS)}"
    )
    parser.add_argument("--seeds", type=int, default=len(default.seeds), metavar="N", help="runs a cell (default 3)")
    for name in ("trainers", "attackers", "rounds", "epochs"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default.setting, name), metavar="N")
    parser.add_argument("--task", default=default.setting.task, metavar="NAME")
    parser.add_argument("--validate", action="store_true", help="measure on the probe split: for choosing a default")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--engine", default=ENGINES[0], metavar="|".join(ENGINES))
    parser.add_argument(
        "--out", type=Path, default=Path("runs/matrix"), metavar="DIR", help="cells; resumes what is there"
    )
    parser.add_argument("--docs", action="store_true", help="write docs/matrix.md, .png and .json")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def grid_of(args: argparse.Namespace) -> Grid:
    """The matrix that the command line asks for. Raises ConfigError for numbers out of range."""
    if not 0 < args.attackers < args.trainers / 2:
        raise ConfigError(f"--attackers {args.attackers} of {args.trainers}", hint="at least 1, and fewer than half")
    for name in ("rounds", "epochs", "seeds", "workers"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} {getattr(args, name)} is out of range", hint="at least 1")
    default = Grid()
    return Grid(
        setting=Setting(args.task, args.trainers, args.attackers, args.rounds, args.epochs, args.validate),
        attacks=tuple(args.attack or default.attacks),
        defences=tuple(args.defence or default.defences),
        partitions=tuple(args.partition or default.partitions),
        seeds=tuple(range(1, args.seeds + 1)),
    )


def run(args: argparse.Namespace) -> int:
    """Run the cells that are missing, then print or write the tables."""
    grid = grid_of(args)
    bar = tqdm(total=0, file=sys.stderr, unit="cell", disable=not sys.stderr.isatty())

    def tick(done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        results = run_grid(grid, args.out, workers=args.workers, engine=args.engine, tick=tick)
    finally:
        bar.close()
    table = tabulate(grid, results)
    if args.docs:
        for path in write_docs(Path("docs"), table):
            print(path, file=sys.stderr)
    print(json.dumps(table) if args.json else page(table))
    return 0
