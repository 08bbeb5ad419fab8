"""Gas of every action against the committed snapshot, and against what was promised."""

from __future__ import annotations

import json

import pytest

from tests.contracts import make_gas

pytestmark = pytest.mark.xdist_group("gas-snapshot")
TOLERANCE = 0.01
SNAPSHOT: dict[str, int] = json.loads(make_gas.SNAPSHOT.read_text(encoding="utf-8"))["gas"]


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    return make_gas.measure()


def test_the_snapshot_has_every_action(measured: dict[str, int]) -> None:
    assert list(SNAPSHOT) == list(measured), "run python -m tests.contracts.make_gas and commit the snapshot"


def test_gas_is_that_of_the_snapshot(measured: dict[str, int]) -> None:
    moved = {
        name: f"{gas:,}, snapshot {SNAPSHOT[name]:,}"
        for name, gas in measured.items()
        if abs(gas - SNAPSHOT[name]) > TOLERANCE * SNAPSHOT[name]
    }
    assert not moved, "if this is meant, run python -m tests.contracts.make_gas and commit the snapshot"


def test_gas_is_below_its_target(measured: dict[str, int]) -> None:
    above = {name for name, target in make_gas.TARGETS.items() if measured[name] > target}
    assert not above


def test_a_proof_of_fault_fits_a_transaction_several_times(measured: dict[str, int]) -> None:
    proofs = {name: gas for name, gas in measured.items() if name.startswith(("challenge", "expire", "equivocate"))}
    assert len(proofs) == 8
    assert max(proofs.values()) < make_gas.CHALLENGE_LIMIT
