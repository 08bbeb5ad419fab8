"""Attacks on time and chance: shifted clocks, forged headers, a chosen block, a seed drawn again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger import Mode, Phase, Receipt, Role, expected_draw, seed_of
from ledger import contract_errors as refused
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, SEATS, WATCHER, Stage, both_modes
from tests.integration.ledger import world as w

HORIZON = 256
ENOUGH = 3_000_000  # gas: an estimate would run at another time


def at(stage: Stage, time: int, act: Callable[[], object]) -> None:
    """Do it in a block with exactly this timestamp."""
    stage.site.next_at(time)
    act()
    assert stage.chain.now() == time


@threat(39, "shift a block's time over the end of a phase")
@both_modes
def test_every_phase_ends_at_its_second(stage: Stage, mode: Mode) -> None:
    """Phases are half-open and follow from the task alone: one second before is in, the end itself is out."""
    stage.use(mode)
    ledger, task = stage.ledger, stage.task
    reveal, post, window, after = (stage.phase_start(1, phase) for phase in (1, 2, 3, 4))

    def commit() -> Receipt:
        return ledger.commit(w.hot(1), task, 1, 1, w.digest("c"), gas=ENOUGH)

    def open_up() -> Receipt:
        return ledger.reveal(w.hot(1), task, 1, 1, w.digest("m"), 1, w.digest("s"), gas=ENOUGH)

    def arm() -> Receipt:
        return ledger.arm_beacon(MALLORY, task, 1, gas=ENOUGH)

    at(stage, reveal - 1, commit)
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.REVEAL, needed=Phase.COMMIT):
        at(stage, reveal, commit)
    at(stage, post - 1, open_up)
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.POST, needed=Phase.REVEAL):
        at(stage, post, open_up)
    arm()
    stage.draw_armed(1)
    committee = ledger.committee(task, 1)
    assert committee is not None
    case = stage.settled_on(committee, 1)
    at(stage, window - 1, lambda: case.send(gas=ENOUGH))
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.WINDOW, needed=Phase.POST):
        at(stage, window, arm)
    with stage.refuses(refused.NotAFault):
        at(stage, after - 1, lambda: case.prove(MALLORY, gas=ENOUGH))
    with stage.refuses(refused.NotPending, task=task, round=1):
        at(stage, after, lambda: case.prove(MALLORY, gas=ENOUGH))
    assert ledger.clock(task).round == 2


@threat(39, "post, or finalise, a second out of turn")
def test_posts_and_finality_keep_to_their_second(stage: Stage) -> None:
    """A post is refused from the window on, words are applied from its end on, and nothing is priced by the second."""
    case = stage.prepared()
    window, after = stage.phase_start(1, 3), stage.phase_start(2, 0)
    late = replace(case)
    case.post()
    call = stage.ledger.book.call("finalise", 1, case.posted().settled, case.posted().words, 2**32 - 1)

    def apply() -> Receipt:
        return stage.ledger.transmitter(MALLORY).send(call, gas=ENOUGH)

    with stage.refuses(refused.WindowOpen, until=after):
        at(stage, after - 1, apply)
    at(stage, after, apply)
    stage.rewind()
    again = stage.prepared()
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.WINDOW, needed=Phase.POST):
        at(stage, window, lambda: again.send(gas=ENOUGH))
    assert late.report.round == 1


@threat(40, "prove the draw with a forged header, or with another block's")
@both_modes
def test_a_forged_header(stage: Stage, mode: Mode) -> None:
    """The seed is the mixHash inside of a header that hashes to the chain's own hash of the armed block."""
    stage.use(mode)
    seed_block = stage.arm(1)
    stage.mine(5)
    header, ledger = stage.chain.header_rlp(seed_block), stage.ledger
    real = stage.chain.block(seed_block)
    expected = {"expected": real.hash}
    place = header.index(real.mix_hash)
    bent = header[:place] + w.digest("my number") + header[place + 32 :]
    for forged in (bent, header[:-1], header + b"\0", b"", b"\xc0"):
        with stage.refuses(refused.BadHeader, **expected):
            ledger.draw_committee(MALLORY, stage.task, 1, proof=forged, gas=ENOUGH)
    for other in (seed_block - 1, seed_block + 1):
        with stage.refuses(refused.BadHeader, **expected):
            ledger.draw_committee(MALLORY, stage.task, 1, proof=stage.chain.header_rlp(other), gas=ENOUGH)
    ledger.draw_committee(MALLORY, stage.task, 1)
    assert ledger.seed(stage.task, 1) == seed_of(
        stage.chain.chain_id, ledger.deployment.book, stage.task, 1, real.mix_hash
    )


