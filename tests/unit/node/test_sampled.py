"""Sampled learning: views, orders, agreement, and whole rounds with nodes that die, lie and lag."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.aggregate import AGGREGATORS
from node.errors import ConfigError, TooFewUpdates
from node.topology.modest import (
    DIGEST_BYTES,
    ENTRY_BYTES,
    HEADER_BYTES,
    NAMED_DIGEST_BYTES,
    PING_BYTES,
    Fault,
    Sampled,
    SampledSetting,
)
from node.topology.sampled import WINDOW, Entry, aggregators, aggregators_agree, enough, merge, order, sample
from node.topology.schedule import Presence, Schedule, schedule_of
from node.weight import WEIGHTINGS
from node.weight.participation import CAP, PARTICIPATIONS

ENTRY = st.builds(Entry, st.integers(0, 5), st.integers(0, 3), st.booleans())
VIEW = st.dictionaries(st.integers(0, 5), ENTRY, max_size=6)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VIEW, VIEW, VIEW)
def test_views_merge_in_any_order(one: dict[int, Entry], two: dict[int, Entry], three: dict[int, Entry]) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one


def test_a_leave_outlasts_the_join_of_its_counter() -> None:
    assert merge({1: Entry(9, 2, True)}, {1: Entry(3, 2, False)}) == {1: Entry(9, 2, False)}
    assert merge({1: Entry(3, 2, False)}, {1: Entry(3, 3, True)}) == {1: Entry(3, 3, True)}


FULL = {node: Entry(10, 1, True) for node in range(100)}
BEACON = bytes(range(32))


def test_eighty_of_a_hundred_die_at_once_and_the_next_round_completes() -> None:
    """Four fifths stop answering between two rounds: sample, three aggregators and their agreement still come about."""
    alive = set(range(0, 100, 5))
    chosen = sample(FULL, 11, BEACON, size=13, alive=alive)
    assert len(chosen) == 13
    assert set(chosen) <= alive
    step = np.ones(4, np.float32)
    agreed, wrong = aggregators_agree(dict.fromkeys(aggregators(chosen, 3), step))
    assert (agreed == step).all()
    assert wrong == []
    assert enough(10, 13)
    assert not enough(9, 13)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(node=st.integers(0, 99), round_=st.integers(10, 60), size=st.integers(1, 20))
def test_views_that_differ_in_one_entry_give_samples_that_differ_in_one(node: int, round_: int, size: int) -> None:
    other = {**FULL, node: Entry(10, 2, False)}
    one, two = (set(sample(view, round_, BEACON, size=size, alive=range(100))) for view in (FULL, other))
    assert len(one - two) <= 1
    assert len(two - one) <= 1


def test_the_order_is_fresh_each_round_and_each_beacon() -> None:
    orders = {tuple(order(FULL, round_, beacon)) for round_ in (11, 12) for beacon in (BEACON, bytes(32))}
    assert len(orders) == 4
    assert all(sorted(found) == list(range(100)) for found in orders)
    assert order({1: Entry(10, 1, True), 2: Entry(70, 1, True), 3: Entry(70, 2, False)}, 71, BEACON) == [2]


def test_a_minority_of_aggregators_is_found_out() -> None:
    right, wrong = np.ones(3, np.float32), np.zeros(3, np.float32)
    agreed, liars = aggregators_agree({4: wrong, 5: right, 6: right})
    assert (agreed == right).all()
    assert liars == [4]
    with pytest.raises(TooFewUpdates, match="no majority"):
        aggregators_agree({1: right, 2: wrong, 3: np.full(3, 2, np.float32)})
    with pytest.raises(TooFewUpdates, match="2 aggregators"):
        aggregators_agree({1: right, 2: right})
    with pytest.raises(ConfigError, match="cannot check"):
        aggregators([1, 2, 3], 2)
    with pytest.raises(TooFewUpdates, match="no 3 aggregators"):
        aggregators([1, 2], 3)
    with pytest.raises(TooFewUpdates, match="no candidate"):
        sample(FULL, 11, BEACON, size=3, alive=())


# -- whole rounds ------------------------------------------------------------------------------------------------------

NODES = 30


class Still:
    """Everybody's update is a row of its own, near (1, 2); more epochs, longer."""

    epochs = 1

    def updates(
        self, models: np.ndarray, round_: int, *, nodes: Sequence[int] | None = None, epochs: int | None = None
    ) -> np.ndarray:
        assert nodes is not None
        return np.array([[1 + node / 1000, 2 - node / 1000] for node in nodes], np.float32) * (epochs or 1)


