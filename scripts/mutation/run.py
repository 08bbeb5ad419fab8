"""Running the Solidity tests against each fault: near ones with few fuzz runs first, all for what survives."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.mutation.build import MutationError, Source, Tree, affected, artifacts, closure, viewable
from scripts.mutation.points import Point

KILLED, TIMED_OUT, SURVIVED, SAME_CODE, INVALID = "killed", "timed out", "survived", "same code", "does not compile"
FOUND = (KILLED, TIMED_OUT)
NEAR = {
    "StakeVault": "vault", "RoundBook": "rounds", "ReputationBook": "book", "Rewards": "rewards",
    "Disputes": "disputes", "HashChainSeed": "seeds", "ClockWord": "rounds", "HotWord": "rounds",
    "TrainingDisputes": "training",
}  # fmt: skip
INVARIANTS = "contracts/test/invariants/*"
FEW_RUNS, MANY_RUNS = 16, 256
LEAST_TIMEOUT_S = 60.0
_FAILED = re.compile(r"\[FAIL.*\] (\w+)\(")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What became of a fault; `by` is the first test that failed."""

    status: str
    by: str = ""

    def to_json(self) -> dict[str, str]:
        """For the result file."""
        return {"status": self.status, "by": self.by}


@dataclass
class Stage:
    """Some tests of one tree. `skipped` fail without any fault: switches cost gas, and some tests measure it."""

    tree: Tree
    arguments: list[str]
    fuzz_runs: int
    timeout_s: float = 600.0
    skipped: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Run without a fault, for the time it takes and for tests that fail anyway."""
        while True:
            started = time.monotonic()
            done = self.run(0)
            if done.returncode == 0:
                self.timeout_s = max(LEAST_TIMEOUT_S, 6 * (time.monotonic() - started))
                return
            failed = sorted(set(_FAILED.findall(done.stdout)))
            if not failed or len(self.skipped) + len(failed) > 40:
                raise MutationError("the tests fail without a fault:\n" + done.stdout[-4_000:])
            self.skipped += failed

    def run(self, number: int) -> subprocess.CompletedProcess[str]:
        """Run with the fault of this number on."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {
                "FOUNDRY_FUZZ_FAILURE_PERSIST_DIR": f"{folder}/fuzz",
                "FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR": f"{folder}/invariant",
                "FOUNDRY_TEST_FAILURES_FILE": f"{folder}/failures",
                "FOUNDRY_INVARIANT_RUNS": "16",
                "FOUNDRY_INVARIANT_DEPTH": "128",
            }
            arguments = [*self.arguments, "--block-coinbase", f"0x{number:040x}"]
            if number:
                arguments.append("--fail-fast")
            if self.skipped:
                arguments += ["--no-match-test", rf"^({'|'.join(self.skipped)})(\(|$)"]
            return self.tree.forge(
                *arguments, fuzz_runs=self.fuzz_runs, timeout_s=self.timeout_s, environment=environment
            )

    def judge(self, number: int) -> Result:
        """What these tests say of a fault."""
        try:
            done = self.run(number)
        except subprocess.TimeoutExpired:
            return Result(TIMED_OUT)
        if done.returncode == 0:
            return Result(SURVIVED)
        failed = _FAILED.search(done.stdout)
        if failed is None:
            raise MutationError("forge failed and names no test:\n" + done.stdout[-4_000:])
        return Result(KILLED, failed[1])


def stages_of(source: Source, tree: Tree) -> list[Stage]:
    """Which tests judge a source's faults, in which order."""
    near = NEAR.get(source.unit.rsplit("/", 1)[-1].removesuffix(".sol"))
    first = [Stage(tree, ["--match-path", f"contracts/test/{near}/*"], FEW_RUNS)] if near else []
    return [
        *first,
        Stage(tree, ["--no-match-path", INVARIANTS], MANY_RUNS),
        Stage(tree, ["--match-path", INVARIANTS], MANY_RUNS),
    ]


def judge(stages: Iterable[Stage], number: int) -> Result:
    """The first stage that finds the fault."""
    for stage in stages:
        found = stage.judge(number)
        if found.status != SURVIVED:
            return found
    return Result(SURVIVED)


class Runner:
    """Runs the faults of one source after another; `keep` is called with each result."""

    def __init__(self, work: Path, *, jobs: int, say: Say, keep: Callable[[Point, Result], None]) -> None:
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        self.jobs = jobs
        self.say = say
        self.keep = keep
        self.base = Tree.create(work / "base")
        started = time.monotonic()
        done = self.base.forge("--list", fuzz_runs=FEW_RUNS, timeout_s=1_800)
        if done.returncode:
            raise MutationError("the tests do not compile:\n" + done.stdout[-4_000:])
        say(f"tests compiled in {time.monotonic() - started:.0f} s")

    def source(self, source: Source, wanted: Iterable[Point]) -> None:
        """Judge some faults of a source."""
        points = list(wanted)
        if not points:
            return
        text, others = source.switched()
        name = source.unit.rsplit("/", 1)[-1].removesuffix(".sol")
        switched = [point for point in points if point not in others]
        started = time.monotonic()
        tree = self.base.copy(self.work / name)
        tree.install(artifacts({source.unit: text}, affected(source.unit)))
        stages = stages_of(source, tree)
        if source.unit.startswith("contracts/libraries/") and name not in NEAR:
            direct = self.base.copy(self.work / f"{name}-direct")
            direct.keep_library_tests(source.unit, text)
            stages = [Stage(direct, [], FEW_RUNS), *stages]
        self.say(f"{name}: compiled in {time.monotonic() - started:.0f} s")
        for stage in stages:
            stage.settle()
        skipped = sorted({test for stage in stages for test in stage.skipped})
        note = f", without {', '.join(skipped)}" if skipped else ""
        self.say(f"{name}: {len(points)} faults, ready in {time.monotonic() - started:.0f} s{note}")
        numbers = source.numbers

        def one(point: Point) -> None:
            found = judge(stages, numbers[point.id])
            if found.status == SURVIVED and self.same_code(source, point):
                found = Result(SAME_CODE)
            self.keep(point, found)

        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(one, switched))
        for point in points:
            if point in others:
                self.keep(point, self.alone(source, point))

    def changed(self, source: Source, point: Point) -> Mapping[str, Any] | None:
        """Artifacts with one fault and no switch, None where it does not compile."""
        try:
            return artifacts({source.unit: viewable(source.unit, source.alone(point))}, affected(source.unit))
        except MutationError:
            return None

    def same_code(self, source: Source, point: Point) -> bool:
        """Whether the compiler makes the same of the fault: then there is none."""
        made = self.changed(source, point)
        texts = {unit: viewable(unit, text) for unit, text in closure([source.unit]).items()}
        return made is not None and made == artifacts({source.unit: texts[source.unit]}, affected(source.unit))

    def alone(self, source: Source, point: Point) -> Result:
        """Judge a fault that cannot stand behind a switch."""
        made = self.changed(source, point)
        if made is None:
            return Result(INVALID)
        name = f"alone-{os.path.basename(source.unit)}-{source.numbers[point.id]}"
        tree = self.base.copy(self.work / name)
        tree.install(made)
        stages = stages_of(source, tree)
        if source.unit.startswith("contracts/libraries/"):
            direct = self.base.copy(self.work / f"{name}-direct")
            direct.keep_library_tests(source.unit, viewable(source.unit, source.alone(point)))
            stages = [Stage(direct, [], FEW_RUNS), *stages]
        found = judge(stages, 0xA10E)
        if found.status == SURVIVED and self.same_code(source, point):
            return Result(SAME_CODE)
        return found
