"""What a member does with revealed submissions: each fault has its reason, equal inputs give equal observations."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.admission import direction_limit
from node.aggregate import cosine_to_others
from node.data import Dataset
from node.score import ACCEPTED_BASE, NOT_DUE, REJECTED
from node.sketch import agrees
from node.spec import TaskSpec
from node.utility import UTILITIES, Game
from node.verify import (
    Observation,
    Reason,
    RoundInputs,
    Submission,
    decode_update,
    mark_duplicates,
    observe,
    output_sketch,
    outputs_of,
    probe_batch,
    reject_reason,
)
from storage import CodecError, Reject, encode
from tests.support.protocol import PARENT, address, evaluator, inputs, payload, tiny_spec, update

SPEC = tiny_spec()
GOOD = update(1, -1, 0, -1, 1, 0)  # makes the right class more certain
MEMBER = 11


def submission(
    node: int, vector: np.ndarray | None, *, order: int | None = None, reason: Reason | None = None
) -> Submission:
    """Node n has slot n - 1 and committed in the order of its id."""
    given = reason or (Reason.ACCEPTED if vector is not None else Reason.UNREVEALED)
    return Submission(node, node - 1, node if order is None else order, vector, given)


def seen(
    items: Sequence[Submission],
    *,
    spec: TaskSpec = SPEC,
    own: int = MEMBER,
    member: int = MEMBER,
    **changes: Any,
) -> Observation:
    shared = inputs(range(1, 10), **changes)
    return observe(items, spec, shared, evaluator=evaluator(), slots=5, member=address(member), own_node=own)


def honest(count: int) -> list[Submission]:
    """Updates in one direction, each a little different."""
    return [submission(n, GOOD + update(0, 0, 0.1 * n, 0, 0, -0.05 * n)) for n in range(1, count + 1)]


# -- votes -----------------------------------------------------------------------------------------------


def test_honest_updates_are_accepted_with_a_vote_for_what_they_add() -> None:
    found = seen(honest(3))
    assert set(found.reasons.values()) == {Reason.ACCEPTED}
    assert all(vote > ACCEPTED_BASE for vote in found.votes[:3])
    assert found.votes[3:] == (NOT_DUE, NOT_DUE)
    assert set(found.sketches) == set(found.member_sketches) == {1, 2, 3}


def test_a_vote_is_the_leave_one_out_utility() -> None:
    """One trainer: U(N) - U(nobody) is the drop of the mean cross-entropy that its update brings."""
    shared = inputs([1])
    drop = evaluator().loss(PARENT, shared.probe) - evaluator().loss(
        {"weight": PARENT["weight"] + GOOD.reshape(2, 3)}, shared.probe
    )
    (vote, *_) = seen([submission(1, GOOD)], spec=tiny_spec(utility_scale="4")).votes
    assert vote == ACCEPTED_BASE + round(drop / 4 * 32_767)


def test_an_update_that_harms_scores_below_the_base_and_is_not_rejected() -> None:
    found = seen([submission(1, -0.1 * GOOD)])
    assert found.reasons[1] is Reason.ACCEPTED
    assert REJECTED < found.votes[0] < ACCEPTED_BASE


def test_without_submissions_nothing_is_due() -> None:
    assert seen([]) == Observation((NOT_DUE,) * 5, {}, {}, {})


@pytest.mark.parametrize("reason", [Reason.UNREVEALED, Reason.WRONG_CID, Reason.BAD_MANIFEST])
def test_a_rejected_submission_keeps_its_reason(reason: Reason) -> None:
    found = seen([*honest(2), submission(3, None, reason=reason)])
    assert found.votes[2] == REJECTED
    assert found.reasons[3] is reason
    assert 3 not in found.sketches


def test_a_round_in_which_everything_is_rejected_is_observed() -> None:
    found = seen([submission(1, None), submission(2, update(*[100] * 6))])
    assert found.votes == (REJECTED, REJECTED, NOT_DUE, NOT_DUE, NOT_DUE)
    assert found.sketches == {}


def test_a_member_abstains_on_its_own_submission() -> None:
    found = seen(honest(3), own=2)
    assert found.votes[1] == NOT_DUE
    assert found.votes[0] > ACCEPTED_BASE
    assert found.votes[2] > ACCEPTED_BASE


def test_a_member_abstains_on_its_own_rejected_submission_too() -> None:
    assert seen([*honest(2), submission(3, None)], own=3).votes[2] == NOT_DUE


# -- structure and norms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "reason"), [(9.99, Reason.ACCEPTED), (10.0, Reason.ACCEPTED), (10.01, Reason.NORM_BOUND)]
)
def test_the_norm_is_bounded(length: float, reason: Reason) -> None:
    found = seen([submission(1, update(length, 0, 0, 0, 0, 0))])
    assert found.reasons == {1: reason}
    assert (found.votes[0] == REJECTED) == (reason is Reason.NORM_BOUND)


def test_an_update_whose_outputs_exceed_the_bound_is_rejected() -> None:
    quiet, loud = update(1, 0, 0, 0, 0, 0), update(9, 0, 0, 0, 0, 0)
    found = seen([submission(1, quiet), submission(2, loud)], spec=tiny_spec(output_bound="20"))
    assert found.reasons == {1: Reason.ACCEPTED, 2: Reason.NORM_BOUND}
    assert set(found.sketches) == {1}


@pytest.mark.parametrize("sample", [(2, 0, 1), (2, 0, -2)], ids=["infinity", "nan"])
def test_outputs_that_overflow_are_rejected_and_do_not_stop_the_others(sample: tuple[int, ...]) -> None:
    wild = submission(3, update(3e38, 0, 3e38, 0, 0, 0))
    batch = Dataset(np.array([sample], dtype=np.float32), np.array([0]), 2)
    spec = tiny_spec(update_bound="1" + "0" * 39)
    found = seen([*honest(2), wild], spec=spec, probe=batch)
    assert found.reasons == {1: Reason.ACCEPTED, 2: Reason.ACCEPTED, 3: Reason.NORM_BOUND}
    assert found.votes[2] == REJECTED
    assert set(found.sketches) == {1, 2}


# -- near-duplicates -------------------------------------------------------------------------------------


def test_among_near_duplicates_the_first_commit_wins() -> None:
    """Slot and node id do not matter: node 1 copied node 2, which had committed before it."""
    copy, original = submission(1, GOOD * 1.005, order=7), submission(2, GOOD, order=3)
    found = seen([copy, original, submission(3, GOOD + update(0, 0, 1, 0, 0, 0))])
    assert found.reasons == {1: Reason.DUPLICATE, 2: Reason.ACCEPTED, 3: Reason.ACCEPTED}
    assert found.votes[0] == REJECTED


@pytest.mark.parametrize(("factor", "duplicate"), [(1.0, True), (1.009, True), (1.02, False), (-1.0, False)])
def test_near_means_within_tau_of_the_later_update(factor: float, duplicate: bool) -> None:
    marked = mark_duplicates([submission(1, GOOD), submission(2, GOOD * np.float32(factor))], SPEC)
    assert (marked[1].reason is Reason.DUPLICATE) == duplicate
    assert (marked[1].update is None) == duplicate
    assert marked[0].reason is Reason.ACCEPTED


def test_a_copy_of_a_rejected_update_is_judged_on_its_own() -> None:
    huge = update(11, 0, 0, 0, 0, 0)
    found = seen([submission(1, huge), submission(2, huge)])
    assert found.reasons == {1: Reason.NORM_BOUND, 2: Reason.NORM_BOUND}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(order=st.permutations([0, 1, 2, 3]))
def test_duplicates_are_the_same_in_whatever_order_submissions_are_listed(order: list[int]) -> None:
    items = [submission(1, GOOD), submission(2, GOOD), submission(3, -GOOD), submission(4, GOOD)]
    marked = mark_duplicates([items[i] for i in order], SPEC)
    assert [m.node for m in marked] == [items[i].node for i in order]
    assert {m.node for m in marked if m.reason is Reason.DUPLICATE} == {2, 4}


def test_two_empty_updates_are_duplicates() -> None:
    marked = mark_duplicates([submission(1, update(*[0] * 6)), submission(2, update(*[0] * 6))], SPEC)
    assert [m.reason for m in marked] == [Reason.ACCEPTED, Reason.DUPLICATE]


# -- the cosine rule -------------------------------------------------------------------------------------


def test_an_update_that_points_away_from_the_others_is_rejected() -> None:
    found = seen([*honest(3), submission(4, -4 * GOOD / 3)])
    assert found.reasons == {
        1: Reason.ACCEPTED,
        2: Reason.ACCEPTED,
        3: Reason.ACCEPTED,
        4: Reason.NEGATIVE_COSINE,
    }
    assert found.votes[3] == REJECTED
    assert 4 not in found.sketches


def at_cosine(cosine: float) -> np.ndarray:
    """A unit vector at this cosine to the first axis."""
    return update(cosine, np.sqrt(1 - cosine**2), 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("cosine", "reason"),
    [
        (0.05, Reason.ACCEPTED),
        (-0.21, Reason.NEGATIVE_COSINE),
        (-1.0, Reason.NEGATIVE_COSINE),
    ],
)
def test_clearly_away_means_below_minus_the_margin(cosine: float, reason: Reason) -> None:
    """Three others agree on the first axis; their own cosines to the rest stay positive."""
    axis = [submission(n, update(1 + 0.1 * n, 0, 0, 0, 0, 0)) for n in (1, 2, 3)]
    found = seen([*axis, submission(4, at_cosine(cosine))], spec=tiny_spec(cosine_margin="0.2"))
    assert found.reasons[4] is reason
    assert [found.reasons[n] for n in (1, 2, 3)] == [Reason.ACCEPTED] * 3


def scattered() -> tuple[np.ndarray, int]:
    """Five random updates of which one points slightly away from the others, not clearly; and which one."""
    for seed in range(100):
        rows = np.random.default_rng(seed).standard_normal((5, 6)).astype(np.float32)
        cosines = cosine_to_others(rows, np.full(5, 0.2))
        limit = direction_limit(cosines, np.full(5, 0.2), margin=0.2)
        if cosines.min() > limit and (cosines < 0).sum() == 1:
            return rows, int(cosines.argmin())
    raise AssertionError("no such updates")


@pytest.mark.parametrize(("gain", "reason"), [(0.01, Reason.ACCEPTED), (0.0, Reason.NEGATIVE_COSINE)])
def test_slightly_away_needs_a_gain(gain: float, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the limit the probe decides; the sketch stays, so that members with other roundings can check it."""
    rows, odd = scattered()

    def measured(game: Game) -> np.ndarray:
        return np.where(np.arange(5) == odd, gain, 0.5)

    monkeypatch.setitem(UTILITIES._items, "measured", measured)
    items = [submission(n + 1, row) for n, row in enumerate(rows)]
    found = seen(items, spec=tiny_spec(cosine_margin="0.2", utility="measured"))
    assert found.reasons[odd + 1] is reason
    assert (found.votes[odd] == REJECTED) == (reason is Reason.NEGATIVE_COSINE)
    assert odd + 1 in found.sketches


