"""Create and list encrypted keys."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ledger import create_key, list_keys
from node.identity import DEFAULT_HOME, ask_password


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence keys`. Passwords never stand on the command line."""
    parser.add_argument("action", choices=("create", "list"))
    parser.add_argument("name", nargs="?", help="key to create")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR", help="where keys are kept")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="else $CREDENCE_PASSWORD, else asked")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Create a key, or list names and addresses (never secrets)."""
    folder = args.home / "keys"
    if args.action == "create":
        if not args.name:
            from node.errors import ConfigError

            raise ConfigError("`credence keys create` needs a name", hint="credence keys create alice")
        signer = create_key(folder, args.name, ask_password(args.password_file))
        found = {args.name: signer.address}
    else:
        found = list_keys(folder)
    if args.json:
        print(json.dumps([{"name": name, "address": address} for name, address in found.items()]))
    else:
        for name, address in found.items():
            print(f"{name:20} {address}")
    return 0
