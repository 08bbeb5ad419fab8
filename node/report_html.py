"""The report of a run: one HTML file that needs nothing else, made from the run's result alone.

Labels and attack names come from participants: the template escapes everything, and drawings get `plain` text.
"""

from __future__ import annotations

import os
import shlex
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from node.explain import WHY
from node.report_plots import (
    MATRIX_ROUNDS,
    Draw,
    Summary,
    code_of,
    draw_accuracy,
    draw_gas,
    draw_phases,
    draw_reputation,
    has_history,
    kind_of,
    ordered,
    phases,
    render_picture,
    round_ticks,
    svg,
    tag,
    verdict_of,
)
from node.transcript import tokens
from node.verify import Reason

__all__ = ["render_picture", "write_report"]

CELL = 22  # pixels from one cell of the matrix to the next


def write_report(folder: Path, summary: Summary) -> Path:
    """Write `folder/report.html` for a run's result (the keys of `result.json`), atomically. Returns its path.

    Equal results give equal bytes. `history` may be absent; then the page says so instead of plotting it.
    """
    path = folder / "report.html"
    temporary = folder / "report.html.part"
    temporary.write_text(_page(summary), encoding="utf-8", newline="\n")
    os.replace(temporary, path)
    return path


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    return environment.get_template("report.html.j2")


