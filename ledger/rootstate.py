"""Root mode off chain: the whole state behind a signed root, what a round makes of it, and every proof.

Pure and in integers: the same scores give the same roots on every machine. `RootLedgerState.step` is what the
committee signs, what a challenger compares, and what `words.apply_scores` says of words mode too.

Index of a word in the trees of scores and reputation: role << levels | word. Leaf of a pay tree (one a role):
word << 4 | lane, in wei since the task began. A word that no slot has reached yet is stepped like any other:
its lanes stay 0 and its stamp is the round's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ledger.errors import BadArgument
from ledger.sumtree import MAX_SUM, SumTree
from ledger.tree import PositionTree
from ledger.types import PayProof, Role, RootState, WordProof
from ledger.words import LANES, apply_scores, pack_scores, part_sum, reputation_lanes, score_part, words_for

MAX_LEVELS = 20
_MAGIC = b"credence root\0\1"
_HEADER = struct.Struct(">BIII")  # levels, round, slots of trainers and of verifiers
_WORD, _WEI = 32, 12
_NONE: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


def capacity(levels: int) -> int:
    """How many nodes a role of a root task has room for."""
    return LANES << levels


def word_index(levels: int, role: Role, word: int) -> int:
    """Index of a role's word in the trees of scores and of reputation. Raises `BadArgument` outside."""
    if not 0 <= word < 1 << levels:
        raise BadArgument(f"word {word} is outside {1 << levels} words a role", hint="a word has 15 slots")
    return int(role) << levels | word


