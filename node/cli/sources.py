"""The options that queries and audits share: `--run DIR`, or `--chain URL` with its store and deployments file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.errors import ConfigError
from node.source import DEFAULT_DEPLOYMENTS, Source, open_live, open_run


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--run", dest="run_folder", type=Path, metavar="DIR", help="a finished run's folder")
    parser.add_argument("--chain", metavar="URL", help="a live chain")
    parser.add_argument("--store", default="disk", metavar="disk[:DIR]|URL", help="with --chain: where artefacts are")
    parser.add_argument("--deployments", type=Path, default=DEFAULT_DEPLOYMENTS, metavar="FILE")
    parser.add_argument("--task-id", type=int, metavar="T", help="with --chain: default the newest")


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Source]:
    """The source that the options name, closed afterwards. Raises ConfigError unless exactly one is given."""
    if (args.run_folder is None) == (args.chain is None):
        raise ConfigError("give either --run DIR or --chain URL")
    if args.run_folder is not None:
        source = open_run(args.run_folder)
    else:
        source = open_live(args.chain, store=args.store, book=args.deployments, task=args.task_id)
    try:
        yield source
    finally:
        source.close()
