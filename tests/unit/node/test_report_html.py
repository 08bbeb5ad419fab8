"""The report of a run: what its tables say, that it is inert, and that equal results give equal bytes."""

import copy
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from node.report_html import render_picture, spans, verdict, why, write_report
from node.report_plots import CODES, MAX_LABELS, labelled, plain, round_ticks, short, spread, verdict_of
from node.verify import Reason

TOKEN = 10**18
HOSTILE = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;$\\frac$ \u202e\x00漢字"
VOID = {"meta", "img", "br", "link", "input", "hr"}


def node_row(node: int, *, role: str = "trainer", attack: str | None = None, rejected: tuple[int, ...] = ()) -> Any:
    return {
        "node": node,
        "label": f"{role}-{node}",
        "role": role,
        "honest": attack is None,
        "attack": attack,
        "stake_start": 1000 * TOKEN,
        "stake_end": 1000 * TOKEN,
        "reputation": 0 if attack else 9_000 + node,
        "contribution": 0 if attack else 300_000,
        "reward": 0 if attack else 3 * TOKEN // 2,
        "rejections": [{"round": r, "reason": "negative_cosine"} for r in rejected],
    }


def round_row(round_: int, *, accepted: int, rejected: int) -> Any:
    return {
        "round": round_,
        "accuracy": 0.5 + 0.01 * round_,
        "accepted": accepted,
        "rejected": rejected,
        "gas_used": 1_200_000 + round_,
        "gas_per_score": 21_864.4,
        "tx": "0x" + f"{round_:02x}" * 32,
        "settled": True,
    }


def make(*, trainers: int = 4, attackers: int = 1, verifiers: int = 2, rounds: int = 5) -> dict[str, Any]:
    """A result in which every attacker is rejected in every round."""
    bad = range(trainers - attackers + 1, trainers + 1)
    every = tuple(range(1, rounds + 1))
    nodes = [
        node_row(n, attack="sign_flip" if n in bad else None, rejected=every if n in bad else ())
        for n in range(1, trainers + 1)
    ]
    nodes += [node_row(trainers + v, role="verifier") for v in range(1, verifiers + 1)]
    return {
        "run": "runs/digits-7",
        "seed": 7,
        "chain": {
            "kind": "tester",
            "chain_id": 1313,
            "contracts": {"Token": "0x" + "b2" * 20, "Book": "0x" + "a1" * 20},
        },
        "task": "digits",
        "final_accuracy": 0.9671,
        "clean_accuracy": 0.972,
        "undefended_accuracy": 0.11,
        "rounds": [round_row(r, accepted=trainers - attackers, rejected=attackers) for r in every],
        "nodes": nodes,
        "curves": {"clean": [0.6 + 0.01 * r for r in every], "undefended": [0.1] * rounds},
        "history": {str(n["node"]): [0 if n["attack"] else 1000 * r + n["node"] for r in every] for n in nodes},
        "wall_s": 20.0,
        "phase_s": {
            "train": 5.0,
            "encode": 0.1,
            "store": 0.4,
            "verify": 6.0,
            "agree": 0.2,
            "aggregate": 0.3,
            "chain": 4.0,
        },
    }


def skip_round(summary: dict[str, Any], round_: int) -> None:
    row = summary["rounds"][round_ - 1]
    row |= {"accepted": 0, "rejected": 0, "gas_per_score": None, "tx": None, "settled": False}
    for node in summary["nodes"]:
        node["rejections"] = [item for item in node["rejections"] if item["round"] != round_]
        if "history" in summary:
            series = summary["history"][str(node["node"])]
            series[round_ - 1] = series[round_ - 2] if round_ > 1 else 0


