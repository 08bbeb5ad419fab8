"""Trees outside of the repository in which faults are compiled and the Solidity tests run.

Contracts: the tests deploy artifacts, so that only these change, and forge compiles the tests once. Libraries that
tests call directly are compiled into them as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import compile as build
from scripts.mutation.points import Node, Point, find
from scripts.mutation.schema import Renderer, blamed, readable

ROOT = build.ROOT
FORGE = ROOT / "node_modules" / "@foundry-rs" / "forge-linux-amd64" / "bin" / "forge"
LIBRARY_TESTS = "contracts/test/libraries"
MAX_CODE = 1 << 20  # switches make contracts large; forge measures nothing here
UNIT_GAS = "4000000000"  # a loop without an end stops by gas


class MutationError(RuntimeError):
    """Faults cannot be compiled or run here; the message says why."""


def sources() -> list[str]:
    """Every source unit under mutation: contracts, seed sources and libraries."""
    found = [f"contracts/{source}.sol" for name, source in build.CONTRACTS.items() if name != "DevToken"]
    found += sorted(f"contracts/libraries/{path.name}" for path in (ROOT / "contracts/libraries").glob("*.sol"))
    return found


def closure(units: Sequence[str]) -> dict[str, str]:
    """Source text by unit, of these and of everything that they import."""
    found: dict[str, str] = {}
    todo = list(units)
    while todo:
        unit = todo.pop()
        if unit not in found:
            base = build.PACKAGES if unit.startswith("@") else ROOT
            found[unit] = (base / unit).read_text(encoding="utf-8")
            for target in build.IMPORT.findall(found[unit]):
                relative = os.path.normpath(os.path.join(os.path.dirname(unit), target))
                todo.append(relative if target.startswith(".") else target)
    return found


def affected(unit: str) -> list[str]:
    """Names of the contracts whose bytecode a source is part of."""
    return [name for name, source in build.CONTRACTS.items() if unit in closure([f"contracts/{source}.sol"])]


def solc(texts: Mapping[str, str], select: Mapping[str, Any]) -> dict[str, Any]:
    """The compiler's answer, errors included."""
    settings = {**build.SETTINGS, "outputSelection": select}
    content = {unit: {"content": text} for unit, text in sorted(texts.items())}
    request = json.dumps({"language": "Solidity", "sources": content, "settings": settings})
    command = [str(build.SHIM / f"solc-v{build.VERSION}"), "--standard-json"]
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def errors_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What kept a source from compiling."""
    return [error for error in answer.get("errors", []) if error["severity"] == "error"]


@dataclass(frozen=True)
class Source:
    """One source unit, its syntax tree and its faults."""

    unit: str
    data: bytes
    tree: Node
    points: tuple[Point, ...]

    @classmethod
    def read(cls, unit: str) -> Source:
        """Parse a unit. Raises `MutationError` where it does not compile."""
        texts = closure([unit])
        answer = solc(texts, {unit: {"": ["ast"]}})
        if errors := errors_of(answer):
            raise MutationError(f"{unit} does not compile: {errors[0]['formattedMessage']}")
        tree, data = answer["sources"][unit]["ast"], texts[unit].encode()
        return cls(unit, data, tree, tuple(find(unit, data, tree)))

    @property
    def numbers(self) -> dict[str, int]:
        """The number that switches a fault on, by its id."""
        return {point.id: number for number, point in enumerate(self.points, 1)}

    def digest(self) -> str:
        """Of the text."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    def alone(self, point: Point) -> str:
        """The source with one fault and no switch."""
        text = point.text
        if point.kind == "modifier" or (point.kind == "statement" and not text):
            text = "" if point.kind == "modifier" else "{}"
        if point.kind == "yul statement":
            text = "{}"
        return self.data[: point.start].decode() + text + self.data[point.end :].decode()

    def switched(self) -> tuple[str, list[Point]]:
        """The source with all faults that can stand behind a switch, and the others."""
        numbers = self.numbers
        texts = {unit: viewable(unit, text) for unit, text in closure([self.unit]).items()}
        live = list(self.points)
        while True:
            text = Renderer(self.data, self.tree, live, numbers).whole()
            errors = errors_of(solc({**texts, self.unit: text}, {self.unit: {"": ["ast"]}}))
            if not errors:
                return text, [point for point in self.points if point not in live]
            places = [error.get("sourceLocation") for error in errors]
            bad = {blamed(text, place) for place in places if place and place["file"] == self.unit} - {None}
            if not bad:
                raise MutationError(f"{self.unit} with switches does not compile: {errors[0]['formattedMessage']}")
            live = [point for point in live if numbers[point.id] not in bad]