def test_weight_decides_who_points_away() -> None:
    items = [submission(1, GOOD), submission(2, GOOD * 1.1), submission(3, -GOOD)]
    rich = seen(items, stakes={1: 10, 2: 10, 3: 1_000})
    assert rich.reasons[1] is rich.reasons[2] is Reason.NEGATIVE_COSINE
    poor = seen(items, stakes={1: 10, 2: 10, 3: 1})
    assert poor.reasons == {1: Reason.ACCEPTED, 2: Reason.ACCEPTED, 3: Reason.NEGATIVE_COSINE}


def test_who_has_no_stake_turns_nobody_away_and_earns_nothing() -> None:
    found = seen([submission(1, GOOD), submission(2, -GOOD)], stakes={1: 10, 2: 0})
    assert found.reasons == {1: Reason.ACCEPTED, 2: Reason.ACCEPTED}
    assert found.votes[0] > ACCEPTED_BASE
    assert found.votes[1] == ACCEPTED_BASE


# -- sketches --------------------------------------------------------------------------------------------


def test_equal_inputs_give_equal_observations() -> None:
    first, second = seen(honest(4)), seen(honest(4)[::-1])
    assert first.votes == second.votes
    assert first.reasons == second.reasons
    for ours, theirs in ((first.sketches, second.sketches), (first.member_sketches, second.member_sketches)):
        assert {n: s.tolist() for n, s in ours.items()} == {n: s.tolist() for n, s in theirs.items()}


