"""The page of the verification benchmark: docs/verification.md, .png and .json, all from one run's figures."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parents[2] / "docs"

INVISIBLE = "not visible: what was revealed is what is evaluated, however it was trained"
VISIBLE = "visible: the outputs stated are not those of the update revealed"


def merged(found: dict[str, Any], mode: str) -> dict[str, dict[str, Any]]:
    """Rows of a mode by name, summed over tasks: accepted, comparisons, extreme distances, odds for a round."""
    rows: dict[str, dict[str, Any]] = {}
    for row in found["rows"]:
        if row["mode"] != mode:
            continue
        total = rows.setdefault(row["name"], {**row, "comparisons": 0, "accepted": 0, "rounds": {}, "of_tau": 0.0})
        total["comparisons"] += row["comparisons"]
        total["accepted"] += row["accepted"]
        total["of_tau"] = max(total["of_tau"], row["furthest"] / row["tau"])
        total["nearest"] = min(total["nearest"], row["nearest"])
        total["furthest"] = max(total["furthest"], row["furthest"])
        if "round" in row:
            total["rounds"][row["task"]] = row["round"]
    return rows


def tables(found: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, heads and rows of each table."""
    replay, output = merged(found, "replay"), merged(found, "output")
    honest = [
        [
            name,
            _number(max(replay[name]["furthest"], output[name]["furthest"])),
            f"{max(replay[name]['of_tau'], output[name]['of_tau']):.2g}",
            _count(replay[name]["accepted"], replay[name]["comparisons"]),
            _count(output[name]["accepted"], output[name]["comparisons"]),
            *(_percent(found["peers"][test][name]) for test in found["peers"]),
        ]
        for name in found["profiles"]
    ]
    cheats = [
        [
            name,
            found["summaries"][name],
            _number(replay[name]["nearest"]),
            _caught(replay[name]["accepted"], replay[name]["comparisons"]),
            ", ".join(_percent(value) for value in replay[name]["rounds"].values()),
            _caught(output[name]["accepted"], output[name]["comparisons"]),
            *(_percent(1 - found["peers"][test][name]) for test in found["peers"]),
            INVISIBLE if replay[name]["kind"] == "execution" else VISIBLE,
        ]
        for name in found["summaries"]
        if name in replay
    ]
    levels = [
        [
            c["task"],
            level["name"],
            _number(float(level["drift"])),
            _number(float(level["tau"])),
            _count(level["rejected"], level["honest"]),
            _count(level["missed"], level["cheats"]),
        ]
        for c in found["calibrations"]
        for level in c["levels"]
    ]
    null, stated = found["null_space"], found["stated"]
    forged = [
        ["null-space forgery, rows known beforehand", _count(null["known_accepted"], null["known"])],
        ["null-space forgery, rows drawn after it", _count(null["fresh_accepted"], null["fresh"])],
        *([f"stated sketch: {name}", _count(n, stated["count"])] for name, n in stated["accepted"].items()),
    ]
    made, published = found["generative"], found["generative"]["published"]
    generated: list[list[str]] = []
    for name in ("images", "text activations"):
        item = made[name]
        cheats_ = ", ".join(f"{cheat} {_percent(value)}" for cheat, value in item["cheats_accepted"].items())
        detects = f"{_percent(item['detects'])} of {item['honest']:,}"
        false = f"{_percent(item['false_matches'])} of {item['pairs']:,}"
        generated += [
            [f"{name}: same output recognised", detects, f"> {_percent(published['detects'])}"],
            [f"{name}: another output of its class accepted", false, f"< {_percent(published['false_matches'])}"],
            [f"{name}: cheats accepted", cheats_, "no figure"],
        ]
    for name in ("text greedy", "text beam"):
        item = made[name]
        generated.append(
            [
                f"{name}: tokens equal",
                f"{_percent(item['agree'])} of {item['compared']}",
                _percent(published["token_agreement"]),
            ]
        )
    hugging = [
        [task, _number(item["tau"]), _number(item["bound"]), _number(item["measured"])]
        for task, item in found["hugging"].items()
    ]
    refused = [[item["command"], str(item["status"]), item["message"]] for item in found["refusals"]]
    tests, ours = list(found["peers"]), ("ours, replay", "ours, whole round", "ours, output")
    return [
        ("Honest work: accepted", ["profile", "largest drift", "drift / tau", ours[0], ours[2], *tests], honest),
        (
            "Cheats: caught",
            ["cheat", "what", "nearest distance", *ours, *tests, "output mode"],
            cheats,
        ),
        ("Calibrations", ["task", "level", "largest honest drift", "tau", "honest refused", "cheats accepted"], levels),
        ("Forgeries and stated sketches: accepted", ["what", "accepted"], forged),
        ("Generated outputs, majority of three", ["figure", "ours", "published"], generated),
        ("Drift kept just under tau in every segment", ["task", "tau", "bound on the update", "measured"], hugging),
        ("Jobs that calibration refuses", ["command", "exit status", "message"], refused),
    ]  # fmt: skip


