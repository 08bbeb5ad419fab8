"""Attacks by size: transactions too large to send, costs that grow with the network, words that stop half way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger import (
    DemandKind,
    Mode,
    PositionTree,
    Role,
    RootLedgerState,
    Signer,
    new_root_state,
    pack_scores,
    votes_hash,
)
from ledger import contract_errors as refused
from ledger.errors import TransactionFailed
from ledger.gas import TX_CAP
from ledger.words import LANES
from node.round.standing import WORDS_LEVELS
from tests.adversary.threats.chains import ANVIL, OnAnvil, Site, open_site
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import ACCOUNTS, MALLORY, PARAMS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w
from tests.support.crowd import pretend_slots

MOST = 128  # seats of the largest committee that a task may have
CROWD = w.owner(1)
LIE = {1: 65_000, 2: 36_000, 3: 1}
ROOM = 15_000_000  # what the dearest transaction may need: a tenth below the cap
HALF_POOL = 300 * w.UNIT
ON_ANVIL = [pytest.mark.xdist_group(f"test_limits {ANVIL}"), pytest.mark.anvil]


@pytest.fixture(scope="module")
def own_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A chain on which every hot key of the crowd has coins, too."""
    keys = [w.hot(index).address for index in range(1, MOST + 1)]
    with open_site(request.param, [*ACCOUNTS, *keys]) as found:
        yield found


@pytest.fixture(scope="module")
def deployed(own_site: Site) -> Stage:
    """128 nodes of one owner, each with a seat that one slash takes away; a task in each mode that draws them all."""
    stage = Stage.on(own_site, nodes=MOST)
    ledger, stake = stage.ledger, w.SEAT_STAKE
    for somebody in (w.owner(0), CROWD, MALLORY, WATCHER):
        ledger.mint(w.owner(0), somebody.address, 10**6 * w.UNIT)
    ledger.approve(CROWD, ledger.vault.address, MOST * stake)
    nodes, call = range(1, MOST + 1), ledger.vault.call
    keys: dict[int, Signer] = {node: w.hot(node) for node in nodes}
    ledger.batch(
        CROWD, [call("register", keys[n].address, stake, ledger.possession(CROWD.address, keys[n])) for n in nodes]
    )
    ledger.batch(CROWD, [call("takeSeats", node, 1) for node in nodes])
    for mode in Mode:
        params = replace(
            PARAMS[mode], seats=MOST, quorum=2 * MOST // 3 + 1, slash=stake, levels=6 * mode,
            trainer_pool=HALF_POOL, verifier_pool=HALF_POOL,
        )  # fmt: skip
        stage.task, _ = ledger.create_task(w.owner(0), params)
        roles = [(node, 0) for node in w.TRAINERS] + [(node, 1) for node in nodes]
        ledger.batch(CROWD, [ledger.book.call("join", stage.task, node, role, "") for node, role in roles])
    own_site.snapshot()
    return stage


@pytest.fixture
def stage(deployed: Stage) -> Stage:
    """The same for every test."""
    return deployed.rewind()


@threat(33, "choose a committee so large that a proof against it fits no transaction")
@both_modes
def test_the_largest_committee_can_be_punished(stage: Stage, mode: Mode) -> None:
    """With 128 seats of 128 nodes that all signed, draw, post, demand and the slash of all stay below 2^24 gas."""
    ledger = stage.use(mode).ledger
    stage.submit(1)
    committee = stage.draw(1)
    assert len({seat.node for seat in committee}) == MOST
    case = stage.settled_on(committee, 1, false=LIE)
    case.signing = tuple(seat.node for seat in committee)
    case.send(gas=2_000_000)
    ledger.demand(WATCHER, case.posted(), DemandKind.VOTES, 0, 0)
    ledger.answer_votes(MALLORY, case.posted(), 0, 0, case.votes, case.vote_proofs()[0], gas=2_000_000)
    with stage.punishes(case, WATCHER):
        receipt = case.prove(WATCHER, gas=ROOM)
    assert receipt.gas_used < ROOM < TX_CAP
    assert ledger.seats() == []


