"""Gas of settlement, measured on the real contracts beside three peers and the physical floor, in one run.

Starts its own anvil by mainnet's rules. The whole run takes some minutes, `--quick` (N up to 256) some seconds.
`--docs` writes docs/gas.md, docs/gas.png and docs/gas.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts import compile as build
from scripts.bench.gas_chain import open_bench_chain, require_increasing_time, rules_of
from scripts.bench.gas_figures import batching_rows, drag, targets
from scripts.bench.gas_ours import QUICK, ROOT_ONLY, SIZES, measure_ours
from scripts.bench.gas_peers import DRAG_MEASURED, measure_peers
from scripts.bench.gas_report import draw_plot, page, ratio_rows, shown, steady_rows

DOCS = build.ROOT / "docs"


def say(text: str) -> None:
    """Progress, away from the output."""
    print(text, file=sys.stderr, flush=True)


def measure(*, quick: bool) -> dict[str, Any]:
    """Everything, as docs/gas.json keeps it: keys are text."""
    sizes = QUICK if quick else SIZES
    with open_bench_chain() as chain:
        rules = rules_of(chain)
        peers = measure_peers(chain, list(sizes))
        require_increasing_time(chain)
    say("peers")
    ours, setup = measure_ours(sizes, root_only=None if quick else ROOT_ONLY, say=say)
    settings = build.SETTINGS
    compiler = (
        f"solc {build.VERSION}, viaIR {'on' if settings['viaIR'] else 'off'}, "
        f"optimizer {settings['optimizer']['runs']}, {settings['evmVersion']}"
    )
    found = {"rules": rules, "compiler": compiler, "setup": setup, "peers": peers, "ours": ours}
    kept: dict[str, Any] = json.loads(json.dumps(found))
    return kept


def show(results: dict[str, Any]) -> None:
    """The figures as text."""
    print(f"{results['rules']}; {results['compiler']}\n\nGas a node and steady round")
    columns, rows = steady_rows(results)
    print(f"{'N':66}" + "".join(f"{n:>11,}" for n in columns))
    for name, *values in rows:
        print(f"{name.replace('*', ''):66}" + "".join(f"{value:>11}" for value in values))
    columns, rows = ratio_rows(results)
    print(f"\nAgainst DragScores by record of two values, and against the floor\n{'N':66}", end="")
    print("".join(f"{n:>11,}" for n in columns))
    for name, *values in rows:
        print(f"{name:66}" + "".join(f"{value:>11}" for value in values))
    print("\nWhat batching saves: per(1), per(20), saving at 20; one more, saving at the margin")
    for item in batching_rows(results):
        print(
            f"{item['name']:50} {item['per(1)']:>9,} {item['per(20)']:>9,} {item['saving at 20']:>7.1%} "
            f"{shown(item['marginal']):>9} {item['saving at the margin']:>8.2%}"
        )
    print("\nDragScores against the published contract, steady")
    for size, measured in DRAG_MEASURED.items():
        if str(size) in results["peers"]["drag"]["steady"]:
            here = drag(results, "steady", size)
            print(f"{size:>6} records  {here:>9,.0f} here  {measured:>9,} published  {here / measured - 1:>+7.1%}")
    print("\nTargets")
    for target in targets(results):
        item = target.row()
        print(
            f"{'met    ' if item['met'] else 'NOT MET'} {item['what']:76} "
            f"{shown(item['got']):>10} ({shown(item['limit'])})"
        )
        if item["arithmetic"]:
            print(f"        {item['arithmetic']}")


def main() -> int:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="N up to 256")
    parser.add_argument("--json", action="store_true", help="print the figures and the targets as JSON")
    parser.add_argument("--docs", action="store_true", help="write docs/gas.md, docs/gas.png and docs/gas.json")
    options = parser.parse_args()
    if options.docs and options.quick:
        parser.error("the page shows a whole run: --docs goes without --quick")
    logging.getLogger("ledger").setLevel(logging.ERROR)  # the first calls come before anvil listens
    results = measure(quick=options.quick)
    judged = [target.row() for target in targets(results)]
    if options.json:
        print(json.dumps({**results, "targets": judged, "batching": batching_rows(results)}))
    else:
        show(results)
    if options.docs:
        (DOCS / "gas.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (DOCS / "gas.md").write_text(page(results), encoding="utf-8")
        draw_plot(results, DOCS / "gas.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
