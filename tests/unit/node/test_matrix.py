"""The matrix: batched training against one by one, cells, resuming, and the table."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from node.cli import main
from node.data import Dataset
from node.errors import ConfigError, UnknownName
from node.matrix.cell import Cell, Setting, run_cell
from node.matrix.defences import DEFENCES, Server
from node.matrix.grid import Grid, run_grid
from node.matrix.learner import BATCHES, MOMENTUM, RATE, Learner
from node.matrix.table import tabulate
from node.seeds import derive_seed

SMALL = Setting(rounds=2, epochs=1)


def shard(count: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    return Dataset(rng.random((count, 2, 3)).astype(np.float32), rng.integers(0, 4, count), 4)


def test_batched_training_is_that_of_torch_on_each_shard() -> None:
    """Independent reference: torch autograd and torch's own SGD, one trainer at a time, on the same permutations."""
    shards, seed, epochs = [shard(21, 1), shard(8, 2), shard(3, 3)], 5, 2
    learner = Learner(shards, seed=seed, epochs=epochs)
    start = np.random.default_rng(0).standard_normal(learner.size).astype(np.float32)
    found = learner.updates(start, round_=4)
    generator = np.random.default_rng(derive_seed(seed, "order", 4))
    draws = [generator.random((3, 21)) for _ in range(epochs)]
    for row, data in enumerate(shards):
        weights = torch.tensor(start.reshape(7, 4), requires_grad=True)
        step = torch.optim.SGD([weights], lr=RATE, momentum=MOMENTUM)
        cuts = np.rint(np.linspace(0, len(data), BATCHES + 1)).astype(int)
        for draw in draws:
            order = np.argsort(draw[row, : len(data)])
            for low, high in pairwise(cuts):
                step.zero_grad()
                if high > low:
                    x = torch.tensor(data.x[order[low:high]].reshape(high - low, 6))
                    torch.nn.functional.cross_entropy(
                        x @ weights[:6] + weights[6], torch.tensor(data.y[order[low:high]])
                    ).backward()
                else:
                    weights.grad = torch.zeros_like(weights)
                step.step()
        expected = weights.detach().numpy().ravel() - start
        assert found[row] == pytest.approx(expected, abs=2e-6)


def test_models_of_their_own_start_where_they_are() -> None:
    learner = Learner([shard(9, 1), shard(9, 2)], seed=1, epochs=1)
    models = np.random.default_rng(1).standard_normal((2, learner.size)).astype(np.float32)
    both = learner.updates(models, 1)
    assert both[0] == pytest.approx(learner.updates(models[0], 1)[0], abs=1e-6)
    assert both[1] == pytest.approx(learner.updates(models[1], 1)[1], abs=1e-6)
    data = shard(50, 3)
    assert learner.accuracy(models, data).tolist() == [float(learner.accuracy(model, data)) for model in models]


def test_a_cell_is_reproducible_and_an_attack_matters() -> None:
    honest, attacked = (Cell(a, "mean", "iid", 1) for a in ("none", "ipm=8"))
    assert run_cell(SMALL, honest) == run_cell(SMALL, honest)
    assert run_cell(SMALL, honest).accuracy > 0.7
    assert run_cell(SMALL, attacked).accuracy < 0.3
    assert run_cell(SMALL, Cell("ipm=8", "default", "iid", 1)).accuracy > 0.7


def test_data_attacks_report_their_success() -> None:
    assert run_cell(SMALL, Cell("sign_flip", "mean", "iid", 1)).success is None
    backdoor = run_cell(Setting(rounds=5), Cell("backdoor", "mean", "iid", 1))
    assert backdoor.success is not None
    assert backdoor.success > 0.2
    assert backdoor.accuracy > 0.9


@pytest.mark.parametrize(
    "attack", ["copycat", "mimic", "free_rider", "outlier", "sybil_noise", "alie=search", "label_flip"]
)
@pytest.mark.parametrize("defence", ["default", "foolsgold"])
def test_every_kind_of_attack_runs_against_weights_and_the_default(attack: str, defence: str) -> None:
    assert 0.4 < run_cell(SMALL, Cell(attack, defence, "iid", 1)).accuracy <= 1


