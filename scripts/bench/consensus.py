"""What Yuma's epoch guarantees here, and what copying its results earns a member. `scripts/bench/consensus_game.py`
has both games.

`--quick` is coarser. `--docs` writes docs/consensus.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node import report_plots as style
from scripts.bench.consensus_game import Copiers, copying, utility_to_hold
from scripts.bench.page import table, verdict, write_page

PUBLISHED = {(0.0, 1.0): 60, (0.2, 1.0): 67, (0.4, 1.0): 73, (0.4, 0.5): 76, (0.4, 0.0): 78}
KINDS = (
    Copiers("one copier", 1),
    Copiers("two copiers", 2),
    Copiers("one, with noise 0.1", 1, 0.1),
    Copiers("two, sharing noise 0.02", 2, 0.02),
    Copiers("two, sharing noise 0.1", 2, 0.1),
    Copiers("two, sharing noise 0.3", 2, 0.3),
    Copiers("four, sharing noise 0.1", 4, 0.1),
)
DRIFTS, DELAYS = (0.002, 0.02, 0.1), (0, 10)
TOLERANCE, BOND_LIMIT = 2.0, 0.05
LIMITS = {0.002: 0.3, 0.02: 0.05, 0.1: 0.05}


def measure(*, samples: int, step: float, epochs: int) -> dict[str, Any]:
    """Everything, as docs/consensus.json keeps it."""
    held = [
        {"noise": noise, "penalty": penalty, "published": percent,
         "percent": 100 * utility_to_hold(noise, penalty=penalty, samples=samples, step=step)}
        for (noise, penalty), percent in PUBLISHED.items()
    ]  # fmt: skip
    copied = [
        {"kind": kind.name, "count": kind.count, "drift": drift, "delay": delay}
        | asdict(copying(kind, drift=drift, delay=delay, epochs=epochs))
        for kind in KINDS
        for drift in DRIFTS
        for delay in DELAYS
    ]
    return {"held": held, "copied": copied, "samples": samples, "step": step, "epochs": epochs}


def held_rows(results: dict[str, Any]) -> list[list[str]]:
    """Noise, penalty, utility needed here and as published."""
    return [
        [f"{cell['noise']:g} μ", f"{cell['penalty']:g}", f"{cell['percent']:.1f}", str(cell["published"])]
        for cell in results["held"]
    ]


def copied_rows(results: dict[str, Any]) -> list[list[str]]:
    """Copiers, delay; innovation pay over honest by drift, then everything over honest, then Yuma's dividends."""
    rows = []
    for kind in KINDS:
        for delay in DELAYS:
            cells = [c for c in results["copied"] if c["kind"] == kind.name and c["delay"] == delay]
            figures = [f"{cell[name]:.3f}" for name in ("innovation", "total", "yuma") for cell in cells]
            rows.append([f"{kind.name}, {delay} epochs late", *figures])
    return rows


def page(results: dict[str, Any]) -> str:
    """docs/consensus.md."""
    full = [cell for cell in results["held"] if cell["penalty"] == 1]
    worst = max(abs(cell["percent"] - cell["published"]) for cell in full)
    checks = [["utility to hold 60 % of stake, distance from 60/67/73, points", f"{worst:.1f}", f"≤ {TOLERANCE:g}",
               verdict(worst, TOLERANCE)]]  # fmt: skip
    for drift, limit in LIMITS.items():
        found = max(c["innovation"] for c in results["copied"] if c["drift"] == drift and c["count"] <= 2)
        checks.append([f"copiers, alone and in pairs, over honest innovation pay, drift {drift:g}", f"{found:.3f}",
                       f"≤ {limit:g}", verdict(found, limit)])  # fmt: skip
    bonds = max(cell["bond_share"] for cell in results["copied"])
    checks.append(["bonds, share of members' pay", f"{bonds:.4f}", f"≤ {BOND_LIMIT:g}", verdict(bonds, BOND_LIMIT)])
    by_drift = [f"{name}, drift {drift:g}" for name in ("innovation", "all pay", "Yuma") for drift in DRIFTS]
    return f"""# What consensus guarantees and what copying it earns

Written by `python scripts/bench/consensus.py --docs`.

{table(["", "measured", "target", ""], checks)}

## Honest utility needed to keep 60 % of stake, %

{table(["weight noise", "penalty β", "here", "published"], held_rows(results))}

The game of subtensor's docs/consensus.md: 512 nodes, 64 validators, stakes N(1, 0.3), κ = 1/2; the cabal takes the
self-weight that hurts most (steps of {results["step"]:g}, {results["samples"]} samples each). Less is better.

## Pay of a member that republishes the last public consensus, over an honest member's

{table(["copiers among 16 members", *by_drift], copied_rows(results))}

64 servers whose log-quality drifts by N(0, drift) an epoch, honest members see it with N(0, 0.1), {results["epochs"]}
epochs; "0 epochs late" copies the consensus of the epoch before, the copier's best case. *Innovation* is 19/20 of
members' pay here, bonds 1/20; *Yuma* is what classic dividends would pay. Pay is cut at 0 each epoch; agreement is
averaged over epochs first (`Memory`), which is what keeps shared noise from paying.

![Copiers' innovation pay by drift](consensus.png)
"""


def draw(results: dict[str, Any], figure: Figure) -> None:
    """Left: utility needed; right: copiers' pay, innovation against Yuma."""
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.3, "width_ratios": (1, 1.5)})
    cells = results["held"]
    left.plot(range(len(cells)), [c["percent"] for c in cells], "o", color=style.HONEST, label="here")
    left.plot(range(len(cells)), [c["published"] for c in cells], "_", color=style.ATTACKER, label="published")
    left.set_xticks(range(len(cells)), [f"{c['noise']:g} μ\nβ {c['penalty']:g}" for c in cells], fontsize=7)
    left.set_title("Honest utility to hold 60 % of stake, %", loc="left", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    for place, kind in enumerate(KINDS):
        found = [c for c in results["copied"] if c["kind"] == kind.name]
        right.plot([place] * len(found), [c["innovation"] for c in found], "o", color=style.HONEST, markersize=4)
        right.plot([place] * len(found), [c["yuma"] for c in found], "x", color=style.ATTACKER, markersize=4)
    right.set_xticks(range(len(KINDS)), [f"{k.count}\nnoise {k.noise:g}" for k in KINDS], fontsize=7)
    right.set_xlabel("copiers among 16 members, and the noise that they share", fontsize=8)
    right.set_title("Copier's pay over honest: innovation (dots), Yuma (crosses)", loc="left", fontsize=9)
    figure.subplots_adjust(left=0.06, right=0.99, top=0.9, bottom=0.22)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="coarser, fewer epochs")
    parser.add_argument("--docs", action="store_true", help="write docs/consensus.md, .png and .json")
    args = parser.parse_args()
    results = measure(samples=1, step=0.1, epochs=40) if args.quick else measure(samples=3, step=0.02, epochs=150)
    if args.json:
        print(json.dumps(results))
    else:
        for row in (*held_rows(results), *copied_rows(results)):
            print(f"{row[0]:40}" + "".join(f"{cell:>9}" for cell in row[1:]))
    if args.docs:
        write_page("consensus", page(results), results, lambda figure: draw(results, figure), (8.8, 3.4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
