"""The corpus of scripts/source_reliability.py: what Python says of its own functions, and sources that hold copies."""

from __future__ import annotations

import builtins
import collections
import itertools
import math
import os
import random
import re
import statistics
import string
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np

MODULES = (
    builtins,
    math,
    os,
    os.path,
    itertools,
    collections,
    random,
    statistics,
    string,
    sys,
    str,
    bytes,
    list,
    dict,
    set,
    int,
    float,
)
_WORD = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True)
class Passage:
    """One entry: a name, and the words that describe it (the name itself taken out)."""

    name: str
    words: tuple[str, ...]


def corpus() -> list[Passage]:
    """Every public name with a description of at least six words, each description once, in the alphabet's order."""
    found: dict[tuple[str, ...], Passage] = {}
    for module in MODULES:
        for name in sorted(vars(module)):
            text = getattr(getattr(module, name), "__doc__", None)
            if name.startswith("_") or not isinstance(text, str):
                continue
            full = f"{module.__name__}.{name}"
            words = tuple(word for word in _WORD.findall(text.lower()) if word != name.lower())[:40]
            if len(words) >= 6:
                found.setdefault(words, Passage(full, words))
    return sorted(found.values(), key=lambda passage: passage.name)


def question(passage: Passage, rng: np.random.Generator, *, words: int = 5) -> tuple[str, ...]:
    """Some words of a description, at random: "which function is this?"."""
    chosen = rng.permutation(len(passage.words))[:words]
    return tuple(passage.words[k] for k in sorted(chosen))


class Source:
    """Holds passages and answers with the name of the nearest by TF-IDF and cosine; None where no word is known."""

    def __init__(self, passages: list[Passage]) -> None:
        self._passages = passages
        counts = [Counter(passage.words) for passage in passages]
        held = Counter(word for count in counts for word in count)
        self._rarity = {word: math.log(1 + len(passages) / n) for word, n in held.items()}
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for index, count in enumerate(counts):
            norm = math.sqrt(sum((n * self._rarity[word]) ** 2 for word, n in count.items()))
            for word, n in count.items():
                self._postings.setdefault(word, []).append((index, n * self._rarity[word] ** 2 / norm))

    def answer(self, words: tuple[str, ...]) -> str | None:
        """Name of the best passage; ties to the first held."""
        scores: dict[int, float] = {}
        for word in words:
            for index, value in self._postings.get(word, ()):
                scores[index] = scores.get(index, 0.0) + value
        if not scores:
            return None
        return self._passages[min(scores, key=lambda index: (-scores[index], index))].name


def sources(
    passages: list[Passage], *, count: int, polluted: int, share: float, rng: np.random.Generator
) -> list[Source]:
    """`count` sources of a random `share` of the passages each; the first `polluted` tell the same lies.

    A lie is a description under the name of another passage, one cycle through all, so that polluted sources agree.
    """
    lies = [Passage(passages[k - 1].name, passage.words) for k, passage in enumerate(passages)]
    made = []
    for slot in range(count):
        rows = rng.permutation(len(passages))[: round(share * len(passages))]
        made.append(Source([(lies if slot < polluted else passages)[k] for k in sorted(rows)]))
    return made
