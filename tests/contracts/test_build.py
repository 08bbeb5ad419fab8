"""The committed ABI and bytecode are what the sources give, and fit where they must."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "contracts" / "build"
NAMES = (
    "DevToken", "Disputes", "HashChainSeed", "ReputationBook", "Rewards", "RoundBook", "StakeVault", "TrainingDisputes",
)  # fmt: skip
MAX_RUNTIME_BYTES = 24_576  # EIP-170


def require_node_modules() -> None:
    if not (ROOT / "node_modules" / "solc").is_dir():
        pytest.fail("node_modules is missing: run `make setup-test`", pytrace=False)


def compile_py(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "compile.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_artifacts_match_sources() -> None:
    require_node_modules()
    done = compile_py("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_names_the_contract_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import compile as build  # the script, as a module

    monkeypatch.setattr(build, "BUILD", tmp_path)
    artifacts = {name: json.loads((BUILD / f"{name}.json").read_text()) for name in NAMES}
    for name in NAMES:
        (tmp_path / f"{name}.json").write_text(build.text_of(artifacts[name]))
    assert build.different(artifacts) == []
    (tmp_path / "DevToken.json").unlink()
    (tmp_path / "RoundBook.json").write_text("{}")
    assert sorted(build.different(artifacts)) == ["DevToken", "RoundBook"]


@pytest.mark.parametrize("name", NAMES)
def test_artifact(name: str) -> None:
    artifact = json.loads((BUILD / f"{name}.json").read_text())
    assert artifact["contractName"] == name
    assert artifact["generator"] == "scripts/compile.py"
    assert artifact["settings"]["evmVersion"] == "cancun"
    size = len(artifact["deployedBytecode"]) // 2 - 1
    assert 0 < size < MAX_RUNTIME_BYTES
    assert re.fullmatch(r"0x[0-9a-f]+", artifact["bytecode"]), "no library left to link"


def test_lock_file_names_no_host() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