def viewable(unit: str, text: str) -> str:
    """A source that may call what has a switch in it."""
    return readable(text) if unit.startswith("contracts/") and "/interfaces/" not in unit else text


def artifacts(changed: Mapping[str, str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Artifacts of some contracts with changed sources. Raises `MutationError` where they do not compile."""
    units = {name: f"contracts/{build.CONTRACTS[name]}.sol" for name in names}
    texts = {unit: viewable(unit, text) for unit, text in closure(list(units.values())).items()} | dict(changed)
    pieces = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    answer = solc(texts, {unit: {name: pieces} for name, unit in units.items()})
    if errors := errors_of(answer):
        raise MutationError(errors[0]["formattedMessage"])
    made = {}
    for name, unit in units.items():
        contract = answer["contracts"][unit][name]
        code = {kind: "0x" + contract["evm"][kind]["object"] for kind in ("bytecode", "deployedBytecode")}
        made[name] = {"contractName": name, "abi": contract["abi"], **code}
    return made


class Tree:
    """A copy of what the Solidity tests need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Tree:
        """Copy contracts and vectors; packages are linked, and the shim tells its version without starting Node.

        What was compiled in this folder before stays.
        """
        built = {path.name: path for path in (folder / "contracts/test/out", folder / "contracts/test/cache")}
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            for name, path in built.items():
                if path.is_dir():
                    path.rename(Path(aside, name))
            shutil.rmtree(folder, ignore_errors=True)
            left = shutil.ignore_patterns("out", "cache", "node_modules", "bench", "analysis")
            shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=left)
            for name, path in built.items():
                if Path(aside, name).is_dir():
                    Path(aside, name).rename(path)
        shutil.copytree(ROOT / "tests" / "vectors", folder / "tests" / "vectors")
        (folder / "node_modules").symlink_to(build.PACKAGES)
        shim = build.SHIM / f"solc-v{build.VERSION}"
        version = subprocess.run([str(shim), "--version"], capture_output=True, text=True, check=True).stdout
        quick = folder / "contracts" / "solc" / shim.name
        quick.write_text(
            f"#!/bin/sh\ncase $* in --version) cat <<'END'\n{version}END\n;; *) exec {shim} \"$@\";; esac\n"
        )
        quick.chmod(0o755)
        return cls(folder)

    def copy(self, folder: Path) -> Tree:
        """Another tree with everything that was built here. Files are shared until `write` replaces them."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=_link)
        return Tree(folder)

    def write(self, unit: str, text: str) -> None:
        """Replace a source; the file of another tree that it may share is left alone."""
        path = self.folder / unit
        path.unlink()
        path.write_text(text, encoding="utf-8")

    def install(self, made: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace artifacts."""
        for name, artifact in made.items():
            self.write(f"contracts/build/{name}.json", json.dumps(artifact))

    def keep_library_tests(self, unit: str, text: str) -> None:
        """Leave the tests that call libraries directly, on a library with switches."""
        tests = sorted(f"{LIBRARY_TESTS}/{path.name}" for path in (ROOT / LIBRARY_TESTS).glob("*.sol"))
        needed = closure(tests)
        for name in ("out", "cache"):  # shared with the tree that this was copied from
            shutil.rmtree(self.folder / "contracts" / "test" / name, ignore_errors=True)
        for path in sorted((self.folder / "contracts").rglob("*.sol")):
            found = str(path.relative_to(self.folder))
            if found not in needed:
                path.unlink()
            elif found != unit:
                self.write(found, viewable(found, needed[found]))
        if unit in needed:
            self.write(unit, text)

    def forge(
        self, *arguments: str, fuzz_runs: int, timeout_s: float, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `forge test`. Raises `subprocess.TimeoutExpired`."""
        variables = {
            **os.environ,
            "FOUNDRY_CONFIG": "contracts/foundry.toml",
            "FOUNDRY_FUZZ_RUNS": str(fuzz_runs),
            "NO_COLOR": "1",
            **(environment or {}),
        }
        command = [
            str(FORGE),
            "test",
            "-j",
            "1",
            "--gas-limit",
            UNIT_GAS,
            "--code-size-limit",
            str(MAX_CODE),
            *arguments,
        ]
        return subprocess.run(
            command, cwd=self.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def tests_digest() -> str:
    """Of every file that decides whether a fault is found."""
    found = hashlib.sha256()
    for path in sorted([*(ROOT / "contracts" / "test").rglob("*.sol"), ROOT / "contracts" / "foundry.toml"]):
        if not re.search(r"/(out|cache)/", str(path)):
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
