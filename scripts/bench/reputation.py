"""Reputation beside its peers: one module a part (PARTS), each measured as a process of its own and judged by targets.

The first run makes .venv-reputation-bench from reputation_requirements.txt, where the peers live beside the numpy and
scipy that the project pins. `--docs` writes docs/reputation.md, docs/reputation.png and docs/reputation.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from node import report_plots as style
from scripts.bench import reputation_graph_report

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"graph": reputation_graph_report}
REQUIREMENTS = Path(__file__).with_name("reputation_requirements.txt")
ENVIRONMENT = ROOT / ".venv-reputation-bench"
INSTALLED = ENVIRONMENT / "requirements.txt"  # a copy of what was installed
DOCS = ROOT / "docs"
HEAD = """<!-- Written by scripts/bench/reputation.py --docs; do not edit. -->
# Reputation, measured

Processor time of one thread on {machine}; contestants take turns in the same rounds, and a ratio is the median of the
rounds' ratios. The figures themselves: `reputation.json`. Measure again: `python scripts/bench/reputation.py --docs`.

![Time of one solve and of updates by number of nodes](reputation.png)

"""


def prepare() -> None:
    """The peers' environment as the requirements have it now."""
    if INSTALLED.is_file() and INSTALLED.read_text() == REQUIREMENTS.read_text():
        return
    print(f"installing {REQUIREMENTS.name} into {ENVIRONMENT.name}", file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    INSTALLED.write_text(REQUIREMENTS.read_text())


def measure(part: Any, *, quick: bool) -> dict[str, Any]:
    """One part's figures, from its own process: one thread, and no settings of numpy's library for anybody."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "NVPL_"))}
    environment |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    command = [str(ENVIRONMENT / "bin" / "python"), str(Path(__file__).with_name(part.SCRIPT))]
    done = subprocess.run(
        [*command, *(["--quick"] if quick else [])], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def machine() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else "this machine"


def draw_plot(results: dict[str, Any], path: Path) -> None:
    """One row of panels a part."""
    with style._style("reputation"):
        figure = Figure(figsize=(9.6, 4.4 * len(PARTS)), dpi=150)
        FigureCanvasAgg(figure)
        panels = figure.subfigures(len(PARTS), 1, squeeze=False)
        for (name, part), panel in zip(PARTS.items(), panels[:, 0], strict=True):
            part.draw(results[name], panel)
        figure.savefig(path, format="png", metadata={"Software": None})


def main() -> int:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--json", action="store_true", help="print the figures and the targets as JSON")
    parser.add_argument("--docs", action="store_true", help="write docs/reputation.md, .png and .json")
    parser.add_argument(
        "--redraw", action="store_true", help="page and plot from docs/reputation.json, nothing measured"
    )
    options = parser.parse_args()
    if options.docs and options.quick:
        parser.error("the page shows a whole run: --docs goes without --quick")
    if options.redraw:
        results = json.loads((DOCS / "reputation.json").read_text(encoding="utf-8"))
    else:
        prepare()
        results = {name: measure(part, quick=options.quick) for name, part in PARTS.items()}
        results["machine"] = machine()
    if options.docs:
        (DOCS / "reputation.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    judged = {name: part.targets(results[name]) for name, part in PARTS.items()}
    if options.json:
        print(json.dumps({**results, "targets": judged}))
    else:
        for name, part in PARTS.items():
            print(part.section(results[name]))
    if options.docs or options.redraw:
        text = HEAD.format(machine=results["machine"]) + "\n".join(
            part.section(results[name]) for name, part in PARTS.items()
        )
        (DOCS / "reputation.md").write_text(text, encoding="utf-8")
        draw_plot(results, DOCS / "reputation.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
