"""Lazy, copying and colluding verifiers, canaries, audit rates and probe pools: every figure by one command.

`--docs` writes docs/verifiers.md, docs/verifiers.png and docs/verifiers.json; `--quick` runs a tenth of everything.
"""

from __future__ import annotations

import argparse
import json
import sys
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style
from node.audit_rate import MAX_REPUTATION, audit_probability, deterring_probability
from node.committee import committee_risk
from node.deterrence import Conduct, Stakes, honest_slashes, simulate_careers, simulate_collusion
from scripts.bench.probe_game import play

ROOT = Path(__file__).resolve().parents[2]
RATE = Fraction(1, 20)  # default canary rate
SUBMISSIONS = 8
POOL, SEATS, QUORUM = 20.0, 3, 3  # of the default task: verifiers' pool a round, drawn seats, quorum
DEFAULT = Stakes(reward=POOL / SEATS, cost=POOL / SEATS / 2, slash=2 * 120 / QUORUM)
RESEARCH = Stakes(reward=2, cost=1, slash=50)
FLOOR = Fraction(1, 50)
TAU, DRIFT = 1e-4, 1e-5  # the task's tolerance, and the tenth of it that calibration allows honest machines
COMMITTEES = ((7, 5), (21, 15), (31, 21))
POPULATION, HOSTILE = 3_000, 1_000
EFFORT = 5
Z = 2.576  # 99 % of a normal law


def careers(rounds: int) -> list[dict[str, Any]]:
    """Profit and time to conviction of each conduct; and of a copier whose friends plant a third of the canaries."""
    rows = []
    for recognised in (0.0, 1 / 3):
        found = simulate_careers(rounds=rounds, submissions=SUBMISSIONS, canary_rate=RATE, recognised=recognised)
        for conduct, career in found.items():
            if recognised and conduct is not Conduct.LEAK_COPIER:
                continue
            rows.append(
                {
                    "conduct": conduct.value + (", 1/3 of canaries recognisable" if recognised else ""),
                    "rounds": career.rounds,
                    "paid": career.paid,
                    "faults": career.faults,
                    "canary_rounds": career.canary_rounds,
                    "rounds_to_catch": career.rounds_to_catch if career.faults else None,
                    "expected_rounds": 1 / (1 - (1 - float(RATE) * (1 - recognised)) ** SUBMISSIONS),
                    "profit_default": career.profit(DEFAULT),
                    "profit_research": career.profit(RESEARCH),
                }
            )
    return rows


def collusion(rounds: int) -> list[dict[str, Any]]:
    """Each committee in both modes beside the exact odds of its draw, with the 99 % interval of the count."""
    rows = []
    for size, quorum in COMMITTEES:
        exact = float(
            committee_risk(stake_bad=Fraction(HOSTILE, POPULATION), size=size, quorum=quorum, seats=POPULATION).capture
        )
        for replay in (False, True):
            found = simulate_collusion(
                rounds=rounds, size=size, quorum=quorum, seats=POPULATION, hostile=HOSTILE, replay=replay
            )
            margin = Z * sqrt(rounds * exact * (1 - exact)) + 1
            rows.append(
                {
                    "committee": f"{quorum} of {size}",
                    "mode": "replay" if replay else "output",
                    "rounds": rounds,
                    "captured": found.captured,
                    "false_final": found.false_final,
                    "unjudged": found.unjudged,
                    "exact_capture": exact,
                    "expected": rounds * exact,
                    "within_interval": abs(found.captured - rounds * exact) <= margin,
                }
            )
    return rows