def test_members_share_one_sketch_and_have_one_that_nobody_can_copy() -> None:
    left, right = seen(honest(2), member=11), seen(honest(2), member=12)
    for node in (1, 2):
        assert left.sketches[node].tolist() == right.sketches[node].tolist()
        assert not agrees(left.member_sketches[node], right.member_sketches[node], tau=0.5)
        assert not agrees(left.member_sketches[node], left.sketches[node], tau=0.5)


def test_a_trainer_s_own_sketch_agrees_with_the_members() -> None:
    shared, items = inputs(range(1, 10)), honest(2)
    outputs = outputs_of(evaluator(), SPEC, shared, items[0].update)
    assert outputs.shape == (6, 2)
    claim = output_sketch(outputs, SPEC, shared, node=1)
    assert agrees(claim, seen(items).sketches[1], tau=SPEC.number("tau"))


@pytest.mark.parametrize("change", [{"beacon": b"\x01" * 32}, {"round": 3}, {"task": 9}])
def test_rows_depend_on_beacon_task_round_and_trainer(change: dict[str, Any]) -> None:
    outputs = outputs_of(evaluator(), SPEC, inputs(), GOOD)
    own = output_sketch(outputs, SPEC, inputs(), node=1)
    assert not agrees(own, output_sketch(outputs, SPEC, inputs(**change), node=1), tau=0.5)
    assert not agrees(own, output_sketch(outputs, SPEC, inputs(), node=2), tau=0.5)


def test_other_outputs_have_another_sketch() -> None:
    items = honest(2)
    lazy = output_sketch(outputs_of(evaluator(), SPEC, inputs(), update(*[0] * 6)), SPEC, inputs(), node=1)
    assert not agrees(lazy, seen(items).sketches[1], tau=SPEC.number("tau"))


