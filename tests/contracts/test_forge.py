"""Run the Solidity tests."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(platform.system(), "linux")
MACHINE = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "amd64"
FORGE = ROOT / "node_modules" / "@foundry-rs" / f"forge-{SYSTEM}-{MACHINE}" / "bin" / "forge"


@pytest.mark.forge
def test_forge() -> None:
    if not FORGE.is_file():
        pytest.fail("forge is missing: run `make setup-test`", pytrace=False)
    environment = {**os.environ, "FOUNDRY_CONFIG": "contracts/foundry.toml", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(FORGE), "test"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail("forge test failed:\n" + "\n".join(done.stdout.splitlines()[-60:]), pytrace=False)
