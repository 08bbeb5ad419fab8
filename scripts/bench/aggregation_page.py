"""The page of the aggregation benchmark, its plot and its targets, from the figures alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style

TEMPLATE = Path(__file__).with_name("aggregation_page.md")

TARGETS = {
    "median": 15.0,
    "meamed": 20.0,
    "trimmed_mean": 2.5,
    "multi_krum": 8.0,
    "geometric_median": 4.0,
    "nnm+trimmed_mean": 9.0,
}
"""Least ratio to the faster of byzfl's inputs, at n = 32."""

MIXED_MS, TIMES_COPY = 1_000.0, 4.0

Results = dict[str, Any]


def judged(results: Results) -> list[dict[str, Any]]:
    """The targets that the run has figures for: {what, got, limit, met}."""
    rows = {(row["rule"], row["n"]): row for row in results["rows"]}
    found = []
    for rule, least in TARGETS.items():
        if (rule, 32) in rows:
            got = rows[rule, 32]["ratio"]
            found.append({"what": f"{rule}, n = 32: times byzfl", "got": got, "limit": least, "met": got >= least})
    if ("nnm+trimmed_mean", 128) in rows:
        got = rows["nnm+trimmed_mean", 128]["ours"]
        what = "nnm+trimmed_mean, n = 128: milliseconds"
        found.append({"what": what, "got": got, "limit": MIXED_MS, "met": got <= MIXED_MS})
    for rule in ("median", "trimmed_mean"):
        for n in sorted({row["n"] for row in results["rows"]}):
            got = rows[rule, n]["limit ratio"]
            what = f"{rule}, n = {n}: times a copy of the rows"
            found.append({"what": what, "got": got, "limit": TIMES_COPY, "met": got <= TIMES_COPY})
    return found


def page(results: Results) -> str:
    """docs/aggregation.md."""
    rows = results["rows"]
    tables = []
    for n in sorted({row["n"] for row in rows}):
        head = ["rule", "ours", "× copy", "byzfl numpy", "byzfl torch", "times faster"]
        lines = [
            [
                row["rule"],
                f"{row['ours']:,.1f}",
                f"{row['limit ratio']:.1f}",
                *(f"{row[who]:,.0f}" if who in row else "" for who in ("byzfl numpy", "byzfl torch")),
                f"{row['ratio']:.1f}" if "ratio" in row else "",
            ]
            for row in rows
            if row["n"] == n
        ]
        copy = sorted(row["copy"] for row in rows if row["n"] == n)
        tables.append(f"## n = {n} (a copy takes {copy[len(copy) // 2]:.1f} ms)\n\n{_table(head, lines)}")
    targets = _table(
        ["target", "measured", "limit", ""],
        [
            [item["what"], f"{item['got']:,.2f}", f"{item['limit']:g}", "met" if item["met"] else "**not met**"]
            for item in judged(results)
        ],
    )
    return TEMPLATE.read_text(encoding="utf-8").format(
        columns=f"{rows[0]['d']:,}",
        runs=min(row["ours runs"] for row in rows),
        machine=results["machine"],
        torch=results["torch"],
        numpy=results["numpy"],
        tables="\n\n".join(tables),
        difference=f"{max(row.get('largest difference', 0.0) for row in rows):.1e}",
        targets=targets,
    )


def draw(results: Results, path: Path) -> None:
    """Bars on a logarithmic scale: ours and the faster of byzfl's, by rule and n, and the copy as a line."""
    sizes = sorted({row["n"] for row in results["rows"]})
    figure = Figure(figsize=(10, 4.6), dpi=120, layout="constrained", facecolor=style.PAPER)
    for place, n in enumerate(sizes):
        axes = figure.add_subplot(1, len(sizes), place + 1)
        rows = [row for row in results["rows"] if row["n"] == n][::-1]
        for at, row in enumerate(rows):
            axes.barh(at + 0.2, row["ours"], 0.4, color=style.HONEST, label="ours" if at == 0 else None)
            if "byzfl" in row:
                label = "byzfl, faster input" if "byzfl numpy" in row and row["rule"] == "mean" else None
                axes.barh(at - 0.2, row["byzfl"], 0.4, color=style.ATTACKER, label=label)
        copy = sorted(row["copy"] for row in rows)[len(rows) // 2]
        axes.axvline(copy, color=style.INK, linewidth=1, linestyle="--", label="one copy of the rows")
        axes.set_xscale("log")
        axes.set_yticks(range(len(rows)), [row["rule"] for row in rows], fontsize=8)
        axes.set_xlabel("milliseconds, one core")
        axes.set_title(f"n = {n}, d = {rows[0]['d']:,}", fontsize=10)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if place == 0:
            axes.legend(fontsize=8, frameon=False, loc="lower right")
    FigureCanvasAgg(figure).print_png(path)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