def loop(
    schedule: str = "always", *, participation: str = "uniform", faults: dict[int, Fault] | None = None, size: int = 13
) -> Sampled:
    setting, start = SampledSetting(NODES, size=size, seed=5), np.zeros(2, np.float32)
    when = schedule_of(schedule, NODES, seed=5)
    return Sampled(Still(), start, setting, schedule=when, participation=participation, faults=faults)


def test_a_round_moves_the_model_of_its_aggregators_by_one_robust_step() -> None:
    run = loop()
    done = run.round(1)
    assert len(done.sample) == 13
    assert len(done.used) >= 10
    assert set(done.used) <= set(done.sample)
    assert done.aggregators == done.sample[:3]
    assert (done.skipped, done.liars, done.equivocators) == ("", (), ())
    assert run.newest == pytest.approx([1, 2], abs=0.05)
    assert {node for node in range(NODES) if run.held[node][0] == 1} == set(done.aggregators)
    again = loop()
    assert again.round(1) == done
    assert again.newest.tobytes() == run.newest.tobytes()
    assert (again.sent_bytes == run.sent_bytes).all()


def test_rounds_follow_on_one_another_and_views_learn_who_was_active() -> None:
    run = loop()
    rounds = [run.round(round_) for round_ in range(1, 6)]
    assert run.newest == pytest.approx([5, 10], rel=0.05)
    last = rounds[-1]
    assert all(run.views[last.aggregators[0]][node].active == 5 for node in last.used)
    assert len({done.sample for done in rounds}) == 5


def test_eighty_percent_die_at_once_and_the_next_round_completes() -> None:
    run = loop("kill:4:0.8", size=4)
    before = [run.round(round_) for round_ in (1, 2, 3)]
    after = run.round(4)
    assert after.skipped == ""
    assert len(after.asked) > len(after.sample) == 4
    alive = {node for node in range(NODES) if schedule_of("kill:4:0.8", NODES, seed=5)(node, 4).there}
    assert len(alive) == 6
    assert set(after.sample) <= alive
    assert all(done.skipped == "" for done in [*before, run.round(5)])
    assert max(round_ for round_, _ in run.held) == 5


def test_where_all_holders_died_the_living_go_on_from_what_they_have() -> None:
    run = loop()
    first = run.round(1)
    gone = set(first.aggregators)
    run._schedule = lambda node, round_: Presence(node not in gone)
    done = run.round(2)
    assert done.skipped == ""
    assert not gone & set(done.sample)
    alive = [held for node, held in enumerate(run.held) if node not in gone]
    assert max(alive, key=lambda held: held[0])[1] == pytest.approx([1, 2], abs=0.05)  # the lost step is done again


def test_nobody_there_is_a_skipped_round_and_not_an_error() -> None:
    run = loop()
    run._schedule = lambda node, round_: Presence(round_ != 2)
    assert run.round(1).skipped == ""
    assert "no candidate" in run.round(2).skipped
    assert run.round(3).skipped == ""
    run._schedule = lambda node, round_: Presence(node < 2)
    assert "no 3 aggregators" in run.round(4).skipped


def test_an_aggregator_that_computes_another_step_is_named_and_ignored() -> None:
    honest = loop()
    liar = honest.round(1).aggregators[1]
    run = loop(faults={liar: Fault.LIES})
    done = run.round(1)
    assert done.liars == (liar,)
    assert run.newest.tobytes() == honest.newest.tobytes()
    assert run.held[liar][0] == 0
    two = dict.fromkeys(done.aggregators[:2], Fault.LIES)
    worse = loop(faults=two)
    worse.round(1)
    assert worse.newest.tobytes() != honest.newest.tobytes()  # two of three who lie alike: beyond what three can bear


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.SILENT, Fault.EQUIVOCATES])
def test_work_that_is_no_work_is_left_out(fault: Fault) -> None:
    honest = loop()
    expected = honest.round(1)
    bad = expected.aggregators[0]
    run = loop(faults={bad: fault})
    done = run.round(1)
    assert done.skipped == ""
    assert bad not in done.used
    assert done.equivocators == ((bad,) if fault is Fault.EQUIVOCATES else ())
    assert run.newest == pytest.approx(honest.newest, abs=0.02)
    if fault is Fault.SILENT:
        assert done.aggregators == expected.sample[1:4]


