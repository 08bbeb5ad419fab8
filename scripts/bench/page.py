"""What every benchmark page needs: a Markdown table, a figure in the project's style, and the three files of a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def verdict(got: float, limit: float, *, least: bool = False) -> str:
    """`met` where `got` is at most (with `least`, at least) `limit`."""
    return "met" if (got >= limit if least else got <= limit) else "**not met**"


def write_page(name: str, page: str, results: Mapping[str, Any], draw: Callable[[Figure], None], size: Any) -> None:
    """docs/NAME.md, .png and .json. `size` is the figure's, in inches."""
    (DOCS / f"{name}.md").write_text(page, encoding="utf-8")
    (DOCS / f"{name}.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with style._style(name):
        figure = Figure(figsize=size, dpi=150)
        FigureCanvasAgg(figure)
        draw(figure)
        figure.savefig(DOCS / f"{name}.png", format="png", metadata={"Software": None})
