"""Similarity discounts: the six probes of SybilWall's weighting, on it and on the default, and what each must keep."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.aggregate import clip_to_median_norm
from node.config import SimulationConfig
from node.weight import WEIGHTINGS, SybilWall, foolsgold_scores, near_duplicates, one_vote_a_cluster
from node.weight.cosine import cosines
from node.weight.sybilwall import Heard

D = 2_000
HONEST = 8
Rows = np.ndarray


def draw(count: int, seed: int = 0) -> Rows:
    return np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32)


def similar(cosine: float) -> Rows:
    """Eight rows whose pairwise cosine is about this."""
    return (np.sqrt(cosine) * draw(1, 1) + np.sqrt(1 - cosine) * draw(HONEST, 2)).astype(np.float32)


def noisy(size: float) -> Rows:
    return (draw(1, 3) + size * draw(3, 4)).astype(np.float32)


PROBES: dict[str, tuple[Rows, Callable[[Rows, Rows], bool]]] = {
    "three clones": (np.vstack([draw(8), np.repeat(draw(1, 3), 3, 0)]), lambda h, a: (h == 1).all() and (a == 0).all()),
    "a lone attacker": (np.vstack([draw(8), draw(1, 3)]), lambda h, a: (h == 1).all() and (a == 1).all()),
    "an outlier among alike": (np.vstack([similar(0.9), draw(1, 3)]), lambda h, a: (h == 0).all() and (a == 1).all()),
    "an outlier among half alike": (
        np.vstack([similar(0.5), draw(1, 3)]),
        lambda h, a: bool((h > 0.3).all() and (h < 0.7).all() and (a == 1).all()),
    ),
    "a copycat": (
        np.vstack([draw(8), draw(8)[:2]]),
        lambda h, a: bool((h[:2] < 1e-6).all() and (h[2:] == 1).all() and (a < 1e-6).all()),
    ),
    "noisy Sybils, half": (np.vstack([draw(8), noisy(0.5)]), lambda h, a: (h == 1).all() and (a == 0).all()),
    "noisy Sybils, equal": (
        np.vstack([draw(8), noisy(1)]),
        lambda h, a: bool((h == 1).all() and (a > 0.3).all() and (a < 0.8).all()),
    ),
    "noisy Sybils, double": (np.vstack([draw(8), noisy(2)]), lambda h, a: (h == 1).all() and (a == 1).all()),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBES)
def test_sybilwall_gives_the_measured_weights(name: str) -> None:
    """What the published rule does, its failures included: see the table of probes."""
    rows, expected = PROBES[name]
    wall = SybilWall(100)
    for peer, row in enumerate(rows):
        wall.observe(peer, 1, row)
    weights = wall.weights(list(range(len(rows))))
    assert weights.sum() == pytest.approx(1)
    scores = weights[1:] / weights[0]
    assert expected(scores[:HONEST], scores[HONEST:])


@pytest.mark.parametrize("name", PROBES)
def test_the_default_passes_every_probe(name: str) -> None:
    """Honest nodes keep 0.8 of what is theirs when the same nodes are all honest; attackers get no more than theirs."""
    rows, _ = PROBES[name]
    stake = np.full(len(rows), 1 / len(rows))
    weigh = WEIGHTINGS.get(SimulationConfig().weighting)
    shares = weigh.shares(clip_to_median_norm(rows, stake), stake)
    assert shares.sum() == pytest.approx(1)
    assert shares[:HONEST].sum() >= 0.8 * stake[:HONEST].sum()
    assert shares[HONEST:].sum() <= stake[HONEST:].sum() + 1e-12
    assert (shares[:HONEST] > 0).all()
    if "noisy" not in name:  # and against a world without the attackers, where the eight hold everything
        assert shares[:HONEST].sum() >= 0.8


def test_cosines_by_hand_and_at_the_ends_of_the_range() -> None:
    rows = np.array([[3, 4], [6, 8], [-4, 3], [0, 0], [np.nan, 1], [3e38, 3e38], [1e-40, 0]], dtype=np.float32)
    found = cosines(rows)
    assert found[0, :3] == pytest.approx([1, 1, 0])
    assert found[5, 0] == pytest.approx(7 / (5 * np.sqrt(2)))
    assert found[6, 0] == pytest.approx(0.6)
    assert (found[3] == 0).all()
    assert (found[4] == 0).all()


def test_foolsgold_by_hand() -> None:
    """Two rows at cosine 0.6 and one orthogonal: a = (0.4, 0.4, 1), scores ln(0.4/0.6) + 1/2 and 1."""
    rows = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]], dtype=np.float32)
    assert foolsgold_scores(rows) == pytest.approx([np.log(0.4 / 0.6) + 0.5] * 2 + [1], abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_equal_and_broken_rows_give_no_nan(count: int) -> None:
    assert (foolsgold_scores(np.repeat(draw(1), count, 0)) == 1).all()
    assert (foolsgold_scores(np.zeros((count, 4), np.float32)) == 1).all()
    broken = draw(count + 1)
    broken[0, 0] = np.nan
    scores = foolsgold_scores(broken)
    assert scores[0] == 0
    assert np.isfinite(scores).all()


def test_the_weighting_reads_history_where_there_is_one() -> None:
    updates, history = draw(3), draw(3, 5)
    history[1] = history[0]
    weigh, even = WEIGHTINGS.get("foolsgold"), np.full(3, 1 / 3)
    assert weigh.shares(updates, even) == pytest.approx(even)
    assert weigh.shares(updates, even, history=history) == pytest.approx([0, 0, 1], abs=1e-6)
    assert WEIGHTINGS.get("stake").shares(updates, np.array([2.0, 0, 6]), history=history) == pytest.approx(
        [0.25, 0, 0.75]
    )
    with pytest.raises(ValueError, match="weights"):
        weigh.shares(updates, np.ones(2))


# -- clusters ----------------------------------------------------------------------------------------------------------


def test_a_cluster_weighs_its_heaviest_member_and_shares_by_weight() -> None:
    rows = np.array([[1, 0], [1, 0.1], [0, 1], [2, 0]], dtype=np.float32)
    weights = np.array([0.1, 0.3, 0.4, 0.2])
    assert near_duplicates(rows, weights).tolist() == [1, 1, 0, 1]
    assert one_vote_a_cluster(rows, weights) == pytest.approx([0.05, 0.15, 0.4, 0.1])


def test_no_update_between_two_honest_ones_joins_them() -> None:
    angle = np.arccos(0.9)
    rows = np.array([[np.cos(t), np.sin(t)] for t in (0, angle, angle / 2)], dtype=np.float32)
    labels = near_duplicates(rows, np.full(3, 1 / 3))
    assert labels[0] != labels[1]


ROWS = st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_cluster_quotient_gives_nobody_more(rows: list[list[int]], seed: int) -> None:
    weights = np.random.default_rng(seed).random(len(rows))
    shares = one_vote_a_cluster(np.array(rows, dtype=np.float32), weights)
    assert (shares <= weights * (1 + 1e-12)).all()
    assert shares.sum() >= weights.max() * (1 - 1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(parts=st.integers(1, 100), noise=st.floats(0, 3), seed=st.integers(0, 99))
def test_splitting_a_stake_buys_no_say(parts: int, noise: float, seed: int) -> None:
    """One stake of ten over `parts` identities, equal, alike or different: at most 1.02 of the whole one's share."""
    rng = np.random.default_rng(seed)
    honest, own = rng.standard_normal((9, 50)), rng.standard_normal((1, 50))
    split = own + noise * rng.standard_normal((parts, 50))
    rows = np.vstack([honest, split]).astype(np.float32)
    weights = np.array([0.1] * 9 + [0.1 / parts] * parts)
    assert WEIGHTINGS.get("clusters").shares(rows, weights)[9:].sum() <= 1.02 * 0.1