def _visible(value: Any) -> Any:
    """Control and direction characters would let a label rearrange the page: show that one was there."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in value)


def _page(summary: Summary) -> str:
    return _template().render(
        task=summary["task"],
        seed=summary["seed"],
        verdict=verdict(summary),
        details=_details(summary),
        plots=_plots(summary),
        matrix=_matrix(summary),
        phases=_phases(summary),
        nodes=[_node_row(node) for node in _best_first(summary["nodes"])],
        rounds=[_round_row(row) for row in summary["rounds"]],
        chain=_chain(summary["chain"]),
        check=_check(summary),
    )


# --- words ------------------------------------------------------------------------------------------------


def verdict(summary: Summary) -> str:
    """The run in one sentence, from its numbers."""
    crowds = []
    for role in ("trainer", "verifier"):
        of_role = [node for node in summary["nodes"] if node["role"] == role]
        attacking = sum(not node["honest"] for node in of_role)
        if attacking:
            crowds.append(f"{attacking} of {_count(len(of_role), role)}")
    trainers = sum(node["role"] == "trainer" for node in summary["nodes"])
    who = f"{' and '.join(crowds)} attacking" if crowds else f"{_count(trainers, 'trainer')}, nobody attacking"
    return (
        f"{summary['final_accuracy']:.3f} accuracy with {who}; "
        f"{summary['clean_accuracy']:.3f} clean; {summary['undefended_accuracy']:.3f} undefended."
    )


def _details(summary: Summary) -> str:
    """Settled rounds, and who was rejected: also the honest ones, because a defence is judged by both."""
    rows, nodes = summary["rounds"], summary["nodes"]
    settled = sum(row["settled"] for row in rows)
    honest = sum(len(node["rejections"]) for node in nodes if node["honest"])
    hostile = sum(len(node["rejections"]) for node in nodes if not node["honest"])
    slashed = sum(node["stake_start"] > node["stake_end"] for node in nodes)
    return (
        f"{settled} of {_count(len(rows), 'round')} settled. "
        f"Rejections: {hostile} of attackers, {honest} of honest nodes. "
        f"Slashed: {_count(slashed, 'node') if slashed else 'nobody'}. "
        f"Gas of the protocol: {sum(row['gas_used'] for row in rows):,}. Wall time: {summary['wall_s']:,.1f} s."
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def why(reason: str) -> str:
    """A reason in words; one that this version does not know stays as it is."""
    try:
        return WHY[Reason(reason)].partition(": ")[2]
    except (ValueError, KeyError):
        return reason


def spans(rounds: Sequence[int]) -> str:
    """`round 3`, or `rounds 1–5, 8`."""
    found: list[list[int]] = []
    for round_ in sorted(set(rounds)):
        if found and round_ == found[-1][1] + 1:
            found[-1][1] = round_
        else:
            found.append([round_, round_])
    text = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in found)
    return ("rounds " if len(set(rounds)) > 1 else "round ") + text


# --- drawings ---------------------------------------------------------------------------------------------


def _plot(name: str, title: str, draw: Draw, summary: Summary, *, alt: str, caption: str) -> dict[str, Any]:
    drawing = svg(name, draw, summary, label=str(escape(_visible(alt))))
    return {"title": title, "svg": Markup(drawing), "caption": caption}


def _plots(summary: Summary) -> list[dict[str, Any]]:
    return [_accuracy(summary), _reputation(summary), _gas(summary)]


def _accuracy(summary: Summary) -> dict[str, Any]:
    caption = (
        "Share of the test set classified rightly. Undefended: plain averaging under the same attack. "
        "Clean: plain averaging with nobody attacking."
    )
    if not all(row["settled"] for row in summary["rounds"]):
        caption += " Hollow points: rounds that were not settled, so the model before them stands."
    alt = (
        f"Line chart of test accuracy by round. At the end: this run {summary['final_accuracy']:.3f}, "
        f"clean {summary['clean_accuracy']:.3f}, undefended {summary['undefended_accuracy']:.3f}."
    )
    return _plot("accuracy", "Test accuracy after each round", draw_accuracy, summary, alt=alt, caption=caption)


def _reputation(summary: Summary) -> dict[str, Any]:
    title = "Reputation after each round"
    if not has_history(summary):
        caption = "The result holds no reputation history, so there is no plot; final values are in the table of nodes."
        return {"title": title, "svg": "", "caption": caption}
    best = _best_first(summary["nodes"])
    alt = (
        f"Line chart of reputation by round, one line for each node. Highest at the end: node {best[0]['node']} "
        f"with {best[0]['reputation']:,}; lowest: node {best[-1]['node']} with {best[-1]['reputation']:,}."
    )
    caption = "Labels are node numbers, with the attack if there is one. In a large network only some are labelled."
    return _plot("reputation", title, draw_reputation, summary, alt=alt, caption=caption)


def _gas(summary: Summary) -> dict[str, Any]:
    rows = summary["rounds"]
    known = [row["gas_per_score"] for row in rows if row["gas_per_score"] is not None]
    range_ = f"from {min(known):,.0f} to {max(known):,.0f}" if known else "unknown: nothing was settled"
    alt = (
        f"Bar charts by round. Gas per score: {range_}. "
        f"Gas of a round: from {min(row['gas_used'] for row in rows):,} to {max(row['gas_used'] for row in rows):,}."
    )
    caption = "Per score: posting and finalising the report, shared by all scores in it. A dash: no score."
    return _plot("gas", "Gas of each round", draw_gas, summary, alt=alt, caption=caption)


def _matrix(summary: Summary) -> dict[str, Any]:
    """Geometry and texts of the matrix, for the template to write as SVG."""
    rows, nodes = summary["rounds"][-MATRIX_ROUNDS:], ordered(summary["nodes"])
    column = {row["round"]: at * CELL for at, row in enumerate(rows)}
    lines: list[dict[str, Any]] = []
    for at, node in enumerate(nodes):
        cells = [_cell(node, row, verdict_of(node, row, summary), column[row["round"]]) for row in rows]
        shown = [cell for cell in cells if cell is not None]
        lines.append({"y": 20 + at * CELL, "kind": kind_of(node), "label": tag(node), "cells": shown})
    reasons = sorted({str(item["reason"]) for node in nodes for item in node["rejections"]})
    marks = {cell["mark"] for line in lines for cell in line["cells"]}
    return {
        "rows": lines,
        "left": 16 + max(len(line["label"]) for line in lines) * 7,
        "width": len(rows) * CELL,
        "height": 20 + len(nodes) * CELL,
        "ticks": [{"round": r, "x": column[r] + 10} for r in round_ticks(rows[-1]["round"], 25) if r in column],
        "legend": sorted((code_of(reason), f"{_words(reason)}: {why(reason)}") for reason in reasons),
        "open": "o" in marks,
        "alt": f"Matrix of {_count(len(nodes), 'node')} and {_count(len(rows), 'round')}: {_details(summary)} "
        "The table of nodes lists every rejection.",
        "cut": f", the last {MATRIX_ROUNDS}" if len(rows) < len(summary["rounds"]) else "",
    }


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _cell(node: Mapping[str, Any], row: Mapping[str, Any], found: str, x: int) -> dict[str, Any] | None:
    """One cell; None when nothing was due."""
    if found == "not_due":
        return None
    at = f"node {node['node']}, round {row['round']}: "
    if found == "accepted":
        return {"mark": "a", "x": x, "code": "", "title": at + "accepted"}
    if found == "open":
        return {"mark": "o", "x": x, "code": "", "title": at + "not rejected"}
    return {"mark": "r", "x": x, "code": code_of(found), "title": f"{at}{_words(found)}: {why(found)}"}


def _phases(summary: Summary) -> dict[str, Any]:
    parts = phases(summary)
    total = sum(value for _, value, _ in parts)
    if total <= 0:
        return {"svg": "", "rows": [], "caption": ""}
    texts = [f"{name} {value:.1f} s" for name, value, _ in parts]
    alt = escape(_visible(f"Stacked bar of the time of each phase: {', '.join(texts)}."))
    return {
        "svg": Markup(svg("phases", draw_phases, summary, label=str(alt), size=(5.2, 0.8), crop=0)),
        "rows": [
            {"name": name, "colour": colour, "seconds": f"{value:,.2f}", "share": f"{value / total:.1%}"}
            for name, value, colour in parts
        ],
        "caption": "Time of all nodes together. Other: set-up, reference curves and whatever no phase claims.",
    }


# --- tables -----------------------------------------------------------------------------------------------


def _best_first(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(nodes, key=lambda node: (-node["reputation"], -node["contribution"], node["node"]))


def _node_row(node: Mapping[str, Any]) -> dict[str, Any]:
    by_reason: dict[str, list[int]] = {}
    for item in node["rejections"]:
        by_reason.setdefault(str(item["reason"]), []).append(item["round"])
    lost = node["stake_start"] - node["stake_end"]
    return {
        "node": node["node"],
        "label": node["label"],
        "role": node["role"],
        "honest": node["honest"],
        "attack": node["attack"] or "unnamed",
        "reputation": f"{node['reputation']:,}",
        "contribution": f"{node['contribution']:,}",
        "reward": tokens(node["reward"]),
        "stake": tokens(node["stake_end"]),
        "slashed": tokens(lost) if lost > 0 else "",
        "rejected": [f"{spans(rounds)}: {why(reason)}" for reason, rounds in sorted(by_reason.items())],
    }


def _round_row(row: Mapping[str, Any]) -> dict[str, Any]:
    per_score = row["gas_per_score"]
    pending = "posted, not final" if row["tx"] else "skipped"
    return {
        "round": row["round"],
        "accuracy": f"{row['accuracy']:.3f}",
        "accepted": row["accepted"],
        "rejected": row["rejected"],
        "gas": f"{row['gas_used']:,}",
        "per_score": "–" if per_score is None else f"{per_score:,.1f}",
        "state": "settled" if row["settled"] else pending,
        "tx": row["tx"],
    }


def _chain(chain: Mapping[str, Any]) -> list[tuple[str, Any]]:
    kind = {"tester": "in process (eth-tester)"}.get(chain["kind"], chain["kind"])
    return [("Chain", kind), ("Chain id", chain["chain_id"]), *sorted(chain["contracts"].items())]


def _check(summary: Summary) -> dict[str, Any]:
    """The two commands, for the worst node and the last round that rejected it (else the last one settled)."""
    node = _best_first(summary["nodes"])[-1]
    settled = [row["round"] for row in summary["rounds"] if row["settled"]]
    rejected = [item["round"] for item in node["rejections"]]
    round_ = max(rejected or settled or [summary["rounds"][-1]["round"]])
    run = shlex.quote(str(summary["run"]))
    return {
        "node": node["node"],
        "round": round_,
        "explain": f"credence reputation --run {run} --node {node['node']} --explain {round_}",
        "audit": f"credence audit --run {run} --replay",
    }
