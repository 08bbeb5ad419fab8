"""A chain whose headers hold no randomness: seeds from operators' hash chains and this chain's block hashes."""

from __future__ import annotations

import pytest
from eth_utils.crypto import keccak

from ledger import Mode, Signer, expected_draw, seed_of
from ledger import contract_errors as refused
from ledger.abi import Contract, artefact, interface
from ledger.deployments import predict_address
from ledger.transmit import Transmitter
from tests.adversary.threats.chains import Site
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, SEATS, Stage, both_modes
from tests.integration.ledger import world as w

OPERATORS = (w.owner(8), w.owner(9))
LENGTH, DELAY, WINDOW = 8, 2, 40


def values(operator: int) -> list[bytes]:
    """An operator's chain: value i, of which value i - 1 is the hash; value 0 is the tip."""
    chain = [w.digest("the last value of", operator)]
    while len(chain) <= LENGTH:
        chain.append(keccak(chain[-1]))
    return chain[::-1]


VALUES = [values(operator) for operator in range(2)]


@pytest.fixture(scope="module")
def deployed(own_site: Site) -> Stage:
    """Seven members and a task in each mode, in a deployment with a HashChainSeed of two operators."""
    site, deployer = own_site, w.owner(0)
    # The source is the deployer's first contract, the token its second; the book follows as the seventh.
    rounds = predict_address(deployer.address, 6)
    tips = [chain[0] for chain in VALUES]
    arguments = interface("HashChainSeed").constructor.encode([rounds, tips, LENGTH, DELAY, WINDOW])
    code = bytes.fromhex(artefact("HashChainSeed")["bytecode"].removeprefix("0x"))
    source = Transmitter(site.chain, deployer).create("HashChainSeed", code + arguments).contract_address
    assert source is not None
    stage = Stage.on(site, seed_source=source)
    assert stage.ledger.deployment.book == rounds
    assert stage.ledger.seed_source() == source
    stage.enrol()
    for mode in Mode:
        assert stage.add_task(PARAMS[mode]) == int(mode) + 1
    site.snapshot()
    return stage


@pytest.fixture
def stage(deployed: Stage) -> Stage:
    """The same for every test."""
    return deployed.rewind()


def source_of(stage: Stage) -> Contract:
    """The seed source."""
    return Contract("HashChainSeed", stage.ledger.deployment.contracts["SeedSource"])


def reveal(stage: Stage, operator: int, value: bytes, by: Signer | None = None) -> None:
    """Publish a value of an operator's chain."""
    call = source_of(stage).call("reveal", operator, value)
    stage.ledger.transmitter(by or OPERATORS[operator]).send(call, gas=500_000)


def seed_block(stage: Stage, ticket: int) -> int:
    """The block of a ticket."""
    return int(stage.ledger.read(source_of(stage).call("seedBlockOf", ticket)))


def draw(stage: Stage, proof: bytes = b"") -> None:
    """Draw round 1."""
    stage.ledger.draw_committee(MALLORY, stage.task, 1, proof=proof, gas=3_000_000)


@threat(48, "run where the headers' mixHash is a constant, or the sequencer's choice")
@both_modes
def test_a_seed_that_nobody_makes_alone(stage: Stage, mode: Mode) -> None:
    """A number hashes every operator's committed value with the hash of a block that comes after the ticket."""
    ticket = stage.use(mode).arm(1)
    assert ticket == 1
    block = seed_block(stage, ticket)
    assert block == stage.chain.block_number() + DELAY
    stage.mine(DELAY)
    with stage.refuses(refused.TicketPending, ticket=ticket):
        draw(stage)
    reveal(stage, 0, VALUES[0][1])
    with stage.refuses(refused.TicketPending, ticket=ticket):  # one of two is not enough
        draw(stage)
    reveal(stage, 1, VALUES[1][1], by=MALLORY)  # whoever has the value may bring it
    with stage.refuses(refused.BadSeedProof, ticket=ticket):  # nothing of the caller's goes in
        draw(stage, proof=stage.chain.header_rlp(block))
    seats = [(node, w.hot(node).address, False) for node, _ in stage.ledger.seats()]
    draw(stage)
    number = keccak(VALUES[0][1] + VALUES[1][1] + stage.chain.block(block).hash)
    seed = seed_of(stage.chain.chain_id, stage.ledger.deployment.book, stage.task, 1, number)
    assert stage.ledger.seed(stage.task, 1) == seed
    committee = tuple(expected_draw(seed, seats, SEATS))
    assert stage.ledger.committee(stage.task, 1) == committee
    stage.settled_on(committee, 1).send()


@threat(48, "as an operator: show the value early, show another, or keep it back and see another block")
def test_an_operator_alone_chooses_nothing(stage: Stage) -> None:
    """Values are fixed by the tips, taken only when their block is past, and a withheld one is spent for ever."""
    ticket = stage.arm(1)
    block = seed_block(stage, ticket)
    with stage.refuses(refused.RevealTooEarly, ticket=ticket, fromBlock=block + 1):
        reveal(stage, 0, VALUES[0][1])
    stage.mine(DELAY)
    for wrong in (VALUES[0][2], VALUES[1][1], w.digest("another"), VALUES[0][0]):
        with stage.refuses(refused.WrongValue, operator=0, value=wrong):
            reveal(stage, 0, wrong)
    with stage.refuses(refused.UnknownOperator, operator=2):
        reveal(stage, 2, VALUES[0][1], by=MALLORY)
    reveal(stage, 1, VALUES[1][1])  # the other keeps its value back
    frozen = int(stage.ledger.read(source_of(stage).call("frozenUntil", ticket)))
    assert frozen == block + WINDOW
    with stage.refuses(refused.SeatsFrozen, untilBlock=frozen):
        stage.ledger.leave_seats(w.owner(1), 1, 1)
    stage.mine(frozen - stage.chain.block_number())
    with stage.refuses(refused.TicketExpired, ticket=ticket):
        draw(stage)
    stage.ledger.arm_beacon(MALLORY, stage.task, 1)
    second = stage.ledger.live(stage.task).seed_block
    assert second == ticket + 1
    stage.mine(DELAY)
    reveal(stage, 0, VALUES[0][1])  # too late: its ticket stays expired, and the next number needs the next values
    reveal(stage, 1, VALUES[1][2])
    with stage.refuses(refused.TicketPending, ticket=second):
        draw(stage)
    reveal(stage, 0, VALUES[0][2])
    draw(stage)
    assert stage.ledger.live(stage.task).drawn_round == 1


@threat(48, "as anybody: use the operators' values up, or ask for a ticket whose number can be foreseen")
def test_tickets_are_for_the_book_alone(stage: Stage) -> None:
    """Only the book takes tickets, and from its block on a ticket is given to nobody else."""
    for anybody in (MALLORY, w.owner(0), w.hot(1)):
        with stage.refuses(refused.NotRounds, caller=anybody.address):
            stage.ledger.transmitter(anybody).send(source_of(stage).call("ticket"))
    with stage.refuses(refused.NothingToReveal, revealed=0):
        reveal(stage, 0, VALUES[0][1])
    for node in range(1, 8):
        stage.ledger.take_seats(w.owner(node), node, 1)
    first = stage.arm(1)
    stage.mine(DELAY)
    stage.use(Mode.ROOT)
    second = stage.arm(1)
    assert (first, second) == (1, 2)
    assert seed_block(stage, second) > seed_block(stage, first)
