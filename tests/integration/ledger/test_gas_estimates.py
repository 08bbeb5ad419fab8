"""Three hundred nodes by the rules of the current mainnet: the estimates that split transactions are upper bounds and
close ones, and every word is what the pure step predicts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from ledger import (
    Mode,
    Report,
    Role,
    RpcChain,
    Signer,
    apply_scores,
    committee_hash,
    pack_scores,
    report_digest,
    words_hash,
)
from ledger.abi import Call
from ledger.gas import TX_CAP, batch_gas, batches, call_cost
from ledger.words import UNITS
from tests.integration.ledger import world as w
from tests.support import anvil as support

pytestmark = pytest.mark.anvil
NODES, MEMBERS = 300, 7
KEYS = [Signer.from_seed(b"crowd", str(index)) for index in range(NODES)]


@pytest.fixture(scope="module")
def world() -> Iterator[w.World]:
    """300 trainers and 7 verifiers of one owner, joined in batches."""
    with support.anvil("--enable-tx-gas-limit", ipc=True, hardfork="osaka") as node, RpcChain(node.spec) as chain:
        for address in w.ACCOUNTS:
            support.fund(chain, address)
        made = w.World(chain, lambda time: support.advance_to(chain, time), lambda n: support.mine(chain, n))
        ledger, owner = made.ledger, w.owner(0)
        ledger.mint(owner, owner.address, 10**9 * w.UNIT)
        ledger.approve(owner, ledger.vault.address, 10**9 * w.UNIT)
        proofs = ((key.address, w.SEAT_STAKE, ledger.possession(owner.address, key)) for key in KEYS)
        _checked(made, [ledger.vault.call("register", *proof) for proof in proofs])
        _checked(made, [ledger.vault.call("takeSeats", node, 1) for node in range(1, MEMBERS + 1)])
        params = replace(w.PARAMS, seats=MEMBERS, quorum=5, commit_s=4_000)
        made.task, _ = ledger.create_task(owner, params)
        made.params = ledger.stored_task(made.task).params
        for role, count in ((Role.TRAINER, NODES), (Role.VERIFIER, MEMBERS)):
            _checked(made, [ledger.book.call("join", made.task, n, role, "http://node") for n in range(1, count + 1)])
        yield made


def _checked(world: w.World, calls: list[Call]) -> None:
    """Send as batches under the cap; every one costs at most what was estimated, and not much less."""
    receipts = world.ledger.batch(w.owner(0), calls)
    costs = [cost for call in calls if (cost := call_cost(call.name, call.data)) is not None]
    assert len(costs) == len(calls)
    parts = [batch_gas([costs[position] for position in part]) for part in batches(costs, TX_CAP)]
    for receipt, estimated in zip(receipts, parts, strict=True):
        assert receipt.gas_used <= estimated <= TX_CAP
    assert sum(parts) <= 1.6 * sum(receipt.gas_used for receipt in receipts)


def _post(world: w.World, round_: int) -> tuple[list[int], list[int]]:
    """A post with scores of every kind for every node; returns its words."""
    ledger, chain = world.ledger, world.chain
    committee = world.draw(round_)
    pick = random.Random(round_)
    trainers = [pick.choice([0, 1, 2, 32_768, 32_769, 65_535, pick.randrange(65_536)]) for _ in range(NODES)]
    words = pack_scores(trainers), pack_scores([pick.choice([0, 1, 50_000]) for _ in range(MEMBERS)])
    seed = ledger.seed(world.task, round_)
    assert seed is not None
    report = Report(
        mode=Mode.WORDS,
        task=world.task,
        round=round_,
        seed=seed,
        committee_hash=committee_hash(committee),
        attempt=0,
        parent=ledger.task(world.task).model,
        submissions_root=b"\1" * 32,
        votes_hash=b"\2" * 32,
        sketch_digest=b"\3" * 32,
        words_hash=words_hash(*words),
        model=bytes([round_]) * 32,
        record=b"\4" * 32,
        reward_total=0,
    )
    digest = report_digest(report, chain_id=chain.chain_id, book=ledger.deployment.book)
    signatures = {seat.node: KEYS[seat.node - 1].sign_digest(digest) for seat in committee}
    ledger.post(w.owner(0), report, committee, *words, signatures)
    world.advance_to(world.phase_start(round_ + 1, 0))
    return words


def test_batches_and_parts_fit_the_cap_and_use_it(world: w.World) -> None:
    ledger, task = world.ledger, world.task
    # New slots under a low cap, then written ones under it, then all at once.
    predicted: dict[Role, tuple[int, ...]] = dict.fromkeys(Role, ())
    units: dict[Role, list[int]] = {Role.TRAINER: [0] * NODES, Role.VERIFIER: [0] * MEMBERS}
    for round_, cap, fewest, most in ((1, 500_000, 3, 6), (2, 300_000, 2, 4), (3, TX_CAP, 1, 1)):
        posted = _post(world, round_)
        receipts = ledger.finalise(w.owner(0), task, gas_cap=cap)
        assert fewest <= len(receipts) <= most
        assert all(receipt.gas_used <= cap for receipt in receipts)
        assert all(receipt.gas_used > 0.5 * cap for receipt in receipts[:-1]), (cap, [r.gas_used for r in receipts])
        spans = [(r.event("Finalised").args["from"], r.event("Finalised").args["to"]) for r in receipts]
        assert spans[0][0] == 0
        assert spans[-1][1] == 21
        assert all(end == start for (_, end), (start, _) in pairwise(spans))
        assert ledger.unapplied(task) is None
        for role in Role:
            outcome = apply_scores(predicted[role], posted[role], role=role, round=round_, amount=UNITS)
            predicted[role] = outcome.words
            units[role] = [old + new for old, new in zip(units[role], outcome.earned, strict=False)]
            assert ledger.reputation_words(task, role) == list(outcome.words)
            assert list(ledger.contributions(task, role).values()) == units[role]

    # What was earned is claimed in batches.
    earned = [node for node, total in enumerate(units[Role.TRAINER], 1) if total]
    _checked(world, [ledger.rewards.call("claim", task, Role.TRAINER, node) for node in earned])
    _checked(world, [ledger.vault.call("bond", node, w.SEAT_STAKE) for node in range(1, 50)])