@threat(40, "draw again until the committee pleases")
def test_a_seed_is_drawn_once(stage: Stage) -> None:
    """Armed once, drawn once; a new seed is given only when the old one can no longer be proved by anybody."""
    seed_block = stage.arm(1)
    with stage.refuses(refused.AlreadyArmed, round=1, seedBlock=seed_block):
        stage.ledger.arm_beacon(MALLORY, 1, 1)
    stage.mine(seed_block + HORIZON - 1 - stage.chain.block_number())
    with stage.refuses(refused.AlreadyArmed, round=1, seedBlock=seed_block):  # the last block in which it can be drawn
        stage.ledger.arm_beacon(MALLORY, 1, 1, gas=ENOUGH)
    stage.mine(1)
    with stage.refuses(refused.SeedExpired, seedBlock=seed_block):
        stage.ledger.draw_committee(MALLORY, 1, 1, proof=stage.chain.header_rlp(seed_block), gas=ENOUGH)
    before = stage.ledger.live(1)
    stage.ledger.arm_beacon(MALLORY, 1, 1)
    live = stage.ledger.live(1)
    assert live.seed_block == stage.chain.block_number() + 2
    assert live.draws == before.draws  # and the owner pays for one
    stage.draw_armed(1)
    for again in (stage.ledger.arm_beacon, stage.ledger.draw_committee):
        with stage.refuses(refused.AlreadyDrawn, round=1):
            again(MALLORY, 1, 1)


@threat(41, "draw at a moment of one's choice, by a header of one's choice")
@pytest.mark.parametrize("late", [0, 1, 100])
def test_the_arming_fixes_the_block(stage: Stage, late: int) -> None:
    """Whoever draws, and whenever it does, the seed is that of the block fixed by the arming."""
    seed_block = stage.arm(1)
    stage.mine(2 + late)
    by = MALLORY if late else WATCHER
    seats = [(node, w.hot(node).address, False) for node, _ in stage.ledger.seats()]
    stage.ledger.draw_committee(by, 1, 1)
    mix_hash = stage.chain.block(seed_block).mix_hash
    seed = seed_of(stage.chain.chain_id, stage.ledger.deployment.book, 1, 1, mix_hash)
    assert stage.ledger.seed(1, 1) == seed
    assert stage.ledger.committee(1, 1) == tuple(expected_draw(seed, seats, SEATS))
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.WINDOW, needed=Phase.POST):
        stage.advance_to(stage.phase_start(1, 3))
        stage.ledger.arm_beacon(MALLORY, 1, 1)


@threat(41, "arm a round that is not due, or let two tasks share a seed")
def test_seeds_are_of_one_round_and_task(stage: Stage) -> None:
    """Task and round are hashed into the seed: one block gives two tasks two seeds, and no round is armed early."""
    for node in range(1, 8):
        stage.ledger.take_seats(w.owner(node), node, 1)
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.COMMIT, needed=Phase.POST):
        stage.ledger.arm_beacon(MALLORY, 1, 1)
    stage.arm(1)
    with stage.refuses(refused.WrongRound, got=2, current=1):
        stage.ledger.arm_beacon(MALLORY, 1, 2)
    stage.draw_armed(1)
    stage.use(Mode.ROOT)
    stage.arm(1)
    stage.draw_armed(1)
    assert stage.ledger.seed(1, 1) != stage.ledger.seed(2, 1)
    book, chain_id = stage.ledger.deployment.book, stage.chain.chain_id
    mix_hash = w.digest("one block")
    assert len({seed_of(chain_id, book, task, round_, mix_hash) for task in (1, 2) for round_ in (1, 2)}) == 4


@threat(39, "join while a report is made, so that its words are one lane short")
def test_nobody_joins_while_reports_are_made(stage: Stage) -> None:
    """The number of slots stands still in POST: a join is refused from its first second to its last."""
    ledger = stage.ledger
    ledger.register(MALLORY, w.hot(8), w.SEAT_STAKE)

    def join() -> Receipt:
        return ledger.join(w.hot(8), 1, 8, Role.TRAINER, gas=ENOUGH)

    for time in (stage.phase_start(1, 2), stage.phase_start(1, 3) - 1):
        with stage.refuses(refused.WrongPhase, round=1, got=Phase.POST, needed=Phase.WINDOW):
            at(stage, time, join)
    at(stage, stage.phase_start(1, 3), join)
    assert PARAMS[Mode.WORDS].seats == SEATS
