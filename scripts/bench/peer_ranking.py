"""Peer-ranked answers against majority voting on the same answers, over the gap in raters' skill.

30 % of raters collude, as saboteurs or as able judges that agree on one wrong answer; a third column has no colluders.
`--quick` is fewer questions. `--docs` writes docs/peer_ranking.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from node import report_plots as style
from scripts.bench.page import table, verdict, write_page
from scripts.bench.peer_ranking_game import accuracy

GAPS = (0.0, 1.0, 2.0, 3.0, 4.0)
CASES = {
    "30 % sabotage": {"sabotage": True, "colluding": 0.3},
    "30 % agree on an answer, judge ably": {"sabotage": False, "colluding": 0.3},
    "nobody colludes": {"sabotage": False, "colluding": 0.0},
}
OURS, BAR = "Bradley–Terry by reputation", "majority"
LEAST_GAIN, MOST_LOSS = 10.0, 1.0


def measure(*, questions: int, seeds: int) -> dict[str, Any]:
    """Accuracies by case, gap and method, as docs/peer_ranking.json keeps them."""
    cases = {
        case: {str(gap): accuracy(gap, questions=questions, seeds=seeds, **how) for gap in GAPS}  # type: ignore[arg-type]
        for case, how in CASES.items()
    }
    return {"cases": cases, "questions": questions, "seeds": seeds}


def rows(results: dict[str, Any]) -> list[list[str]]:
    """Case and gap, accuracy of each method in percent, and our gain over majority in points."""
    return [
        [
            f"{case}, gap {float(gap):g}",
            *(f"{100 * value:.1f}" for value in found.values()),
            f"{100 * (found[OURS] - found[BAR]):+.1f}",
        ]
        for case, by_gap in results["cases"].items()
        for gap, found in by_gap.items()
    ]


def methods(results: dict[str, Any]) -> list[str]:
    """Names of the methods, in the tables' order."""
    return list(next(iter(next(iter(results["cases"].values())).values())))


def page(results: dict[str, Any]) -> str:
    """docs/peer_ranking.md."""
    gains = {
        (case, float(gap)): 100 * (found[OURS] - found[BAR])
        for case, by_gap in results["cases"].items()
        for gap, found in by_gap.items()
    }
    middle = min(gain for (case, gap), gain in gains.items() if gap == GAPS[2] and case.startswith("30 %"))
    checks = [
        ["gain at the middle gap with 30 % colluding, points", f"{middle:+.1f}", f"≥ {LEAST_GAIN:g}",
         verdict(middle, LEAST_GAIN, least=True)],
        ["least gain anywhere, points", f"{min(gains.values()):+.1f}", f"≥ −{MOST_LOSS:g}",
         verdict(min(gains.values()), -MOST_LOSS, least=True)],
    ]  # fmt: skip
    return f"""# Peer-ranked answers against majority voting

Written by `python scripts/bench/peer_ranking.py --docs`: {results["questions"]} questions, {results["seeds"]} seeds,
20 raters, the same answers and comparisons for every method.

{table(["", "measured", "target", ""], checks)}

## Questions answered rightly, %

{table(["", *methods(results), "gain over majority"], rows(results))}

A simulation, not people: abilities, answers and preferences are drawn as `scripts/bench/peer_ranking_game.py` says
(half of the honest raters have ability +gap/2, half −gap/2, in units of a logistic curve; a question has one tempting
mistake, which is what colluders submit). Each rater compares eight pairs a question, never its own answer, and two
hidden calibration items, which alone move its reputation: R′ = 0.95 R + 0.05 accuracy. A comparison weighs 2R − 1,
nothing for a coin. Who fails the entry test of 24 items starts without weight.

![Accuracy over the gap in skill](peer_ranking.png)
"""


def draw(results: dict[str, Any], figure: Figure) -> None:
    """Accuracy over gap, one panel a case."""
    panels = figure.subplots(1, len(CASES), sharey=True)
    looks = dict(zip(methods(results), ((style.HONEST, "-"), (style.VERIFIER, "-"), (style.ATTACKER, "-"),
                                        (style.ATTACKER, "--")), strict=True))  # fmt: skip
    for axes, (case, by_gap) in zip(panels, results["cases"].items(), strict=True):
        for name, (colour, dash) in looks.items():
            axes.plot(GAPS, [100 * found[name] for found in by_gap.values()], dash, color=colour, label=name)
        axes.set_title(case, loc="left", fontsize=8)
        axes.set_xlabel("gap in skill")
        axes.set_ylim(0, 100)
    panels[0].set_ylabel("right, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncol=4, frameon=False, fontsize=8)
    figure.subplots_adjust(left=0.07, right=0.99, top=0.9, bottom=0.28)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="40 questions, one seed")
    parser.add_argument("--docs", action="store_true", help="write docs/peer_ranking.md, .png and .json")
    args = parser.parse_args()
    results = measure(questions=40, seeds=1) if args.quick else measure(questions=100, seeds=4)
    if args.json:
        print(json.dumps(results))
    else:
        print(f"{'':44}" + "  ".join(methods(results)) + "  gain")
        for name, *cells in rows(results):
            print(f"{name:44}" + "".join(f"{cell:>10}" for cell in cells))
    if args.docs:
        write_page("peer_ranking", page(results), results, lambda figure: draw(results, figure), (8.4, 3.2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
