"""Parse, call the library, print; turn every error into one sentence with its fix and an exit status of at least 2."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from ledger import LedgerError
from node.cli import (
    audit,
    calibrate,
    committee,
    deploy,
    doctor,
    keys,
    matrix,
    recommend,
    reputation,
    run_node,
    simulate,
    tasks,
    topology,
)
from node.committee import CommitteeWarning
from node.errors import NodeError, UnknownName
from storage import StorageError

COMMANDS = {
    "simulate": simulate,
    "calibrate": calibrate,
    "matrix": matrix,
    "topology": topology,
    "deploy": deploy,
    "tasks": tasks,
    "node": run_node,
    "reputation": reputation,
    "recommend": recommend,
    "audit": audit,
    "committee": committee,
    "keys": keys,
    "doctor": doctor,
}
FAILED, INTERRUPTED = 2, 130


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong choice names the nearest valid one and the exit status is ours."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_complain(f"{self.prog}: {message}", f"see `{self.prog} --help`"))

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            name = "command" if action.dest == "command" else (action.option_strings or [action.dest])[-1]
            raise UnknownName(name, str(value), [str(choice) for choice in action.choices])


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="credence", description="Verifiable learning and reputation among people who do not trust.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name, module in COMMANDS.items():
        text = (module.__doc__ or "").strip().splitlines()[0]
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--verbose", action="store_true", help="log every step to stderr")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 2 wrong input or environment, 3 audit failed, 130 stopped."""
    try:
        args = parser().parse_args(argv)
        logging.basicConfig(
            level=logging.INFO if args.verbose else logging.ERROR,
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
            stream=sys.stderr,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("always", CommitteeWarning)
            warnings.showwarning = _warn
            return int(args.run(args))
    except NodeError as error:
        return _complain(str(error), error.hint, error.exit_status)
    except (LedgerError, StorageError) as error:
        return _complain(str(error), error.hint)
    except KeyboardInterrupt:
        return _complain("stopped", "run the same command again to resume", INTERRUPTED)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _complain(f"the disk is full: {error.filename or error}", "free some space and run again to resume")
        if isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | IsADirectoryError):
            return _complain(f"{error.strerror}: {error.filename}", "check the path")
        raise


def _warn(message: Warning | str, *_where: Any, **_more: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _complain(message: str, hint: str = "", status: int = FAILED) -> int:
    text = f"error: {message}"
    if hint and hint not in message:
        text += f" ({hint})"
    print(text, file=sys.stderr)
    return status
