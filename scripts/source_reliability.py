#!/usr/bin/env python3
"""Answers from sources of which some are polluted: drawn by settled reliability against drawn blindly.

The corpus is what Python says of its own functions (no network). Sources hold copies, the polluted ones under wrong
names, all with the same lies. Each round members probe the drawn sources with questions whose answers they know and
vote; one member of five always votes for the polluted; scores settle as trainers' do. Then users ask. `--docs` writes
docs/source_reliability.md, .png and .json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ledger import Role, new_root_state
from node import report_plots as style
from node.reliability import draw_sources, settle_sources, source_vote, voices, weigh_answers
from node.score import ACCEPTED_BASE
from node.seeds import derive_bytes
from node.weight.stake import stake
from scripts.bench.page import table, write_page
from scripts.source_corpus import Passage, Source, corpus, question, sources

SOURCES, ASKED, MEMBERS, PROBES = 20, 5, 5, 4
STAKES = [1] * SOURCES
SHARES = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
METHODS = ("by reliability", "blind", "blind, all sources")


class Library:
    """Sources, their books, and who asks them."""

    def __init__(self, polluted: int, *, seed: int) -> None:
        self.rng, self.seed = np.random.default_rng(seed), seed
        self.passages: list[Passage] = corpus()
        self.polluted = polluted
        self.sources: list[Source] = sources(self.passages, count=SOURCES, polluted=polluted, share=0.7, rng=self.rng)
        self.books = new_root_state(1)
        self.reputations = [0] * SOURCES

    def settle(self, round_: int) -> None:
        """One round of probes and votes. Members ask their own questions of the sources drawn by the beacon."""
        beacon = derive_bytes(self.seed, "beacon", round_)
        drawn = draw_sources(stake(STAKES, self.reputations), 2 * ASKED, seed=beacon)
        votes = [self._member_votes(drawn) for _ in range(MEMBERS - 1)]
        liar = [ACCEPTED_BASE * 2 - 1 if slot < self.polluted else 1 for slot in range(SOURCES)]
        votes.append([lane if slot in drawn else 0 for slot, lane in enumerate(liar)])
        self.books = settle_sources(self.books, votes, round_=round_)
        self.reputations = self.books.reputations(Role.TRAINER)[:SOURCES]

    def _member_votes(self, drawn: Sequence[int]) -> list[int]:
        right, wrong = [0] * SOURCES, [0] * SOURCES
        for _ in range(PROBES):
            passage = self._passage()
            words = question(passage, self.rng)
            for slot in drawn:
                told = self.sources[slot].answer(words)
                right[slot] += told == passage.name
                wrong[slot] += told is not None and told != passage.name
        return [source_vote(r, w) for r, w in zip(right, wrong, strict=True)]

    def _passage(self) -> Passage:
        return self.passages[int(self.rng.integers(len(self.passages)))]

    def ask(self) -> dict[str, bool]:
        """One user's question; whether each way of drawing sources answers it rightly. Nobody checks it."""
        passage = self._passage()
        words = question(passage, self.rng)
        seed = self.rng.bytes(32)
        reliable = draw_sources(stake(STAKES, self.reputations), ASKED, seed=seed)
        hits = {}
        for name, drawn, weights in (
            (METHODS[0], reliable, voices(STAKES, self.reputations)),
            (METHODS[1], draw_sources(STAKES, ASKED, seed=seed), STAKES),
            (METHODS[2], list(range(SOURCES)), STAKES),
        ):
            told = {slot: answer for slot in drawn if (answer := self.sources[slot].answer(words)) is not None}
            hits[name] = weigh_answers(told, weights) == passage.name
        return hits


def accuracy(percent: int, *, rounds: int, questions: int, seeds: int) -> dict[str, float]:
    """Share of `questions` after `rounds` settled rounds that each way answers rightly, with that share polluted."""
    right = dict.fromkeys(METHODS, 0)
    for seed in range(seeds):
        library = Library(SOURCES * percent // 100, seed=seed)
        for round_ in range(1, rounds + 1):
            library.settle(round_)
        for _ in range(questions):
            for name, hit in library.ask().items():
                right[name] += hit
    return {name: count / (questions * seeds) for name, count in right.items()}


def measure(*, rounds: int, questions: int, seeds: int) -> dict[str, Any]:
    """Everything, as docs/source_reliability.json keeps it."""
    found = {str(p): accuracy(p, rounds=rounds, questions=questions, seeds=seeds) for p in SHARES}
    setup = {"rounds": rounds, "questions": questions, "seeds": seeds, "passages": len(corpus())}
    return {"accuracy": found, **setup}


def rows(results: dict[str, Any]) -> list[list[str]]:
    """Polluted share, accuracy of each way, and the gain of reliability over blind draws in points."""
    return [
        [
            f"{percent} %",
            *(f"{100 * found[name]:.1f}" for name in METHODS),
            f"{100 * (found[METHODS[0]] - found[METHODS[1]]):+.1f}",
        ]
        for percent, found in results["accuracy"].items()
    ]


def page(results: dict[str, Any]) -> str:
    """docs/source_reliability.md."""
    return f"""# Answers from polluted sources

Written by `python scripts/source_reliability.py --docs`: {results["passages"]} descriptions of Python's own functions,
{SOURCES} sources that hold 70 % of them each, {results["rounds"]} settled rounds before the first question,
{results["questions"]} questions of five words and {results["seeds"]} seeds.

{table(["polluted sources", *(f"{name}, % right" for name in METHODS), "gain over blind"], rows(results))}

Polluted sources give every description the same wrong name, so a majority of them agrees on a lie. {ASKED} sources
answer a question; in the last column but one all {SOURCES} do. Reliability is a lane of the settled books: a source's
score is the lower median of the votes of {MEMBERS} members, one of whom always votes for the polluted, and its
reputation climbs slowly and falls fast as a trainer's does (`node/reliability.py`).

![Accuracy over the share of polluted sources](source_reliability.png)
"""


def draw(results: dict[str, Any], figure: Figure) -> None:
    """Accuracy over the polluted share."""
    axes = figure.add_axes((0.1, 0.15, 0.87, 0.74))
    for name, colour in zip(METHODS, (style.HONEST, style.ATTACKER, style.MUTED), strict=True):
        axes.plot(SHARES, [100 * found[name] for found in results["accuracy"].values()], color=colour, label=name)
    axes.set_xlabel("polluted sources, %")
    axes.set_ylim(0, 100)
    axes.set_title("Questions answered rightly, %", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="fewer questions, one seed")
    parser.add_argument("--docs", action="store_true", help="write docs/source_reliability.md, .png and .json")
    args = parser.parse_args()
    results = measure(rounds=20, questions=60, seeds=1) if args.quick else measure(rounds=25, questions=100, seeds=2)
    if args.json:
        print(json.dumps(results))
    else:
        print(f"{'polluted':>10}" + "".join(f"{name:>22}" for name in (*METHODS, "gain")))
        for row in rows(results):
            print(f"{row[0]:>10}" + "".join(f"{cell:>22}" for cell in row[1:]))
    if args.docs:
        write_page("source_reliability", page(results), results, lambda figure: draw(results, figure), (5.6, 3.3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