# -- SybilWall's state -------------------------------------------------------------------------------------------------


def test_the_history_is_a_sum_of_updates_and_does_not_telescope() -> None:
    wall, updates = SybilWall(0), draw(2)
    wall.observe(1, 1, updates[0])
    wall.observe(1, 2, updates[1])
    told = wall.tell(2, np.random.default_rng(0))
    assert told is not None
    assert told.history == pytest.approx(updates[0] + updates[1])
    assert (told.peer, told.round, told.distance) == (1, 2, 1)


def test_weights_are_those_of_neighbours_alone() -> None:
    """A stranger's history decides who is alike; its own score goes to nobody."""
    wall, rows = SybilWall(0), draw(3)
    wall.observe(1, 1, rows[0])
    wall.observe(2, 1, rows[1])
    assert wall.weights([1, 2]) == pytest.approx([1 / 3] * 3)
    wall.hear([Heard(7, 1, 1, rows[1], via=7)], sender=1)
    weights = wall.weights([1, 2])
    assert weights.shape == (3,)
    assert weights == pytest.approx([0.5, 0.5, 0], abs=1e-6)
    assert wall.weights([1, 5]) == pytest.approx([0.5, 0.5, 0])


def test_what_is_heard_is_bounded_by_what_is_seen() -> None:
    wall, rows = SybilWall(0), draw(4)
    wall.observe(1, 5, rows[0])
    bad = rows[3].copy()
    bad[0] = np.inf
    wall.hear(
        [
            Heard(1, 9, 1, rows[1], via=1),  # a forged newer record of a neighbour
            Heard(0, 9, 1, rows[1], via=1),  # of oneself
            Heard(3, 2, 1, rows[2], via=1),
            Heard(3, 1, 1, rows[3], via=1),  # older
            Heard(4, 9, 0, rows[3], via=1),  # no such distance
            Heard(5, 9, 1, bad, via=1),
        ],
        sender=1,
    )
    known = {record.peer: record for record in (wall.tell(9, np.random.default_rng(s)) for s in range(40)) if record}
    assert set(known) == {1, 3}
    assert (known[1].history == rows[0]).all()
    assert (known[3].history == rows[2]).all()
    assert (known[3].distance, known[3].via) == (2, 1)


def test_gossip_prefers_the_near_and_never_echoes() -> None:
    wall, rows = SybilWall(0), draw(3)
    wall.observe(1, 1, rows[0])
    wall.hear([Heard(3, 1, 2, rows[1], via=9)], sender=2)
    counts = {1: 0, 3: 0}
    for seed in range(400):
        record = wall.tell(8, np.random.default_rng(seed))
        assert record is not None
        counts[record.peer] += 1
    near = 1 / (1 + np.exp(-0.8 * 2))
    assert counts[1] / 400 == pytest.approx(near, abs=0.06)
    assert wall.tell(1, np.random.default_rng(0)).peer == 3  # type: ignore[union-attr]
    assert wall.tell(2, np.random.default_rng(0)).peer == 1  # type: ignore[union-attr]
    assert SybilWall(0).tell(1, np.random.default_rng(0)) is None


def test_a_broken_update_is_not_remembered() -> None:
    wall = SybilWall(0)
    wall.observe(1, 1, np.array([np.nan, 1], np.float32))
    assert wall.weights([1]) == pytest.approx([1, 0])
