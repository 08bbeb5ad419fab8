"""Finished simulation runs, made once a session through the command line, for every test that reads one."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, NoReturn

import coverage

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--task", "breast_cancer", "--nodes", "4", "--verifiers", "3", "--rounds", "2", "--attack", "sign_flip:1")
DEMO = ("--attack", "sign_flip:2")

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.support.runs", "node.cli.main", "sklearn.datasets", "sqlite3"])


def environment() -> dict[str, str]:
    """One thread for numeric libraries, as the Makefile sets it; the password of test keystores."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "CREDENCE_PASSWORD": "correct horse"}


def credence(*args: str, timeout_s: float = 240, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process, as a user does; forked from one that has imported everything already."""
    with tempfile.TemporaryDirectory(prefix="credence") as folder:
        shown = [Path(folder, name) for name in ("stdout", "stderr")]
        _start_server()
        process = _SERVER.Process(target=_run, args=(args, environment(), *map(str, shown)))
        process.start()
        process.join(timeout_s)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["credence", *args], timeout_s, stderr=shown[1].read_bytes())
        stdout, stderr = (path.read_text(encoding="utf-8") for path in shown)
        done = subprocess.CompletedProcess(["credence", *args], process.exitcode or 0, stdout, stderr)
    if check and done.returncode != 0:
        raise AssertionError(f"credence {' '.join(args)} exited {done.returncode}:\n{done.stderr[-4000:]}")
    return done


def _start_server() -> None:
    """Start what commands are forked from, once, not measured: a measurement cannot be inherited."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS")}
    forkserver.ensure_running()
    os.environ.update(hidden)


def _run(args: Sequence[str], variables: Mapping[str, str], stdout: str, stderr: str) -> NoReturn:
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(ROOT)
    for path, descriptor in ((stdout, 1), (stderr, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    measured = coverage.process_startup()
    from node.cli.main import main

    try:
        status = main(list(args))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        if measured is not None:
            measured.stop()
            measured.save()
    sys.exit(status)


def simulate_json(folder: Path, options: Sequence[str]) -> dict[str, Any]:
    """Run `credence simulate --json` and parse its one object."""
    done = credence("simulate", "--json", "--out", str(folder), *options)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    """What must be identical between runs of one seed: everything but times and the folder's own name."""
    return {key: value for key, value in result.items() if key not in ("wall_s", "phase_s", "run")}
