"""Check python, torch, contracts, chain, store, keys, clock and disk; each failure with its fix."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ledger import Chain, LedgerError, deployments, list_keys, open_chain
from ledger.abi import CONTRACTS, artefact
from node.errors import NodeError
from node.identity import DEFAULT_HOME, require_live
from node.source import DEFAULT_DEPLOYMENTS
from storage import StorageError, cid_of, open_store

MIN_FREE_BYTES = 1 << 30
MIN_PYTHON = (3, 11)


@dataclass(frozen=True)
class Check:
    """One line of the report; `fix` is empty when all is well."""

    name: str
    ok: bool
    text: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence doctor`; without --chain and --store the in-process ones are checked."""
    parser.add_argument("--chain", default="tester", metavar="tester|URL")
    parser.add_argument("--store", metavar="disk[:DIR]|URL")
    parser.add_argument("--deployments", type=Path, default=DEFAULT_DEPLOYMENTS, metavar="FILE")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Print every check; status 0 when all are well, else 2."""
    checks = [_guard("python", _python), _guard("torch", _torch), _guard("contracts", _contracts)]
    checks += _chain_checks(args)
    checks.append(_guard("store", lambda: _store(args.store)))
    checks.append(_guard("keys", lambda: _keys(args.home)))
    checks.append(_guard("disk", lambda: _disk(args.home)))
    if args.json:
        print(json.dumps([asdict(check) for check in checks]))
    else:
        for check in checks:
            print(f"{'ok ' if check.ok else 'BAD'}  {check.name:11} {check.text}")
            if check.fix:
                print(f"     {'':11} fix: {check.fix}")
    return 0 if all(check.ok for check in checks) else 2


def _guard(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (NodeError, LedgerError, StorageError, OSError, ImportError) as error:
        return Check(name, False, str(error), str(getattr(error, "hint", "")) or "see the message")


def _python() -> Check:
    text = sys.version.split()[0]
    if sys.version_info < MIN_PYTHON:
        return Check("python", False, text, "install Python 3.11 or newer")
    return Check("python", True, text)


def _torch() -> Check:
    import torch

    value = float((torch.ones(4) @ torch.ones(4)).item())
    return Check("torch", value == 4.0, torch.__version__, "" if value == 4.0 else "reinstall torch: make setup")


def _contracts() -> Check:
    for name in CONTRACTS:
        artefact(name)
    return Check("contracts", True, f"{len(CONTRACTS)} artefacts in contracts/build")


def _chain_checks(args: argparse.Namespace) -> list[Check]:
    if args.chain == "tester":
        return [
            Check("chain", True, "in process (eth-tester)"),
            Check("clock", True, "moved by the simulation"),
        ]
    try:
        chain = open_chain(args.chain)
    except LedgerError as error:
        return [Check("chain", False, str(error), error.hint)]
    try:
        found = [Check("chain", True, f"id {chain.chain_id}, block {chain.block_number()}")]
        found.append(_guard("clock", lambda: _clock(chain)))
        if args.deployments.exists():
            found.append(_guard("deployment", lambda: _deployment(args.deployments, chain)))
        return found
    finally:
        chain.close()


def _clock(chain: Chain) -> Check:
    require_live(chain)
    return Check("clock", True, f"head block time {chain.now()} moves")


def _deployment(path: Path, chain: Chain) -> Check:
    deployment = deployments.load(path, chain)
    return Check("deployment", True, f"{len(deployment.contracts)} contracts, code hashes match")


def _store(spec: str | None) -> Check:
    if spec is None:
        return Check("store", True, "embedded disk store")
    store = open_store(spec)
    try:
        probe = b"credence doctor"
        cid = store.put(probe)
        ok = cid == cid_of(probe) and store.get(cid, max_bytes=64) == probe
        return Check("store", ok, store.describe(), "" if ok else "the store returns other bytes: use another one")
    finally:
        store.close()


def _keys(home: Path) -> Check:
    names = list_keys(home / "keys")
    return Check("keys", True, ", ".join(names) if names else "none yet: credence keys create NAME")


def _disk(home: Path) -> Check:
    folder = home if home.exists() else Path()
    free = shutil.disk_usage(folder).free
    fix = "" if free >= MIN_FREE_BYTES else f"free some space: at least {MIN_FREE_BYTES >> 30} GiB"
    return Check("disk", free >= MIN_FREE_BYTES, f"{free / 2**30:.1f} GiB free", fix)