def text(found: dict[str, Any]) -> str:
    """The page in Markdown."""
    head = [
        "# Verification: honest work and every cheat",
        "",
        "Written by `scripts/bench/verification.py --docs`. Every figure is of that run.",
        "",
        f"Tasks {', '.join(found['segments'])} ({', '.join(f'{n} segments' for n in found['segments'].values())}); "
        f"k = {found['calibrations'][0]['sketch_rows']}; tolerances from shards that the suite does not use. "
        f"Whole round: odds, by task, that a cheat is exposed when {found['draw_rate']:.0%} of the segments are drawn, "
        "for one that shows in one segment only, in 2 % of the steps, or throughout. Other tests judge whole vectors "
        "at the tightest threshold that accepts all honest work with our margin of ten; pHash and TOPLOC at their "
        "published ones (24 of 64 bits; 38 exponents, mantissas 10 and 8). TOPLOC: our own version of its test.",
        "",
        "In output mode an update that is itself rescaled, stale or a neighbour's counts as trained that way: the "
        "sketch agrees, because it is asked about what was revealed. There the norm bound, the near-duplicate rule "
        "and the utilities decide. A cheat in one segment is exposed as often as that segment is drawn: "
        "raise the rate, or the stake, for it. Stated sketches and forgeries are of the first task's outputs.",
        "",
        "![Honest drift and cheats by relative distance, and who catches what](verification.png)",
    ]
    for title, heads, rows in tables(found):
        head += ["", f"## {title}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        head += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(head) + "\n"


def write_docs(found: dict[str, Any]) -> None:
    """docs/verification.md, .json and .png."""
    (DOCS / "verification.md").write_text(text(found))
    (DOCS / "verification.json").write_text(json.dumps(found, indent=1) + "\n")
    figure = plot(found)
    figure.savefig(DOCS / "verification.png", dpi=110, metadata={"Software": "credence"})
    plt.close(figure)


def plot(found: dict[str, Any]) -> plt.Figure:
    """Left: relative distance of every case, with tau. Right: share caught, by test."""
    distances = defaultdict(list)
    for row in found["rows"]:
        if row["mode"] == "replay":
            distances[row["name"]] += [row["nearest"], row["furthest"]]
    replay = merged(found, "replay")
    names = [*found["profiles"], *(name for name in found["summaries"] if name in replay)][::-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 7.5), sharey=True, width_ratios=(3, 2))
    for place, name in enumerate(names):
        honest = name in found["profiles"]
        values = [max(value, 1e-9) for value in distances[name]]
        colour = "tab:green" if honest else "tab:red"
        left.plot(values, [place] * len(values), "o-", color=colour, markersize=4)
    for colour, item in zip(("tab:blue", "tab:orange"), found["calibrations"], strict=True):
        tau = next(float(level["tau"]) for level in item["levels"] if level["name"] == "segment")
        left.axvline(tau, linestyle="--", color=colour, label=f"tau, {item['task']}")
    left.set(
        xscale="log", xlabel="relative L2 distance of a segment (1e-9: equal to the bit)", yticks=range(len(names))
    )
    left.set_yticklabels(names)
    left.legend(loc="lower left")
    left.set_title("honest (green) and cheats (red)")
    tests = ["ours, replay", *found["peers"]]
    refused = [
        [
            1 - replay[name]["accepted"] / replay[name]["comparisons"],
            *(1 - found["peers"][t][name] for t in found["peers"]),
        ]
        for name in names
    ]
    image = right.imshow(refused, aspect="auto", cmap="Reds", vmin=0, vmax=1, origin="lower")
    right.set_xticks(range(len(tests)), tests, rotation=35, ha="right")
    right.set_title("share refused (honest rows should be white)")
    figure.colorbar(image, ax=right)
    figure.tight_layout()
    return figure


def _number(value: float) -> str:
    return f"{value:.1e}" if value else "0"


def _percent(value: float) -> str:
    return f"{100 * value:.4g} %"


def _count(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"


def _caught(accepted: int, comparisons: int) -> str:
    return f"{_percent(1 - accepted / comparisons)} of {comparisons:,}"
