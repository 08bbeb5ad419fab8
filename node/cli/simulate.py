"""Run a whole network in one process and explain the result."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from node.config import SimulationConfig
from node.errors import ConfigError
from node.report_html import write_report
from node.simulate import Run, simulate
from node.transcript import closing_lines, network_lines, round_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence simulate`; the defaults are SimulationConfig's."""
    default = SimulationConfig()
    parser.add_argument("--nodes", type=int, default=default.nodes, metavar="N", help="trainers (default 8)")
    parser.add_argument("--verifiers", type=int, default=default.verifiers, metavar="V", help="committee size k")
    parser.add_argument("--rounds", type=int, default=default.rounds, metavar="R")
    parser.add_argument("--seed", type=int, default=default.seed, help="everything random derives from it")
    parser.add_argument(
        "--attack",
        action="append",
        default=[],
        metavar="NAME[=STRENGTH]:COUNT",
        help="repeatable: sign_flip:2",
    )
    parser.add_argument("--partition", default=default.partition, metavar="iid|dirichlet:ALPHA|label:K")
    parser.add_argument("--aggregator", default=default.aggregator, metavar="NAME")
    parser.add_argument("--weighting", default=default.weighting, metavar="NAME")
    parser.add_argument(
        "--utility", default=default.utility, metavar="NAME", help="gtg_shapley, loo, first_order or shapley"
    )
    parser.add_argument("--codec", default=default.codec, metavar="NAME", help="raw or fp16")
    parser.add_argument("--task", default=default.task, metavar="NAME", help="digits, breast_cancer or files")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="task option, e.g. path=data.csv label=y",
    )
    parser.add_argument(
        "--settlement",
        default=default.settlement,
        metavar="words|root",
        help="scores in the contracts' storage, or one signed root at flat cost",
    )
    parser.add_argument(
        "--collector",
        default=default.collector,
        metavar="owner|none",
        help="who logs commits and reveals for all; none: each trainer its own",
    )
    parser.add_argument(
        "--verification",
        default=default.verification,
        metavar="output|replay",
        help="agree on probe outputs, or execute drawn segments of training on public shards again",
    )
    parser.add_argument(
        "--canary-rate",
        default=default.canary_rate,
        metavar="SHARE",
        help="share of submissions that trainers plant to catch lazy verifiers, 0 (none) to 0.5",
    )
    parser.add_argument("--chain", default=default.chain, metavar="tester|URL")
    parser.add_argument("--store", default=default.store, metavar="disk|URL")
    parser.add_argument("--out", type=Path, metavar="DIR", help="run folder (default runs/TASK-SEED-HASH)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def parse_options(pairs: list[str]) -> dict[str, str]:
    """KEY=VALUE pairs as a mapping. Raises ConfigError for anything else."""
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise ConfigError(f"--option {pair!r} is not KEY=VALUE")
        options[key] = value
    return options


def config_of(args: argparse.Namespace) -> SimulationConfig:
    """The configuration that the command line asks for."""
    return SimulationConfig(
        task=args.task,
        options=parse_options(args.option),
        nodes=args.nodes,
        verifiers=args.verifiers,
        rounds=args.rounds,
        seed=args.seed,
        attack=tuple(args.attack),
        partition=args.partition,
        aggregator=args.aggregator,
        weighting=args.weighting,
        utility=args.utility,
        codec=args.codec,
        settlement=args.settlement,
        collector=args.collector,
        verification=args.verification,
        canary_rate=args.canary_rate,
        chain=args.chain,
        store=args.store,
    )


class Screen:
    """Transcript on stdout (stderr with --json); on stderr a progress bar, or lines where it is no terminal."""

    def __init__(self, *, as_json: bool) -> None:
        self._out = sys.stderr if as_json else sys.stdout
        self._live = sys.stderr.isatty()
        self._stage = ""
        form = "{desc} {bar} {n_fmt}/{total_fmt}"
        self._bar = tqdm(total=0, file=sys.stderr, leave=False, bar_format=form, disable=not self._live)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Show where the run is."""
        if not self._live:
            if stage != self._stage:
                print(f"… {stage}", file=sys.stderr, flush=True)
            self._stage = stage
            return
        self._bar.total = max(total, 1)
        self._bar.n = done
        self._bar.set_description_str(stage[:40].ljust(24), refresh=True)

    def announce(self, event: Mapping[str, Any]) -> None:
        """Print a finished part of the transcript."""
        if event["kind"] == "network":
            self.lines(network_lines(event["network"]))
        else:
            self.lines([round_line(event["row"], event["total"])])

    def lines(self, lines: list[str]) -> None:
        """Print lines above the bar."""
        self._bar.clear()
        for line in lines:
            print(line, file=self._out, flush=True)
        self._bar.refresh()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def run(args: argparse.Namespace) -> int:
    """Simulate, write the report, print transcript or JSON."""
    config = config_of(args)
    folder = args.out or config.default_folder()
    screen = Screen(as_json=args.json)
    try:
        result: Run = simulate(config, folder, progress=screen.progress, announce=screen.announce)
        write_report(folder, result.summary.to_json())
        screen.lines(closing_lines(result.summary.to_json()))
    finally:
        screen.close()
    if args.json:
        print(json.dumps(result.summary.to_json()))
    return 0
