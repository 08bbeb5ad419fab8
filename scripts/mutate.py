#!/usr/bin/env python3
"""Put small faults into the contracts, one at a time, and see whether the Solidity tests find each.

Writes docs/mutants.md: totals by source, and every fault that no test finds with the reason from
contracts/test/mutants.toml why none can. With --check the exit status is 1 where a survivor has no reason, or a reason
has no survivor. Results are kept in contracts/test/cache/mutants.json; --resume judges only what changed since: all
faults of a source that changed, and the survivors where a test changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.mutation.build import ROOT, MutationError, Source, sources, tests_digest
from scripts.mutation.points import Point
from scripts.mutation.run import FOUND, INVALID, KILLED, SAME_CODE, SURVIVED, TIMED_OUT, Result, Runner

RESULTS = ROOT / "contracts" / "test" / "cache" / "mutants.json"
REASONS = ROOT / "contracts" / "test" / "mutants.toml"
PAGE = ROOT / "docs" / "mutants.md"
STATUSES = (KILLED, TIMED_OUT, SAME_CODE, INVALID, SURVIVED)
Kept = dict[str, dict[str, Any]]


def say(text: str) -> None:
    """Progress, away from the output."""
    print(text, file=sys.stderr, flush=True)


def load(path: Path) -> Kept:
    """Results of earlier runs by fault; none where there is no file."""
    if not path.is_file():
        return {}
    found: Kept = json.loads(path.read_text(encoding="utf-8"))
    return found


def reasons_of(path: Path) -> dict[str, str]:
    """Why a fault cannot be found, by fault."""
    if not path.is_file():
        return {}
    return {key: str(reason) for key, reason in tomllib.loads(path.read_text(encoding="utf-8"))["mutants"].items()}


def is_known(point: Point, source: Source, kept: Kept, tests: str) -> bool:
    """Whether a kept result still holds."""
    old = kept.get(point.id)
    if old is None or old["source"] != source.digest():
        return False
    return bool(old["status"] != SURVIVED or old["tests"] == tests)


def shown(text: str) -> str:
    """Code in a table cell."""
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`" if text else "*nothing*"


def difference(point: Point) -> tuple[str, str]:
    """What a fault changes, without what its host has in common before and behind."""
    a, b = " ".join(point.original.split()), " ".join(point.text.split())
    if not b or len(a) < 70:
        return a, b
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    start, end = max(0, start - 20), max(0, end - 20)
    return "…" + a[start : len(a) - end] + "…", "…" + b[start : len(b) - end] + "…"


def page(found: Sequence[Source], kept: Kept, reasons: Mapping[str, str]) -> str:
    """docs/mutants.md."""
    lines = [
        "<!-- Written by scripts/mutate.py; do not edit. -->",
        "# Faults that the contracts' tests were tried on",
        "",
        "Each source is changed by one small fault at a time (`scripts/mutation/points.py` lists the kinds) and the",
        "Solidity tests run until one fails. *Same code*: the compiler makes the same bytecode of it, no fault at all.",
        "",
        "| source | faults | killed | timed out | same code | do not compile | survive |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    total: Counter[str] = Counter()
    for source in found:
        counts = Counter(kept[point.id]["status"] for point in source.points if point.id in kept)
        total += counts
        cells = [sum(counts.values()), *(counts[status] for status in STATUSES)]
        lines.append(
            f"| {source.unit.removeprefix('contracts/')} | " + " | ".join(f"{cell:,}" for cell in cells) + " |"
        )
    cells = [sum(total.values()), *(total[status] for status in STATUSES)]
    lines.append("| **all** | " + " | ".join(f"**{cell:,}**" for cell in cells) + " |")
    lines += [
        "",
        "## Survivors",
        "",
        "| fault | line | was | became | why no test can find it |",
        "|---|---:|---|---|---|",
    ]
    for source in found:
        for point in source.points:
            if kept.get(point.id, {}).get("status") == SURVIVED:
                was, became = difference(point)
                reason = reasons.get(point.id, "**not explained**")
                lines.append(f"| `{point.id}` | {point.line} | {shown(was)} | {shown(became)} | {reason} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Judge faults, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contract", action="append", metavar="NAME", help="only this source, by its file's name")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N faults of each source, evenly spread")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="runs of the tests at once (2)")
    parser.add_argument("--resume", action="store_true", help="keep earlier results that still hold")
    parser.add_argument("--check", action="store_true", help="exit 1 on a survivor without a reason, or the reverse")
    parser.add_argument("--json", action="store_true", help="print every result")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the compiled tests here for the next run")
    parser.add_argument("--list", action="store_true", help="name the faults and stop")
    options = parser.parse_args()
    try:
        return run(options)
    except MutationError as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2


def run(options: argparse.Namespace) -> int:
    """What main does, of parsed options."""
    names = {unit: unit.rsplit("/", 1)[-1].removesuffix(".sol") for unit in sources()}
    unknown = set(options.contract or ()) - set(names.values())
    if unknown:
        raise MutationError(f"no source {', '.join(sorted(unknown))}; there are {', '.join(names.values())}")
    found = [Source.read(unit) for unit, name in names.items() if not options.contract or name in options.contract]
    if options.list:
        for source in found:
            for point in source.points:
                print(f"{point.id:60} {point.line:5}  {' -> '.join(difference(point))}")
        return 0
    kept, tests = load(RESULTS) if options.resume else {}, tests_digest()
    folder = options.work or Path(tempfile.mkdtemp(prefix="mutants"))
    if folder.resolve().is_relative_to(ROOT):
        raise MutationError(f"{folder} is in the repository, where forge would find its tests twice")
    started, judged = time.monotonic(), 0
    by_unit = {source.unit: source for source in found}

    def keep(point: Point, result: Result) -> None:
        nonlocal judged
        judged += 1
        if result.status not in FOUND:
            say(f"  {result.status}: {point.id} line {point.line}: {' -> '.join(difference(point))}")
        kept[point.id] = {**result.to_json(), "source": by_unit[point.source].digest(), "tests": tests}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(kept, indent=1), encoding="utf-8")

    try:
        todo = {s.unit: [p for p in spread(s.points, options.limit) if not is_known(p, s, kept, tests)] for s in found}
        say(f"{sum(map(len, todo.values()))} faults to judge")
        if any(todo.values()):
            runner = Runner(folder, jobs=options.jobs, say=say, keep=keep)
            for source in found:
                runner.near(source, todo[source.unit])
            for source in found:
                left = [point for point in todo[source.unit] if not is_known(point, source, kept, tests)]
                runner.far(source, left)
    finally:
        if options.work is None:
            shutil.rmtree(folder, ignore_errors=True)
    say(f"{judged} faults judged in {time.monotonic() - started:.0f} s")
    return report(found, kept, options)


def spread(points: Sequence[Point], limit: int | None) -> list[Point]:
    """At most `limit` of them, from everywhere in the source."""
    if limit is None or len(points) <= limit:
        return list(points)
    return [points[i * len(points) // limit] for i in range(limit)]


def report(found: Sequence[Source], kept: Kept, options: argparse.Namespace) -> int:
    """Write the page where the run was a whole one, print, and decide the exit status."""
    reasons = reasons_of(REASONS)
    there = {point.id for source in found for point in source.points}
    survivors = [
        point.id for source in found for point in source.points if kept.get(point.id, {}).get("status") == SURVIVED
    ]
    unexplained = [id_ for id_ in survivors if id_ not in reasons]
    whole = options.contract is None and options.limit is None
    stale = [id_ for id_ in reasons if whole and id_ not in survivors]
    if whole:
        PAGE.write_text(page(found, kept, reasons), encoding="utf-8")
    if options.json:
        print(json.dumps({id_: result for id_, result in kept.items() if id_ in there}))
    else:
        counts = Counter(kept[id_]["status"] for id_ in there if id_ in kept)
        print(", ".join(f"{counts[status]:,} {status}" for status in STATUSES))
        for id_ in unexplained:
            print(f"survives without a reason: {id_}")
        for id_ in stale:
            print(f"has a reason and does not survive: {id_}")
    return 1 if options.check and (unexplained or stale) else 0


if __name__ == "__main__":
    sys.exit(main())