@threat(33, "force a transaction above the cap of 2^24 gas")
def test_the_cap_itself(stage: Stage) -> None:
    """anvil refuses one gas more, as mainnet does; the client asks for the cap at most, and splits what is larger."""
    chain, sender = stage.chain, w.owner(0)
    transaction = {
        "to": WATCHER.address, "value": 0, "gas": TX_CAP + 1, "type": 2, "chainId": chain.chain_id,
        "nonce": chain.nonce(sender.address), **chain.fees(),
    }  # fmt: skip
    if isinstance(stage.site, OnAnvil):
        with pytest.raises(TransactionFailed):
            chain.send_raw(sender.sign_transaction(transaction))
    chain.send_raw(sender.sign_transaction({**transaction, "gas": TX_CAP}))
    stage.submit(1)
    case = stage.settled_on(stage.draw(1), 1)
    case.post()
    stage.advance_to(stage.phase_start(2, 0))
    receipts = stage.ledger.finalise(MALLORY, stage.task, gas_cap=400_000)
    assert len(receipts) > 1
    assert all(receipt.gas_used <= 400_000 for receipt in receipts)
    assert stage.ledger.task(stage.task).finalised == 1


@threat(32, "stop in the middle of applying a round's words")
def test_words_that_stop_half_way(stage: Stage) -> None:
    """Whoever comes next goes on where the last one stopped, and the words are those that one transaction gives."""
    stage.submit(1)
    case = stage.settled_on(stage.draw(1), 1)
    case.post()
    stage.advance_to(stage.phase_start(2, 0))
    stage.ledger.finalise(MALLORY, stage.task, up_to=3)
    with stage.refuses(refused.WrongLength, what="upTo", got=3, expected=4):
        stage.ledger.finalise(MALLORY, stage.task, up_to=3)
    stage.ledger.finalise(WATCHER, stage.task)
    parts = [stage.ledger.reputation_words(stage.task, role) for role in (0, 1)]  # type: ignore[arg-type]
    stage.rewind()
    stage.submit(1)
    stage.settled_on(stage.draw(1), 1).post()
    stage.finish(1)
    assert parts == [stage.ledger.reputation_words(stage.task, role) for role in (0, 1)]  # type: ignore[arg-type]


@threat(32, "fill a task with nodes until a round costs too much")
def test_a_root_costs_the_same_for_any_number_of_nodes(stage: Stage) -> None:
    """No loop on chain runs over nodes: the post of a root over 15 nodes and over 960 costs the same within 1 %."""
    spent = []
    for nodes in (15, 960):
        stage.rewind()
        params = replace(
            PARAMS[Mode.ROOT], levels=6, trainer_pool=HALF_POOL, verifier_pool=HALF_POOL, slash=w.SEAT_STAKE
        )
        stage.task, _ = stage.ledger.create_task(w.owner(0), params)
        stage.params = stage.ledger.stored_task(stage.task).params
        for node in w.TRAINERS:
            stage.ledger.join(w.hot(node), stage.task, node, Role.TRAINER)
        stage.submit(1)
        committee = stage.draw(1)
        equal = [40_000] * nodes
        data = new_root_state(params.levels).step((equal, equal), round=1, pools=stage.pools)
        assert sum(data.pay[0]) == HALF_POOL  # divides evenly, so that there is no dust to tell them apart
        spent.append(_post(stage, committee, data))
    assert abs(spent[0] - spent[1]) <= spent[0] // 100


def _post(stage: Stage, committee: tuple[w.Seat, ...], data: RootLedgerState) -> int:
    made = stage.root_settlement(1, committee, data, root=data.root_state())
    return Case.of(made, data=data).send(gas=2_000_000).gas_used


@threat(33, "fill a task in words mode until a report fits a transaction and the proof against it does not")
@pytest.mark.parametrize("own_site", [pytest.param(ANVIL, marks=ON_ANVIL)], indirect=True, scope="module")
def test_the_largest_words_report_can_be_punished(stage: Stage) -> None:
    """A task takes no more nodes than a proof against all of its words has room for."""
    words = 1 << WORDS_LEVELS
    assert isinstance(stage.site, OnAnvil)
    pretend_slots(stage.site.chain, stage.ledger, stage.task, LANES * words, LANES * words)
    stage.submit(1)
    committee = stage.draw(1)
    dense = pack_scores(range(33_000, 33_015))[0]
    tree = PositionTree([dense] * words)
    made = stage.settlement(1, committee, words=([dense + 1] + [dense] * (words - 1), [dense] * words))
    made.votes = tuple(replace(vote, root=tree.root) for vote in made.votes)
    made.report = replace(made.report, votes_hash=votes_hash(made.votes))
    case = Case.of(made)
    case.signing = tuple(seat.node for seat in committee)
    case.send(gas=TX_CAP)
    proof = case.proof_call(voteWords=[tree.proof(0)] * len(case.votes))
    stage.ledger.transmitter(WATCHER).send(proof, gas=TX_CAP)
    stage.is_void(case)
