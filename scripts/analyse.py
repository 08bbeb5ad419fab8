#!/usr/bin/env python3
"""Run slither and solhint on the contracts; exit status 1 where either finds anything.

Both are installed at the first run into contracts/analysis, at the versions pinned there: slither in an environment of
its own, as it needs an older web3. What slither flags and is meant stands in the source with its reason: a comment
`slither-disable-next-line NAME` and a line above it that says why. Rules of solhint that are off
(contracts/.solhint.json):
  use-natspec            documented once, in the interface
  not-rely-on-time       rounds run by the clock
  no-inline-assembly     in loops whose gas is measured; each block is memory-safe
  immutable-vars-naming  a public immutable has the name of the interface's getter
  gas-*                  gas is measured (docs/gas.md); calldata parameters and custom errors are asked for
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts import compile as build

HOME = build.ROOT / "contracts" / "analysis"
SLITHER = HOME / ".venv" / "bin" / "slither"
SOLHINT = HOME / "node_modules" / ".bin" / "solhint"
LINTED = ("contracts/*.sol", "contracts/interfaces/*.sol", "contracts/libraries/*.sol", "contracts/seeds/*.sol")


class AnalysisError(RuntimeError):
    """An analyser cannot be installed or did not run; the message says why."""


def install() -> None:
    """Both analysers, where they are missing."""
    if not SLITHER.is_file():
        venv.create(HOME / ".venv", with_pip=True)
        pip = [str(HOME / ".venv" / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        checked([*pip, "-r", str(HOME / "requirements.txt")], "install slither")
    if not SOLHINT.exists():
        checked(["npm", "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"], "install solhint", cwd=HOME)


def checked(command: Sequence[str], what: str, *, cwd: Path = build.ROOT) -> str:
    """Output of a command. Raises `AnalysisError` where it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise AnalysisError(f"cannot {what}: {error}") from error
    if done.returncode:
        raise AnalysisError(f"cannot {what}:\n{(done.stdout + done.stderr)[-2_000:]}")
    return done.stdout


def slither(detectors: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What slither finds in the product's contracts: check, impact, description."""
    units = build.source_units()
    wanted = ["abi", "metadata", "devdoc", "userdoc", "evm.bytecode", "evm.deployedBytecode", "evm.methodIdentifiers"]
    settings = {**build.SETTINGS, "outputSelection": {"*": {"*": wanted, "": ["ast"]}}}
    with tempfile.TemporaryDirectory() as folder:
        # It reads the files as well as the compiler's answer; a copy cannot change between the two.
        for unit, text in units.items():
            path = Path(folder, unit)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text["content"], encoding="utf-8")
        request = {"language": "Solidity", "sources": units, "settings": settings}
        Path(folder, "input.json").write_text(json.dumps(request), encoding="utf-8")
        command = [str(SLITHER), "input.json", "--compile-force-framework", "solc-json", "--json", "found.json"]
        command += ["--solc", str(build.SHIM / f"solc-v{build.VERSION}"), "--filter-paths", "@openzeppelin"]
        command += ["--detect", ",".join(detectors)] if detectors else []
        # Its exit status only says that there are findings.
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        try:
            answer = json.loads(Path(folder, "found.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise AnalysisError(f"slither did not run:\n{done.stderr[-2_000:]}") from None
        if not answer["success"]:
            raise AnalysisError(f"slither failed: {answer['error']}")
        return [shortened(item, folder) for item in answer["results"].get("detectors", [])]


def shortened(item: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The part of a finding that a reader needs, with the line of its first element."""
    places = [element["source_mapping"] for element in item["elements"]]
    name = str(places[0]["filename_absolute"]) if places else folder
    return {
        "check": item["check"],
        "impact": item["impact"],
        "file": os.path.relpath(name, folder),
        "line": min(places[0]["lines"], default=0) if places else 0,
        "text": " ".join(item["description"].split()),
    }


def solhint() -> list[dict[str, Any]]:
    """What solhint finds."""
    command = [str(SOLHINT), "--disc", "--noPoster", "-c", "contracts/.solhint.json", "-f", "json", *LINTED]
    done = subprocess.run(command, cwd=build.ROOT, capture_output=True, text=True, check=False)
    start, end = done.stdout.find("["), done.stdout.rfind("]")
    if start < 0:
        if done.returncode:
            raise AnalysisError(f"solhint failed:\n{(done.stdout + done.stderr)[-2_000:]}")
        return []
    found = [item for item in json.loads(done.stdout[start : end + 1]) if "ruleId" in item]
    return [
        {"check": item["ruleId"], "impact": item["severity"], "file": item["filePath"], "line": item["line"],
         "text": item["message"]}
        for item in found
    ]  # fmt: skip


def main() -> int:
    """Run both and print what they find."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    options = parser.parse_args()
    try:
        install()
        found = {"slither": slither(), "solhint": solhint()}
    except (AnalysisError, build.BuildError) as error:
        print(f"analyse: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(found))
    else:
        for name, items in found.items():
            for item in items:
                print(f"{item['file']}:{item['line']}: {name} {item['check']} ({item['impact']}): {item['text']}")
            print(f"{name}: {len(items)} findings")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
