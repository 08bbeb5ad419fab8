"""Re-derive every score from the chain and the store alone; exit 3 at the first difference."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tqdm import tqdm

from ledger.errors import ArchiveCorrupt
from node.audit import audit
from node.cli.sources import add_source, opened
from node.errors import AuditFailed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence audit`."""
    add_source(parser)
    parser.add_argument("--round", type=int, metavar="R", help="report on one round only")
    parser.add_argument("--replay", action="store_true", help="also re-execute probes and aggregates")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Audit and print what was checked. Status 3 and one sentence when something differs."""
    started = time.perf_counter()
    bar = tqdm(total=1, desc="audit", file=sys.stderr, leave=False, unit="round", disable=None)

    def progress(done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.refresh()

    try:
        with opened(args) as source:
            findings = audit(source, only_round=args.round, replay=args.replay, progress=progress)
    except (ArchiveCorrupt, AuditFailed) as error:
        if args.json:
            print(json.dumps({"ok": False, "difference": str(error)}))
        raise AuditFailed(str(error)) from error
    finally:
        bar.close()
    depth = "replay" if args.replay else "arithmetic"
    rows = findings.rows()
    if args.json:
        wall_s = round(time.perf_counter() - started, 3)
        found = {"depth": depth, "rounds": findings.rounds, "items": rows, "graph": findings.graph}
        print(json.dumps({"ok": True, **found, "wall_s": wall_s}))
        return 0
    print(f"audit ({depth}) of rounds {', '.join(map(str, findings.rounds)) or 'none'}: no difference")
    for row in rows:
        print(f"  {row['item']:11} {row['verdict']:10} {row['count']}")
    print(f"  evaluation graph {findings.graph}")
    return 0
