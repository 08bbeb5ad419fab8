"""Running the Solidity tests against each fault: near ones with few fuzz runs first, for the faults of every source;
then all tests, for what survives that.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
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
FEW_RUNS, MANY_RUNS = 16, 64
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


@dataclass(frozen=True)
class Trial:
    """One source ready to be judged. `others` cannot stand behind a switch."""

    name: str
    near: list[Stage]
    far: list[Stage]
    others: Collection[Point]


class Runner:
    """Runs the faults of one source after another; `keep` is called with each result."""

    def __init__(self, work: Path, *, jobs: int, say: Say, keep: Callable[[Point, Result], None]) -> None:
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        self.jobs = jobs
        self.say = say
        self.keep = keep
        self.trials: dict[str, Trial] = {}
        self.originals: dict[str, Mapping[str, Any]] = {}
        self.lock = threading.Lock()
        self.base = Tree.create(work / "base")
        started = time.monotonic()
        done = self.base.forge("--list", fuzz_runs=FEW_RUNS, timeout_s=1_800)
        if done.returncode:
            raise MutationError("the tests do not compile:\n" + done.stdout[-4_000:])
        say(f"tests compiled in {time.monotonic() - started:.0f} s")

    def near(self, source: Source, wanted: Iterable[Point]) -> None:
        """Judge some faults of a source by the tests that are about it, and keep what these find."""
        points = list(wanted)
        if not points:
            return
        trial = self.trial(source)
        for stage in trial.near:
            stage.settle()
        self.say(f"{trial.name}: {len(points)} faults against {len(trial.near)} stages of near tests")

        def one(point: Point) -> None:
            found = judge(trial.near, source.numbers[point.id])
            if found.status != SURVIVED:
                self.keep(point, found)

        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(one, [point for point in points if point not in trial.others]))

    def far(self, source: Source, wanted: Iterable[Point]) -> None:
        """Judge by all tests what the near ones did not find, and what cannot stand behind a switch by itself."""
        points = list(wanted)
        if not points:
            return
        trial = self.trial(source)
        left = [point for point in points if point not in trial.others]
        with ThreadPoolExecutor(self.jobs) as pool:
            same = {
                point.id
                for point, none in zip(left, pool.map(self.same_code, repeat(source), left), strict=True)
                if none
            }
        if len(same) < len(left):
            for stage in trial.far:
                stage.settle()
        skipped = sorted({test for stage in (*trial.near, *trial.far) for test in stage.skipped})
        note = f", without {', '.join(skipped)}" if skipped else ""
        self.say(f"{trial.name}: {len(points)} faults against all tests{note}")

        def one(point: Point) -> None:
            found = Result(SAME_CODE) if point.id in same else judge(trial.far, source.numbers[point.id])
            self.keep(point, found)

        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(one, left))
        for point in points:
            if point in trial.others:
                self.keep(point, self.alone(source, point))

    def trial(self, source: Source) -> Trial:
        """The compiled faults of a source and the tests for them; made once."""
        if source.unit not in self.trials:
            started = time.monotonic()
            text, others = source.switched()
            name = source.unit.rsplit("/", 1)[-1].removesuffix(".sol")
            tree = self.base.copy(self.work / name)
            tree.install(artifacts({source.unit: text}, affected(source.unit)))
            *near, few, invariants = stages_of(source, tree)
            if source.unit.startswith("contracts/libraries/") and name not in NEAR:
                direct = self.base.copy(self.work / f"{name}-direct")
                direct.keep_library_tests(source.unit, text)
                near = [Stage(direct, [], FEW_RUNS), *near]
            self.trials[source.unit] = Trial(name, near, [few, invariants], others)
            self.say(f"{name}: compiled in {time.monotonic() - started:.0f} s")
        return self.trials[source.unit]

    def changed(self, source: Source, point: Point) -> Mapping[str, Any] | None:
        """Artifacts with one fault and no switch, None where it does not compile."""
        try:
            return artifacts({source.unit: viewable(source.unit, source.alone(point))}, affected(source.unit))
        except MutationError:
            return None

    def same_code(self, source: Source, point: Point) -> bool:
        """Whether the compiler makes the same of the fault: then there is none."""
        made = self.changed(source, point)
        return made is not None and made == self.original(source)

    def original(self, source: Source) -> Mapping[str, Any]:
        """Artifacts without a fault and without switches; compiled once."""
        with self.lock:
            if source.unit not in self.originals:
                text = viewable(source.unit, closure([source.unit])[source.unit])
                self.originals[source.unit] = artifacts({source.unit: text}, affected(source.unit))
            return self.originals[source.unit]

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