def test_a_model_that_a_holder_has_changed_is_asked_for_again() -> None:
    """In round 1 all hold the first model, so nodes 0, 1 and 2 push it, each to a third of the sample."""
    honest, run = loop(), loop(faults={1: Fault.LIES})
    expected = honest.round(1)
    assert 1 not in expected.sample
    assert run.round(1) == expected
    assert run.newest.tobytes() == honest.newest.tobytes()
    again = sum(member not in (0, 2) for place, member in enumerate(expected.sample) if place % 3 == 1)
    body = HEADER_BYTES + 8 + NODES * ENTRY_BYTES
    assert int(run.sent_bytes.sum() - honest.sent_bytes.sum()) == again * body
    assert "nobody pushes" in loop(faults=dict.fromkeys(range(3), Fault.LIES)).round(1).skipped


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.integers(0, NODES - 1), st.sampled_from(list(Fault)), max_size=4),
    st.sampled_from(["always", "random:0.5", "slow:0.4", "cycle:2", "kill:2:0.5+slow:0.2", "uneven:3+random:0.6"]),
    st.sampled_from(["uniform", "fedau", "fedfix", "anarchic"]),
)
def test_no_minority_of_any_kind_stops_or_poisons_a_run(
    faults: dict[int, Fault], schedule: str, participation: str
) -> None:
    """A round is taken or skipped, never raised; two liars at most among any three aggregators can move it wrongly."""
    if sum(fault is Fault.LIES for fault in faults.values()) > 1:
        faults = {node: fault for node, fault in faults.items() if fault is not Fault.LIES}
    run = loop(schedule, participation=participation, faults=faults)
    rounds = [run.round(round_) for round_ in range(1, 6)]
    assert sum(done.skipped == "" for done in rounds) >= 4
    assert np.isfinite(run.newest).all()
    assert (run.newest > 0).all()
    assert {node for done in rounds for node in done.liars} <= {n for n, f in faults.items() if f is Fault.LIES}
    assert {node for done in rounds for node in done.equivocators} <= {
        n for n, f in faults.items() if f is Fault.EQUIVOCATES
    }


def test_stragglers_hold_up_nobody_and_their_work_counts_where_late_work_is_taken() -> None:
    """Everybody but four is late in round 1: the four make the step. Whose work is late is not asked meanwhile."""
    prompt = {0, 1, 2, 3}

    def late(node: int, round_: int) -> Presence:
        return Presence(delay=0 if node in prompt or round_ > 1 else 2)

    for participation, counted in (("uniform", False), ("fedfix", True), ("anarchic", True), ("fedau", False)):
        run = loop(participation=participation, size=NODES)
        run._schedule = late
        first, second, third = (run.round(round_) for round_ in (1, 2, 3))
        assert set(first.used) == set(second.sample) == prompt
        assert set(second.used) == prompt
        assert bool(set(third.used) - prompt) == counted
        assert run.newest == pytest.approx(
            [3, 6], rel=0.05
        )  # late aggregators push what they computed: no step is lost


def test_a_node_that_left_is_not_asked_and_one_that_joins_again_is() -> None:
    run = loop()
    run.announce(7, 1, joined=False)
    first = run.round(1)
    told = [node for node in range(NODES) if not run.views[node][7].joined]
    assert 7 in told
    assert run.sent_bytes[7] >= 10 * 12
    for round_ in range(2, 8):  # views carry the news to everybody that is sampled
        run.round(round_)
    assert not run.views[run.round(8).aggregators[0]][7].joined
    assert 7 not in run.round(9).asked
    run.announce(7, 10, joined=True)
    assert run.views[7][7].counter == 3
    assert first.skipped == ""


def test_who_is_never_used_says_that_it_is_there() -> None:
    run = loop(size=4)
    for round_ in range(1, WINDOW + 20):
        assert run.round(round_).skipped == ""
    newest = max(range(NODES), key=lambda node: run.held[node][0])
    assert len(order(run.views[newest], WINDOW + 20, bytes(32))) == NODES


