"""The page of the gas benchmark and its plot, from the figures alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style
from scripts.bench.gas_figures import (
    BIG,
    SMALL,
    Results,
    arrays,
    batching_rows,
    best_drag,
    cell,
    drag,
    floor_root,
    floor_words,
    root_gas,
    sizes_of,
    targets,
    whole_round,
    words_gas,
)
from scripts.bench.gas_peers import DRAG_BATCH, DRAG_MEASURED

TEMPLATE = Path(__file__).with_name("gas_page.md")


# --- tables -------------------------------------------------------------------------------------------------


def shown(value: float | None) -> str:
    """A number of gas for a table."""
    if value is None:
        return ""
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def steady_rows(results: Results) -> tuple[list[int], list[list[str]]]:
    """Gas a node and steady round, by way and N."""
    sizes = sizes_of(results)
    columns = sorted({*sizes, *(int(n) for n in results["ours"][SMALL]["root"])})
    peers = results["peers"]

    def line(name: str, gas: Callable[[int], float | None]) -> list[str]:
        return [name, *(shown(gas(n)) for n in columns)]

    def words(committee: str, way: str, *, apart: bool = False) -> Callable[[int], float | None]:
        return lambda n: words_gas(cell(results, committee, way, n), apart=apart) / n if n in sizes else None

    def whole(committee: str, way: str) -> Callable[[int], float | None]:
        def gas(n: int) -> float | None:
            if n not in sizes:
                return None
            return whole_round(cell(results, committee, way, n), cell(results, committee, "root", n)["collect"]) / n

        return gas

    def root(committee: str, *, reveals: bool = False, post: bool = False) -> Callable[[int], float | None]:
        def gas(n: int) -> float:
            part = cell(results, committee, "root", n)
            return (part["steady post"] if post else root_gas(part, reveals=reveals)) / n

        return gas

    rows = [
        line("one transaction a score", lambda n: peers["single"]["steady"]),
        line("plain arrays", lambda n: arrays(results, n) if n in sizes else None),
        line(
            f"DragScores, a record of two scores (batches of {DRAG_BATCH} at most)",
            lambda n: (
                drag(results, "steady", n)
                if str(n) in peers["drag"]["steady"]
                else best_drag(results)
                if n > DRAG_BATCH
                else None
            ),
        ),
    ]
    for committee in (SMALL, BIG):
        rows += [
            line(f"**words, reputation**, {committee}", words(committee, "words")),
            line("… posted and finalised apart", words(committee, "words", apart=True)),
            line("… whole round", whole(committee, "words")),
            line(f"**words, reputation and contribution**, {committee}", words(committee, "contributions")),
            line("… posted and finalised apart", words(committee, "contributions", apart=True)),
            line("… whole round", whole(committee, "contributions")),
            line(f"**root**, whole round, {committee}", root(committee)),
            line("… with a bundle of reveals", root(committee, reveals=True)),
            line("… the post alone", root(committee, post=True)),
        ]
    rows += [
        line("floor, words, reputation", lambda n: floor_words(n, first=False, contributions=False)),
        line("floor, words, both", lambda n: floor_words(n, first=False, contributions=True)),
        line("floor, root", floor_root),
    ]
    return columns, rows


def ratio_rows(results: Results) -> tuple[list[int], list[list[str]]]:
    """How many times below DragScores a record of two values is, and how many times above the floor."""
    sizes = sizes_of(results)
    drags = results["peers"]["drag"]["steady"]
    rows: list[list[str]] = []
    for committee in (SMALL, BIG):
        both = {n: words_gas(cell(results, committee, "contributions", n)) / n for n in sizes}
        one = {n: words_gas(cell(results, committee, "words", n)) / n for n in sizes}
        root = {n: root_gas(cell(results, committee, "root", n)) / n for n in sizes}
        theirs = {n: drag(results, "steady", n) if str(n) in drags else best_drag(results) for n in sizes}
        limits = {n: floor_words(n, first=False, contributions=False) for n in sizes}
        wider = {n: floor_words(n, first=False, contributions=True) for n in sizes}
        for name, value in (
            (f"DragScores / words, both, {committee}", {n: theirs[n] / both[n] for n in sizes}),
            (f"DragScores / words, reputation twice, {committee}", {n: theirs[n] / (2 * one[n]) for n in sizes}),
            (f"DragScores / root, whole round, {committee}", {n: theirs[n] / root[n] for n in sizes}),
            (f"words, reputation / floor, {committee}", {n: one[n] / limits[n] for n in sizes}),
            (f"words, both / floor, {committee}", {n: both[n] / wider[n] for n in sizes}),
            (f"root, whole round / floor, {committee}", {n: root[n] / floor_root(n) for n in sizes}),
        ):
            rows.append([name, *(f"{value[n]:,.2f}" for n in sizes)])
    return sizes, rows


def first_rows(results: Results) -> tuple[list[int], list[list[str]]]:
    """Gas a node of the first round, when every slot is new."""
    sizes = sizes_of(results)

    def line(name: str, gas: Callable[[int], float | None]) -> list[str]:
        return [name, *(shown(gas(n)) for n in sizes)]

    def words(way: str) -> Callable[[int], float]:
        def gas(n: int) -> float:
            part = cell(results, SMALL, way, n)
            return float(part["first post"] + part["first finalise"]) / n

        return gas

    drags = results["peers"]["drag"]["first"]
    parts = {n: cell(results, SMALL, "contributions", n)["first finalise transactions"] for n in sizes}
    return sizes, [
        line("one transaction a score", lambda n: results["peers"]["single"]["first"]),
        line("plain arrays", lambda n: arrays(results, n, "first")),
        line("DragScores", lambda n: drag(results, "first", n) if str(n) in drags else None),
        line(f"words, reputation, {SMALL}, apart", words("words")),
        line(f"words, both, {SMALL}, apart", words("contributions")),
        ["… transactions that finalise takes", *(str(parts[n]) for n in sizes)],
        line("floor, words, reputation", lambda n: floor_words(n, first=True, contributions=False)),
        line("floor, words, both", lambda n: floor_words(n, first=True, contributions=True)),
    ]


def part_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Gas of each transaction of a steady round in root mode, and of claims."""
    names = [
        "collect",
        "arm",
        "arm with reveals",
        "draw",
        "steady post",
        "claim first",
        "claim next",
        "note",
        "claim noted",
    ]
    nodes = sorted(map(int, results["ours"][SMALL]["root"]))
    rows = []
    for committee in (SMALL, BIG):
        for n in (nodes[0], nodes[-1]):
            part = cell(results, committee, "root", n)
            rows.append([f"{committee}, N = {n:,}", *(shown(part[name]) for name in names), shown(root_gas(part))])
    return [*names, "round"], rows


