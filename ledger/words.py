"""Score, reputation and contribution words: the contracts' integer arithmetic, exactly, in Python.

A word is a 256-bit `int` of 15 lanes of 16 bits (lane l at bits 16·l) and, in reputation words, the round of
the last step at bits 240. A contribution word is 8 lanes of 32 bits. Mirrors
`contracts/libraries/RepWords.sol`, `LowerMedian.sol` and `ReputationBook.sol`; the vectors in `tests/vectors`
are shared with the Solidity tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import BadArgument
from ledger.tree import tree_proof, tree_root, verify
from ledger.types import Role

__all__ = [
    "ACCEPTED",
    "CONTRIBUTION_LANES",
    "FAILED",
    "LANES",
    "MAX_SCORE",
    "NOT_DUE",
    "UNITS",
    "Outcome",
    "apply_scores",
    "contribution_lanes",
    "contribution_units",
    "lower_median",
    "pack_scores",
    "part_sum",
    "reputation_lanes",
    "shares",
    "stamp",
    "step_lane",
    "step_word",
    "tree_proof",
    "tree_root",
    "unpack_scores",
    "verify",
    "words_for",
]

LANES = 15
CONTRIBUTION_LANES = 8
NOT_DUE, FAILED = 0, 1
ACCEPTED = 32_768  # a score above this carries a contribution part
MAX_SCORE = 65_535
UNITS = 1_000_000  # contribution units that one round shares among a role

_LANE_MASK = 0xFFFF


def words_for(count: int) -> int:
    """How many score words `count` lanes fill."""
    return -(-count // LANES)


def pack_scores(lanes: Sequence[int]) -> list[int]:
    """Pack scores (0..65535, by slot) into words of 15 lanes; the last word is filled with 0.

    Raises `BadArgument` on a score out of range.
    """
    words = [0] * words_for(len(lanes))
    for slot, score in enumerate(lanes):
        if not 0 <= score <= MAX_SCORE:
            raise BadArgument(f"score {score} of slot {slot} is outside 0..{MAX_SCORE}", hint="clip it first")
        words[slot // LANES] |= int(score) << (16 * (slot % LANES))
    return words


def unpack_scores(words: Sequence[int], count: int) -> list[int]:
    """The first `count` lanes of `words`. Raises `BadArgument` where there are fewer, or a lane behind is not
    0."""
    if words_for(count) != len(words):
        raise BadArgument(f"{len(words)} words cannot hold exactly {count} scores", hint="use the slot count")
    lanes = [lane for word in words for lane in reputation_lanes(word)]
    if any(lanes[count:]) or any(word >> 240 for word in words):
        raise BadArgument(f"bits are set behind the last of {count} scores", hint="pack with pack_scores")
    return lanes[:count]


def reputation_lanes(word: int) -> list[int]:
    """The 15 lanes of a word, 0..65535 each."""
    return [(word >> (16 * lane)) & _LANE_MASK for lane in range(LANES)]


def stamp(word: int) -> int:
    """The round in which a reputation word was last stepped, 0 = never."""
    return word >> 240


def contribution_lanes(word: int) -> list[int]:
    """The 8 lanes of a contribution word, in units."""
    return [(word >> (32 * lane)) & 0xFFFFFFFF for lane in range(CONTRIBUTION_LANES)]


def step_lane(reputation: int, score: int, *, role: Role) -> int:
    """Reputation after one round: 0 = not due (a trainer falls by 1/64), 1 = failed (falls by a quarter,
    rounded up), 2.. = accepted (rises by a sixteenth of the gap, falls by a quarter of it). Both in
    0..65535."""
    if score > reputation and score > FAILED:
        return reputation + (score - reputation) // 16
    if score > FAILED:
        return reputation - (reputation - score) // 4
    if score == FAILED:
        return reputation - (reputation + 3) // 4
    return reputation - reputation // 64 if role == Role.TRAINER else reputation


def step_word(word: int, score_word: int, *, round: int, role: Role) -> int:
    """A reputation word after a round's score word; the score word's top 16 bits are ignored."""
    stepped = (round & _LANE_MASK) << 240
    pairs = zip(reputation_lanes(word), reputation_lanes(score_word), strict=True)
    for lane, (reputation, score) in enumerate(pairs):
        stepped |= step_lane(reputation, score, role=role) << (16 * lane)
    return stepped


def score_part(score: int) -> int:
    """What a score counts when pay is shared: max(0, score − 32768)."""
    return max(0, score - ACCEPTED)


def part_sum(score_words: Sequence[int]) -> int:
    """Sum of the parts of every lane of a role: its points in this round."""
    return sum(score_part(lane) for word in score_words for lane in reputation_lanes(word))


def shares(lanes: Sequence[int], amount: int) -> list[int]:
    """What each slot gets of `amount` for its score: ⌊part·amount / Σ part⌋, 0 where nobody has a part. Rounds
    down, so that less than one a slot is left over."""
    total = sum(map(score_part, lanes))
    return [score_part(score) * amount // total if total else 0 for score in lanes]


def contribution_units(lanes: Sequence[int]) -> list[int]:
    """Units that each slot earns in a round: its share of 10^6."""
    return shares(lanes, UNITS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round makes of a role: its reputation words, and what each of their lanes earned (by slot)."""

    words: tuple[int, ...]
    earned: tuple[int, ...]
    points: int


def apply_scores(before: Sequence[int], score_words: Sequence[int], *, role: Role, round: int, amount: int) -> Outcome:
    """One round of one role: the one rule behind both modes, the index and every prediction.

    `before` has the reputation words, fewer where slots are new; `amount` is shared by score parts (words mode:
    10^6 contribution units, root mode: the role's pool in wei).
    """
    if len(before) > len(score_words):
        raise BadArgument(
            f"{len(before)} words before, {len(score_words)} of scores", hint="slots are never given back"
        )
    olds = [*before, *[0] * (len(score_words) - len(before))]
    words = tuple(step_word(old, new, round=round, role=role) for old, new in zip(olds, score_words, strict=True))
    lanes = [lane for word in score_words for lane in reputation_lanes(word)]
    return Outcome(words, tuple(shares(lanes, amount)), part_sum(score_words))


def lower_median(votes: Sequence[int]) -> int:
    """The vote at index ⌊(m−1)/2⌋ of the m non-zero votes in ascending order, one vote a seat; 0 where all
    abstain."""
    cast = sorted(vote for vote in votes if vote)
    return cast[(len(cast) - 1) // 2] if cast else 0
