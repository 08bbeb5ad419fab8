"""The deployments file never points to a stale address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger import Ledger, SeedTerms, TesterChain, deploy
from ledger.deployments import CORE, check, load, predict_address, save
from ledger.errors import BadArgument, NoCode, StaleDeployment, WrongChain
from tests.integration.ledger import world as w


@pytest.fixture
def world() -> Iterator[w.World]:
    with TesterChain.create(seed=b"deployments", funded=w.ACCOUNTS) as chain:
        yield w.World(chain, chain.advance_to, chain.mine)


@pytest.fixture
def other() -> Iterator[TesterChain]:
    """The chain after a reset: same id, another genesis."""
    with TesterChain.create(seed=b"reset", funded=w.ACCOUNTS) as chain:
        yield chain


def test_an_entry_comes_back_and_others_stay(world: w.World, other: TesterChain, tmp_path: Path) -> None:
    path = tmp_path / "run" / "deployments.json"
    save(path, world.ledger.deployment)
    second = w.World(other, other.advance_to, other.mine).ledger.deployment
    save(path, second)
    assert load(path, world.chain) == world.ledger.deployment
    assert load(path, other) == second
    again = deploy(world.chain, w.owner(1), seat_stake=1, min_stake=1, unbonding_s=1)
    save(path, again)
    assert load(path, world.chain) == again
    assert len(json.loads(path.read_text())["deployments"]) == 2
    assert [entry.name for entry in path.parent.iterdir()] == ["deployments.json"]


def test_a_reset_chain_is_told_from_an_unknown_one(world: w.World, other: TesterChain, tmp_path: Path) -> None:
    path = tmp_path / "deployments.json"
    with pytest.raises(StaleDeployment, match="no deployments file"):
        load(path, other)
    save(path, world.ledger.deployment)
    with pytest.raises(StaleDeployment, match="reset") as caught:
        load(path, other)
    assert "credence deploy" in str(caught.value)
    save(tmp_path / "foreign.json", replace(world.ledger.deployment, chain_id=5))
    with pytest.raises(StaleDeployment, match=r"\[5\]"):
        load(tmp_path / "foreign.json", other)


def test_missing_code_and_other_code_are_refused(world: w.World, tmp_path: Path) -> None:
    deployment = world.ledger.deployment
    empty = {**deployment.contracts, "RoundBook": w.owner(5).address}
    with pytest.raises(NoCode, match="RoundBook"):
        check(world.chain, replace(deployment, contracts=empty))
    swapped = {**deployment.contracts, "RoundBook": deployment.contracts["StakeVault"]}
    with pytest.raises(StaleDeployment, match="RoundBook"):
        check(world.chain, replace(deployment, contracts=swapped))
    path = tmp_path / "deployments.json"
    save(path, replace(deployment, contracts=swapped))
    with pytest.raises(StaleDeployment, match="not what was deployed"):
        load(path, world.chain)


def test_a_deployment_of_another_chain_is_refused_at_once(world: w.World, other: TesterChain) -> None:
    with pytest.raises(WrongChain):
        Ledger(other, world.ledger.deployment)
    with pytest.raises(StaleDeployment, match="genesis"):
        check(other, world.ledger.deployment)


def test_a_broken_file_is_named(world: w.World, tmp_path: Path) -> None:
    path = tmp_path / "deployments.json"
    for text in ("", "[]", '{"version": 9}', '{"version": 1, "deployments": 3}'):
        path.write_text(text)
        with pytest.raises(BadArgument, match="no deployments file"):
            load(path, world.chain)
        with pytest.raises(BadArgument, match="no deployments file"):
            save(path, world.ledger.deployment)
    path.unlink()
    save(path, world.ledger.deployment)
    content = json.loads(path.read_text())
    del content["deployments"][0]["contracts"]["RoundBook"]
    path.write_text(json.dumps(content))
    with pytest.raises(StaleDeployment, match="RoundBook"):
        load(path, world.chain)


def test_all_contracts_know_one_another(world: w.World) -> None:
    ledger, at = world.ledger, world.ledger.deployment.contracts
    assert set(at) == {"Token", *CORE}
    for contract, view, name in (
        (ledger.vault, "rounds", "RoundBook"),
        (ledger.vault, "disputes", "Disputes"),
        (ledger.vault, "token", "Token"),
        (ledger.reputation_book, "rounds", "RoundBook"),
        (ledger.rewards, "rounds", "RoundBook"),
        (ledger.rewards, "token", "Token"),
        (ledger.disputes, "rounds", "RoundBook"),
        (ledger.disputes, "vault", "StakeVault"),
        (ledger.book, "vault", "StakeVault"),
        (ledger.book, "reputation", "ReputationBook"),
        (ledger.book, "rewards", "Rewards"),
        (ledger.book, "disputes", "Disputes"),
        (ledger.book, "token", "Token"),
    ):
        assert ledger.read(contract.call(view)) == at[name]
    assert (ledger.read(ledger.book.call("SEAT_FEE")), ledger.demand_fee(), ledger.seed_source()) == (0, 0, None)
    check(world.chain, world.ledger.deployment)
    for name in CORE:
        other = next(address for known, address in at.items() if known != name)
        with pytest.raises(StaleDeployment, match=name):
            check(world.chain, replace(ledger.deployment, contracts={**at, name: other}))


def test_fees_and_a_seed_chain_are_deployed_and_come_back(world: w.World, tmp_path: Path) -> None:
    seeds = SeedTerms((b"\5" * 32, b"\6" * 32), length=3, delay=2, window=100)
    stakes = {"seat_stake": 1, "min_stake": 1, "unbonding_s": 1}
    deployment = deploy(world.chain, w.owner(1), **stakes, seat_fee=7, demand_fee=9, seed_source=seeds)
    ledger = Ledger(world.chain, deployment)
    assert (ledger.read(ledger.book.call("SEAT_FEE")), ledger.demand_fee()) == (7, 9)
    assert ledger.seed_source() == deployment.contracts["SeedSource"]
    assert ledger.seeds is not None
    assert ledger.read(ledger.seeds.call("rounds")) == deployment.book
    assert [ledger.read(ledger.seeds.call("chainOf", n))["value"] for n in (0, 1)] == list(seeds.tips)
    assert [ledger.read(ledger.seeds.call(name)) for name in ("LENGTH", "DELAY", "WINDOW")] == [3, 2, 100]
    save(tmp_path / "deployments.json", deployment)
    assert load(tmp_path / "deployments.json", world.chain) == deployment
    swapped = {**deployment.contracts, "SeedSource": deployment.contracts["StakeVault"]}
    with pytest.raises(StaleDeployment, match="SeedSource"):
        check(world.chain, replace(deployment, contracts=swapped))
    with pytest.raises(NoCode, match="seed source"):
        deploy(world.chain, w.owner(1), **stakes, seed_source=w.owner(5).address)
    again = deploy(world.chain, w.owner(2), **stakes, seed_source=deployment.contracts["SeedSource"])
    assert again.contracts["SeedSource"] == deployment.contracts["SeedSource"]


def test_an_existing_token_is_used(world: w.World) -> None:
    token = world.ledger.deployment.contracts["Token"]
    stakes = {"seat_stake": 1, "min_stake": 1, "unbonding_s": 1}
    deployment = deploy(world.chain, w.owner(1), **stakes, token=token)
    assert deployment.contracts["Token"] == token
    assert not deployment.dev_token
    assert world.ledger.deployment.dev_token
    with pytest.raises(NoCode, match="token"):
        deploy(world.chain, w.owner(1), **stakes, token=w.owner(5).address)


def test_addresses_are_predicted_as_the_chain_makes_them() -> None:
    # The first two contracts of the well-known development account.
    sender = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert predict_address(sender, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert predict_address(sender, 1) == "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
