"""Fixtures shared by all tests: finished runs (made once a session), read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.runs import DEMO, SMALL, simulate_json

# The same examples every time: a run that fails can be run again.
settings.register_profile("credence", derandomize=True, deadline=None, database=None)
settings.load_profile("credence")


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
