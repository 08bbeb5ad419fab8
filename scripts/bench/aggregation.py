"""Our aggregation rules beside byzfl 0.0.11 and beside the memory's bandwidth, in turns in one process, on one core.

Makes an environment of its own, .venv-aggregation-bench, on the first run: byzfl without its dependencies, a stub of
torchvision, which it imports and which no build of this torch has, and everything else from the project's environment.
`--docs` writes docs/aggregation.md, docs/aggregation.png and docs/aggregation.json. Takes some five minutes; `--quick`
(n = 32, d = 100,000) some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.aggregation_page import draw, judged, page

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("aggregation_requirements.txt")
ENVIRONMENT = ROOT / ".venv-aggregation-bench"
INSTALLED = ENVIRONMENT / "requirements.txt"  # a copy of what was installed
DOCS = ROOT / "docs"
SIZES, COLUMNS = (32, 128), 1_000_000


class BenchError(RuntimeError):
    """The benchmark cannot run here; the message says what to do."""


def prepare() -> Path:
    """The environment as the requirements have it now; returns its python."""
    python = ENVIRONMENT / "bin" / "python"
    if INSTALLED.is_file() and INSTALLED.read_text() == REQUIREMENTS.read_text():
        return python
    print(f"aggregation: installing {REQUIREMENTS.name} into {ENVIRONMENT.name}", file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=False).returncode != 0:
        raise BenchError("pip could not install byzfl: the first run needs a package index")
    (packages,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
    stub = packages / "torchvision"
    stub.mkdir()
    (stub / "__init__.py").write_text('"""Nothing: byzfl imports it for data sets that no rule uses."""\n')
    for name in ("datasets", "transforms"):
        (stub / f"{name}.py").write_text("def __getattr__(name):\n    return lambda *args, **options: None\n")
    (packages / "project.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    INSTALLED.write_text(REQUIREMENTS.read_text())
    return python


def measure(sizes: tuple[int, ...], columns: int) -> dict[str, Any]:
    """Everything, as docs/aggregation.json keeps it; a process for each size."""
    # One thread for everybody, and no setting that would slow anybody's BLAS down.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS_", "MKL_", "OMP_"))}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    results: dict[str, Any] = {"machine": _processor(), "rows": []}
    for n in sizes:
        command = [str(prepare()), "-m", "scripts.bench.aggregation_measure", "--d", str(columns), "--n", str(n)]
        done = subprocess.run(
            command, cwd=ROOT, env={**kept, **threads}, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchError(f"the measurement at n = {n} stopped with status {done.returncode}")
        found = json.loads(done.stdout)
        results = {**found, **results, "rows": results["rows"] + found["rows"]}
    return results


def _processor() -> str:
    """The processor's name and widest vectors."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{found[0] if found else 'unknown processor'}{', AVX-512' if 'avx512f' in text else ''}"


def show(results: dict[str, Any]) -> None:
    """The figures as text."""
    for row in results["rows"]:
        theirs = f"{row['byzfl']:>10,.1f} ms byzfl  {row['ratio']:>7.1f} x" if "byzfl" in row else ""
        print(f"n = {row['n']:<4} {row['rule']:24} {row['ours']:>8,.1f} ms  {row['limit ratio']:>5.1f} x copy {theirs}")
    print("\nTargets")
    for item in judged(results):
        print(f"{'met    ' if item['met'] else 'NOT MET'} {item['what']:64} {item['got']:>9,.2f} ({item['limit']:g})")


def main() -> int:
    """Measure and print, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="n = 32, d = 100,000")
    parser.add_argument("--json", action="store_true", help="print the figures and the targets as JSON")
    parser.add_argument("--docs", action="store_true", help="write docs/aggregation.md, .png and .json")
    options = parser.parse_args()
    if options.docs and options.quick:
        parser.error("the page shows a whole run: --docs goes without --quick")
    try:
        results = measure((32,), 100_000) if options.quick else measure(SIZES, COLUMNS)
    except BenchError as error:
        print(f"aggregation: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({**results, "targets": judged(results)}))
    else:
        show(results)
    if options.docs:
        (DOCS / "aggregation.json").write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        (DOCS / "aggregation.md").write_text(page(results), encoding="utf-8")
        draw(results, DOCS / "aggregation.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
