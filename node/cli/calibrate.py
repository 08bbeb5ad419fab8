"""Measure how far apart honest machines end up on a task; derive its tolerance and grid, or refuse with the reason."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from node.calibrate import Calibration, Shard, calibrate
from node.cli.simulate import parse_options
from node.errors import ConfigError
from node.model import initial_parameters
from node.partition import partition
from node.publish import task_split
from node.seeds import derive_seed
from node.sketch import K
from node.sketch.level import LEVELS
from node.task import TASKS
from node.train.profile import HALF, HONEST


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence calibrate`."""
    parser.add_argument("task", metavar="TASK", help="digits, breast_cancer, files, …")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="task option")
    parser.add_argument("--nodes", type=int, default=8, metavar="N", help="trainers that share the data")
    parser.add_argument("--replays", type=int, default=2, metavar="R", help="trainers whose work is replayed")
    parser.add_argument("--segment", type=int, default=10, metavar="STEPS", help="steps of a segment (replay mode)")
    parser.add_argument("--rows", type=int, default=K, metavar="K", help="rows of a sketch, a multiple of 8")
    parser.add_argument("--seeds", type=int, default=200, metavar="S", help="fresh seeds for each published error rate")
    parser.add_argument(
        "--allow", action="append", default=[], choices=(HALF.name,), help="allow members this precision"
    )
    names = [profile.name for profile in HONEST]
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=names,
        metavar="PROFILE",
        help=f"do not allow members this one of {', '.join(names)}; repeatable",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, metavar="FILE", help="for `credence deploy --calibration FILE`")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Replay, derive, print; CalibrationRefused (exit status 2) where no safe tolerance exists."""
    for name, low in (("nodes", 2), ("replays", 1), ("segment", 1), ("rows", 8), ("seeds", 1)):
        if getattr(args, name) < low:
            raise ConfigError(f"--{name} {getattr(args, name)} is out of range", hint=f"at least {low}")
    if args.rows % 8 or args.replays > args.nodes:
        raise ConfigError(f"--rows {args.rows}, --replays {args.replays}", hint="rows in eights, replays up to --nodes")
    torch.set_num_threads(1)  # the pinned profile's; the two-thread profile sets its own
    kind = TASKS.get(args.task)
    dataset = kind.load(parse_options(args.option))
    parts = task_split(dataset, args.seed)
    shares = partition(parts.train.y, args.nodes, "iid", seed=derive_seed(args.seed, "partition"))
    shards = [
        Shard(
            data=parts.train.subset(shares[index]),
            other=parts.train.subset(shares[(index + 1) % args.nodes]),
            probe=parts.probe.x[:32],
            seed=derive_seed(args.seed, "calibrate", index),
        )
        for index in range(args.replays)
    ]
    profiles = [p for p in HONEST if p.name not in args.without] + ([HALF] if args.allow else [])
    if len(profiles) < 3:
        raise ConfigError(f"--without leaves {len(profiles)} profiles", hint="a calibration compares at least 3")
    total = args.replays * (1 + len(profiles)) + len(LEVELS)
    with tqdm(total=total, desc="calibrating", file=sys.stderr, disable=args.json or not sys.stderr.isatty()) as bar:

        def tick(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        found = calibrate(
            args.task,
            kind.module(dataset.shape, dataset.classes),
            initial_parameters(lambda: kind.module(dataset.shape, dataset.classes), derive_seed(args.seed, "genesis")),
            shards,
            kind.recipe,
            profiles=profiles,
            segment=args.segment,
            rows=args.rows,
            seeds=args.seeds,
            tick=tick,
        )
    if args.out:
        args.out.write_text(json.dumps(found.to_json(), indent=1) + "\n")
    print(json.dumps(found.to_json()) if args.json else _table(found, args.out))
    return 0


def _table(found: Calibration, out: Path | None) -> str:
    lines = [
        f"task       {found.task}, k = {found.sketch_rows}, segments of {found.segment} steps",
        f"profiles   {', '.join(found.profiles)}",
        f"bounds     outputs {found.output_bound}, updates {found.update_bound} (grid = 8 x bound / 2^31)",
        f"{'level':10} {'drift':>12} {'tau':>12}   refused of honest   passed of cheats",
    ]
    for level in found.levels:
        item = asdict(level)
        lines.append(
            f"{level.name:10} {float(level.drift):>12.1e} {float(level.tau):>12.1e}"
            f"   {item['rejected']:>7} of {item['honest']:<7}   {item['missed']:>6} of {item['cheats']}"
        )
    lines.append(f"next       credence deploy --task {found.task} --calibration {out or 'FILE (from --out FILE)'} …")
    return "\n".join(lines)
