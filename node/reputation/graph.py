"""The evaluation graph: who verified whose work, with what result, and with how much stake behind the finding.

An *evaluation* is one member's revealed vote on one trainer in one final round, and counts only where the settlement
bears it out: accepted work for the lesser of vote and settled score (no lone member raises anybody), rejected work as
distrust. It weighs by the seats drawn, so a verifier that splits its stake among identities weighs the same. Weights
fade with a half-life, for freshness; that is no defence.

Links lead from verifier to trainer only. Nobody rates itself; who has rated nobody gives nothing and seeds nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

from node.errors import GraphError
from node.score import NOT_DUE, REJECTED, positive_part
from storage import canonical_json

HALF_LIFE = 8
"""Rounds after which an evaluation weighs half."""
FRESH = 1 << 16


@dataclass(frozen=True, order=True)
class Evaluation:
    """One vote that the settlement bears out: `part` 1..32,767 for accepted work, below 0 for rejected; `seats` ≥ 1."""

    round: int
    rater: int
    rated: int
    part: int
    seats: int


@dataclass(frozen=True)
class EvaluationGraph:
    """The graph after a round (0: before the first). `links` are (rater, rated, weight ≠ 0), ascending; `stakes` holds
    the wei of every rater, which seeds the global view; `members` is everybody who has joined, ascending.
    """

    task: int
    round: int
    members: tuple[int, ...]
    stakes: Mapping[int, int]
    links: tuple[tuple[int, int, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; wei and weights as text, since they pass 2^53."""
        return {
            "kind": "evaluations",
            "task": self.task,
            "round": self.round,
            "members": list(self.members),
            "stakes": {str(node): str(stake) for node, stake in sorted(self.stakes.items())},
            "links": [[rater, rated, str(weight)] for rater, rated, weight in self.links],
        }

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hex: what two machines compare."""
        return hashlib.sha256(canonical_json(self.to_json())).hexdigest()

    @staticmethod
    def from_json(data: Any) -> EvaluationGraph:
        """Parse a saved graph. Raises GraphError for anything that `to_json` does not write."""
        try:
            found = EvaluationGraph(
                task=int(data["task"]),
                round=int(data["round"]),
                members=tuple(int(node) for node in data["members"]),
                stakes={int(node): int(stake) for node, stake in data["stakes"].items()},
                links=tuple((int(rater), int(rated), int(weight)) for rater, rated, weight in data["links"]),
            )
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise GraphError(f"malformed evaluation graph: {error}", hint="restore the file, or delete it") from error
        if found.to_json() != data:
            raise GraphError("the evaluation graph is not as it is written", hint="restore the file, or delete it")
        return found


def evaluations_of(
    round_: int,
    votes: Mapping[int, Sequence[int]],
    scores: Sequence[int],
    slots: Mapping[int, int],
    seats: Mapping[int, int],
) -> list[Evaluation]:
    """The votes of a round that its settlement bears out.

    `votes` are lanes by slot of each member whose part was accepted, `scores` the settled lanes by slot, `slots` each
    trainer's, `seats` how many each member drew. A vote against the settlement, or on oneself, is none. A rejection
    weighs as much as the round's best work, so that one bad round costs about one good one, whatever utilities are.
    """
    distrust = max(1, max(map(positive_part, scores), default=1))
    found = []
    for rater, lanes in sorted(votes.items()):
        for rated, slot in sorted(slots.items()):
            vote, score = (values[slot] if slot < len(values) else NOT_DUE for values in (lanes, scores))
            if rater == rated or NOT_DUE in (vote, score):
                continue
            if REJECTED in (vote, score):
                part = -distrust if vote == score else 0
            else:
                part = min(positive_part(vote), positive_part(score))
            if part:
                found.append(Evaluation(round_, rater, rated, part, seats[rater]))
    return found


def graph_of(
    evaluations: Iterable[Evaluation],
    *,
    task: int,
    round_: int,
    members: Iterable[int],
    stakes: Mapping[int, int],
    half_life: int = HALF_LIFE,
) -> EvaluationGraph:
    """The graph after `round_`: later evaluations do not count. A pair's weight is Σ part · seats · 2^(−age/half-life),
    in integers; where trust and distrust cancel there is no link. Raises GraphError for a node that rates itself.
    """
    weights: dict[tuple[int, int], int] = defaultdict(int)
    for item in evaluations:
        if item.rater == item.rated:
            raise GraphError(f"node {item.rater} rates itself in round {item.round}", hint="drop the evaluation")
        if item.round <= round_:
            weights[item.rater, item.rated] += item.part * item.seats * freshness(round_ - item.round, half_life)
    kept = {pair: weight // FRESH if weight > 0 else -(-weight // FRESH) for pair, weight in weights.items()}
    links = tuple((rater, rated, weight) for (rater, rated), weight in sorted(kept.items()) if weight)
    raters = {rater for rater, _, _ in links}
    return EvaluationGraph(
        task=task,
        round=round_,
        members=tuple(sorted(set(members))),
        stakes={node: stakes[node] for node in sorted(raters) if stakes.get(node)},
        links=links,
    )


def freshness(age: int, half_life: int = HALF_LIFE) -> int:
    """⌊2^16 · 2^(−age/half-life)⌋ for a half-life that is a power of two, by integer square roots."""
    if half_life < 1 or half_life & (half_life - 1):
        raise GraphError(f"a half-life of {half_life} rounds", hint="a power of two")
    whole, part = divmod(age, half_life)
    value = 1 << (32 * half_life - 2 * part)  # (2^16 · 2^(−part/half-life))^(2·half-life)
    for _ in range((2 * half_life).bit_length() - 1):
        value = isqrt(value)
    return value >> whole
