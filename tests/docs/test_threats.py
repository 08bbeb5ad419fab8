"""THREATS.md is what the tests give, and every threat has its test, on both chains or as a simulation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adversary.make_threats import CHAINS, TARGET, Row, text
from tests.adversary.threats.registry import BEHAVIOUR, NAMED, NUMBERS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("threats page")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """What the generator collects, in a process of its own: a session of pytest inside of another shares its state."""
    command = [sys.executable, "-m", "tests.adversary.make_threats", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [Row(**{**row, "sites": set(row["sites"])}) for row in json.loads(done.stdout)]


def test_the_page_is_what_the_tests_give(rows: list[Row]) -> None:
    assert TARGET.read_text(encoding="utf-8") == text(rows), "run `python -m tests.adversary.make_threats`"


def test_all_threats_are_there(rows: list[Row]) -> None:
    assert {row.key for row in rows} == {*NUMBERS, *NAMED}
    assert len(NUMBERS) == 48


@pytest.mark.parametrize("key", [*NUMBERS, *NAMED])
def test_every_threat_runs_on_both_chains_or_is_behaviour(rows: list[Row], key: int | str) -> None:
    mine = [row for row in rows if row.key == key]
    sites = set().union(*(row.sites for row in mine))
    assert sites == set(CHAINS) or (key in BEHAVIOUR and not sites)
    assert any(not row.open for row in mine)  # an attack that works is no counter-measure


def test_every_row_says_what_it_does(rows: list[Row]) -> None:
    for row in rows:
        assert row.attack, row.test
        assert row.counter.endswith("."), row.test