# -- the probe batch -------------------------------------------------------------------------------------


def shard(rows: int = 48) -> Dataset:
    return Dataset(np.arange(rows, dtype=np.float32).reshape(-1, 1), np.zeros(rows, np.int64), 1)


def test_the_probe_batch_depends_on_the_beacon_alone() -> None:
    draws = [probe_batch(shard(), beacon=bytes([b]) * 32, size=32).x.ravel().tolist() for b in range(20)]
    assert draws[0] == probe_batch(shard(), beacon=bytes(32), size=32).x.ravel().tolist()
    assert len({tuple(draw) for draw in draws}) == 20
    assert len({tuple(sorted(draw)) for draw in draws}) > 1  # other rows, not only another order


@settings(max_examples=40, deadline=None, derandomize=True)
@given(beacon=st.binary(min_size=32, max_size=32), size=st.integers(1, 60))
def test_the_probe_batch_has_no_row_twice(beacon: bytes, size: int) -> None:
    rows = probe_batch(shard(), beacon=beacon, size=size).x.ravel().tolist()
    assert len(set(rows)) == len(rows) == min(size, 48)


# -- hostile bytes ---------------------------------------------------------------------------------------


def reason_of(data: bytes, spec: TaskSpec = SPEC) -> Reason:
    with pytest.raises(CodecError) as caught:
        decode_update(data, spec)
    return reject_reason(caught.value)


@pytest.mark.parametrize("codec", ["raw", "fp16"])
def test_update_bytes_decode_to_the_flat_update(codec: str) -> None:
    spec = tiny_spec(codec=codec)
    found = decode_update(payload(GOOD, spec), spec)
    assert found.tolist() == GOOD.tolist()
    assert found.dtype == np.float32


def test_parameters_are_laid_out_by_name() -> None:
    spec = tiny_spec(layout=(("a", (2,)), ("b", (1,))))
    data = encode({"b": update(3), "a": update(1, 2)})
    assert decode_update(data, spec).tolist() == [1, 2, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("codec", ["raw", "fp16"])
def test_values_that_are_not_finite_are_rejected(value: float, codec: str) -> None:
    spec = tiny_spec(codec=codec)
    dtype = {"raw": np.float32, "fp16": np.float16}[codec]
    tensor = np.array([[1, 2, 3], [4, 5, value]], dtype=dtype)
    assert reason_of(encode({"weight": tensor}), spec) is Reason.NON_FINITE


def test_each_structural_fault_has_its_reason() -> None:
    data = payload(GOOD, SPEC)
    matrix = GOOD.reshape(2, 3)
    assert reason_of(data[:-1]) is Reason.TRUNCATED
    assert reason_of(b"") is Reason.TRUNCATED
    assert reason_of(data + b"x") is Reason.MALFORMED
    assert reason_of(data + bytes(SPEC.max_update_bytes)) is Reason.OVERSIZED
    assert reason_of(struct.pack("<Q", 2**63) + data[8:]) is Reason.OVERSIZED
    assert reason_of(encode({"weight": matrix.T.copy()})) is Reason.WRONG_SHAPE
    assert reason_of(encode({"weight": GOOD})) is Reason.WRONG_SHAPE
    assert reason_of(encode({"weight": matrix.astype(np.float64)})) is Reason.WRONG_DTYPE
    assert reason_of(encode({"bias": matrix})) is Reason.WRONG_NAMES
    assert reason_of(encode({"weight": matrix, "extra": matrix})) is Reason.WRONG_NAMES
    assert reason_of(encode({})) is Reason.WRONG_NAMES
    assert reason_of(b"garbage that is no header at all") is Reason.OVERSIZED


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_mutated_bytes_decode_to_finite_values_or_give_a_reason(data: st.DataObject) -> None:
    raw = bytearray(payload(GOOD, SPEC))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_update(bytes(raw[: data.draw(st.integers(0, len(raw)))]), SPEC)
    except CodecError as error:
        found, refused = GOOD, reject_reason(error)
    else:
        refused = None
    assert refused is not Reason.ACCEPTED
    assert found.shape == (6,)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("reject", list(Reject))
def test_every_codec_error_has_a_reason(reject: Reject) -> None:
    assert reject_reason(CodecError("x", reason=reject)).value == reject.value


def test_inputs_are_not_changed() -> None:
    items, shared = honest(3), inputs(range(1, 10))
    before = [item.update.copy() for item in items if item.update is not None]
    observe(items, SPEC, shared, evaluator=evaluator(), slots=5, member=address(11), own_node=11)
    assert all((item.update == old).all() for item, old in zip(items, before, strict=True))
    assert isinstance(shared, RoundInputs)
    assert shared.parent["weight"].tolist() == [[1, 0, 0], [0, 1, 0]]
