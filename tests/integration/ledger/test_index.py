"""The index: resumable, idempotent, and able to explain a score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from ledger import (
    Bundle,
    Index,
    Role,
    TesterChain,
    encode_data,
    new_root_state,
    reputation_table,
    score_trail,
)
from ledger.errors import BadArgument, ChainUnavailable, IndexMismatch, StateMissing
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
    names = ("StakeVault", "ReputationBook", "Rewards", "Disputes", "RoundBook")
    ours = {deployment.contracts[name] for name in names}
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
    settlement.challenge()
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
    assert missing == [
        f"not final yet: the challenge window is open until {world.phase_start(2, 0)}, "
        f"the index is at {world.chain.now()}"
    ]
    world.advance_to(world.phase_start(2, 0))
    _, missing = trail()
    assert missing == ["final, but its words are not applied yet: nobody has called finalise"]
    world.finish(1)
    found, missing = trail()
    assert missing == []
    full = score_trail(index, task, 1, 1)
    assert full == found
    assert full.final
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


def test_words_that_are_applied_in_part_count_as_far_as_they_are(world: w.World, index: Index) -> None:
    ledger, task = world.ledger, world.task
    world.submit(1)
    settlement = world.settlement(1, world.draw(1))
    settlement.post()
    world.advance_to(world.phase_start(2, 0))
    ledger.finalise(w.owner(0), task, up_to=1)  # the trainers' word
    index.follow(world.chain, ledger.deployment)
    rows = reputation_table(index, task)
    for row in rows:
        assert row.reputation == ledger.reputation(task, row.role, row.node)
        assert row.contribution == ledger.contribution(task, row.role, row.node)
        assert row.rounds == (row.role == Role.TRAINER)
    assert any(row.reputation for row in rows)
    member = settlement.committee[0].node
    trail = score_trail(index, task, 1, member, Role.VERIFIER)
    assert (trail.score, trail.word_after, trail.final) == (34_000, None, True)
    assert score_trail(index, task, 1, 1).word_after == ledger.reputation_words(task, Role.TRAINER)[0]
    ledger.finalise(w.owner(0), task)
    index.follow(world.chain, ledger.deployment)
    assert all(r.reputation == ledger.reputation(task, r.role, r.node) for r in reputation_table(index, task))
    assert score_trail(index, task, 1, member, Role.VERIFIER).reputation_after == 34_000 // 16


def test_root_mode_is_explained_from_the_data_that_the_roots_name(index: Index) -> None:
    with TesterChain.create(seed=b"index root", funded=w.ACCOUNTS) as chain:
        world = w.World(chain, chain.advance_to, chain.mine).populate(params=w.ROOT_PARAMS)
        ledger, task = world.ledger, world.task
        state = new_root_state(w.ROOT_PARAMS.levels)
        states: dict[int, bytes] = {}
        for round_, scores in ((1, w.SCORES), (2, {1: 0, 2: 50_000, 3: 1})):
            world.submit(round_)
            committee = world.draw(round_)
            after = world.stepped(state, round_, committee, scores)
            world.root_settlement(round_, committee, after, parent=state, scores=scores).post()
            state, states[round_] = after, encode_data(after)
        index.follow(chain, ledger.deployment)
        # Round 2 is posted and its window open: round 1 alone counts.
        assert [row.rounds for row in reputation_table(index, task, states=states) if row.role == Role.TRAINER] == [
            1
        ] * 3
        open_ = score_trail(index, task, 2, 2, states=states)
        assert (open_.score, open_.final, open_.word_after) == (50_000, False, None)
        assert any("not final yet" in line for line in open_.missing)

        world.advance_to(world.phase_start(3, 0))
        index.follow(chain, ledger.deployment)
        rows = reputation_table(index, task, states=states)
        for row in rows:
            slot = ledger.slot_of(task, row.role, row.node)
            assert row.reputation == state.reputations(row.role)[slot]
            assert row.contribution == state.pay[row.role][slot]
        assert {row.node: row.rounds for row in rows if row.role == Role.TRAINER} == {1: 1, 2: 2, 3: 2}
        trail = score_trail(index, task, 2, 2, states=states)
        assert (trail.score, trail.final, trail.finalise) == (50_000, True, None)
        assert (trail.reputation_before, trail.reputation_after) == (2_250, 2_250 + (50_000 - 2_250) // 16)
        assert trail.missing == ()

        # What is not given is named, what is false is refused.
        with pytest.raises(StateMissing, match="round 1"):
            reputation_table(index, task)
        bare = score_trail(index, task, 2, 2)
        assert bare.score is None
        assert any("data of round 2 are not given" in line for line in bare.missing)
        half = score_trail(index, task, 2, 2, states={2: states[2]})
        assert (half.score, half.word_after) == (50_000, None)
        assert any("data of round 1" in line for line in half.missing)
        with pytest.raises(BadArgument, match="not those"):
            reputation_table(index, task, states={1: states[2], 2: states[2]})


def test_a_collector_s_bundle_is_pointed_to(world: w.World, index: Index) -> None:
    world.ledger.collect(w.hot(4), world.task, 1, Bundle((b"leaf",)), reveals=False)
    index.follow(world.chain, world.ledger.deployment)
    assert "a collector's bundle may have it" in score_trail(index, world.task, 1, 1).missing[0]


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
