"""The general view after each final round, and its plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style
from node.reputation.evaluations import graph_after
from node.reputation.graph import Evaluation
from node.reputation.views import Views
from node.reputation.walk import MASS
from node.round.view import TaskView

History = Mapping[int, Sequence[float]]


def score_history(
    view: TaskView, evaluations: Sequence[Evaluation], ranking: str
) -> tuple[list[int], dict[int, list[float]]]:
    """(final rounds, every member's net score after each), scores in [-1, 1]."""
    rounds = [r for r in range(1, view.state.params.rounds + 1) if view.settled(r) is not None]
    found: dict[int, list[float]] = {}
    for round_ in rounds:
        for node, score in Views(graph_after(view, evaluations, round_), ranking).ranked():
            found.setdefault(node, []).append(score / MASS)
    return rounds, found


def draw_history(rounds: Sequence[int], scores: History, roles: Mapping[int, str], path: Path) -> None:
    """A line for each trainer, named at its end; in the colour of attackers where it ends below 0."""
    with style._style("reputation"):
        figure = Figure(figsize=(8.4, 4.8), dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.09, 0.11, 0.82, 0.8))
        ends = []
        for node, values in sorted(scores.items(), key=lambda item: -item[1][-1]):
            if roles[node] == "trainer":
                colour = style.HONEST if values[-1] >= 0 else style.ATTACKER
                axes.plot(rounds, values, color=colour, linewidth=1.4, marker="o", markersize=3)
                ends.append((float(rounds[-1]), values[-1], str(node), colour, False))
        axes.axhline(0, color=style.MUTED, linewidth=0.6)
        axes.set_xlabel("round")
        axes.set_xticks(style.round_ticks(rounds[-1]))
        axes.set_title("Trainers' net score in the general view", loc="left", weight="bold", fontsize=10.5)
        axes.grid(True, which="major")
        style._end_labels(axes, ends)
        figure.savefig(path, format="png", metadata={"Software": None})