def page(results: Results) -> str:
    """docs/gas.md."""
    setup, peers = results["setup"], results["peers"]
    columns, steady = steady_rows(results)
    sizes, first = first_rows(results)
    names, parts = part_rows(results)
    _, ratios = ratio_rows(results)
    judged = [target.row() for target in targets(results)]
    published = table(
        ["records in a batch", "here", "published contract", "difference"],
        [
            [
                str(n),
                shown(drag(results, "steady", n)),
                shown(measured),
                f"{drag(results, 'steady', n) / measured - 1:+.1%}",
            ]
            for n, measured in DRAG_MEASURED.items()
            if str(n) in peers["drag"]["steady"]
        ],
    )
    realistic = ", ".join(f"{shown(gas / int(n))} at n = {n}" for n, gas in peers["drag"]["realistic"].items())
    saving = [
        [
            r["name"],
            shown(r["per(1)"]),
            shown(r["per(20)"]),
            f"{r['saving at 20']:.1%}",
            shown(r["marginal"]),
            f"{r['saving at the margin']:.2%}",
        ]
        for r in batching_rows(results)
    ]
    target_rows = [
        [r["what"], shown(r["got"]), shown(r["limit"]), "met" if r["met"] else "**not met**", r["arithmetic"]]
        for r in judged
    ]
    return TEMPLATE.read_text(encoding="utf-8").format(
        rules=results["rules"],
        compiler=results["compiler"],
        nodes=f"{setup['nodes']:,}",
        register=f"{setup['register gas each']:,}",
        join=f"{setup['join gas each']:,}",
        steady=table(["gas a node", *(f"{n:,}" for n in columns)], steady),
        ratios=table(["", *(f"{n:,}" for n in sizes)], ratios),
        first=table(["gas a node", *(f"{n:,}" for n in sizes)], first),
        parts=table(["steady gas", *names], parts),
        saving=table(["", "per(1)", "per(20)", "saving at 20", "one more", "saving at the margin"], saving),
        targets=table(["", "measured", "target", "", "arithmetic"], target_rows),
        drag=published,
        realistic=realistic,
    )


# --- the plot -----------------------------------------------------------------------------------------------


def draw_plot(results: Results, path: Path) -> None:
    """Gas a node over N, both axes logarithmic."""
    sizes = sizes_of(results)
    root_sizes = sorted(map(int, results["ours"][SMALL]["root"]))
    drags = sorted(map(int, results["peers"]["drag"]["steady"]))
    lines: list[tuple[str, Sequence[int], list[float], str, str]] = [
        ("one transaction each", sizes, [results["peers"]["single"]["steady"]] * len(sizes), style.MUTED, "-"),
        ("plain arrays", sizes, [arrays(results, n) for n in sizes], style.MUTED, "--"),
        ("DragScores", drags, [drag(results, "steady", n) for n in drags], style.ATTACKER, "-"),
    ]
    for committee, dash in ((SMALL, "-"), (BIG, "--")):
        for way, text, colour in (("words", "reputation", style.HONEST), ("contributions", "both", "#56b4e9")):
            gas = [words_gas(cell(results, committee, way, n)) / n for n in sizes]
            lines.append((f"words, {text}, {committee}", sizes, gas, colour, dash))
        gas = [root_gas(cell(results, committee, "root", n)) / n for n in root_sizes]
        lines.append((f"root, whole round, {committee}", root_sizes, gas, style.VERIFIER, dash))
    floor = [floor_words(n, first=False, contributions=False) for n in sizes]
    lines.append(("floor, words", sizes, floor, style.RULE, "-"))
    lines.append(("floor, root", root_sizes, [floor_root(n) for n in root_sizes], style.RULE, "--"))
    with style._style("gas"):
        figure = Figure(figsize=(8.4, 4.8), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.09, 0.11, 0.58, 0.8))
        for name, xs, ys, colour, dash in lines:
            axes.plot(xs, ys, color=colour, linestyle=dash, linewidth=1.4, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("nodes settled in one round")
        axes.set_title("Gas a node and round, steady", loc="left", weight="bold", fontsize=10.5)
        axes.grid(True, which="major")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1_000 else f"{value / 1_000:g}k")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
        figure.savefig(path, format="png", metadata={"Software": None})