def pay_index(slot: int) -> int:
    """Index of a slot's leaf in its role's pay tree."""
    return (slot // LANES) << 4 | slot % LANES


@dataclass(frozen=True)
class RootLedgerState:
    """Every word and every wei after round `round` (0 = before the first), by role.

    `scores` and `reputation` have the words that slots reach, `pay` the wei of each slot; trees are built once, when
    a root or a proof is asked for.
    """

    levels: int
    round: int
    scores: tuple[tuple[int, ...], tuple[int, ...]] = _NONE
    reputation: tuple[tuple[int, ...], tuple[int, ...]] = _NONE
    pay: tuple[tuple[int, ...], tuple[int, ...]] = _NONE

    def __post_init__(self) -> None:
        """Raises `BadArgument` where parts do not fit one another or the trees."""
        if not 0 <= self.levels <= MAX_LEVELS or not 0 <= self.round < 2**32:
            raise BadArgument(f"levels {self.levels} or round {self.round} is out of range", hint="see IRoundBook")
        for scores, words, pay in zip(self.scores, self.reputation, self.pay, strict=True):
            if not len(scores) == len(words) == words_for(len(pay)) or len(words) > 1 << self.levels:
                raise BadArgument(f"{len(pay)} slots, {len(words)} words do not fit", hint="a word has 15 slots")
            if any(not 0 <= word < 2**256 for word in (*scores, *words)) or any(wei < 0 for wei in pay):
                raise BadArgument("a word or an amount is out of range", hint="words are 256 bits, amounts are wei")
            if sum(pay) > MAX_SUM:
                raise BadArgument("the pay of a role does not fit 96 bits", hint="rounds × pools must fit")

    def step(self, scores: Sequence[Sequence[int]], *, round: int, pools: Sequence[int]) -> RootLedgerState:
        """The state after a round with these scores, (trainers', verifiers') by slot, and pools in wei.

        Raises `BadArgument` on a score out of range, a slot that went missing, or a round that is not later.
        """
        if round <= self.round:
            raise BadArgument(f"round {round} is not after {self.round}", hint="step the parent's state")
        made = []
        for role in Role:
            before, slots = self.pay[role], len(scores[role])
            if slots < len(before):
                raise BadArgument(f"{slots} scores for {len(before)} slots", hint="slots are never given back")
            words = pack_scores(scores[role])
            outcome = apply_scores(self.reputation[role], words, role=role, round=round, amount=pools[role])
            grown = [*before, *[0] * (slots - len(before))]
            earned = tuple(old + new for old, new in zip(grown, outcome.earned[:slots], strict=True))
            made.append((tuple(words), outcome.words, earned))
        trainers, verifiers = made
        return RootLedgerState(
            levels=self.levels,
            round=round,
            scores=(trainers[0], verifiers[0]),
            reputation=(trainers[1], verifiers[1]),
            pay=(trainers[2], verifiers[2]),
        )

    # --- trees ---
    def _leaves(self, words: tuple[tuple[int, ...], tuple[int, ...]]) -> dict[int, int]:
        return {
            word_index(self.levels, role, position): word for role in Role for position, word in enumerate(words[role])
        }

    @cached_property
    def score_tree(self) -> PositionTree:
        """The tree of this round's score words."""
        return PositionTree(self._leaves(self.scores), self.levels + 1)

    @cached_property
    def reputation_tree(self) -> PositionTree:
        """The tree of the reputation words after this round."""
        return PositionTree(self._leaves(self.reputation), self.levels + 1, fill=self.unreached)

    @cached_property
    def pay_trees(self) -> tuple[SumTree, SumTree]:
        """The pay trees of trainers and verifiers."""
        trainers, verifiers = (
            SumTree({pay_index(slot): wei for slot, wei in enumerate(self.pay[role])}, self.levels + 4) for role in Role
        )
        return trainers, verifiers

    @property
    def unreached(self) -> int:
        """The reputation word where there is no slot yet."""
        return (self.round & 0xFFFF) << 240

    # --- what goes on chain ---
    def root_state(self, data: bytes | None = None) -> RootState:
        """The seven words that a report of this round signs; `data` None = the digest of `encode_data`."""
        if self.round == 0:
            return RootState()
        trainers, verifiers = self.pay_trees
        return RootState(
            scores=self.score_tree.root,
            reputation=self.reputation_tree.root,
            trainer_pay=trainers.root,
            verifier_pay=verifiers.root,
            totals=trainers.total | verifiers.total << 128,
            points=part_sum(self.scores[0]) | part_sum(self.scores[1]) << 128,
            data=hashlib.sha256(encode_data(self)).digest() if data is None else data,
        )

    def score_proof(self, role: Role, word: int) -> WordProof:
        """A score word of this round with its siblings."""
        return self.score_tree.proof(word_index(self.levels, role, word))

    def reputation_proof(self, role: Role, word: int) -> WordProof:
        """A reputation word after this round with its siblings; before the first round one of an all-zero tree."""
        return self.reputation_tree.proof(word_index(self.levels, role, word))

    def pay_proof(self, role: Role, slot: int) -> PayProof:
        """What a slot has earned with its siblings; before the first round nothing, of a tree that owes nobody."""
        return self.pay_trees[role].proof(pay_index(slot))

    # --- reading it ---
    def reputations(self, role: Role) -> list[int]:
        """Reputation by slot."""
        lanes = [lane for word in self.reputation[role] for lane in reputation_lanes(word)]
        return lanes[: len(self.pay[role])]


def new_root_state(levels: int) -> RootLedgerState:
    """The state of a root task before its first round."""
    return RootLedgerState(levels=levels, round=0)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which a posted state is not what its scores make of its parent, and so which proof of
    fault holds: `what` is "reputation", "pay" or "points"; `index` a word of the role, or a slot for "pay"."""

    what: str
    role: Role
    index: int


def first_difference(
    parent: RootLedgerState, posted: RootLedgerState, *, pools: Sequence[int], points: int
) -> Difference | None:
    """Compare a posted state (from its data, with `points` of its RootState) with the honest step of its parent.

    Takes the posted scores as they are: whether they are the medians of the votes is `challenge_root_score`'s
    matter. A share is of the points as posted, as the contract judges it.
    """
    for role in Role:
        # A posted state that forgot slots has nothing where they were: zero scores, no wei.
        lost = max(0, len(parent.reputation[role]) - len(posted.reputation[role]))
        words = (*posted.scores[role], *[0] * lost)
        reached = (*posted.reputation[role], *[posted.unreached] * lost)
        outcome = apply_scores(parent.reputation[role], words, role=role, round=posted.round, amount=0)
        for position, (got, expected) in enumerate(zip(reached, outcome.words, strict=True)):
            if got != expected:
                return Difference("reputation", role, position)
        total = (points >> (128 * role)) & (2**128 - 1)
        if total == 0 and outcome.points:
            return Difference("points", role, next(at for at, word in enumerate(words) if part_sum([word])))
        pay, before = posted.pay[role], parent.pay[role]
        for slot in range(max(len(pay), len(before))):
            score = reputation_lanes(words[slot // LANES])[slot % LANES]
            gain = pools[role] * score_part(score) // total if total else 0
            known = before[slot] if slot < len(before) else 0
            if (pay[slot] if slot < len(pay) else 0) != known + gain:
                return Difference("pay", role, slot)
    return None


def encode_data(state: RootLedgerState) -> bytes:
    """Canonical bytes of a whole round: score words, reputation words and wei of each role. Their SHA-256 is
    `RootState.data`."""
    parts = [_MAGIC, _HEADER.pack(state.levels, state.round, len(state.pay[0]), len(state.pay[1]))]
    for role in Role:
        parts += [word.to_bytes(_WORD, "big") for word in (*state.scores[role], *state.reputation[role])]
        parts += [wei.to_bytes(_WEI, "big") for wei in state.pay[role]]
    return b"".join(parts)


def encoded_size(trainers: int, verifiers: int) -> int:
    """Length in bytes of the data of a state with so many slots."""
    slots = (trainers, verifiers)
    return len(_MAGIC) + _HEADER.size + sum(2 * _WORD * words_for(count) + _WEI * count for count in slots)


def decode_data(data: bytes, *, expected: RootState | None = None) -> RootLedgerState:
    """The state in `data`. Raises `BadArgument` unless it is exactly what `encode_data` writes and, where
    `expected` is given, has that digest; checks lengths before it takes memory.

    The values may still be false (a corrupt committee's): `first_difference` and `matches` say so.
    """
    if expected is not None and hashlib.sha256(data).digest() != expected.data:
        raise BadArgument("the data are not those of the root state", hint="fetch them again by their digest")
    start = len(_MAGIC) + _HEADER.size
    if len(data) < start or not data.startswith(_MAGIC):
        raise BadArgument("these bytes are no root state", hint="fetch the block that RootState.data names")
    levels, round_, *slots = _HEADER.unpack(data[len(_MAGIC) : start])
    if levels > MAX_LEVELS or max(slots) > capacity(levels) or len(data) != encoded_size(*slots):
        raise BadArgument(f"{len(data)} bytes are no state of {slots} slots", hint="the data are cut or padded")
    at = start

    def take(count: int, size: int) -> tuple[int, ...]:
        nonlocal at
        values = tuple(int.from_bytes(data[at + i * size : at + (i + 1) * size], "big") for i in range(count))
        at += count * size
        return values

    made = []
    for count in slots:
        words = words_for(count)
        made.append((take(words, _WORD), take(words, _WORD), take(count, _WEI)))
    trainers, verifiers = made
    state = RootLedgerState(
        levels=levels,
        round=round_,
        scores=(trainers[0], verifiers[0]),
        reputation=(trainers[1], verifiers[1]),
        pay=(trainers[2], verifiers[2]),
    )
    if encode_data(state) != data:  # cannot happen while every field is read whole; kept as the definition
        raise BadArgument("the data are not canonical", hint="encode them with encode_data")
    return state


def matches(state: RootLedgerState, root: RootState) -> bool:
    """Whether the roots, totals and points that were signed are those of this state."""
    return state.root_state(root.data) == root
