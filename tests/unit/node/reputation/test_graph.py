"""The evaluation graph: what counts, how it weighs and fades, and that an attack is forgotten in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import AuditFailed, GraphError
from node.reputation.audit import compare
from node.reputation.evaluations import load_graph, save_graph
from node.reputation.graph import HALF_LIFE, Evaluation, EvaluationGraph, evaluations_of, freshness, graph_of
from node.reputation.views import Views
from node.reputation.walk import MASS

GOOD, BETTER = 32_768 + 1_000, 32_768 + 3_000


def graph(evaluations: list[Evaluation], round_: int = 1, stakes: dict[int, int] | None = None) -> EvaluationGraph:
    members = {node for item in evaluations for node in (item.rater, item.rated)} | {1, 2, 3, 9}
    return graph_of(evaluations, task=1, round_=round_, members=members, stakes=stakes or dict.fromkeys(members, 10))


def test_only_votes_that_the_settlement_bears_out_count() -> None:
    """Trainers 1..5 in slots 0..4; members 8 (two seats) and 9. Trainer 4 is rejected, 5 was not due."""
    settled = [GOOD, BETTER, 32_768 - 5, 1, 0]
    votes = {8: [BETTER, GOOD, GOOD, 1, GOOD], 9: [GOOD, 1, 32_768 - 7, GOOD]}
    found = evaluations_of(3, votes, settled, {1: 0, 2: 1, 3: 2, 4: 3, 5: 4}, {8: 2, 9: 1})
    assert found == [
        Evaluation(3, 8, 1, 1_000, 2),  # the settled part is less than its vote
        Evaluation(3, 8, 2, 1_000, 2),  # its vote is less than the settled part
        Evaluation(3, 8, 4, -3_000, 2),  # a confirmed rejection weighs like the best work of the round
        Evaluation(3, 9, 1, 1_000, 1),
    ]  # 9's votes on 2 and 4 are against the settlement, 3's work is worth nothing, 5's was not due


def test_nobody_rates_itself() -> None:
    assert evaluations_of(1, {1: [GOOD, GOOD]}, [GOOD, GOOD], {1: 0, 2: 1}, {1: 1}) == [Evaluation(1, 1, 2, 1_000, 1)]
    with pytest.raises(GraphError, match="rates itself in round 4"):
        graph([Evaluation(4, 1, 1, 5, 1)])


def test_a_link_is_the_faded_sum_of_parts_times_seats() -> None:
    items = [Evaluation(1, 8, 1, 1_000, 2), Evaluation(1 + HALF_LIFE, 8, 1, 100, 1), Evaluation(9, 8, 2, -40, 1)]
    assert graph(items, 1).links == ((8, 1, 2_000),)
    assert graph(items, 1 + HALF_LIFE).links == ((8, 1, 1_000 + 100), (8, 2, -40))
    assert graph([Evaluation(1, 8, 1, 5, 1), Evaluation(1, 8, 1, -5, 1)]).links == ()


@given(age=st.integers(0, 200), power=st.integers(0, 5))
def test_freshness_is_the_exact_power_rounded_down(age: int, power: int) -> None:
    half_life = 1 << power
    whole, part = divmod(age, half_life)
    value = freshness(part, half_life)
    assert Fraction(value) ** half_life <= Fraction(2) ** (16 * half_life - part) < Fraction(value + 1) ** half_life
    assert freshness(age, half_life) == value >> whole


def test_a_half_life_is_a_power_of_two() -> None:
    with pytest.raises(GraphError, match="half-life of 6"):
        freshness(1, 6)


SOME = st.builds(
    Evaluation, st.integers(1, 9), st.integers(10, 13), st.integers(1, 3), st.integers(-99, 99), st.integers(1, 4)
)


@given(st.lists(SOME, max_size=25))
def test_order_and_split_of_seats_change_nothing(items: list[Evaluation]) -> None:
    split = [
        Evaluation(i.round, i.rater, i.rated, i.part, seats)
        for i in items
        for seats in ([1] * i.seats if i.seats % 2 else [i.seats])
    ]
    shuffled = sorted(split, key=hash)
    assert graph(shuffled, 9).digest() == graph(items, 9).digest()


class TestViews:
    """Views of a graph with two raters, a newcomer and a bad trainer."""

    ITEMS = (
        Evaluation(1, 8, 1, 300, 1),
        Evaluation(1, 8, 2, 100, 1),
        Evaluation(1, 9, 1, 100, 1),
        Evaluation(1, 9, 3, -300, 1),
    )

    def test_the_general_view_by_hand(self) -> None:
        """a = 3/5; stakes 30 and 10. Trainer 1: .75·.6·.75 + .25·.6·.25; 8's own ratee 2 hangs on it with share 1."""
        views = Views(graph(list(self.ITEMS), stakes={8: 30, 9: 10, 1: 99}), "hitting")
        scores = {node: score / MASS for node, score in views.ranked()}
        assert scores == pytest.approx({8: 0.75, 1: 0.375, 9: 0.25, 2: 0.1125, 3: -0.1125}, abs=1e-6)
        decayed = {node: score / MASS for node, score in Views(views.graph).ranked()}
        assert decayed[2] == pytest.approx(0.01125, abs=1e-6)
        assert decayed[1] == pytest.approx(0.375, abs=1e-6)  # 0.3375 of it comes by 8: share 0.9

    def test_a_personal_view_is_four_fifths_own_and_a_newcomer_sees_the_general_one(self) -> None:
        views = Views(graph(list(self.ITEMS)))
        general = dict(views.ranked())
        own = dict(views.ranked(9))
        assert own[1] == pytest.approx(0.8 * 0.6 * 0.25 * MASS + 0.2 * general[1], abs=1e6)
        newcomer = dict(views.ranked(2))
        assert newcomer == {node: score // 5 for node, score in general.items() if node != 2}

    def test_a_newcomers_word_weighs_nothing_and_it_seeds_nothing(self) -> None:
        evaluated = graph(list(self.ITEMS))
        assert set(evaluated.stakes) == {8, 9}
        joined = graph_of(
            self.ITEMS, task=1, round_=1, members=[*evaluated.members, 77], stakes={8: 10, 9: 10, 77: 10**9}
        )
        assert dict(Views(joined).ranked()) == {**dict(Views(evaluated).ranked()), 77: 0}

    def test_nobody_is_ranked_without_evaluations(self) -> None:
        views = Views(graph([]))
        assert views.ranked() == [(node, 0) for node in (1, 2, 3, 9)]
        with pytest.raises(GraphError, match="node 55 has not joined"):
            views.ranked(55)
        with pytest.raises(GraphError, match="nobody has joined"):
            Views(graph_of([], task=1, round_=0, members=[], stakes={}))


def rounds_of(seed: int, *, attack: range) -> Iterator[list[Evaluation]]:
    """Six raters (20..25) and ten trainers of fixed quality. While the attack lasts, raters 20 and 21, a third of the
    stake, bear out only the work of trainers 1 and 2, whose work is settled at its most.
    """
    rng = np.random.default_rng(seed)
    quality = rng.integers(2_000, 12_000, 10)
    for round_ in range(1, 1 + 6 * HALF_LIFE):
        found = []
        for rater in range(20, 26):
            parts = quality + rng.integers(-300, 300, 10)
            if round_ in attack and rater < 22:
                parts = np.where(np.arange(10) < 2, 32_767, 0)
            found += [Evaluation(round_, rater, 1 + i, int(part), 1) for i, part in enumerate(parts) if part]
        yield found


def test_an_attack_is_forgotten_in_three_half_lives() -> None:
    stakes = dict.fromkeys(range(20, 26), 10)
    stop = 3 * HALF_LIFE
    attack = range(stop - HALF_LIFE, stop)

    def shares(attacked: range, after: int) -> np.ndarray:
        items = [item for items in rounds_of(1, attack=attacked) for item in items]
        views = Views(graph_of(items, task=1, round_=after, members=[*range(1, 11), *stakes], stakes=stakes))
        scores = views.general()[:10].astype(float)
        return scores / scores.sum()

    def distance(after: int) -> float:
        return float(np.abs(shares(attack, after) - shares(range(0), after)).sum()) / 2

    assert distance(stop - 1) > 0.1
    assert distance(stop - 1 + 3 * HALF_LIFE) <= 0.05
    assert [distance(stop - 1 + n * HALF_LIFE) for n in range(3)] == sorted(
        (distance(stop - 1 + n * HALF_LIFE) for n in range(3)), reverse=True
    )


class TestSaved:
    """A saved graph, and what an audit says of one that was edited."""

    GRAPH = graph([Evaluation(1, 8, 1, 300, 1), Evaluation(1, 9, 1, 100, 1)])

    def test_a_graph_comes_back_with_its_digest(self, tmp_path: Path) -> None:
        save_graph(self.GRAPH, tmp_path / "graph.json")
        found, stated = load_graph(tmp_path / "graph.json")
        assert found == self.GRAPH
        assert stated == self.GRAPH.digest()
        compare(self.GRAPH, found, stated)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"links": ((8, 1, 301), (9, 1, 100))}, "node 8: link to node 1 is 301, but 300 follows"),
            ({"links": ((8, 1, 300),)}, "node 9: link to node 1 is 0, but 100 follows"),
            ({"links": ((8, 1, 300), (8, 3, 7), (9, 1, 100))}, "node 8: link to node 3 is 7, but 0 follows"),
            ({"members": (1, 2, 3, 8, 9, 10)}, "members"),
            ({"stakes": {8: 11, 9: 10}}, "stakes"),
            ({"task": 2}, "digest"),
        ],
    )
    def test_the_first_difference_is_named(self, change: dict[str, object], words: str) -> None:
        edited = EvaluationGraph(**{**vars(self.GRAPH), **change})  # type: ignore[arg-type]
        with pytest.raises(AuditFailed, match=words):
            compare(self.GRAPH, edited, edited.digest())

    def test_a_wrong_digest_is_named(self) -> None:
        with pytest.raises(AuditFailed, match="digest that it names"):
            compare(self.GRAPH, self.GRAPH, "00" * 32)

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"digest": "00"}', json.dumps({"digest": "", **GRAPH.to_json(), "round": "1"})],
    )
    def test_malformed_files_are_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "graph.json").write_text(text)
        with pytest.raises(GraphError, match="graph"):
            load_graph(tmp_path / "graph.json")
