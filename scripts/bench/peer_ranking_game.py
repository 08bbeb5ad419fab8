"""A panel that answers and judges questions: raters of differing skill, a third of them in league."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from node.peer_ranking import Comparison, assign, capability, is_capable, next_reputation, rank_answers

ENTRY_ITEMS = 24
OPTIONS = 6  # answer 0 is right, answer 1 the tempting mistake


@dataclass
class Panel:
    """`size` raters, of whom `colluding` x size submit one wrong answer together.

    Half of the honest have ability +gap/2, half -gap/2. On a question of difficulty b ~ N(0, 1) a rater of ability a
    answers rightly with probability s(a - b), s the logistic function; half of the mistakes are the tempting one. It
    prefers a right answer to a wrong one with probability 1/2 + s(a - b)/2, and of two wrong ones takes either.
    Colluders have the middle ability, submit the tempting mistake, and when they `sabotage` prefer the wrong answer
    wherever they see a right one (calibration items look the same, so there too); else they judge as they can.
    """

    gap: float
    sabotage: bool
    size: int = 20
    colluding: float = 0.3
    each: int = 8
    calibration: int = 2
    seed: int = 7
    ability: np.ndarray = field(init=False)
    league: np.ndarray = field(init=False)
    reputation: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        bad = round(self.colluding * self.size)
        self.league = np.arange(self.size) >= self.size - bad
        honest = self.size - bad
        self.ability = np.concatenate([np.where(np.arange(honest) % 2, -1, 1) * self.gap / 2, np.zeros(bad)])
        right = [self._calibrated(rater, ENTRY_ITEMS) for rater in range(self.size)]
        passed = [is_capable(count, ENTRY_ITEMS) for count in right]
        self.reputation = [
            next_reputation(0, count, ENTRY_ITEMS, memory=0) if ok else 0
            for count, ok in zip(right, passed, strict=True)
        ]

    def _chance(self, rater: int, difficulty: float) -> float:
        return float(1 / (1 + np.exp(difficulty - self.ability[rater])))

    def _prefers_right(self, rater: int, difficulty: float) -> bool:
        if self.league[rater] and self.sabotage:
            return False
        return bool(self._rng.random() < 0.5 + self._chance(rater, difficulty) / 2)

    def _calibrated(self, rater: int, items: int) -> int:
        return sum(self._prefers_right(rater, float(self._rng.standard_normal())) for _ in range(items))

    def _answer(self, rater: int, difficulty: float) -> int:
        if self.league[rater]:
            return 1
        if self._rng.random() < self._chance(rater, difficulty):
            return 0
        return 1 if self._rng.random() < 0.5 else int(self._rng.integers(2, OPTIONS))

    def question(self) -> dict[str, bool]:
        """One question; whether each method found the right answer. Reputations move by its calibration items."""
        difficulty = float(self._rng.standard_normal())
        given = [self._answer(rater, difficulty) for rater in range(self.size)]
        answers = self._rng.permutation(sorted(set(given))).tolist()  # candidates in no telling order
        authored = [answers.index(answer) for answer in given]
        weights = [capability(value) for value in self.reputation]
        comparisons = [
            self._compare(rater, a, b, answers, difficulty)
            for rater, pairs in enumerate(assign(self._rng.bytes(32), authored, len(answers), each=self.each))
            for a, b in pairs
        ]
        equal = [65_535] * self.size
        votes: Counter[int] = Counter()
        for own, weight in zip(authored, weights, strict=True):
            votes[own] += weight
        chosen = {
            "majority": _most(Counter(authored)),
            "majority by reputation": _most(votes),
            "Bradley–Terry, equal judges": rank_answers(comparisons, authored, equal, len(answers))[0],
            "Bradley–Terry by reputation": rank_answers(comparisons, authored, weights, len(answers))[0],
        }
        for rater in range(self.size):
            right = self._calibrated(rater, self.calibration)
            self.reputation[rater] = next_reputation(self.reputation[rater], right, self.calibration)
        return {name: answers[candidate] == 0 for name, candidate in chosen.items()}

    def _compare(self, rater: int, a: int, b: int, answers: list[int], difficulty: float) -> Comparison:
        if answers[a] and answers[b]:
            first = bool(self._rng.random() < 0.5)
        else:
            first = self._prefers_right(rater, difficulty) == (answers[a] == 0)
        return Comparison(rater, a, b) if first else Comparison(rater, b, a)


def _most(votes: Counter[int]) -> int:
    """The candidate with most votes; ties to the lower number, and candidates are in random order."""
    return min(votes, key=lambda candidate: (-votes[candidate], candidate))


def accuracy(gap: float, *, sabotage: bool, questions: int, seeds: int, colluding: float = 0.3) -> dict[str, float]:
    """Share of questions answered rightly by each method, on the same answers and comparisons."""
    right: Counter[str] = Counter()
    for seed in range(seeds):
        panel = Panel(gap, sabotage, colluding=colluding, seed=seed)
        for _ in range(questions):
            right.update(name for name, hit in panel.question().items() if hit)
    return {name: count / (questions * seeds) for name, count in sorted(right.items())}
