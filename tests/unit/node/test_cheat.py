"""Each cheat is what its name says, and moves its vector further than a tolerance allows."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from node.cheat import CLAIMS, EXECUTIONS, NOISES, TOP, Knowledge, Work, norm, of_norm, quantise, quantised_weights
from node.data import Dataset
from node.model import flatten, initial_parameters
from node.sketch import agrees, grid_of, sketch
from node.train import Recipe, Trainer

MAX_TAU = 1e-3


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))


def samples(seed: int) -> Dataset:
    x = np.random.default_rng(seed).standard_normal((64, 4)).astype(np.float32)
    return Dataset(x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0), 3)


@pytest.fixture(scope="module", params=["sgd", "adam"])
def work(request: pytest.FixtureRequest) -> Work:
    recipe = Recipe(request.param, 0.02, epochs=3, batch=8)
    trainer = Trainer(network(), samples(0), recipe, seed=1)
    start = trainer.advance(trainer.start(initial_parameters(network, 1)), 8)
    return Work(network(), samples(0), samples(1), recipe, 1, start, 8)


def knowledge(size: int, **changes: object) -> Knowledge:
    rng = np.random.default_rng(5)
    parts = {name: rng.standard_normal(size).astype(np.float32) for name in ("previous", "neighbour", "quantised")}
    return replace(Knowledge(**parts, rng=np.random.default_rng(6)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", EXECUTIONS.names())
def test_executions_move_the_state(work: Work, name: str) -> None:
    honest, forged = work.moves(work.end), work.moves(EXECUTIONS.get(name).run(work))
    apart = {group: norm(forged[group] - honest[group]) / norm(honest[group]) for group in honest}
    assert max(apart.values()) > MAX_TAU
    assert (apart["weights"] == 0) == (name == "no_moments")


def test_skipping_the_last_step_by_hand(work: Work) -> None:
    trainer = work.trainer()
    skipped = EXECUTIONS.get("skip_last").run(work)
    assert (flatten(skipped.params) == flatten(trainer.advance(work.start, 7).params)).all()
    last = replace(skipped, step=15)
    assert (flatten(trainer.advance(last, 1).params) == flatten(work.end.params)).all()


@pytest.mark.parametrize("name", CLAIMS.names())
def test_claims_differ_by_more_than_a_tolerance(name: str) -> None:
    u = np.random.default_rng(7).standard_normal(500).astype(np.float32)
    forged = CLAIMS.get(name).say(u, knowledge(u.size))
    assert forged.dtype == np.float32
    assert forged.shape == u.shape
    assert norm(forged - u) > 0.05 * norm(u)


def test_claims_by_hand() -> None:
    u = np.arange(1, 1025, dtype=np.float32)
    known = knowledge(u.size)
    say = {name: CLAIMS.get(name).say(u, known) for name in CLAIMS}
    np.testing.assert_allclose(say["scaled_1.1"], 1.1 * u, rtol=1e-6)
    np.testing.assert_allclose(say["scaled_10"], 10 * u, rtol=1e-6)
    assert (say["zero"] == 0).all()
    assert len(set(say["constant"])) == 1
    assert norm(say["constant"]) == pytest.approx(norm(u), rel=1e-6)
    assert (say["negate_but_top"][-TOP:] == u[-TOP:]).all()
    assert (say["negate_but_top"][:-TOP] == -u[:-TOP]).all()
    for level in NOISES:
        apart = norm(say[f"neighbour_{level:g}"] - known.neighbour) / norm(known.neighbour)
        assert apart == pytest.approx(level, rel=1e-5)


def test_null_space_forgery_passes_for_the_rows_it_knows_and_no_others() -> None:
    u = np.random.default_rng(8).standard_normal(700).astype(np.float32)
    forged = CLAIMS.get("null_space").say(u, knowledge(u.size, known_seed=b"known"))
    assert norm(forged - u) == pytest.approx(norm(u), rel=1e-3)
    grid = grid_of(16 * norm(u))
    pairs = {seed: [sketch(v, seed=seed, grid=grid) for v in (forged, u)] for seed in (b"known", b"fresh", b"other")}
    assert [agrees(*pair, tau=1e-4) for pair in pairs.values()] == [True, False, False]


def test_quantise_by_hand() -> None:
    assert quantise(np.array([127, 63.4, -0.6, 0], np.float32)).tolist() == [127, 63, -1, 0]
    assert quantise(np.zeros(3, np.float32)).tolist() == [0, 0, 0]
    weights = quantised_weights({"a": np.array([2.54, 0.011], np.float32)})["a"]
    np.testing.assert_allclose(weights, [2.54, 0.02], rtol=1e-5)
    assert norm(of_norm(np.array([3.0, 4.0]), 10)) == pytest.approx(10)
