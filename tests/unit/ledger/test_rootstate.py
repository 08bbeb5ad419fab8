"""Root mode off chain: conservation of pay, the same step as words mode, and data that are strict."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from ledger import Role, sumtree, tree
from ledger.errors import BadArgument
from ledger.report import state_hash, state_of, state_words
from ledger.rootstate import (
    RootLedgerState,
    capacity,
    decode_data,
    encode_data,
    encoded_size,
    first_difference,
    matches,
    new_root_state,
    pay_index,
    word_index,
)
from ledger.types import RootState
from ledger.words import (
    UNITS,
    apply_scores,
    contribution_units,
    pack_scores,
    reputation_lanes,
    shares,
    step_lane,
    words_for,
)

SCORE = st.one_of(st.sampled_from([0, 1, 2, 32_768, 32_769]), st.integers(0, 65_535))
LEVELS = 2
POOLS = (60 * 10**18 + 7, 30 * 10**18 + 1)


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[int, list[int], list[int]]]:
    """Rounds with gaps; slots only grow."""
    counts = sorted(draw(st.lists(st.integers(0, 40), min_size=1, max_size=4)))
    others = sorted(draw(st.lists(st.integers(0, 20), min_size=len(counts), max_size=len(counts))))
    numbers = sorted(draw(st.sets(st.integers(1, 50), min_size=len(counts), max_size=len(counts))))
    scores = [
        [draw(st.lists(SCORE, min_size=count, max_size=count)) for count in pair]
        for pair in zip(counts, others, strict=True)
    ]
    return [(number, *pair) for number, pair in zip(numbers, scores, strict=True)]


@given(runs())
def test_pay_never_exceeds_the_pools_and_dust_is_less_than_a_wei_a_slot(
    rounds: list[tuple[int, list[int], list[int]]],
) -> None:
    state = new_root_state(LEVELS)
    for number, *scores in rounds:
        after = state.step(scores, round=number, pools=POOLS)
        for role in Role:
            grown = sum(after.pay[role]) - sum(state.pay[role])
            earners = sum(score > 32_768 for score in scores[role])
            assert grown <= POOLS[role]
            assert grown > POOLS[role] - earners if earners else grown == 0
        root = after.root_state()
        assert (root.total(Role.TRAINER), root.total(Role.VERIFIER)) == tuple(map(sum, after.pay))
        assert root.part_sum(Role.TRAINER) == sum(max(0, score - 32_768) for score in scores[0])
        state = after


@given(runs())
def test_every_lane_is_the_scalar_model_and_a_stamp_is_the_round(
    rounds: list[tuple[int, list[int], list[int]]],
) -> None:
    state = new_root_state(LEVELS)
    model: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for number, *scores in rounds:
        state = state.step(scores, round=number, pools=POOLS)
        for role in Role:
            for slot, score in enumerate(scores[role]):
                model[role][slot] = step_lane(model[role].get(slot, 0), score, role=role)
            assert state.reputations(role) == [model[role][slot] for slot in range(len(scores[role]))]
            assert all(word >> 240 == number for word in state.reputation[role])


@given(st.lists(SCORE, max_size=60), st.lists(st.integers(0, 65_535), max_size=60), st.integers(0, 10**20))
def test_both_modes_are_one_rule(scores: list[int], reputations: list[int], pool: int) -> None:
    """Words mode's words and units, root mode's words and wei: the same function, another amount."""
    before = pack_scores(reputations[: len(scores)])
    words = pack_scores(scores)
    in_words = apply_scores(before, words, role=Role.TRAINER, round=3, amount=UNITS)
    in_root = apply_scores(before, words, role=Role.TRAINER, round=3, amount=pool)
    assert in_words.words == in_root.words
    assert list(in_words.earned[: len(scores)]) == contribution_units(scores)
    assert list(in_root.earned[: len(scores)]) == shares(scores, pool)
    assert not any(in_words.earned[len(scores) :])
    assert in_words.points == sum(max(0, score - 32_768) for score in scores)


@given(runs(), st.data())
def test_every_proof_holds_against_the_signed_state(
    rounds: list[tuple[int, list[int], list[int]]], data: st.DataObject
) -> None:
    state = new_root_state(LEVELS)
    for number, *scores in rounds:
        state = state.step(scores, round=number, pools=POOLS)
    root = state.root_state()
    role = data.draw(st.sampled_from(Role))
    word = data.draw(st.integers(0, 2**LEVELS - 1))
    index, count = word_index(LEVELS, role, word), 2 << LEVELS
    score, reputation = state.score_proof(role, word), state.reputation_proof(role, word)
    assert tree.verify(score.word, index, count, score.siblings, root.scores)
    assert tree.verify(reputation.word, index, count, reputation.siblings, root.reputation)
    if word >= words_for(len(state.pay[role])):
        assert (score.word, reputation.word) == (0, state.round << 240)
    slot = data.draw(st.integers(0, capacity(LEVELS) - 1))
    pay = state.pay_proof(role, slot)
    assert pay.amount == (state.pay[role][slot] if slot < len(state.pay[role]) else 0)
    where = {"root": root.pay_root(role), "total": root.total(role)}
    assert sumtree.verify(pay_index(slot), LEVELS + 4, pay, **where)


def test_before_the_first_round_everything_is_zero() -> None:
    state = new_root_state(LEVELS)
    assert state.root_state() == RootState()
    word, leaf = state.reputation_proof(Role.TRAINER, 0), state.pay_proof(Role.VERIFIER, 3)
    assert (word.word, leaf.amount) == (0, 0)
    assert tree.verify(0, 0, 2 << LEVELS, word.siblings, tree.tree_root([0] * (2 << LEVELS)))
    assert leaf.sums == (0,) * (LEVELS + 4)
    empty = state.step(([], []), round=1, pools=POOLS)
    assert empty.root_state().totals == 0
    assert empty.root_state() != RootState()


@given(runs())
def test_data_come_back_and_are_bound_by_their_digest(rounds: list[tuple[int, list[int], list[int]]]) -> None:
    state = new_root_state(LEVELS)
    for number, *scores in rounds:
        state = state.step(scores, round=number, pools=POOLS)
    data = encode_data(state)
    root = state.root_state()
    assert root.data == hashlib.sha256(data).digest()
    assert len(data) == encoded_size(len(state.pay[0]), len(state.pay[1]))
    assert decode_data(data, expected=root) == state
    assert matches(decode_data(data), root)
    assert not matches(state, replace(root, points=root.points + 1))
    with pytest.raises(BadArgument, match="not those"):
        decode_data(data, expected=replace(root, data=b"\1" * 32))
    for wrong in (data + b"\0", data[:-1], b"", data[:10], b"x" + data):
        with pytest.raises(BadArgument):
            decode_data(wrong)


def test_lengths_are_checked_before_memory_is_taken() -> None:
    header = encode_data(new_root_state(20))
    at = len(header) - 13  # levels, round, two counts
    for levels, slots in ((20, 2**32 - 1), (21, 0), (0, 16)):
        forged = header[:at] + bytes([levels]) + header[at + 1 : at + 5] + slots.to_bytes(4, "big") + header[at + 9 :]
        with pytest.raises(BadArgument):
            decode_data(forged)


def test_the_seven_words_are_the_abi_encoding() -> None:
    root = new_root_state(1).step(([40_000], [50_000]), round=1, pools=POOLS).root_state()
    words = state_words(root)
    assert state_of(words) == root
    assert b"".join(word.to_bytes(32, "big") for word in words) == encode(["uint256"] * 7, words)
    with pytest.raises(BadArgument, match="6 words"):
        state_of(words[:6])
    assert state_hash(root) != state_hash(replace(root, data=b"\0" * 32))


def _posted(state: RootLedgerState, **changes: object) -> RootLedgerState:
    return replace(state, **changes)  # type: ignore[arg-type]


def test_the_first_difference_names_the_proof_of_fault() -> None:
    parent = new_root_state(LEVELS).step(([40_000] * 20, [50_000] * 3), round=1, pools=POOLS)
    honest = parent.step(([41_000] * 22, [50_000, 1, 0]), round=2, pools=POOLS)
    points = honest.root_state().points

    def found(posted: RootLedgerState, points: int = points) -> tuple[str, Role, int] | None:
        difference = first_difference(parent, posted, pools=POOLS, points=points)
        return None if difference is None else (difference.what, difference.role, difference.index)

    assert found(honest) is None
    words = honest.reputation
    assert found(_posted(honest, reputation=((words[0][0], words[0][1] ^ 1), words[1]))) == ("reputation", 0, 1)
    verifiers = honest.pay[1]
    richer = (verifiers[0] - 5, verifiers[1] + 5, verifiers[2])
    assert found(_posted(honest, pay=(honest.pay[0], richer))) == ("pay", Role.VERIFIER, 0)
    assert found(_posted(honest, pay=(parent.pay[0] + (0, 0), honest.pay[1])), points & ~(2**128 - 1)) == (
        "points", Role.TRAINER, 0,
    )  # fmt: skip
    shrunk = _posted(
        honest,
        scores=(honest.scores[0][:1], honest.scores[1]),
        reputation=(words[0][:1], words[1]),
        pay=(honest.pay[0][:15], honest.pay[1]),
    )
    assert found(shrunk) == ("reputation", Role.TRAINER, 1)


def test_shapes_that_do_not_fit_are_refused() -> None:
    state = new_root_state(0)
    with pytest.raises(BadArgument):
        state.step(([2] * 16, []), round=1, pools=POOLS)  # a role has room for 15
    after = state.step(([2] * 15, []), round=4, pools=POOLS)
    with pytest.raises(BadArgument, match="round 4"):
        after.step(([2] * 15, []), round=4, pools=POOLS)
    with pytest.raises(BadArgument, match="14 scores"):
        after.step(([2] * 14, []), round=5, pools=POOLS)
    with pytest.raises(BadArgument, match="outside"):
        after.score_proof(Role.TRAINER, 1)
    with pytest.raises(BadArgument, match="levels"):
        new_root_state(21)
    with pytest.raises(BadArgument, match="words before"):
        apply_scores([1, 2], [3], role=Role.TRAINER, round=1, amount=1)
    assert reputation_lanes(after.reputation[0][0]) == [0] * 15


def test_data_of_a_state_that_cannot_be_are_refused() -> None:
    good = encode_data(new_root_state(0).step(([65_535], [65_535]), round=1, pools=(2**96 - 1, 1)))
    assert decode_data(good).pay == ((2**96 - 1,), (1,))
    two = encode_data(new_root_state(0).step(([65_535, 1], []), round=1, pools=(2**96 - 1, 0)))
    with pytest.raises(BadArgument, match="96 bits"):
        decode_data(two[:-1] + b"\1")
