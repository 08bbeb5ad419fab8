"""The graph part of the reputation benchmark as text, targets and a plot, from reputation_graph.py's figures alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import SubFigure

from node import report_plots as style
from scripts.bench.gas_report import table

SCRIPT = "reputation_graph.py"
TEMPLATE = Path(__file__).with_name("reputation_graph_page.md")
BAR = "scipy power iteration"
COLOURS = {
    BAR: (style.MUTED, "-"),
    "ours, floating point": (style.HONEST, "-"),
    "ours, fixed point": (style.HONEST, "--"),
    "scikit-network": (style.VERIFIER, "-"),
    "igraph": (style.VERIFIER, "--"),
    "networkx": (style.ATTACKER, "-"),
    "meritrank-python": (style.ATTACKER, "--"),
}
Results = dict[str, Any]


def targets(results: Results) -> list[dict[str, Any]]:
    """{what, got, limit, met} at the largest size; `limit` is a largest or, for `at least`, a smallest value."""
    nodes = max(results["sizes"], key=int)
    size = results["sizes"][nodes]
    solves, egos = size["solves"], results["egos"]
    public = solves["meritrank-python"]
    ours, fixed = solves["ours, floating point"], solves["ours, fixed point"]
    where = f"{int(nodes):,} nodes: "
    rows = [
        (where + "one ego, floating point / scipy power iteration", ours["ratio"], 1.1, False),
        (where + "its L1 error", ours["error"], 1e-6, False),
        (where + "one ego, fixed point / scipy power iteration", fixed["ratio"], 2.2, False),
        (where + "times faster than meritrank-python", public["ratio"] / ours["ratio"], 100, True),
        (where + "times less error than meritrank-python", public["error"] / ours["error"], 1e4, True),
        (
            where + "1,000 changes with the edit / one warm scipy solve",
            size["updates"]["1000"]["ours, with the edit"]["ratio"],
            1.2,
            False,
        ),
        (f"{egos['nodes']:,} nodes: {egos['count']} egos, floating point, seconds", egos["floating point"], 8, False),
        (f"{egos['nodes']:,} nodes: {egos['count']} egos, fixed point, seconds", egos["fixed point"], 16, False),
    ]
    bar = f"a time, not a ratio: scipy's bar takes {bar_seconds(results):.1f} s for as many on this machine"
    judged = []
    for what, got, limit, least in rows:
        met = got >= limit if least else got <= limit
        why = bar if not met and what.endswith("seconds") else ""
        judged.append({"what": what, "got": got, "limit": limit, "met": met, "least": least, "why": why})
    return judged


def bar_seconds(results: Results) -> float:
    """What the bar takes for as many egos as were solved for, one after the other."""
    egos = results["egos"]
    return float(egos["count"] * results["sizes"][str(egos["nodes"])]["solves"][BAR]["ms"] / 1e3)


def shown(value: float) -> str:
    """Three figures."""
    if value and (abs(value) < 1e-2 or abs(value) >= 1e6):
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def section(results: Results) -> str:
    """Markdown."""
    sizes, egos = sorted(results["sizes"], key=int), results["egos"]
    seconds = f"{egos['floating point']:.1f} s in floating point, {egos['fixed point']:.1f} s in fixed point"
    by_size = results["sizes"]
    judged = [
        [
            row["what"],
            shown(row["got"]),
            ("≥ " if row["least"] else "≤ ") + shown(row["limit"]),
            "met" if row["met"] else "**not met**",
            row["why"],
        ]
        for row in targets(results)
    ]
    return TEMPLATE.read_text(encoding="utf-8").format(
        solves="\n\n".join(_solves(nodes, by_size[nodes]) for nodes in sizes),
        many=f"{egos['count']} egos of {egos['nodes']:,} nodes, four in a pass: {seconds}; scipy's bar, one by one: "
        f"{bar_seconds(results):.1f} s.",
        updates=_updates(by_size, sizes),
        single="; ".join(_single(nodes, by_size[nodes]["solves"]["meritrank-python"]) for nodes in sizes),
        hitting=_hitting(by_size, sizes),
        targets=table(["", "measured", "target", "", "why"], judged),
        versions=", ".join(f"{name} {version}" for name, version in results["versions"].items()),
    )


def _solves(nodes: str, size: Results) -> str:
    rows = [
        [name, shown(row["ms"]), shown(row["best_ms"]), shown(row["ratio"]), shown(row["error"])]
        for name, row in sorted(size["solves"].items(), key=lambda item: item[1]["ratio"])
    ]
    head = [f"{int(nodes):,} nodes, {size['links']:,} links", "ms, median", "ms, best", "× scipy", "L1 error"]
    return table(head, rows)


def _updates(by_size: Results, sizes: list[str]) -> str:
    rows = [
        [f"{int(nodes):,}", f"{int(count):,}", name, shown(row["ms"]), shown(row["ratio"]), shown(row["error"])]
        for nodes in sizes
        for count, contestants in sorted(by_size[nodes]["updates"].items(), key=lambda item: int(item[0]))
        for name, row in contestants.items()
    ]
    return table(["nodes", "changes", "by", "ms, median", "× scipy, warm", "L1 error"], rows)


def _single(nodes: str, row: Results) -> str:
    kinds = ", ".join(f"{kind} {shown(row[f'add_edge_{kind}_ms'])}" for kind in ("random", "hot", "ego"))
    return f"{int(nodes):,} nodes: {kinds}"


def _hitting(by_size: Results, sizes: list[str]) -> str:
    names = {
        "diagonal_s": "diagonal, s",
        "stated_error": "stated relative error",
        "measured_error": "largest on 16 nodes",
        "score_ms": "score on top of a solve, ms",
        "gates": "gates looked at",
        "decay_s": "decay, s",
        "decayed": "nodes decayed",
        "reached": "nodes reached",
    }
    rows = [[f"{int(nodes):,}", *(shown(by_size[nodes]["hitting"][name]) for name in names)] for nodes in sizes]
    return table(["nodes", *names.values()], rows)


def draw(results: Results, panel: SubFigure) -> None:
    """One solve, and 1,000 changes, by number of nodes; both axes logarithmic."""
    sizes = sorted(map(int, results["sizes"]))
    left, right = panel.subplots(1, 2, gridspec_kw={"left": 0.07, "right": 0.8, "bottom": 0.13, "top": 0.9})
    for name, (colour, dash) in COLOURS.items():
        times = [results["sizes"][str(nodes)]["solves"][name]["ms"] for nodes in sizes]
        left.plot(sizes, times, color=colour, linestyle=dash, linewidth=1.4, label=name, marker="o", markersize=3)
    for name, colour, dash in (
        ("scipy, warm", style.MUTED, "-"),
        ("scipy, with the edit", style.MUTED, "--"),
        ("ours, with the edit", style.HONEST, "-"),
    ):
        times = [results["sizes"][str(nodes)]["updates"]["1000"][name]["ms"] for nodes in sizes]
        right.plot(sizes, times, color=colour, linestyle=dash, linewidth=1.4, label=name, marker="o", markersize=3)
    left.set_title("One ego, ms", loc="left", weight="bold", fontsize=10.5)
    right.set_title("1,000 changed links, ms", loc="left", weight="bold", fontsize=10.5)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("nodes (ten links each)")
        axes.grid(True, which="major")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    left.legend(loc="upper left", bbox_to_anchor=(2.25, 1.0), frameon=False, fontsize=8)
    right.legend(loc="lower left", bbox_to_anchor=(1.02, 0.0), frameon=False, fontsize=8)
