"""Score, reputation and contribution words: the contracts' integer arithmetic, exactly, in Python.

A word is a 256-bit `int` of 15 lanes of 16 bits (lane l at bits 16·l) and, in reputation words, the round of
the last step at bits 240. A contribution word is 8 lanes of 32 bits. Mirrors
`contracts/libraries/RepWords.sol`, `LowerMedian.sol` and `ReputationBook.sol`; the vectors in `tests/vectors`
are shared with the Solidity tests.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    "contribution_lanes",
    "contribution_units",
    "lower_median",
    "pack_scores",
    "reputation_lanes",
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


def contribution_units(lanes: Sequence[int]) -> list[int]:
    """Units that each slot earns in a round: ⌊part·10^6 / Σ part⌋ with part = max(0, score − 32768)."""
    parts = [max(0, score - ACCEPTED) for score in lanes]
    total = sum(parts)
    return [part * UNITS // total if total else 0 for part in parts]


def lower_median(votes: Sequence[int]) -> int:
    """The vote at index ⌊(m−1)/2⌋ of the m non-zero votes in ascending order, one vote a seat; 0 where all
    abstain."""
    cast = sorted(vote for vote in votes if vote)
    return cast[(len(cast) - 1) // 2] if cast else 0
