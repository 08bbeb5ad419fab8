"""Rankings, history and advice of a finished run, and an audit that builds its evaluation graph again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from node.audit import audit
from node.cli import main
from node.reputation.evaluations import GRAPH_FILE, latest_graph, load_graph, save_graph
from node.reputation.graph import EvaluationGraph
from node.source import open_run

pytestmark = pytest.mark.xdist_group("demo")
Run = tuple[Path, dict[str, Any]]


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The parsed answer of a command with --json."""
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def copy(small_run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(small_run[0], folder)
    return folder


@pytest.mark.parametrize("name", ["small_run", "small_root_run"])
def test_both_settlements_give_the_saved_graph_again(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(name)[0]
    source = open_run(folder)
    try:
        saved, stated = load_graph(folder / GRAPH_FILE)
        built = latest_graph(source.view, source.store, source.spec())
        findings = audit(source)
    finally:
        source.close()
    assert built == saved
    assert built.digest() == stated == findings.graph
    assert saved.round == 2
    raters, rated = {link[0] for link in saved.links}, {link[1] for link in saved.links}
    assert raters == {5, 6, 7}
    assert rated <= {1, 2, 3, 4}
    assert all(weight < 0 for _, node, weight in saved.links if node == 4)  # the sign-flipper


def test_an_edited_link_fails_the_audit(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, _ = load_graph(copy / GRAPH_FILE)
    (rater, rated, weight), *rest = saved.links
    edited = EvaluationGraph(**{**vars(saved), "links": ((rater, rated, weight + 1), *rest)})
    save_graph(edited, copy / GRAPH_FILE)
    assert main(["audit", "--run", str(copy)]) == 3
    assert f"node {rater}: link to node {rated} is {weight + 1}, but {weight} follows" in capsys.readouterr().err


def test_an_audit_says_the_digest(small_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report = ask(capsys, "audit", "--run", str(small_run[0]))
    assert report["graph"] == load_graph(small_run[0] / GRAPH_FILE)[1]
    counts = {item["item"]: item["count"] for item in report["items"]}
    assert counts["evaluation"] >= counts["link"] > 0


def test_the_personal_and_the_general_ranking(small_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(small_run[0])
    mine = ask(capsys, "reputation", "--run", run, "--for", "6")
    assert [mine["for"], mine["ranking"], mine["round"]] == [6, "meritrank", 2]
    assert {row["node"] for row in mine["nodes"]} == {1, 2, 3, 4, 5, 7}
    assert mine["nodes"][-1]["node"] == 4
    assert mine["nodes"][-1]["score"] < 0
    top = ask(capsys, "reputation", "--run", run, "--top", "3", "--ranking", "pagerank")
    assert len(top["nodes"]) == 3
    assert top["graph"] == mine["graph"]
    assert main(["reputation", "--run", run, "--for", "6", "--top", "1"]) == 0
    assert "as node 6 sees them" in capsys.readouterr().out


def test_the_history_and_its_plot(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "reputation", "--run", str(copy), "--history", str(copy / "plot.png"))
    assert found["rounds"] == [1, 2]
    assert {len(row) for row in found["scores"].values()} == {2}
    assert found["scores"]["4"][-1] < 0
    assert (copy / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert main(["reputation", "--run", str(copy), "--history"]) == 0
    assert str(copy / "reputation.png") in capsys.readouterr().out


def test_advice_names_updates_in_the_store_and_data(small_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(small_run[0])
    advised = ask(capsys, "recommend", "--run", run, "--for", "6")
    cids = [row["item"].split(":")[1] for row in advised if row["item"].startswith("update:")]
    assert cids
    assert all(list((small_run[0] / "store").rglob(f"*{cid}*")) for cid in cids)
    data = ask(capsys, "recommend", "--run", run, "--for", "1", "--kind", "data", "--top", "1")
    assert len(data) == 1
    assert data[0]["item"].startswith("data:")
    assert data[0]["item"] != "data:4"
    assert main(["recommend", "--run", run, "--for", "6"]) == 0
    assert "update:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reputation", "--for", "99"), "node 99 has not joined"),
        (("reputation", "--top", "0"), "--top 0 shows nobody"),
        (("reputation", "--top", "1", "--ranking", "meritrnk"), "did you mean 'meritrank'"),
        (("recommend", "--for", "99"), "node 99 has not joined"),
        (("recommend", "--for", "1", "--top", "0"), "--top 0 shows nothing"),
        (("recommend", "--for", "1", "--kind", "dota"), "did you mean 'data'"),
    ],
)
def test_bad_questions_are_named(
    small_run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main([*words, "--run", str(small_run[0])]) == 2
    assert said in capsys.readouterr().err