def test_bytes_by_hand() -> None:
    """Round 1, everybody holds the model: no push is needed beyond the sample's that holders 0-2 lead.

    Sample s, three aggregators: each member's update and view to the others among them; digests of what each holds.
    """
    run = loop(size=4)
    done = run.round(1)
    view, vector = NODES * ENTRY_BYTES, 8
    pushers = {0, 1, 2}
    to_push = [node for node in done.sample if node not in pushers]
    total = 3 * 2 * view + (len(done.asked) + 4) * PING_BYTES
    total += len(to_push) * (HEADER_BYTES + vector + view + 2 * DIGEST_BYTES)
    total += (4 * 3 - 3) * (HEADER_BYTES + vector + view)
    total += 3 * 2 * 3 * NAMED_DIGEST_BYTES + 3 * 2 * DIGEST_BYTES  # three of four are enough
    fetched = int(run.sent_bytes.sum()) - total
    assert fetched % (HEADER_BYTES + vector) == 0
    assert 0 <= fetched // (HEADER_BYTES + vector) <= 3


def test_at_the_end_everybody_there_is_given_the_model() -> None:
    run = loop("kill:3:0.5")
    for round_ in (1, 2, 3):
        run.round(round_)
    before = run.sent_bytes.sum()
    run.deliver(3)
    alive = [node for node in range(NODES) if run._schedule(node, 3).there]
    assert {run.models[node].tobytes() for node in alive} == {run.newest.tobytes()}
    assert run.sent_bytes.sum() - before == (len(alive) - 3) * (HEADER_BYTES + 8)


@pytest.mark.parametrize("wrong", [{"size": 2}, {"size": 40}, {"aggregators": 2}, {"share": 0.0}])
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises((ConfigError, TooFewUpdates)):
        SampledSetting(NODES, **wrong)  # type: ignore[arg-type]


# -- participation in the loop -----------------------------------------------------------------------------------------


class Pulling(Still):
    """Node 0 pulls to the far left, the others to the right by one; all equally hard."""

    def updates(
        self, models: np.ndarray, round_: int, *, nodes: Sequence[int] | None = None, epochs: int | None = None
    ) -> np.ndarray:
        assert nodes is not None
        rows = np.random.default_rng(round_).standard_normal((NODES, 40)) / 500
        rows[:, 0] += np.where(np.arange(NODES) == 0, -1, 1)
        return rows[list(nodes)].astype(np.float32)


def pulled(participation: str, there: Schedule, *, rounds: int = 24) -> list[float]:
    """By round in which node 0's work counted: its share of the step under a plain weighted mean."""
    setting = SampledSetting(NODES, size=NODES, share=1.0, seed=1)
    run = Sampled(Pulling(), np.zeros(40, np.float32), setting, schedule=there, participation=participation)
    run._rule, run._weighting = AGGREGATORS.get("mean"), WEIGHTINGS.get("uniform")
    shares, before = [], 0.0
    for round_ in range(1, rounds + 1):
        done = run.round(round_)
        moved = float(run.newest[0]) - before
        before += moved
        if 0 in done.used:
            shares.append((1 - moved) / 2)
    return shares


@pytest.mark.parametrize("participation", PARTICIPATIONS.names())
def test_a_sybil_that_rests_gains_the_cap_at_most(participation: str) -> None:
    """Once every ten rounds, or nine rounds late: at most CAP votes, and fewer in all than by coming."""
    always = pulled(participation, lambda node, round_: Presence())
    resting = pulled(participation, lambda node, round_: Presence(node != 0 or round_ % 10 == 0))
    late = pulled(participation, lambda node, round_: Presence(delay=9 if node == 0 else 0))
    bound = CAP / (NODES - 1 + CAP)
    for shares in (always, resting, late):
        assert all(share <= bound + 0.003 for share in shares)
    assert sum(resting) < sum(always)
    assert sum(late) < sum(always)
    if participation == "fedau":
        assert resting[-1] == pytest.approx(bound, abs=0.003)
    if participation == "fedfix":
        assert late[0] == pytest.approx(bound, abs=0.003)