def test_a_server_that_is_tried_out_is_not_changed_and_ignores_broken_rows() -> None:
    server, updates = Server(DEFENCES.get("foolsgold"), f=0.2), np.eye(5, dtype=np.float32)
    before = server.step(updates)
    server.step(100 * updates)
    assert (server.step(updates) == before).all()
    broken = np.vstack([updates, np.full((1, 5), np.nan, np.float32)])
    assert server.step(broken) == pytest.approx(before)
    assert (server.step(np.full((2, 5), np.inf, np.float32)) == 0).all()
    few = Server(DEFENCES.get("krum"), f=0.4)
    assert (few.step(updates[:2]) == 0).all()


def test_a_grid_resumes_and_does_not_mind_who_computes(tmp_path: Path) -> None:
    grid = Grid(SMALL, ("none", "ipm"), ("mean", "default"), ("iid",), (1, 2))
    counts: list[tuple[int, int]] = []
    first = run_grid(grid, tmp_path / "one", workers=1, tick=lambda done, total: counts.append((done, total)))
    assert counts[0] == (0, 8)
    assert counts[-1] == (8, 8)
    (tmp_path / "one" / "iid-ipm-mean-1.json").unlink()
    counts.clear()
    again = run_grid(grid, tmp_path / "one", workers=2, tick=lambda done, total: counts.append((done, total)))
    assert counts == [(7, 8), (8, 8)]
    assert again == first
    with pytest.raises(ConfigError, match="another setting"):
        run_grid(Grid(Setting(rounds=3)), tmp_path / "one", workers=1)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "mine").write_text("x")
    with pytest.raises(ConfigError, match="no matrix"):
        run_grid(grid, tmp_path / "two", workers=1)
    with pytest.raises(ConfigError, match="engine 'rya'"):
        run_grid(grid, tmp_path / "three", workers=1, engine="rya")
    with pytest.raises(UnknownName, match="did you mean 'median'"):
        run_grid(Grid(SMALL, ("none",), ("medan",)), tmp_path / "four", workers=1)


def test_the_table_names_what_was_missed() -> None:
    from node.matrix.cell import Result

    accuracy = {
        ("none", "mean"): 0.95, ("ipm", "mean"): 0.3, ("none", "median"): 0.94, ("ipm", "median"): 0.9,
        ("none", "default"): 0.92, ("ipm", "default"): 0.91,
    }  # fmt: skip
    grid = Grid(SMALL, ("none", "ipm"), ("mean", "median", "default"), ("iid",), (1,))
    results = {Cell(a, d, "iid", 1): Result(value, None) for (a, d), value in accuracy.items()}
    part = tabulate(grid, results)["partitions"]["iid"]
    assert part["worst"] == {"mean": 0.3, "median": 0.9, "default": 0.91}
    checks = part["checks"]
    assert checks["best rule"] == "median"
    assert checks["gap"] == pytest.approx(0.04)
    assert checks["gap met"] is False
    assert checks["missed"] == {"none": pytest.approx(-0.02)}
    assert checks["below the best of every rule"] == {"none": pytest.approx(-0.03)}


def test_the_command_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    few = [
        "--attack",
        "none",
        "--attack",
        "backdoor",
        "--defence",
        "mean",
        "--defence",
        "default",
        "--partition",
        "iid",
    ]
    quick = ["--seeds", "1", "--rounds", "1", "--epochs", "1", "--workers", "1"]
    assert main(["matrix", *few, *quick, "--docs", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "docs" / "matrix.json").read_text()) == table
    assert "| default |" in (tmp_path / "docs" / "matrix.md").read_text()
    assert (tmp_path / "docs" / "matrix.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["matrix", "--attackers", "10"]) == 2
    assert "fewer than half" in capsys.readouterr().err
    assert main(["matrix", "--rounds", "0"]) == 2
