"""Fixtures shared by all tests: finished runs (made once a session), read-only."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import settings

from tests.support.runs import DEMO, SMALL, simulate_json

# The same examples every time: a run that fails can be run again.
settings.register_profile("credence", derandomize=True, deadline=None, database=None)
settings.load_profile("credence")

# Measuring lines makes an EVM in Python three times slower, so tests that live in one are left out of it: what they run
# of the packages, others run too.
MEASURED = (
    "unit", "integration/ledger", "integration/node/test_simulate.py", "integration/node/test_bad_input.py",
    "integration/node/test_modes.py", "integration/node/test_reputation.py",
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Pause the measurement of lines, also in processes that a test starts, where a test is not among MEASURED."""
    measurement = coverage.Coverage.current()
    place = item.path.relative_to(Path(__file__).parent).as_posix()
    if measurement is None or place.startswith(MEASURED):
        return (yield)
    measurement.stop()
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS")}
    try:
        return (yield)
    finally:
        os.environ.update(hidden)
        measurement.start()


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A short run with one sign-flipper: (folder, result). Copy the folder before you change it."""
    folder = tmp_path_factory.mktemp("small") / "run"
    return folder, simulate_json(folder, SMALL)


@pytest.fixture(scope="session")
def small_root_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The same run, settled by roots, without a collector: (folder, result)."""
    folder = tmp_path_factory.mktemp("small-root") / "run"
    return folder, simulate_json(folder, (*SMALL, "--settlement", "root", "--collector", "none"))


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What `make demo` runs: (folder, result)."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    return folder, simulate_json(folder, DEMO)
