"""Plots of a run's result: drawn once, rendered as inline SVG for the report or as one PNG for a README.

Only `Figure` objects are used, never pyplot, and matplotlib's settings are changed inside `_style` alone, so that
nothing needs a display and nothing of the caller's changes. Equal input gives equal bytes.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle

Summary = Mapping[str, Any]
Draw = Callable[[FigureBase, Summary], None]

PAPER, INK, MUTED, RULE = "#ffffff", "#1b1c1e", "#5d6166", "#d9dcdf"
# Blue, vermillion and green of Okabe and Ito, darkened until text in them reads on white.
HONEST, ATTACKER, VERIFIER = "#0b63a5", "#b84a00", "#00735a"
ACCEPT = "#cfe3f2"
# The stylesheet redefines these for dark screens.
VARIABLES = {
    PAPER: "--paper",
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    HONEST: "--honest",
    ATTACKER: "--attacker",
    VERIFIER: "--verifier",
    ACCEPT: "--accept",
}
PHASE_COLOURS = {
    "train": "#0072b2",
    "encode": "#56b4e9",
    "store": "#009e73",
    "verify": "#e69f00",
    "agree": "#cc79a7",
    "aggregate": "#d55e00",
    "chain": "#f0e442",
}
OTHER_COLOUR = "#8c9196"
LINE_STYLES = {"honest": "-", "attacker": (0, (4, 1.5)), "verifier": (0, (1, 1.2))}
COLOURS = {"honest": HONEST, "attacker": ATTACKER, "verifier": VERIFIER}
CODES = {
    "unrevealed": "UR", "commitment_mismatch": "CM", "unavailable": "UA", "bad_manifest": "BM", "wrong_cid": "WC",
    "truncated": "TR", "oversized": "OV", "wrong_names": "WN", "wrong_shape": "WS", "wrong_dtype": "WD",
    "non_finite": "NF", "malformed": "MF", "norm_bound": "NB", "duplicate": "DU", "negative_cosine": "NC",
    "no_claim": "CL", "sketch_mismatch": "SM", "replay_mismatch": "RM", "silent": "SI", "unseen": "US",
    "false_observation": "FO", "canary": "CA", "canary_fault": "CF",
}  # fmt: skip

FIGURE_SIZE = (5.2, 3.3)  # inches: small, so that 9-point type is still legible at the width of a phone
AXES = (0.11, 0.13, 0.63, 0.72)  # the free right quarter holds the labels at the ends of the lines
TITLE_PT = 15.0
LABEL_GAP_PT = 11.0
MAX_LABELS = 14
BIG_NETWORK = 12  # from here on only attackers, best and worst are labelled
MATRIX_ROUNDS = 200
CODE_PT = 9.0  # cells smaller than this hold no code
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
}


@contextmanager
def _style(salt: str) -> Iterator[None]:
    """The report's settings over matplotlib's defaults (not over the user's, whose file may say anything)."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_RC, "svg.hashsalt": f"credence-{salt}"})
        yield


# --- what the numbers say ---------------------------------------------------------------------------------


def kind_of(node: Mapping[str, Any]) -> str:
    """`attacker`, `verifier` or `honest` (an honest trainer): the three families of colours."""
    if not node["honest"]:
        return "attacker"
    return "verifier" if node["role"] == "verifier" else "honest"


def ordered(nodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Trainers, then verifiers, by number: the rows of the matrix."""
    return sorted(nodes, key=lambda node: (node["role"] != "trainer", node["node"]))


def code_of(reason: str) -> str:
    """Two capitals for a reason; `??` for one that this version does not know."""
    return CODES.get(reason, "??")


def verdict_of(node: Mapping[str, Any], row: Mapping[str, Any], summary: Summary) -> str:
    """`accepted`, `not_due`, `open` (not rejected, but perhaps not due either) or the reason of the rejection."""
    for item in node["rejections"]:
        if item["round"] == row["round"]:
            return str(item["reason"])
    if not row["settled"] and row["tx"] is None:
        return "not_due"
    if node["role"] == "trainer":
        trainers = sum(other["role"] == "trainer" for other in summary["nodes"])
        if row["accepted"] + row["rejected"] >= trainers:
            return "accepted"
        return "open" if row["accepted"] else "not_due"
    # A verifier's reputation moves exactly when it was drawn: it does not decay.
    series = summary.get("history", {}).get(str(node["node"]), [])
    at = row["round"] - 1
    if at >= len(series):
        return "open"
    return "accepted" if series[at] != (series[at - 1] if at else 0) else "not_due"


def plain(text: str, limit: int = 12) -> str:
    """Untrusted text for a drawing: letters and digits that the font has for certain, shortened."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in " _-+=.:") else "?" for c in text)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def tag(node: Mapping[str, Any]) -> str:
    """A node in a drawing: its number, and its attack if it has one."""
    return f"{node['node']} {plain(node['attack'] or 'attacker')}" if not node["honest"] else str(node["node"])


def short(value: float) -> str:
    """1,250,000 as 1.25M, 31,200 as 31.2k."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


# --- placement --------------------------------------------------------------------------------------------


def spread(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart within low..high, as near to the wanted ones as least squares gets them.

    Shifting the i-th smallest by i gaps turns "apart" into "not decreasing", which pooling neighbours solves.
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    pools: list[list[float]] = []  # [sum, count]
    for rank, i in enumerate(order):
        pools.append([wanted[i] - rank * gap, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + count]
    flat = [total / count for total, count in pools for _ in range(int(count))]
    top = high - (len(wanted) - 1) * gap
    places = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        places[i] = min(max(flat[rank], low), top) + rank * gap
    return places


def round_ticks(last: int, most: int = 10) -> list[int]:
    """Round 1 and the multiples of the smallest 1, 2 or 5 × 10^k that give at most `most` ticks."""
    step = next(s for k in range(9) for s in (10**k, 2 * 10**k, 5 * 10**k) if last / s <= most)
    return sorted({1, *range(step, last + 1, step)})


def _axes(figure: FigureBase, rect: tuple[float, float, float, float] = AXES) -> Axes:
    axes = figure.add_axes(rect)
    axes.patch.set_visible(False)
    axes.grid(axis="y")
    return axes


def _round_axis(axes: Axes, last: int, *, bars: bool = False) -> None:
    pad = 0.6 if bars or last == 1 else 0.02 * (last - 1)
    axes.set_xlim(1 - pad, last + pad)
    axes.set_xticks(round_ticks(last))
    axes.set_xlabel("round")


def _end_labels(axes: Axes, ends: Sequence[tuple[float, float, str, str, bool]]) -> None:
    """Write (x, y, text, colour, bold) labels right of the axes, moved apart, each tied to its line's end."""
    low, high = axes.get_ylim()
    height_pt = axes.bbox.height / axes.figure.dpi * 72
    gap = LABEL_GAP_PT / height_pt * (high - low)
    ends = ends[::-1]  # equal ends: the first gets the highest place
    places = spread([y for _, y, *_ in ends], gap=gap, low=low, high=high)
    right = axes.get_xlim()[1]
    for (x, y, text, colour, bold), place in zip(ends, places, strict=True):
        width = (right - axes.get_xlim()[0]) * 0.035
        axes.plot([x, right, right + width], [y, y, place], color=colour, lw=0.5, alpha=0.7, clip_on=False)
        axes.text(
            right + 1.25 * width, place, text, color=colour, va="center", fontsize=8.5,
            weight="bold" if bold else "normal", parse_math=False,
        )  # fmt: skip


# --- the plots --------------------------------------------------------------------------------------------


def draw_accuracy(figure: FigureBase, summary: Summary) -> None:
    """Test accuracy by round: this run, the undefended mean, clean training; hollow points are unsettled rounds."""
    rows, curves = summary["rounds"], summary["curves"]
    axes = _axes(figure)
    axes.set_ylim(0, 1)
    clean, undefended = list(curves.get("clean", [])), list(curves.get("undefended", []))
    same = clean == undefended  # nobody attacks: one line with both names instead of one hiding the other
    lines: list[tuple[str, list[float], str, Any, float]] = [
        ("clean, undefended" if same else "clean", clean, MUTED, (0, (4, 1.5)), 1.3),
        ("undefended", [] if same else undefended, ATTACKER, (0, (1, 1.2)), 1.6),
        ("this run", [row["accuracy"] for row in rows], HONEST, "-", 2.2),
    ]
    lines = [line for line in lines if line[1]]
    _round_axis(axes, max(len(values) for _, values, *_ in lines))
    ends = []
    for name, values, colour, style, width in lines:
        axes.plot(
            range(1, len(values) + 1), values, color=colour, ls=style, lw=width, clip_on=False,
            marker="o" if len(values) == 1 else "", ms=4,
        )  # fmt: skip
        ends.append((float(len(values)), float(values[-1]), f"{name} {values[-1]:.3f}", colour, name == "this run"))
    skipped = [(row["round"], row["accuracy"]) for row in rows if not row["settled"]]
    if skipped:
        x, y = zip(*skipped, strict=True)
        axes.plot(x, y, ls="", marker="o", ms=5, mfc=PAPER, mec=HONEST, mew=1.2, clip_on=False, zorder=5)
    _end_labels(axes, ends)


def labelled(nodes: Sequence[Mapping[str, Any]], final: Mapping[int, int]) -> list[Mapping[str, Any]]:
    """The nodes that get a label: all of a small network; else attackers, best and worst, at most MAX_LABELS."""
    shown = sorted((n for n in nodes if n["node"] in final), key=lambda n: (-final[n["node"]], n["node"]))
    if len(shown) <= BIG_NETWORK:
        return shown
    honest = [n for n in shown if n["honest"]]
    roles = [[n for n in honest if n["role"] == role] for role in ("trainer", "verifier")]
    marks = [n for group in roles for n in {g["node"]: g for g in (*group[:1], *group[-1:])}.values()]
    attackers = [n for n in shown if not n["honest"]]
    room = MAX_LABELS - len(marks)
    if len(attackers) > room:  # the best-placed half and the worst-placed half tell the story
        attackers = attackers[: room - room // 2] + attackers[len(attackers) - room // 2 :]
    return [*marks, *attackers]


def draw_reputation(figure: FigureBase, summary: Summary) -> None:
    """Reputation of every node after each round. Needs `history`; see `has_history`."""
    history = summary["history"]
    nodes = [n for n in ordered(summary["nodes"]) if history.get(str(n["node"]))]
    series = {n["node"]: [int(v) for v in history[str(n["node"])]] for n in nodes}
    axes = _axes(figure)
    peak = max(max(values) for values in series.values())
    axes.set_ylim(0, max(1.0, min(65_535.0, 1.08 * peak)))
    axes.locator_params(axis="y", nbins=6)
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    _round_axis(axes, max(len(values) for values in series.values()))
    for node in nodes:
        kind, values = kind_of(node), series[node["node"]]
        axes.plot(
            range(1, len(values) + 1), values, color=COLOURS[kind], ls=LINE_STYLES[kind], alpha=0.85,
            lw=1.6 if kind == "attacker" else 1.2, marker="o" if len(values) == 1 else "", ms=4, clip_on=False,
            zorder=3 if kind == "attacker" else 2,
        )  # fmt: skip
    chosen = labelled(nodes, {n: values[-1] for n, values in series.items()})
    _end_labels(
        axes,
        [
            (float(len(series[n["node"]])), float(series[n["node"]][-1]), tag(n), COLOURS[kind_of(n)], not n["honest"])
            for n in chosen
        ],
    )
    _families(axes, nodes)


def _families(axes: Axes, nodes: Sequence[Mapping[str, Any]]) -> None:
    """A sample of each line style that occurs, above the axes."""
    names = {"honest": "honest trainers", "attacker": "attackers", "verifier": "verifiers"}
    present = [kind for kind in names if any(kind_of(node) == kind for node in nodes)]
    for kind, left in zip(present, (0.0, 0.42, 0.74), strict=False):
        axes.plot(
            [left, left + 0.06], [1.07, 1.07], transform=axes.transAxes, clip_on=False, color=COLOURS[kind],
            ls=LINE_STYLES[kind], lw=1.6,
        )  # fmt: skip
        _above(axes, left + 0.08, names[kind], COLOURS[kind])


def _above(axes: Axes, left: float, text: str, colour: str = MUTED) -> None:
    """One entry of the line of explanations above the axes."""
    axes.text(left, 1.07, text, transform=axes.transAxes, color=colour, va="center", fontsize=8.5)


def has_history(summary: Summary) -> bool:
    """Whether the result says what anyone's reputation was after each round."""
    history = summary.get("history") or {}
    return any(history.get(str(node["node"])) for node in summary["nodes"])


def draw_gas(figure: FigureBase, summary: Summary) -> None:
    """Two panels, because the scales differ: gas per score above, gas of the whole round below."""
    rows = summary["rounds"]
    x = [row["round"] for row in rows]
    panels = (
        ("settlement gas per score", [row["gas_per_score"] for row in rows], HONEST, 0.55),
        ("gas of all transactions of the round", [row["gas_used"] for row in rows], MUTED, 0.13),
    )
    for name, values, colour, bottom in panels:
        axes = _axes(figure, (0.11, bottom, 0.85, 0.3))
        axes.bar(x, [value or 0 for value in values], width=0.72, color=colour)
        _round_axis(axes, max(x), bars=True)
        top = max([value or 0 for value in values])
        axes.set_ylim(0, 1.15 * top if top else 1)
        axes.locator_params(axis="y", nbins=4)
        axes.yaxis.set_major_formatter(lambda value, _: short(value))
        axes.text(0, 1.06, name, transform=axes.transAxes, color=MUTED, fontsize=8.5)
        for at, value in zip(x, values, strict=True):
            if value is None:
                axes.text(at, 0, "–", ha="center", va="bottom", color=MUTED, fontsize=8.5)
        if bottom > 0.5:
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)


def draw_matrix(figure: FigureBase, summary: Summary) -> None:
    """Node × round: accepted light, rejected dark with its code where it fits, not due blank."""
    nodes, rows = ordered(summary["nodes"]), summary["rounds"][-MATRIX_ROUNDS:]
    axes = _axes(figure, (0.2, 0.16, 0.76, 0.69))
    axes.grid(visible=False)
    axes.set_ylim(len(nodes) - 0.5, -0.5)
    first = rows[0]["round"]
    axes.set_xlim(first - 0.5, first + len(rows) - 0.5)
    axes.set_xticks([tick for tick in round_ticks(rows[-1]["round"]) if tick >= first])
    axes.set_xlabel("round")
    cell_pt = min(axes.bbox.width / len(rows), axes.bbox.height / len(nodes)) / axes.figure.dpi * 72
    for y, node in enumerate(nodes):
        for row in rows:
            _cell(axes, row["round"], y, verdict_of(node, row, summary), cell_pt)
    shown = [y for y, node in enumerate(nodes) if cell_pt >= 6 or not node["honest"] or y in (0, len(nodes) - 1)]
    axes.set_yticks(shown, [tag(nodes[y]) for y in shown], parse_math=False, fontsize=min(8.5, max(5.0, cell_pt)))
    for y, tick in zip(shown, axes.get_yticklabels(), strict=True):
        tick.set_color(COLOURS[kind_of(nodes[y])])
    for left, name, face in ((0.0, "accepted", ACCEPT), (0.27, "rejected", ATTACKER)):
        axes.add_patch(_square(left, 1.045, 0.03, 0.05, face, transform=axes.transAxes))
        _above(axes, left + 0.045, name)
    _above(axes, 0.54, "blank: not due")
    if any(verdict_of(node, row, summary) == "open" for node in nodes for row in rows):
        _above(axes, 0.8, "•  not rejected")
    if cell_pt >= CODE_PT:
        _codes(figure, nodes)


def _codes(figure: FigureBase, nodes: Sequence[Mapping[str, Any]]) -> None:
    """What the codes in the cells mean, below the matrix."""
    reasons = sorted({str(item["reason"]) for node in nodes for item in node["rejections"]} & CODES.keys())
    legend = "    ".join(f"{CODES[reason]} {reason}" for reason in reasons[:5]) + (" …" if reasons[5:] else "")
    figure.text(0.98, 0.005, legend, color=MUTED, fontsize=7, ha="right", va="bottom")


def _square(x: float, y: float, width: float, height: float, face: str, **options: Any) -> Rectangle:
    return Rectangle((x, y), width, height, facecolor=face, clip_on=False, **options)


def _cell(axes: Axes, x: int, y: int, verdict: str, cell_pt: float) -> None:
    if verdict == "not_due":
        return
    if verdict == "open":
        axes.plot([x], [y], ls="", marker="o", ms=min(3.0, cell_pt / 3), color=MUTED)
        return
    accepted = verdict == "accepted"
    axes.add_patch(_square(x - 0.45, y - 0.45, 0.9, 0.9, ACCEPT if accepted else ATTACKER))
    if not accepted and cell_pt >= CODE_PT:
        axes.text(x, y, code_of(verdict), ha="center", va="center", fontsize=min(8.0, cell_pt * 0.55), color=PAPER)


def phases(summary: Summary) -> list[tuple[str, float, str]]:
    """(phase, seconds, colour) in the order of a round, and `other`: wall time that no phase claims."""
    seconds = {name: float(value) for name, value in summary["phase_s"].items()}
    names = [name for name in PHASE_COLOURS if name in seconds]
    names += sorted(name for name in seconds if name not in PHASE_COLOURS)
    found = [(name, seconds[name], PHASE_COLOURS.get(name, OTHER_COLOUR)) for name in names]
    rest = float(summary["wall_s"]) - sum(seconds.values())
    return [*found, ("other", rest, OTHER_COLOUR)] if rest > 0 else found


def draw_phases(figure: FigureBase, summary: Summary) -> None:
    """Time of each phase as one stacked bar; a segment is named where its name fits."""
    axes = _axes(figure, (0.025, 0.3, 0.935, 0.65))
    axes.grid(visible=False)
    parts = phases(summary)
    total = sum(value for _, value, _ in parts) or 1.0
    left = 0.0
    for name, value, colour in parts:
        axes.barh([0], [value], left=left, color=colour, height=0.9, edgecolor=PAPER, linewidth=0.8)
        if value / total > 0.02 * len(plain(name)) + 0.01:
            dark = colour in (PHASE_COLOURS["train"], PHASE_COLOURS["aggregate"])
            axes.text(
                left + value / 2, 0, plain(name), ha="center", va="center", fontsize=8.5, parse_math=False,
                color="#fefefe" if dark else "#010101",
            )  # fmt: skip
        left += value
    axes.set_xlim(0, total)
    axes.set_ylim(-0.5, 0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")


# --- output -----------------------------------------------------------------------------------------------


def svg(
    name: str,
    draw: Draw,
    summary: Summary,
    *,
    label: str,
    size: tuple[float, float] = FIGURE_SIZE,
    crop: float = TITLE_PT,
) -> str:
    """One drawing as an `<svg>` element for a page: no identifier shared with another drawing, no address, no date.

    `label` must be escaped already: it becomes the element's aria-label. `crop` points are cut off at the top, where
    the picture has its title and the page has nothing.
    """
    with _style(name):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        draw(figure, summary)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    body = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<g ") :], flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # only markers and clip paths are referred to
    body = body.replace("xlink:href", "href").replace(' id="', f' id="{name}-')
    body = body.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    width, height = (72 * inches for inches in size)
    view = f"0 {crop:g} {width:g} {height - crop:g}"
    return f'<svg class="plot" role="img" aria-label="{label}" viewBox="{view}">{body}'


def render_picture(summary: Summary, path: Path) -> Path:
    """Write the four plots of `summary` (see `write_report`) as one PNG, for a README. Atomic; returns `path`."""
    plots: list[tuple[str, Draw]] = [
        ("Test accuracy", draw_accuracy),
        ("Reputation", draw_reputation if has_history(summary) else _no_history),
        ("Gas", draw_gas),
        ("Verdicts, node by round", draw_matrix),
    ]
    with _style("picture"):
        figure = Figure(figsize=(11.2, 7.4), dpi=150)
        FigureCanvasAgg(figure)
        quarters: Any = figure.subfigures(2, 2)
        for part, (title, draw) in zip(quarters.flat, plots, strict=True):
            part.text(0.02, 0.985, title, va="top", weight="bold", fontsize=10.5)
            draw(part, summary)
        temporary = path.with_name(path.name + ".part")
        figure.savefig(temporary, format="png", metadata={"Software": None})
    os.replace(temporary, path)
    return path


def _no_history(figure: FigureBase, _: Summary) -> None:
    figure.text(0.5, 0.5, "the result holds no reputation history", ha="center", color=MUTED)