def audit_rates() -> list[dict[str, Any]]:
    """The probability of a check by reputation."""
    money = (Fraction(value).limit_denominator(10**6) for value in (DEFAULT.cost, DEFAULT.reward, DEFAULT.slash))
    cost, reward, slash = money
    deterring = deterring_probability(cost=cost, reward=reward, stake=slash, colluding=Fraction(1, 3))
    return [
        {
            "reputation": reputation,
            "probability": float(audit_probability(reputation, deterring=deterring, floor=FLOOR)),
            "deterring": float(deterring),
        }
        for reputation in (0, MAX_REPUTATION // 4, MAX_REPUTATION // 2, MAX_REPUTATION)
    ]


def measure(*, quick: bool) -> dict[str, Any]:
    """Everything, as docs/verifiers.json keeps it."""
    part = 10 if quick else 1
    checks, rounds = 1_000_000 // part, 10_000 // part
    torch.set_num_threads(1)
    results: dict[str, Any] = {"careers": careers(1_000 // part)}
    say("careers")
    results["honest"] = {
        "checks": checks,
        "tau": TAU,
        "drift": DRIFT,
        "slashed": honest_slashes(checks=checks, tau=TAU, drift=DRIFT),
        "slashed_at_ten_tau": honest_slashes(checks=1_000, tau=TAU, drift=10 * TAU),
    }
    say("honest checks")
    results["audit"] = audit_rates()
    results["collusion"] = collusion(rounds)
    say("collusion")
    probe_rounds = 3 if quick else 8
    results["probes"] = [
        {"pool": "one fixed pool" if fixed else "one-time shards", "rounds": probe_rounds}
        | play(rounds=probe_rounds, fixed=fixed, samples=10**6, effort=EFFORT)
        for fixed in (True, False)
    ]
    say("probe game")
    return results


def say(text: str) -> None:
    """Progress, away from the output."""
    print(text, file=sys.stderr, flush=True)


def tables(results: dict[str, Any]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Each table as its header and cells."""
    honest = results["honest"]
    return {
        "careers": (
            [
                "conduct",
                "paid",
                "rounds with a canary",
                "convicted",
                "rounds to conviction",
                "1/p",
                "profit, default",
                "profit, R=2 S=50",
            ],
            [
                [
                    r["conduct"],
                    f"{r['paid']:,}",
                    f"{r['canary_rounds']:,}",
                    f"{r['faults']:,}",
                    "never" if r["rounds_to_catch"] is None else f"{r['rounds_to_catch']:.2f}",
                    f"{r['expected_rounds']:.2f}",
                    f"{r['profit_default']:+.2f}",
                    f"{r['profit_research']:+.2f}",
                ]
                for r in results["careers"]
            ],
        ),
        "honest": (
            ["checks", "τ", "honest drift", "convicted", "of 1,000 at a drift of 10 τ"],
            [
                [
                    f"{honest['checks']:,}",
                    f"{honest['tau']:g}",
                    f"{honest['drift']:g}",
                    str(honest["slashed"]),
                    str(honest["slashed_at_ten_tau"]),
                ]
            ],
        ),
        "audit": (
            ["reputation", "probability of a check", "p*"],
            [[f"{r['reputation']:,}", f"{r['probability']:.4f}", f"{r['deterring']:.4f}"] for r in results["audit"]],
        ),
        "collusion": (
            [
                "committee",
                "mode",
                "rounds",
                "captured",
                "expected (exact)",
                "within 99 %",
                "false results final",
                "void",
            ],
            [
                [
                    r["committee"],
                    r["mode"],
                    f"{r['rounds']:,}",
                    str(r["captured"]),
                    f"{r['expected']:.2f}",
                    "yes" if r["within_interval"] else "**no**",
                    str(r["false_final"]),
                    str(r["unjudged"]),
                ]
                for r in results["collusion"]
            ],
        ),
        "probes": (
            ["probe pool", "cheat's share of all pools", "an honest share", "ratio"],
            [
                [
                    r["pool"],
                    f"{r['cheat'] / r['rounds']:.3f}",
                    f"{r['honest_mean'] / r['rounds']:.3f}",
                    f"{r['ratio']:.2f}",
                ]
                for r in results["probes"]
            ],
        ),
    }


def page(results: dict[str, Any]) -> str:
    """The whole page."""

    def table(head: list[str], body: list[list[str]]) -> str:
        rows = [head, ["---"] * len(head), *body]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)

    template = (Path(__file__).parent / "verifiers_page.md").read_text(encoding="utf-8")
    per_round = 1 - (1 - float(RATE)) ** SUBMISSIONS
    return template.format(
        rounds=results["careers"][0]["rounds"],
        submissions=SUBMISSIONS,
        rate=float(RATE),
        per_round=per_round,
        expected=1 / per_round,
        reward=DEFAULT.reward,
        slash=DEFAULT.slash,
        cost=DEFAULT.cost,
        floor=float(FLOOR),
        collusion_rounds=results["collusion"][0]["rounds"],
        seats=POPULATION,
        probe_rounds=results["probes"][0]["rounds"],
        effort=EFFORT,
        **{name: table(*parts) for name, parts in tables(results).items()},
    )


def draw(results: dict[str, Any], path: Path) -> None:
    """Profits beside false results."""
    rows = results["careers"]
    with style._style("verifiers"):
        figure = Figure(figsize=(9.6, 3.6), dpi=150)
        FigureCanvasAgg(figure)
        left, right = figure.add_axes((0.27, 0.16, 0.25, 0.72)), figure.add_axes((0.62, 0.16, 0.36, 0.72))
        colours = [style.HONEST if r["profit_default"] > 0 else style.ATTACKER for r in rows]
        left.barh([r["conduct"].replace(", ", ",\n") for r in rows], [r["profit_default"] for r in rows], color=colours)
        left.invert_yaxis()
        left.set_title("Tokens a round, default task", loc="left", weight="bold", fontsize=10)
        names = [r["committee"] for r in results["collusion"] if r["mode"] == "output"]
        for shift, mode, colour in ((-0.2, "output", style.ATTACKER), (0.2, "replay", style.HONEST)):
            heights = [r["false_final"] for r in results["collusion"] if r["mode"] == mode]
            bars = right.bar([i + shift for i in range(len(names))], heights, 0.4, color=colour, label=f"{mode} mode")
            right.bar_label(bars, fontsize=8)
        right.set_xticks(range(len(names)), names)
        right.set_yscale("symlog")
        right.set_ylim(0, 3 * max(r["false_final"] for r in results["collusion"]) + 1)
        title = f"False results in {results['collusion'][0]['rounds']:,} rounds, 1/3 hostile"
        right.set_title(title, loc="left", weight="bold", fontsize=10)
        right.legend(frameon=False, fontsize=8)
        figure.savefig(path, format="png", metadata={"Software": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write docs/verifiers.*")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(json.dumps(measure(quick=options.quick)))
    if options.docs:
        docs = ROOT / "docs"
        (docs / "verifiers.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (docs / "verifiers.md").write_text(page(results), encoding="utf-8")
        draw(results, docs / "verifiers.png")
    if options.json:
        print(json.dumps(results))
        return 0
    for name, (head, body) in tables(results).items():
        widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
        print(f"\n{name}")
        for row in [head, *body]:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
