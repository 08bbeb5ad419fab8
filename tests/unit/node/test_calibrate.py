"""Calibration: tolerance from drift, refusal with its reason, and what a task takes from it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from node.calibrate import Calibration, Comparison, Level, Shard, calibrate, compare_levels, segments_of
from node.calibrate.derive import MARGIN, MAX_TAU, MIN_DRIFT, _decimal, passing, trial_seeds
from node.cli.main import main
from node.data import Dataset
from node.errors import CalibrationRefused, ConfigError
from node.model import flatten, initial_parameters
from node.publish import publish_task
from node.sketch import grid_of
from node.sketch.level import LEVELS
from node.spec import TaskSpec
from node.task import TASKS
from node.train import Profile, Recipe, train
from node.train.profile import HALF, HONEST
from storage import open_store
from tests.support.protocol import tiny_spec

RECIPE = Recipe("sgd", 0.05, epochs=2, batch=8)
LEVEL = Level("output", "0.0000001", "0.000001", 10, 0, 20, 1)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))


def shard(seed: int) -> Shard:
    def samples(number: int) -> Dataset:
        x = np.random.default_rng(number).standard_normal((64, 4)).astype(np.float32)
        return Dataset(x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0), 3)

    return Shard(samples(seed), samples(seed + 50), samples(99).x[:16], seed)


def run(*profiles: Profile, **changes: object) -> Calibration:
    options = {"profiles": profiles, "segment": 4, "rows": 16, "seeds": 50, **changes}
    return calibrate("tiny", network(), initial_parameters(network, 1), [shard(0)], RECIPE, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> Calibration:
    return run(*HONEST[1:4])


def test_tau_is_ten_times_the_largest_drift(found: Calibration) -> None:
    segments = segments_of(network(), initial_parameters(network, 1), shard(0), RECIPE, segment=4)
    seen = [c for profile in HONEST[1:4] for c in compare_levels(segments, shard(0).probe, profile)]
    assert [level.name for level in found.levels] == list(LEVELS)
    for level in found.levels:
        drift = max(c.drift for c in seen if c.level == level.name)
        assert float(level.drift) == pytest.approx(drift, rel=0.1)
        assert float(level.drift) >= drift
        assert float(level.tau) == pytest.approx(MARGIN * max(drift, MIN_DRIFT), rel=0.1)
        assert drift <= float(level.tau) / 10
        assert (level.rejected, level.missed) == (0, 0)
        assert level.honest >= 150
        assert level.cheats >= 600


def test_segments_add_up_to_the_run() -> None:
    params = initial_parameters(network, 1)
    segments = segments_of(network(), params, shard(0), RECIPE, segment=5)
    assert [work.steps for work in segments] == [5, 5, 5, 1]
    assert (flatten(segments[-1].end.params) == flatten(train(network(), params, shard(0).data, RECIPE, seed=0))).all()


def test_half_precision_is_refused_with_the_reason() -> None:
    with pytest.raises(
        CalibrationRefused, match=r"profile bfloat16 drifts by .* tau would be .*, above 0.001"
    ) as caught:
        run(*HONEST[1:3], HALF)
    assert "do not allow members profile bfloat16" in caught.value.hint


def test_drift_by_hand() -> None:
    one = np.array([3.0, 4.0], np.float32)
    apart = Comparison("step", "weights", "p", one, one + np.array([0, 0.5], np.float32))
    assert apart.drift == pytest.approx(0.1)
    assert replace(apart, claim=one).drift == 0.0
    assert replace(apart, reference=np.zeros(2, np.float32)).drift == np.inf
    assert replace(apart, reference=np.zeros(2, np.float32), claim=np.zeros(2, np.float32)).drift == 0.0


def test_work_passes_only_if_all_of_its_vectors_do() -> None:
    u = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    good = Comparison("step", "weights", "p", u, u)
    bad = Comparison("step", "first", "p", u, 2 * u)
    seeds = trial_seeds(20, "x")
    passed = passing([[good], [good, bad], [good, good]], seeds=seeds, tau=1e-4, grid=grid_of(100), rows=8)
    assert passed.all(axis=0).tolist() == [True, False, True]
    assert not passed[:, 1].any()
    assert passing([], seeds=seeds, tau=1e-4, grid=1.0, rows=8).shape == (20, 0)
    assert len({*seeds, *trial_seeds(20, "y")}) == 40


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.25e-6, "0.0000013"), (1.25e-3, "0.0013"), (150.0, "150"), (151.0, "160"), (2, "2.0")],
)
def test_decimals_round_up_to_two_digits(value: float, text: str) -> None:
    assert _decimal(value) == text


@given(st.floats(1e-12, 1e6))
def test_decimals_are_never_below_and_at_most_a_tenth_above(value: float) -> None:
    assert value <= float(_decimal(value)) <= 1.1 * value * (1 + 1e-12)


def test_a_task_takes_it_and_publishes_the_rates(found: Calibration, tmp_path) -> None:  # type: ignore[no-untyped-def]
    recipe = TASKS.get("breast_cancer").recipe
    mine = replace(found, task="breast_cancer", recipe=asdict(recipe))
    read = Calibration.from_text(json.dumps(mine.to_json()))
    assert read == mine
    store = open_store(f"disk:{tmp_path}")
    options = {"options": {}, "rounds": 1, "seed": 7, "secret": bytes(32)}
    published = publish_task(store, name="breast_cancer", calibration=read, **options)  # type: ignore[arg-type]
    spec = TaskSpec.from_bytes(published.spec.to_bytes())
    assert spec.calibration == mine.levels
    assert spec.profiles == mine.profiles == ("permuted", "micro_batches", "float64")
    assert spec.tau == mine.levels[0].tau
    assert spec.tau_of("segment") == float(mine.levels[2].tau)
    assert spec.number("output_bound") == float(mine.output_bound)
    with pytest.raises(ConfigError, match="with another recipe or name"):
        publish_task(store, name="digits", calibration=read, **options)  # type: ignore[arg-type]
    plain = publish_task(store, name="breast_cancer", **options)  # type: ignore[arg-type]
    assert plain.spec.calibration == ()
    assert plain.spec.tau_of("step") == plain.spec.number("tau")
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "weights"},
        {"tau": "nan"},
        {"tau": "-1"},
        {"drift": "x"},
        {"drift": 1.0},
        {"honest": -1},
        {"honest": True},
        {"rejected": 11},
        {"missed": 21},
    ],
)
def test_levels_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(LEVEL, **change)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Level.from_json({**LEVEL.to_json(), **change})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"levels": []}', '{"levels": [{}]}', '{"levels": 3}'])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Calibration.from_text(text)


def test_a_task_has_each_level_once() -> None:
    assert TaskSpec.from_bytes(tiny_spec(calibration=(LEVEL,)).to_bytes()).calibration == (LEVEL,)
    with pytest.raises(ConfigError, match="once at each level"):
        tiny_spec(calibration=(LEVEL, LEVEL))


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    arguments = ["calibrate", "breast_cancer", "--replays", "1", "--seeds", "20", "--without", "two_threads"]
    out = tmp_path / "calibration.json"
    assert main([*arguments, "--json", "--out", str(out)]) == 0
    printed = Calibration.from_text(capsys.readouterr().out)
    assert printed == Calibration.from_text(out.read_text())
    assert all(float(level.tau) <= MAX_TAU and float(level.drift) <= float(level.tau) / 10 for level in printed.levels)
    assert main([*arguments, "--allow", "bfloat16"]) == 2
    assert "bfloat16 drifts" in capsys.readouterr().err
    for wrong in (["--nodes", "1"], ["--rows", "12"], ["--without", "permuted", "--without", "float64"]):
        assert main([*arguments, *wrong]) == 2
        assert "error:" in capsys.readouterr().err
