"""The index: resumable, idempotent, and able to explain a score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger import Index, Role, TesterChain, reputation_table, score_trail
from ledger.errors import BadArgument, ChainUnavailable, IndexMismatch
from ledger.index import EVENTS, TRANSACTIONS
from ledger.types import Block
from tests.integration.ledger import world as w


@pytest.fixture
def world() -> Iterator[w.World]:
    with TesterChain.create(seed=b"index", funded=w.ACCOUNTS) as chain:
        yield w.World(chain, chain.advance_to, chain.mine).populate()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "sub" / "index.db") as made:
        yield made


def _rows(index: Index) -> list[tuple[object, ...]]:
    with index.reading() as connection:
        query = sa.select(EVENTS, TRANSACTIONS).join(TRANSACTIONS, TRANSACTIONS.c.hash == EVENTS.c.tx_hash)
        ordered = query.order_by(EVENTS.c.block_number, EVENTS.c.log_index)
        return [tuple(row) for row in connection.execute(ordered)]


def test_following_is_idempotent_and_does_not_depend_on_ranges(world: w.World, index: Index, tmp_path: Path) -> None:
    chain, deployment = world.chain, world.ledger.deployment
    assert index.cursor() is None
    assert index.follow(chain, deployment) == chain.block_number()
    assert index.follow(chain, deployment) == chain.block_number() == index.cursor()
    rows = _rows(index)
    with Index(f"sqlite:///{tmp_path}/other.db") as other:
        head = chain.block_number()
        assert other.follow(chain, deployment, block_range=3, to_block=10) == 10
        assert other.follow(chain, deployment, block_range=3, confirmations=5) == head - 5
        assert other.follow(chain, deployment, confirmations=10) == head - 5  # never back
        other.follow(chain, deployment, block_range=3)
        assert _rows(other) == rows
    ours = {deployment.contracts[name] for name in ("StakeVault", "ReputationBook", "RoundBook")}
    assert len(rows) == len(chain.get_logs(address=sorted(ours)))


def test_methods_gas_and_arguments_are_kept(world: w.World, index: Index) -> None:
    index.follow(world.chain, world.ledger.deployment)
    with index.reading() as connection:
        created = connection.execute(sa.select(EVENTS).where(EVENTS.c.name == "TaskCreated")).mappings().one()
        sent = connection.execute(sa.select(TRANSACTIONS).where(TRANSACTIONS.c.hash == created["tx_hash"]))
        row = sent.mappings().one()
    assert (row["method"], row["sender"]) == ("createTask", w.owner(0).address)
    receipt = world.chain.receipt(row["hash"])
    assert receipt is not None
    assert row["gas_used"] == receipt.gas_used
    params = json.loads(created["args"])["params"]
    assert params["trainer_pool"] == hex(60 * w.UNIT)
    assert params["genesis_model"] == "0x" + "02" * 32


def test_an_index_belongs_to_one_deployment(world: w.World, index: Index, tmp_path: Path) -> None:
    index.follow(world.chain, world.ledger.deployment)
    foreign = replace(
        world.ledger.deployment,
        contracts={**world.ledger.deployment.contracts, "RoundBook": w.owner(1).address},
    )
    with pytest.raises(IndexMismatch):
        index.follow(world.chain, foreign)
    (tmp_path / "text.db").write_text("this is no database, whatever its name says")
    with pytest.raises(BadArgument, match="does not open"):
        Index(tmp_path / "text.db")


def test_the_table_is_what_the_contracts_say(world: w.World, index: Index) -> None:
    ledger, task = world.ledger, world.task
    for round_ in (1, 2):
        world.submit(round_)
        world.settlement(round_, world.draw(round_), scores={1: 40_000, 2: 45_000, 3: 0}).post()
        world.finish(round_)
    ledger.unbond(w.owner(4), 4, w.UNIT)
    ledger.bond(w.owner(5), 5, w.UNIT)
    index.follow(world.chain, ledger.deployment)
    rows = reputation_table(index, task)
    assert len(rows) == 8
    for row in rows:
        assert row.reputation == ledger.reputation(task, row.role, row.node)
        assert row.contribution == ledger.contribution(task, row.role, row.node)
        assert row.stake == ledger.node(row.node).bonded
    trainers = [row for row in rows if row.role == Role.TRAINER]
    assert [row.node for row in trainers] == [2, 1, 3]
    assert [row.rounds for row in trainers] == [2, 2, 0]
    assert [row.reputation for row in rows] == sorted((row.reputation for row in rows), reverse=True)
    assert reputation_table(index, 99) == []


def test_slashing_shows_in_the_table(world: w.World, index: Index) -> None:
    world.submit(1)
    settlement = world.settlement(1, world.draw(1), posted_scores={1: 65_000, 2: 36_000, 3: 1})
    settlement.post()
    posted = world.ledger.posted(world.task, 1)
    assert posted is not None
    settlement.challenge(posted)
    index.follow(world.chain, world.ledger.deployment)
    for row in reputation_table(index, world.task):
        assert row.stake == world.ledger.node(row.node).bonded
    trail = score_trail(index, world.task, 1, 1)
    assert trail.voided is not None
    assert trail.score == 65_000
    assert trail.finalise is None
    assert any("voided" in line for line in trail.missing)


def test_a_trail_grows_with_the_round(world: w.World, index: Index) -> None:
    task, ledger = world.task, world.ledger

    def trail(node: int = 1, role: Role = Role.TRAINER) -> tuple[object, list[str]]:
        index.follow(world.chain, ledger.deployment)
        found = score_trail(index, task, 1, node, role)
        return found, list(found.missing)

    assert score_trail(index, task, 1, 1).missing == ("nothing is indexed yet: follow the chain first",)
    _, missing = trail()
    assert missing[0].startswith("no commitment")
    assert any("nobody has armed" in line for line in missing)
    world.submit(1)
    ledger.arm_beacon(w.owner(0), task, 1)
    _, missing = trail()
    assert missing[0].startswith("no committee yet: the beacon is armed")
    ledger.draw_committee(w.owner(0), task, 1)
    _, missing = trail()
    assert missing == [f"not posted yet: no report of this round up to block {world.chain.block_number()}"]
    committee = ledger.committee(task, 1)
    assert committee is not None
    settlement = world.settlement(1, committee)
    settlement.post()
    _, missing = trail()
    assert missing[0].startswith("not final yet")
    world.finish(1)
    found, missing = trail()
    assert missing == []
    full = score_trail(index, task, 1, 1)
    assert full == found
    assert full.report == settlement.report
    assert (full.score, full.slot) == (40_000, 0)
    assert (full.reputation_before, full.reputation_after) == (0, 2_500)
    assert full.manifest == w.digest("manifest", 1, 1)
    assert full.commitment == ledger.commits(task, 1)[0].args["commitment"]
    for step in (full.commit, full.reveal, full.draw, full.post, full.finalise):
        assert step is not None
        receipt = world.chain.receipt(step.tx_hash)
        assert receipt is not None
        assert (step.block_number, step.gas_used) == (receipt.block_number, receipt.gas_used)
        assert step.time == world.chain.block(step.block_number).timestamp
    member = committee[0].node
    assert score_trail(index, task, 1, member, Role.VERIFIER).score == 34_000
    idle = next(node for node in range(1, 6) if node not in {seat.node for seat in committee})
    assert "not due" in score_trail(index, task, 1, idle, Role.VERIFIER).missing[0]
    _, missing = trail(5)
    assert "has not joined as trainer" in missing[0]


def test_a_reveal_that_is_missing_is_named(world: w.World, index: Index) -> None:
    world.ledger.commit(w.hot(1), world.task, 1, 1, b"\1" * 32)
    index.follow(world.chain, world.ledger.deployment)
    assert score_trail(index, world.task, 1, 1).missing[0].startswith("not revealed")


class _Restless(TesterChain):
    """Shows another hash of a block at every look."""

    looks = 0

    def block(self, number: int) -> Block:
        _Restless.looks += 1
        return replace(super().block(number), hash=_Restless.looks.to_bytes(32, "big"))


def test_a_chain_that_does_not_hold_still_is_given_up(tmp_path: Path) -> None:
    with _Restless.create(seed=b"restless", funded=w.ACCOUNTS) as chain, Index(tmp_path / "i.db") as index:
        deployment = w.World(chain, chain.advance_to, chain.mine).ledger.deployment
        with pytest.raises(ChainUnavailable, match="reorganised"):
            index.follow(chain, deployment)
        assert index.cursor() == deployment.block - 1
