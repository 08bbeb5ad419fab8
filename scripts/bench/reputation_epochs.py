"""Yuma epochs in integers beside a plain numpy port in floats, interleaved in one run, one core.

`--docs` writes docs/reputation_epochs.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node import report_plots as style
from node.consensus import Carry, Rules, yuma_epoch
from scripts.bench.consensus_game import reports_of
from scripts.bench.page import table, write_page
from tests.support.yuma import float_epoch

T = TypeVar("T")

SIZES = ((64, 256, 200), (256, 4096, 16))  # and how many epochs
PEER = "numpy port in floats"


def measure(*, quick: bool) -> list[dict[str, Any]]:
    """Median milliseconds of both and of the ratio of neighbours, and how far apart the results are, by size.

    Processor time of one thread, so that other work on the machine does not count; who goes first alternates.
    """
    found = []
    for members, nodes, repeats in SIZES:
        rng = np.random.default_rng(7)
        stakes = rng.integers(1, 1_000, members)
        # Odd, so that no column ties at exactly half the stake, which floats decide by rounding.
        stakes[0] += stakes.sum() % 2 == 0
        rules, bonds = Rules(permits=members), np.zeros((members, nodes))
        carry = Carry.genesis(reports_of(stakes, np.ones((members, nodes), dtype=np.int64)), rules)
        ours, theirs, apart = [], [], 0.0
        for epoch in range(5 if quick else repeats):
            weights = rng.integers(0, 65_536, (members, nodes))
            reports, share, row = reports_of(stakes, weights, epoch), stakes.astype(float), weights.astype(float)

            mine = partial(yuma_epoch, reports, carry, rules, round_=epoch)
            port = partial(float_epoch, share, row, bonds, rate=rules.rate / 65_536)
            if epoch % 2:
                (got, spent), (other, peer) = timed(mine), timed(port)
            else:
                (other, peer), (got, spent) = timed(port), timed(mine)
            ours.append(spent)
            theirs.append(peer)
            carry, bonds = got.carry, other.bonds
            total = sum(got.dividends)
            paid = np.array([value / total for value in got.dividends])
            apart = max(apart, float(np.abs(paid - other.dividends).max()))
        ratios = np.array(ours) / np.array(theirs)
        found.append(
            {"size": f"{members} × {nodes}", "ours_ms": float(np.median(ours)), "peer_ms": float(np.median(theirs)),
             "ratio": float(np.median(ratios)), "difference": apart, "repeats": len(ours)}
        )  # fmt: skip
    return found


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Result and milliseconds of processor time."""
    start = time.process_time()
    result = work()
    return result, 1e3 * (time.process_time() - start)


def rows(results: list[dict[str, Any]]) -> list[list[str]]:
    """The table."""
    return [
        [r["size"], f"{r['ours_ms']:.2f}", f"{r['peer_ms']:.2f}", f"{r['ratio']:.2f}", f"{r['difference']:.1e}"]
        for r in results
    ]


HEAD = ["members × nodes", "integers, ms", f"{PEER}, ms", "ratio", "largest difference of dividends"]


def page(results: list[dict[str, Any]]) -> str:
    """docs/reputation_epochs.md."""
    repeats = " and ".join(str(r["repeats"]) for r in results)
    return f"""# Yuma epochs: integers beside floats

Written by `python scripts/bench/reputation_epochs.py --docs`, one core, both in turn on the same random weights:
medians of {repeats} epochs in milliseconds of processor time. The peer is
`tests/support/yuma.py`, a line of numpy for each equation; it has no permits, masks or registration, and its sums
depend on the machine. A ratio below 1 is faster than the peer.

{table(HEAD, rows(results))}

![Milliseconds an epoch](reputation_epochs.png)
"""


def draw(results: list[dict[str, Any]], figure: Figure) -> None:
    """Bars of milliseconds, logarithmic."""
    axes = figure.add_axes((0.12, 0.12, 0.85, 0.76))
    places = np.arange(len(results))
    axes.bar(places - 0.2, [r["ours_ms"] for r in results], 0.38, color=style.HONEST, label="integers")
    axes.bar(places + 0.2, [r["peer_ms"] for r in results], 0.38, color=style.MUTED, label=PEER)
    axes.set_yscale("log")
    axes.set_xticks(places, [r["size"] for r in results])
    axes.set_title("Milliseconds an epoch", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="five epochs a size")
    parser.add_argument("--docs", action="store_true", help="write docs/reputation_epochs.md, .png and .json")
    args = parser.parse_args()
    results = measure(quick=args.quick)
    if args.json:
        print(json.dumps(results))
    else:
        for row in rows(results):
            print("  ".join(f"{name} {cell}" for name, cell in zip(HEAD, row, strict=True)))
    if args.docs:
        write_page(
            "reputation_epochs", page(results), {"epochs": results}, lambda figure: draw(results, figure), (4.6, 2.8)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
