"""Finished simulation runs, made once a session through the command line, for every test that reads one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--task", "breast_cancer", "--nodes", "4", "--verifiers", "3", "--rounds", "2", "--attack", "sign_flip:1")
DEMO = ("--attack", "sign_flip:2")


def environment() -> dict[str, str]:
    """One thread for numeric libraries, as the Makefile sets it; the password of test keystores."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "CREDENCE_PASSWORD": "correct horse"}


def credence(*args: str, timeout_s: float = 240, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "node.cli", *args],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"credence {' '.join(args)} exited {done.returncode}:\n{done.stderr[-4000:]}")
    return done


def simulate_json(folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Run `credence simulate --json` and parse its one object."""
    done = credence("simulate", "--json", "--out", str(folder), *options)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    """What must be identical between runs of one seed: everything but times and the folder's own name."""
    return {key: value for key, value in result.items() if key not in ("wall_s", "phase_s", "run")}
