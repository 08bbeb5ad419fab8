"""How well contribution measures find exact Shapley values, what they cost, and what clones and splits earn.

Real training on `digits`. `--quick` is one seed of three rounds. `--docs` writes docs/contribution.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node import report_plots as style
from scripts.bench.contribution_game import Forge, agreement, clones, gains, halves, twin
from scripts.bench.page import table, verdict, write_page

NAMES = ("gtg_shapley", "loo", "first_order")
CASES = {
    "label noise 0–0.2, Dirichlet 0.5": {"parts": "dirichlet:0.5", "noise": 0.2},
    "homogeneous: iid, no noise": {"parts": "iid", "noise": 0.0},
}
NOISES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0)
TRAINERS, LEAST_RANK, MOST_GAIN = 10, 0.9, 1.05


def measure(*, seeds: int, rounds: int) -> dict[str, Any]:
    """Everything, as docs/contribution.json keeps it."""
    ranks: dict[str, Any] = {}
    for case, how in CASES.items():
        seen = [agreement(seed, NAMES, rounds=rounds, **how) for seed in range(seeds)]  # type: ignore[arg-type]
        ranks[case] = {
            name: {"spearman": [one[name][0] for one in seen], "evaluations": max(one[name][1] for one in seen)}
            for name in NAMES
        }
    attacks: dict[str, Forge] = {
        f"2 identities, noise {noise:g} × the update's norm": clones(noise) for noise in NOISES
    }
    attacks["4 identities, noise 0.5 × the update's norm"] = clones(0.5, 4)
    attacks["data and stake split in two"] = halves
    attacks["identical update, stake of its own"] = twin
    found = [gains(seed, attacks, NAMES, rounds=min(5, rounds)) for seed in range(seeds)]
    earned = {attack: {name: [one[attack][name] for one in found] for name in NAMES} for attack in attacks}
    return {"ranks": ranks, "gains": earned, "seeds": seeds, "rounds": rounds, "trainers": TRAINERS}


def rank_rows(results: dict[str, Any]) -> list[list[str]]:
    """Case, measure, Spearman least and mean, evaluations."""
    return [
        [
            f"{case}: `{name}`",
            f"{min(cell['spearman']):.3f}",
            f"{np.mean(cell['spearman']):.3f}",
            f"{cell['evaluations']:.1f}",
        ]
        for case, by_name in results["ranks"].items()
        for name, cell in by_name.items()
    ]


def gain_rows(results: dict[str, Any]) -> list[list[str]]:
    """Attack, mean gain by measure, and the largest of our default's over the seeds."""
    return [
        [attack, *(f"{np.mean(cells[name]):.3f}" for name in NAMES), f"{max(cells[NAMES[0]]):.3f}"]
        for attack, cells in results["gains"].items()
    ]


def page(results: dict[str, Any]) -> str:
    """docs/contribution.md."""
    graded = results["ranks"][next(iter(CASES))]["gtg_shapley"]
    worst = max(max(cells["gtg_shapley"]) for cells in results["gains"].values())
    checks = [
        ["Spearman of `gtg_shapley` with exact Shapley, least of the seeds", f"{min(graded['spearman']):.3f}",
         f"≥ {LEAST_RANK}", verdict(min(graded["spearman"]), LEAST_RANK, least=True)],
        ["evaluations a round of `gtg_shapley`, n = 10", f"{graded['evaluations']:.1f}", f"≤ {2 * TRAINERS}",
         verdict(graded["evaluations"], 2 * TRAINERS)],
        ["largest gain from clones, splits or twins of any seed, `gtg_shapley`", f"{worst:.3f} ×", f"≤ {MOST_GAIN} ×",
         verdict(worst, MOST_GAIN)],
    ]  # fmt: skip
    head = ["", "Spearman, least", "mean", "evaluations a round"]
    return f"""# What contribution measures find, cost and pay

Written by `python scripts/bench/contribution.py --docs`. Real training of a perceptron on `digits`; scores are summed
over {results["rounds"]} rounds; {results["seeds"]} seeds. Exact Shapley values are by enumeration of all
2^{TRAINERS} coalitions each round.

{table(["", "measured", "target", ""], checks)}

## Against exact Shapley, {TRAINERS} trainers

{table(head, rank_rows(results))}

An evaluation is one pass over the probe batch; the pass of the screen counts as one. Where trainers are alike, exact
values differ by less than chance, and ranks mean little: that row is for scale.

## What many identities earn, over what one earns

{table(["trainer 0 of 8 as", *(f"`{name}`" for name in NAMES), f"`{NAMES[0]}`, largest"], gain_rows(results))}

Mean over seeds of trainer 0's share of the pool over five rounds, with all of its identities, over its share as one.
Stake is divided among identities except in the last row; half the data is also half the steps of training.
Identical or nearly identical updates are one player of the weight of the heaviest, so a clone forfeits its stake's
weight; beyond the clustering distance the full denominator takes over.

![Spearman by measure, and gain of clones by noise](contribution.png)
"""


def draw(results: dict[str, Any], figure: Figure) -> None:
    """Left: Spearman by case and measure; right: gain of two identities over noise."""
    colours = dict(zip(NAMES, (style.HONEST, style.VERIFIER, style.ATTACKER), strict=True))
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.32})
    for place, (case, cells) in enumerate(results["ranks"].items()):
        for offset, name in enumerate(NAMES):
            points = cells[name]["spearman"]
            left.plot([place + 0.2 * (offset - 1)] * len(points), points, "o", color=colours[name], markersize=4)
        left.text(place, -0.1, case.split(":")[0].split(",")[0], ha="center", va="top", fontsize=8,
                  transform=left.get_xaxis_transform())  # fmt: skip
    left.axhline(LEAST_RANK, color=style.RULE)
    left.set_xticks([])
    left.set_title("Spearman with exact Shapley, by seed", loc="left", fontsize=9)
    clone_rows = [cells for attack, cells in results["gains"].items() if attack.startswith("2 identities")]
    for name in NAMES:
        means = [np.mean(cells[name]) for cells in clone_rows]
        right.plot(range(len(NOISES)), means, "o-", color=colours[name], label=name, markersize=3)
    right.axhline(MOST_GAIN, color=style.RULE)
    right.set_xticks(range(len(NOISES)), [f"{noise:g}" for noise in NOISES], fontsize=8)
    right.set_xlabel("noise of two clones, × the update's norm", fontsize=8)
    right.set_title("Pay of two clones over one", loc="left", fontsize=9)
    right.legend(frameon=False, fontsize=8)
    figure.subplots_adjust(left=0.07, right=0.98, top=0.9, bottom=0.17)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one seed, three rounds")
    parser.add_argument("--docs", action="store_true", help="write docs/contribution.md, .png and .json")
    args = parser.parse_args()
    results = measure(seeds=1, rounds=3) if args.quick else measure(seeds=6, rounds=10)
    if args.json:
        print(json.dumps(results))
    else:
        for row in (*rank_rows(results), *gain_rows(results)):
            print(f"{row[0]:56}" + "".join(f"{cell:>10}" for cell in row[1:]))
    if args.docs:
        write_page("contribution", page(results), results, lambda figure: draw(results, figure), (8.4, 3.4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
