"""Rounds that are seeded by an operator's hash chain, for chains whose headers hold no randomness."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger import Ledger, SeedChain, SeedTerms, TesterChain, deploy, expected_draw, seed_of
from ledger import contract_errors as refused
from ledger.errors import BadArgument
from ledger.seeds import number_of
from tests.integration.ledger import world as w

CHAINS = [SeedChain(bytes([n]) * 32, length=3) for n in (5, 6)]
TERMS = SeedTerms(tuple(chain.tip for chain in CHAINS), length=3, delay=2, window=100)


class _Seeded(w.World):
    """The world, deployed with the seed chain."""

    def __post_init__(self) -> None:
        stakes = {"seat_stake": w.SEAT_STAKE, "min_stake": 100 * w.UNIT, "unbonding_s": 100_000}
        self.ledger = Ledger(self.chain, deploy(self.chain, w.owner(0), **stakes, seed_source=TERMS))


@pytest.fixture
def world() -> Iterator[w.World]:
    with TesterChain.create(seed=b"seeds", funded=w.ACCOUNTS) as chain:
        yield _Seeded(chain, chain.advance_to, chain.mine).populate()


def test_a_round_is_seeded_by_a_value_and_a_block_that_came_after(world: w.World) -> None:
    ledger, chain, task = world.ledger, world.chain, world.task
    world.advance_to(world.phase_start(1, 2))
    ledger.arm_beacon(w.owner(0), task, 1)
    ticket = ledger.live(task).seed_block
    assert ticket == 1
    with pytest.raises(refused.RevealTooEarly):
        ledger.reveal_seed(w.owner(4), 0, CHAINS[0].value(ticket))
    with pytest.raises(refused.TicketPending):
        ledger.draw_committee(w.owner(0), task, 1)
    world.mine(4)
    for operator, value in ((0, CHAINS[0].value(2)), (1, CHAINS[0].value(1))):
        with pytest.raises(refused.WrongValue):
            ledger.reveal_seed(w.owner(4), operator, value)
    with pytest.raises(refused.UnknownOperator):
        ledger.reveal_seed(w.owner(4), 2, CHAINS[0].value(1))
    shown = ledger.reveal_seed(w.owner(4), 0, CHAINS[0].value(ticket)).event("ValueRevealed")
    assert shown.args == {"ticket": 1, "operator": 0, "value": CHAINS[0].value(1)}
    with pytest.raises(refused.NothingToReveal):
        ledger.reveal_seed(w.owner(4), 0, CHAINS[0].value(2))
    with pytest.raises(refused.TicketPending):  # one operator is silent
        ledger.draw_committee(w.owner(0), task, 1)
    ledger.reveal_seed(w.owner(4), 1, CHAINS[1].value(ticket))
    with pytest.raises(refused.BadSeedProof):
        ledger.draw_committee(w.owner(0), task, 1, proof=b"x")
    ledger.draw_committee(w.owner(0), task, 1)
    assert ledger.seeds is not None
    seed_block = ledger.events(ledger.seeds, "TicketGiven", ticket=1)[0].args["seedBlock"]
    number = number_of([one.value(1) for one in CHAINS], chain.block(seed_block).hash)
    seed = seed_of(chain.chain_id, ledger.deployment.book, task, 1, number)
    assert ledger.seed(task, 1) == seed
    seats = [(node, w.hot(node).address, False) for node, _ in ledger.seats()]
    assert tuple(expected_draw(seed, seats, w.SEATS)) == ledger.committee(task, 1)
    world.settlement(1, ledger.committee(task, 1) or ()).post()
    world.finish(1)


def test_a_value_that_is_withheld_costs_its_ticket(world: w.World) -> None:
    ledger, task = world.ledger, world.task
    world.advance_to(world.phase_start(1, 2))
    ledger.arm_beacon(w.owner(0), task, 1)
    world.mine(TERMS.delay + TERMS.window + 2)
    with pytest.raises(refused.TicketExpired):
        ledger.draw_committee(w.owner(0), task, 1)
    ledger.arm_beacon(w.owner(0), task, 1)
    assert ledger.live(task).seed_block == 2
    world.mine(4)
    for operator, one in enumerate(CHAINS):
        ledger.reveal_seed(w.owner(4), operator, one.value(2))
    ledger.draw_committee(w.owner(0), task, 1)
    assert ledger.committee(task, 1) is not None


def test_a_deployment_without_a_source_has_nothing_to_reveal() -> None:
    with TesterChain.create(seed=b"headers", funded=w.ACCOUNTS) as chain:
        ledger = w.World(chain, chain.advance_to, chain.mine).ledger
        with pytest.raises(BadArgument, match="no seed source"):
            ledger.reveal_seed(w.owner(0), 0, b"\1" * 32)
