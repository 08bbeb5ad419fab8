"""Large networks on anvil by mainnet's rules, the cap of 2^24 gas a transaction on: 10,000 nodes in words, 100,000 in
root mode, each settled twice and paid. All lanes and leaves are real; only few of the nodes have registered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger import reputation_lanes, step_word
from ledger.gas import TX_CAP
from ledger.types import Mode, Phase, Receipt, Role
from ledger.words import words_for
from scripts.bench.gas_chain import BenchChain, open_bench_chain, payer
from scripts.bench.gas_rig import Rig, Shape, TaskRig
from tests.support.crowd import pretend_slots

SEATS, QUORUM = 7, 5
FEW = 15
WORDS_NODES, ROOT_NODES = 10_000, 100_000

pytestmark = [pytest.mark.anvil, pytest.mark.xdist_group("scale")]


@pytest.fixture(scope="module")
def chain() -> Iterator[BenchChain]:
    """anvil with `--enable-tx-gas-limit`."""
    with open_bench_chain() as found:
        yield found


@pytest.fixture(scope="module")
def rig(chain: BenchChain) -> Rig:
    """Seven nodes with a seat, and fifteen trainers."""
    found = Rig(chain, chain, payer(chain, "scale"))
    found.register(SEATS + FEW)
    found.seat(SEATS)
    return found


def settled(task: TaskRig, round_: int) -> list[Receipt]:
    """Draw and post one round."""
    task.at(round_, Phase.POST)
    return [*task.draw(round_).values(), task.post(round_)]


def paid(task: TaskRig, node: int, claim: Receipt) -> int:
    """What a claim paid out, all of it to the node's owner."""
    args = claim.event("Claimed").args
    assert (args["node"], args["to"]) == (node, task.rig.owner.address)
    return int(args["amount"])


def test_ten_thousand_nodes_settle_in_words(chain: BenchChain, rig: Rig) -> None:
    """First writes are split over transactions; from then on one transaction steps all lanes."""
    shape = Shape.of(WORDS_NODES, seats=SEATS, quorum=QUORUM, mode=Mode.WORDS, contributions=True)
    task, ledger, owner = rig.open_task(shape, joined=FEW), rig.ledger, rig.owner
    pretend_slots(chain, ledger, task.task, shape.trainers, shape.verifiers)
    expected = [0] * words_for(shape.trainers)
    parts = []
    for round_ in (1, 2):
        receipts = settled(task, round_)
        task.at(round_ + 1, Phase.COMMIT)
        parts.append(ledger.finalise(owner, task.task))
        assert max(receipt.gas_used for receipt in [*receipts, *parts[-1]]) < TX_CAP
        words, _ = task.words(round_)
        pairs = zip(expected, words, strict=True)
        expected = [step_word(before, word, round=round_, role=Role.TRAINER) for before, word in pairs]
    assert [len(part) for part in parts] == [3, 1]
    book = ledger.reputation_book
    for index in (0, 333, len(expected) - 1):
        assert ledger.read(book.call("wordAt", task.task, Role.TRAINER, index)) == expected[index]
    node, slot = SEATS + FEW, FEW - 1
    assert ledger.reputation(task.task, Role.TRAINER, node) == reputation_lanes(expected[0])[slot] > 0
    scores = [task.scores(round_)[0] for round_ in (1, 2)]
    units = sum(10**6 * (each[slot] - 32_768) // sum(score - 32_768 for score in each) for each in scores)
    claim = ledger.claim(owner, task.task, Role.TRAINER, node)
    assert paid(task, node, claim) == units * task.params.trainer_pool // 10**6 > 0


def test_a_hundred_thousand_nodes_settle_under_one_root(rig: Rig) -> None:
    """No transaction knows how many there are: each costs less than 150,000 gas, and every leaf can be claimed."""
    shape = Shape.of(ROOT_NODES, seats=SEATS, quorum=QUORUM, mode=Mode.ROOT)
    task = rig.open_task(shape, joined=FEW)
    for round_ in (1, 2):
        assert max(receipt.gas_used for receipt in settled(task, round_)) < 150_000
    task.at(3, Phase.COMMIT)
    state = task.ledger_state(2)
    assert len(state.pay[Role.TRAINER]) == shape.trainers == ROOT_NODES - SEATS
    node, slot = SEATS + FEW, FEW - 1
    claim = task.claim_root(Role.TRAINER, node, slot, 2)
    assert paid(task, node, claim) == state.pay[Role.TRAINER][slot] > 0