class Page(HTMLParser):
    """Tables by id as rows of texts; all texts by element id, SVG titles, tags and attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tables: dict[str, list[list[str]]] = {}
        self.headers: dict[str, list[str]] = {}  # scopes of the th
        self.by_id: dict[str, str] = {}
        self.svg_titles: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[tuple[str, str]] = []  # tag, id
        self._table = ""
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += values.items()
        if tag == "table":
            self._table = values["id"]
            self.tables[self._table], self.headers[self._table] = [], []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")
            if tag == "th":
                self.headers[self._table].append(values["scope"])
        elif tag == "title" and self._in("svg"):
            self.svg_titles.append("")
        if tag not in VOID:
            self._open.append((tag, values.get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self._in("style"):
            return
        self.text += data
        for _, name in self._open:
            if name:
                self.by_id[name] = self.by_id.get(name, "") + data
        if self._in("td") or self._in("th"):
            self.tables[self._table][-1][-1] += data
        if self._in("svg") and self._in("title"):
            self.svg_titles[-1] += data

    def _in(self, tag: str) -> bool:
        return any(name == tag for name, _ in self._open)


def page(folder: Path, summary: dict[str, Any]) -> Page:
    path = write_report(folder, summary)
    assert path == folder / "report.html"
    assert [entry.name for entry in folder.iterdir()] == ["report.html"]
    return Page(path.read_text(encoding="utf-8"))


def test_tables(tmp_path: Path) -> None:
    summary = make()
    summary["nodes"][0]["stake_end"] = 900 * TOKEN
    found = page(tmp_path, summary)
    nodes = found.tables["nodes"]
    assert [row[0] for row in nodes] == ["Node", "6", "5", "3", "2", "1", "4"]
    assert nodes[5] == [
        "1", "trainer-1", "trainer", "honest", "9,001", "300,000", "1.50", "900", "100", "never",
    ]  # fmt: skip
    assert nodes[6][3] == "attacker: sign_flip"
    assert nodes[6][9] == "rounds 1–5: it points away from the weighted median of the other updates"
    assert found.tables["rounds"][2] == [
        "2", "0.520", "3", "1", "1,200,002", "21,864.4", "settled", "0x" + "02" * 32,
    ]  # fmt: skip
    assert found.tables["chain"][1:] == [
        ["Chain", "in process (eth-tester)"],
        ["Chain id", "1313"],
        ["Book", "0x" + "a1" * 20],
        ["Token", "0x" + "b2" * 20],
    ]
    assert found.tables["phases"][1] == ["train", "5.00", "25.0%"]
    assert found.tables["phases"][-1] == ["other", "4.00", "20.0%"]
    for name, rows in found.tables.items():
        assert len({len(row) for row in rows}) == 1
        assert found.headers[name] == ["col"] * len(rows[0]) + ["row"] * (len(rows) - 1)


def test_verdict_and_commands(tmp_path: Path) -> None:
    summary = make()
    summary["run"] = "runs/my run"
    found = page(tmp_path, summary)
    expected = "0.967 accuracy with 1 of 4 trainers attacking; 0.972 clean; 0.110 undefended."
    assert found.by_id["verdict"] == expected == verdict(summary)
    assert "credence reputation --run 'runs/my run' --node 4 --explain 5" in found.text
    assert "credence audit --run 'runs/my run' --replay" in found.text
    assert "Rejections: 5 of attackers, 0 of honest nodes." in found.text
    summary["nodes"][5] |= {"honest": False, "attack": "lazy"}
    assert "with 1 of 4 trainers and 1 of 2 verifiers attacking;" in verdict(summary)


def test_matrix(tmp_path: Path) -> None:
    found = page(tmp_path, make())
    assert len(found.svg_titles) == 6 * 5
    assert "node 1, round 3: accepted" in found.svg_titles
    assert "node 6, round 1: accepted" in found.svg_titles
    why_ = "it points away from the weighted median of the other updates"
    assert f"node 4, round 2: negative cosine: {why_}" in found.svg_titles
    assert f"NCnegative cosine: {why_}" in found.by_id["legend"]


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    def turned(value: Any) -> Any:
        return {k: turned(value[k]) for k in reversed(value)} if isinstance(value, dict) else copy.deepcopy(value)

    summary = make(trainers=7, attackers=2)
    first = write_report(tmp_path, summary).read_bytes()
    before = copy.deepcopy(summary)
    assert write_report(tmp_path, turned(summary)).read_bytes() == first
    assert summary == before
    pictures = [render_picture(s, tmp_path / f"{i}.png").read_bytes() for i, s in enumerate((summary, turned(summary)))]
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG\r\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.png", "1.png", "report.html"]


def test_the_page_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    found = page(tmp_path, make())
    assert not {"script", "link", "img", "iframe", "object", "metadata", "image"} & set(found.tags)
    assert "://" not in found.source
    assert "@import" not in found.source
    links = [value for name, value in found.attributes if name in ("href", "src")]
    ids = [value for name, value in found.attributes if name == "id"]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert len(ids) == len(set(ids))
    labels = [value for name, value in found.attributes if name == "aria-labelledby"]
    assert set(labels) <= set(ids)
    assert found.source.count('role="img" aria-label="') == 5


def test_hostile_labels_are_only_text(tmp_path: Path) -> None:
    summary = make()
    summary["task"] = summary["run"] = HOSTILE
    summary["chain"]["contracts"] = {HOSTILE: HOSTILE}
    summary["phase_s"][HOSTILE] = 9.0
    for node in summary["nodes"]:
        node["label"] = HOSTILE
    summary["nodes"][3] |= {"attack": HOSTILE, "rejections": [{"round": 1, "reason": HOSTILE}]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that the font has not would warn
        found = page(tmp_path, summary)
        render_picture(summary, tmp_path / "p.png")
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") for name, _ in found.attributes)
    shown = HOSTILE.replace("\u202e", "\ufffd").replace("\x00", "\ufffd")
    assert found.tables["nodes"][1][1] == shown
    assert found.tables["nodes"][6][3] == "attacker: " + shown
    assert found.tables["nodes"][6][9] == "round 1: " + shown
    assert any(title.startswith("node 4, round 1: ") and shown in title for title in found.svg_titles)
    assert "\u202e" not in found.source
    assert "\x00" not in found.source


def test_without_history_the_page_says_so(tmp_path: Path) -> None:
    summary = make()
    del summary["history"]
    found = page(tmp_path, summary)
    assert "holds no reputation history" in found.text
    assert "node 1, round 1: accepted" in found.svg_titles
    assert "node 5, round 1: not rejected" in found.svg_titles  # drawn or not: nothing tells
    assert "does not say whether anything was due" in found.by_id["legend"]
    render_picture(summary, tmp_path / "p.png")
    summary["history"] = {}
    assert "holds no reputation history" in page_text(tmp_path, summary)


def page_text(folder: Path, summary: dict[str, Any]) -> str:
    return Page(write_report(folder, summary).read_text(encoding="utf-8")).text


def test_without_attackers(tmp_path: Path) -> None:
    summary = make(attackers=0)
    summary["curves"]["undefended"] = summary["curves"]["clean"]
    found = page(tmp_path, summary)
    assert found.by_id["verdict"].startswith("0.967 accuracy with 4 trainers, nobody attacking; 0.972 clean;")
    assert "clean, undefended 0.650" in found.text
    assert {row[3] for row in found.tables["nodes"][1:]} == {"honest"}
    assert {row[9] for row in found.tables["nodes"][1:]} == {"never"}
    assert "--explain 5" in found.text


def test_skipped_rounds(tmp_path: Path) -> None:
    summary = make()
    skip_round(summary, 1)
    skip_round(summary, 3)
    found = page(tmp_path, summary)
    assert found.tables["rounds"][3] == ["3", "0.530", "0", "0", "1,200,003", "–", "skipped", "none"]
    assert found.tables["nodes"][6][9].startswith("rounds 2, 4–5: ")
    assert "Hollow points" in found.text
    assert "3 of 5 rounds settled." in found.text
    assert not any(", round 3:" in title or ", round 1:" in title for title in found.svg_titles)
    render_picture(summary, tmp_path / "p.png")


def test_nothing_settled_and_no_time(tmp_path: Path) -> None:
    summary = make(rounds=2)
    for round_ in (1, 2):
        skip_round(summary, round_)
        summary["rounds"][round_ - 1]["gas_used"] = 0
    summary |= {"wall_s": 0.0, "phase_s": {"train": 0.0}}
    found = page(tmp_path, summary)
    assert found.svg_titles == []
    assert "holds no times" in found.text
    assert "phases" not in found.tables
    render_picture(summary, tmp_path / "p.png")


def test_a_report_posted_but_not_final(tmp_path: Path) -> None:
    summary = make()
    summary["rounds"][4]["settled"] = False
    assert page(tmp_path, summary).tables["rounds"][5][6] == "posted, not final"


@pytest.mark.parametrize("with_verifier", [False, True])
def test_a_single_node_and_a_single_round(tmp_path: Path, with_verifier: bool) -> None:
    summary = make(trainers=1, attackers=0, verifiers=int(with_verifier), rounds=1)
    found = page(tmp_path, summary)
    assert len(found.tables["nodes"]) == 2 + with_verifier
    assert "with 1 trainer, nobody" in found.text
    render_picture(summary, tmp_path / "p.png")


def test_a_large_run_labels_few_lines_and_keeps_every_cell(tmp_path: Path) -> None:
    summary = make(trainers=34, attackers=20, verifiers=6, rounds=50)
    found = page(tmp_path, summary)
    assert len(found.svg_titles) == 40 * 50
    assert len(found.source) < 1_000_000
    final = {int(node): values[-1] for node, values in summary["history"].items()}
    shown = labelled(summary["nodes"], final)
    assert len(shown) == MAX_LABELS == len({n["node"] for n in shown})
    assert {1, 14, 35, 40} < {n["node"] for n in shown}  # worst and best of both roles
    assert len(labelled(summary["nodes"][:8], final)) == 8


def test_very_long_runs_show_the_last_rounds(tmp_path: Path) -> None:
    summary = make(trainers=2, attackers=0, verifiers=0, rounds=230)
    found = page(tmp_path, summary)
    assert len(found.svg_titles) == 2 * 200
    assert "the last 200" in found.text
    assert len(found.tables["rounds"]) == 231


def test_verdicts_from_what_the_result_says() -> None:
    summary = make()
    trainer, verifier = summary["nodes"][0], summary["nodes"][4]
    row = summary["rounds"][1]
    assert verdict_of(trainer, row, summary) == "accepted"
    row["accepted"] = 2  # one of three was not due, and nothing says which
    assert verdict_of(trainer, row, summary) == "open"
    row["accepted"] = 0
    assert verdict_of(trainer, row, summary) == "not_due"
    assert verdict_of(summary["nodes"][3], row, summary) == "negative_cosine"
    summary["history"]["5"] = [7, 7, 9]
    verdicts = [verdict_of(verifier, r, summary) for r in summary["rounds"]]
    assert verdicts == ["accepted", "not_due", "accepted", "open", "open"]


def test_every_reason_has_its_own_code_and_words() -> None:
    reasons = {reason.value for reason in Reason} - {"accepted", "not_due"}
    assert set(CODES) == reasons
    assert len(set(CODES.values())) == len(CODES)
    assert all(why(reason) not in ("", reason) for reason in reasons)
    assert why("from the future") == "from the future"


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([0.0, 4.0, 10.0], [0.0, 4.0, 10.0]),
        ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0]),
        ([0.0, 0.0], [0.0, 1.0]),
        ([10.0, 10.0, 10.0], [8.0, 9.0, 10.0]),
        ([6.0, 2.0, 6.0], [5.5, 2.0, 6.5]),
        ([-9.0, 99.0], [0.0, 10.0]),
    ],
)
def test_labels_are_moved_apart(wanted: list[float], places: list[float]) -> None:
    assert spread(wanted, gap=1.0, low=0.0, high=10.0) == pytest.approx(places)


def test_more_labels_than_room_share_it() -> None:
    places = spread([5.0] * 21, gap=1.0, low=0.0, high=10.0)
    assert places == pytest.approx([i / 2 for i in range(21)])


def test_small_helpers() -> None:
    assert spans([3]) == "round 3"
    assert spans([8, 1, 2, 3, 5, 5]) == "rounds 1–3, 5, 8"
    assert [short(v) for v in (0, 950, 31_200, 1_250_000, 2e9)] == ["0", "950", "31.2k", "1.25M", "2G"]
    assert plain("a$b<\u202e漢字") == "a?b????"
    assert plain("x" * 40) == "x" * 11 + "…"
    assert round_ticks(1) == [1]
    assert round_ticks(50) == [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]


def test_matplotlib_settings_are_neither_used_nor_changed(tmp_path: Path) -> None:
    first = write_report(tmp_path, make()).read_bytes()
    with mpl.rc_context({"font.size": 31.0, "svg.fonttype": "path", "lines.linewidth": 9.0}):
        before = dict(mpl.rcParams)
        assert write_report(tmp_path, make()).read_bytes() == first
        render_picture(make(), tmp_path / "p.png")
        assert dict(mpl.rcParams) == before


def test_no_display_is_needed() -> None:
    code = "import sys, node.report_html; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_a_failed_report_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_report(tmp_path, make())
    first = path.read_bytes()
    broken = make()
    del broken["nodes"][2]["stake_end"]
    with pytest.raises(KeyError):
        write_report(tmp_path, broken)
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
