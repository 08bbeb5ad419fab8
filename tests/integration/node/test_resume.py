"""A simulation that is killed at any instant resumes from its folder and ends with the same result."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import ROOT, SMALL, environment, simulate_json, without_times

pytestmark = pytest.mark.xdist_group("demo")
Run = tuple[Path, dict[str, Any]]
DEADLINE_S = 120.0


def start(folder: Path, options: Sequence[str] = SMALL) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "node.cli", "simulate", "--json", "--out", str(folder), *options]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for_blocks(process: subprocess.Popen[bytes], archive: Path, blocks: int) -> None:
    """Until the archive holds that many blocks, or the run has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        if archive.exists() and archive.read_bytes().count(b"\n") > blocks:
            return
        try:
            process.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            continue
    assert archive.exists(), "the run never began"


@pytest.mark.parametrize("blocks", [5, 40, 66, 95])
def test_killed_at_any_block_the_run_ends_the_same(small_run: Run, tmp_path: Path, blocks: int) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    wait_for_blocks(process, folder / "archive.jsonl", blocks)
    process.kill()
    process.wait(timeout=30)
    assert not (folder / "result.json").exists()
    assert without_times(simulate_json(folder, SMALL)) == without_times(small_run[1])


def test_ctrl_c_says_how_to_resume(small_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder)
    wait_for_blocks(process, folder / "archive.jsonl", 60)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"run the same command again to resume" in stderr
    assert b"Traceback" not in stderr
    assert without_times(simulate_json(folder, SMALL)) == without_times(small_run[1])
