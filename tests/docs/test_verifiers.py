"""docs/verifiers.md is what its command writes from docs/verifiers.json, and the figures keep their promises."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.bench.verifiers import page

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = json.loads((DOCS / "verifiers.json").read_text(encoding="utf-8"))


def test_the_page_is_written_from_the_figures() -> None:
    assert page(RESULTS) == (DOCS / "verifiers.md").read_text(encoding="utf-8")


def test_cheats_lose_and_honest_members_do_not() -> None:
    honest, *cheats = RESULTS["careers"]
    assert (honest["rounds"], honest["paid"], honest["faults"]) == (1_000, 1_000, 0)
    for cheat in cheats:
        assert cheat["profit_default"] < 0
        assert cheat["profit_research"] < 0
        if "recognisable" not in cheat["conduct"]:
            assert cheat["faults"] == cheat["canary_rounds"]  # the first canary convicts: 1/p in expectation
    assert (RESULTS["honest"]["checks"], RESULTS["honest"]["slashed"]) == (1_000_000, 0)


def test_collusion_meets_the_exact_odds_and_production_committees_hold() -> None:
    for row in RESULTS["collusion"]:
        assert row["rounds"] == 10_000
        assert row["within_interval"]
        if row["mode"] == "replay" and row["committee"] != "5 of 7":
            assert row["false_final"] == 0


def test_a_node_without_data_earns_less_than_an_honest_share() -> None:
    fixed, once = RESULTS["probes"]
    assert fixed["ratio"] > 5
    assert once["ratio"] <= 1
