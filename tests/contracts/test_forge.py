"""Run the Solidity tests. With `FOUNDRY_PROFILE=long` the invariants take a million calls, and half an hour."""

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
# Seconds. On two idle cores the build takes about a minute where nothing is cached, and the tests as long.
LIMIT_S = 7200 if os.environ.get("FOUNDRY_PROFILE") == "long" else 900


def forge(command: str) -> None:
    """Fail with the end of forge's output unless the command succeeds."""
    environment = {**os.environ, "FOUNDRY_CONFIG": "contracts/foundry.toml", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(FORGE), command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"forge {command} failed:\n" + "\n".join(done.stdout.splitlines()[-60:]), pytrace=False)


@pytest.mark.forge
@pytest.mark.timeout(2 * LIMIT_S + 10)
def test_forge() -> None:
    if not FORGE.is_file():
        pytest.fail("forge is missing: run `make setup-test`", pytrace=False)
    forge("build")
    forge("test")
