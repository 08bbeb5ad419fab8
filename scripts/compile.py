#!/usr/bin/env python3
"""Rebuild contracts/build/*.json (ABI and bytecode), or check with --check that they match the sources.

Uses the native solc that py-solc-x has installed, else the npm compiler (`make setup-test`) through the shim in
contracts/solc. Both give the same bytes: the sources go in whole, and the metadata hash is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "contracts" / "build"
SHIM = ROOT / "contracts" / "solc"
PACKAGES = ROOT / "node_modules"
VERSION = "0.8.37"
# Source by contract: the file's name in contracts/ without its ending.
CONTRACTS = {
    "DevToken": "DevToken",
    "StakeVault": "StakeVault",
    "ReputationBook": "ReputationBook",
    "Rewards": "Rewards",
    "Disputes": "Disputes",
    "RoundBook": "RoundBook",
    "HashChainSeed": "seeds/HashChainSeed",
    "TrainingDisputes": "TrainingDisputes",
}
# Compiled by themselves: what else the compiler reads moves its inlining, and the settlement's gas by some hundreds.
APART = ("TrainingDisputes",)
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "evmVersion": "cancun",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
IMPORT = re.compile(r'^import\s[^"]*"([^"]+)";', re.MULTILINE)


class BuildError(RuntimeError):
    """The contracts cannot be compiled here; the message says what to do."""


def source_units(names: Sequence[str] = tuple(CONTRACTS)) -> dict[str, dict[str, str]]:
    """Every source that contracts reach, by unit name, so that the compiler opens no file itself."""
    units: dict[str, dict[str, str]] = {}
    todo = [f"contracts/{CONTRACTS[name]}.sol" for name in names]
    while todo:
        unit = todo.pop()
        if unit in units:
            continue
        base = PACKAGES if unit.startswith("@") else ROOT
        if base is PACKAGES and not PACKAGES.is_dir():
            raise BuildError("node_modules is missing: run `make setup-test` (npm ci --ignore-scripts)")
        text = (base / unit).read_text(encoding="utf-8")
        units[unit] = {"content": text}
        for target in IMPORT.findall(text):
            relative = os.path.normpath(os.path.join(os.path.dirname(unit), target))
            todo.append(relative if target.startswith(".") else target)
    return dict(sorted(units.items()))


def compile_contracts() -> dict[str, dict[str, Any]]:
    """Artifact of each contract, by name."""
    try:
        import solcx
    except ImportError as error:
        raise BuildError("py-solc-x is missing: pip install '.[contracts]'") from error
    if VERSION not in {str(version) for version in solcx.get_installed_solc_versions()}:
        if not (PACKAGES / "solc").is_dir():
            raise BuildError(
                f'no solc {VERSION}: run `make setup-test`, or `python -c "import solcx; '
                f"solcx.install_solc('{VERSION}')\"` with internet access"
            )
        os.environ["SOLCX_BINARY_PATH"] = str(SHIM)
    select = {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}}
    compiled: dict[str, Any] = {}
    for names in (tuple(name for name in CONTRACTS if name not in APART), *((name,) for name in APART)):
        output = solcx.compile_standard(
            {
                "language": "Solidity",
                "sources": source_units(names),
                "settings": {**SETTINGS, "outputSelection": select},
            },
            solc_version=VERSION,
        )
        compiled |= {name: output["contracts"][f"contracts/{CONTRACTS[name]}.sol"][name] for name in names}
    artifacts: dict[str, dict[str, Any]] = {}
    for name, contract in compiled.items():
        artifacts[name] = {
            "generator": "scripts/compile.py",
            "compiler": f"solc {VERSION}",
            "settings": SETTINGS,
            "contractName": name,
            "abi": contract["abi"],
            "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
            "deployedBytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
        }
    return artifacts


def text_of(artifact: dict[str, Any]) -> str:
    """The one text of an artifact: sorted keys, so that equal artifacts are equal files."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def different(artifacts: dict[str, dict[str, Any]]) -> list[str]:
    """Names of contracts whose committed artifact is missing or not what the sources give."""
    paths = {name: BUILD / f"{name}.json" for name in artifacts}
    return [
        name
        for name, path in paths.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text_of(artifacts[name])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where an artifact differs")
    options = parser.parse_args()
    try:
        artifacts = compile_contracts()
    except BuildError as error:
        print(f"compile: {error}", file=sys.stderr)
        return 2
    if options.check:
        changed = different(artifacts)
        for name in changed:
            print(f"contracts/build/{name}.json differs from its source: run scripts/compile.py and commit it")
        return 1 if changed else 0
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, artifact in artifacts.items():
        (BUILD / f"{name}.json").write_text(text_of(artifact), encoding="utf-8")
        print(f"{name:15} {len(artifact['deployedBytecode']) // 2 - 1:6} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
