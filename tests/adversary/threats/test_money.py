"""Attacks on pay: split names, rounding, claims made twice or too early, double settlement, a task with oneself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ledger import Mode, PayProof, Role, RootState, Settled
from ledger import contract_errors as refused
from ledger.errors import BadArgument
from ledger.words import UNITS
from node.weight import WEIGHTINGS
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w

TRAINERS, VERIFIERS = Role.TRAINER, Role.VERIFIER
LIE = {1: 65_000, 2: 36_000, 3: 1}


def earnings(stage: Stage, mode: Mode, scores: dict[int, int]) -> dict[int, int]:
    """Wei that trainers are paid for one round with these scores; those with nothing are left out."""
    stage.rewind().use(mode)
    case = stage.final(1, scores=scores)
    paid = {}
    for node in w.TRAINERS:
        if scores[node] > 32_768:
            paid[node] = stage.cash_in(case, TRAINERS, node).event("Claimed").args["amount"]
    return paid


@threat(9, "work under three names in the place of one")
@both_modes
def test_split_names_earn_no_more(stage: Stage, mode: Mode) -> None:
    """Pay is linear in score parts and rounded down, so what is split over names adds up to the same or less."""
    parts = (7_001, 5_000)
    whole = earnings(stage, mode, {1: 32_768 + parts[0], 2: 32_768 + parts[1], 3: 1})
    split = earnings(stage, mode, {1: 32_768 + 3_500, 2: 32_768 + parts[1], 3: 32_768 + 3_501})
    assert split[1] + split[3] <= whole[1]
    assert whole[1] - split[1] - split[3] <= stage.params.trainer_pool // UNITS + 2
    assert sum(split.values()) <= stage.params.trainer_pool


@threat(9, "join with names that have next to no stake, or more weight than stake")
def test_names_cost_stake(stage: Stage) -> None:
    """Every name bonds the least stake, every seat its own; weight adds up under a split, and newcomers start at 0."""
    ledger, least = stage.ledger, 100 * w.UNIT
    with stage.refuses(refused.ERC20InsufficientAllowance):  # no stake at all
        call = ledger.vault.call("register", w.hot(8).address, least, ledger.possession(MALLORY.address, w.hot(8)))
        ledger.transmitter(MALLORY).send(call)
    ledger.approve(MALLORY, ledger.vault.address, least)
    with stage.refuses(refused.StakeTooLow, got=least - 1, needed=least):
        ledger.register(MALLORY, w.hot(8), least - 1)
    node, _ = ledger.register(MALLORY, w.hot(8), least)
    with stage.refuses(refused.StakeTooLow, got=least, needed=w.SEAT_STAKE):
        ledger.take_seats(MALLORY, node, 1)
    ledger.unbond(MALLORY, node, 1)
    with stage.refuses(refused.StakeTooLow, got=least - 1, needed=least):
        ledger.join(w.hot(8), stage.task, node, TRAINERS)
    ledger.bond(MALLORY, node, 1)
    ledger.join(w.hot(8), stage.task, node, TRAINERS)
    assert ledger.reputation(stage.task, TRAINERS, node) == 0
    weigh = WEIGHTINGS.get("stake")
    assert sum(weigh([300, 300, 400], [0, 0, 0])) == sum(weigh([1_000], [0])) <= sum(weigh([1_000], [9_000]))


# --- settled once ---
@threat(35, "settle a round twice, apply its words twice, or bring back an older round")
def test_words_are_applied_once(stage: Stage) -> None:
    """Rounds only rise: a post, its words and its void each happen once, by the record's hash and the word's stamp."""
    first = stage.prepared()
    first.post()
    other = replace(first, report=replace(first.report, model=w.digest("second")))
    for again in (first, other):
        with stage.refuses(refused.StaleReport, round=1, latest=1):
            again.send()
    stage.finish(1)
    with stage.refuses(refused.NothingPosted, task=stage.task):
        stage.ledger.finalise(w.owner(0), stage.task)
    second = stage.prepared(2)
    second.post()
    stage.advance_to(stage.phase_start(3, 0))
    old, call = first.posted(), stage.ledger.book.call
    with stage.refuses(refused.WrongHash, what="settled"):
        stage.ledger.transmitter(MALLORY).send(call("finalise", stage.task, old.settled, old.words, 2**32 - 1))
    new = second.posted()
    with stage.refuses(refused.WrongHash, what="words"):
        stage.ledger.transmitter(MALLORY).send(call("finalise", stage.task, new.settled, new.words[::-1], 2**32 - 1))
    stage.ledger.finalise(MALLORY, stage.task)
    assert [word >> 240 for word in stage.ledger.reputation_words(stage.task, TRAINERS)] == [2]


@threat(35, "let the round's stamp wrap around, or bring an old root's word on chain again")
def test_stamps_never_wrap_or_fall(stage: Stage) -> None:
    """A task has at most 4,294 rounds of a 16-bit stamp; a stored word is replaced by a later one only."""
    long = replace(PARAMS[Mode.WORDS], rounds=4_295, trainer_pool=0, verifier_pool=14 * w.UNIT)
    with stage.refuses(refused.BadParams, field="rounds"):
        stage.ledger.transmitter(w.owner(0)).send(stage.ledger.book.call("createTask", long, 1))
    stage.use(Mode.ROOT)
    first = stage.final(1)
    second = stage.final(2, before=first.data)
    assert first.data is not None
    assert second.data is not None
    with stage.refuses(refused.WrongHash, what="reputation"):
        stage.ledger.materialise(MALLORY, stage.task, TRAINERS, 0, first.data.reputation_proof(TRAINERS, 0))
    newest = second.data.reputation_proof(TRAINERS, 0)
    stage.ledger.materialise(MALLORY, stage.task, TRAINERS, 0, newest)
    with stage.refuses(refused.StaleRound, got=2, latest=2):
        stage.ledger.materialise(MALLORY, stage.task, TRAINERS, 0, newest)
    call = stage.ledger.reputation_book.call
    with stage.refuses(refused.NotRounds, caller=MALLORY.address):
        stage.ledger.transmitter(MALLORY).send(call("step", 1, 9, [1], 1, 0, 1, False))


@threat(35, "post again for a round that was proved false")
@both_modes
def test_a_void_round_is_over(stage: Stage, mode: Mode) -> None:
    """A void round is skipped: no second post of it counts, and the next one settles on the old parent."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    case.prove(WATCHER)
    honest = stage.settled_on(case.committee, 1)
    for again in (case, honest):
        with stage.refuses(refused.StaleReport, round=1, latest=1):
            again.send()
    stage.final(2)
    assert stage.ledger.task(stage.task).finalised == 1


# --- claims ---
@threat(36, "gain by rounding: many small claims, pools that do not divide")
@both_modes
def test_rounding_pays_nobody_more(stage: Stage, mode: Mode) -> None:
    """Shares are rounded down over all rounds together: claiming often pays the same, and dust stays in the task."""
    stage.use(mode)
    wallets: dict[str, int] = {"often": 0, "once": 0}
    before, units = None, {1: 0, 2: 0}
    for round_ in (1, 2, 3):
        scores = {1: 32_768 + 3 * round_, 2: 32_768 + 7, 3: 1}
        case = stage.final(round_, before=before, scores=scores)
        before = case.data
        wallets["often"] += stage.cash_in(case, TRAINERS, 1).event("Claimed").args["amount"]
        total = 3 * round_ + 7
        units = {1: units[1] + 3 * round_ * UNITS // total, 2: units[2] + 7 * UNITS // total}
    wallets["once"] = stage.cash_in(case, TRAINERS, 2).event("Claimed").args["amount"]
    pool = stage.params.trainer_pool
    dust = 3 * pool - sum(wallets.values())
    if mode == Mode.WORDS:
        assert wallets == {"often": units[1] * pool // UNITS, "once": units[2] * pool // UNITS}
        assert 0 <= dust <= 6 * (pool // UNITS + 1)
    else:
        assert before is not None
        assert wallets == {"often": before.pay[0][0], "once": before.pay[0][1]}
        assert 0 <= dust < 3 * 2


@threat(37, "claim twice, before the post is final, or by a post that died")
@both_modes
def test_only_final_pay_is_paid_and_once(stage: Stage, mode: Mode) -> None:
    """What was paid is kept as a running total, and only the final record counts, by the clock."""
    case = stage.use(mode).prepared()
    case.post()
    with _nothing_due(stage, mode):
        stage.advance_to(stage.phase_start(2, 0) - 2)
        _claim(stage, case)
    stage.advance_to(stage.phase_start(2, 0))
    stage.cash_in(case, TRAINERS, 1)
    with stage.refuses(refused.NothingToClaim, node=1):
        stage.cash_in(case, TRAINERS, 1)
    dead = stage.prepared(2, before=case.data, false=LIE)
    dead.post()
    dead.prove(WATCHER)
    stage.advance_to(stage.phase_start(3, 0))
    for node in (1, 2):
        if mode == Mode.ROOT:
            with stage.refuses(refused.WrongHash, what="pay"):
                stage.cash_in(dead, TRAINERS, node)
    with stage.refuses(refused.NothingToClaim, node=1):
        stage.cash_in(case, TRAINERS, 1)
    stage.cash_in(case, TRAINERS, 2)


def _nothing_due(stage: Stage, mode: Mode) -> object:
    return stage.refuses(refused.NothingToClaim, node=1) if mode == Mode.WORDS else pytest.raises(BadArgument)


def _claim(stage: Stage, case: Case) -> None:
    if case.data is None:
        stage.ledger.claim(MALLORY, stage.task, TRAINERS, 1)
    else:
        stage.ledger.claim_root(MALLORY, stage.task, TRAINERS, 1, case.data.pay_proof(TRAINERS, 0))


@threat(37, "claim by the record of a post whose window is open, or of one that is not the last")
def test_a_claim_by_another_record(stage: Stage) -> None:
    """The record that a claim brings must hash to the final one."""
    stage.use(Mode.ROOT)
    first = stage.final(1)
    second = stage.prepared(2, before=first.data, scores=LIE)
    second.post()
    assert second.data is not None
    pending, leaf = second.posted(), second.data.pay_proof(TRAINERS, 0)
    parts = (leaf.amount, leaf.sums, leaf.siblings)
    call = stage.ledger.rewards.call("claimRoot", stage.task, TRAINERS, 1, pending.settled, pending.state, *parts)
    with stage.refuses(refused.WrongHash, what="settled"):
        stage.ledger.transmitter(w.owner(1)).send(call)
    final = first.posted()
    forged = stage.ledger.rewards.call("claimRoot", stage.task, TRAINERS, 1, final.settled, pending.state, *parts)
    with stage.refuses(refused.WrongHash, what="state"):
        stage.ledger.transmitter(w.owner(1)).send(forged)


@threat(37, "note the pay of a root that is pending, dead or forged; claim by notes and by proof in turn")
def test_noted_pay_is_final_and_paid_once(stage: Stage) -> None:
    """Only the final record is noted, for ever; both ways to claim share one running total."""
    ledger = stage.use(Mode.ROOT).ledger
    first = stage.final(1)
    second = stage.prepared(2, before=first.data, scores=LIE)
    second.post()
    assert first.data is not None
    assert second.data is not None
    final, pending = first.posted(), second.posted()

    def note(settled: Settled, state: RootState) -> None:
        ledger.transmitter(MALLORY).send(ledger.rewards.call("notePay", stage.task, settled, state))

    def claim(leaf: PayProof, node: int) -> None:
        ledger.claim_noted(MALLORY, stage.task, TRAINERS, node, leaf)

    old, new = first.data.pay_proof(TRAINERS, 0), second.data.pay_proof(TRAINERS, 0)
    with stage.refuses(refused.WrongHash):  # nothing is noted yet
        claim(old, 1)
    with stage.refuses(refused.WrongHash, what="settled"):
        note(pending.settled, pending.state)
    with stage.refuses(refused.WrongHash, what="state"):
        note(final.settled, pending.state)
    with stage.refuses(refused.WrongHash, what="state"):
        note(final.settled, replace(final.state, totals=final.state.totals + 1))
    ledger.note_pay(MALLORY, stage.task)
    for leaf, node in ((new, 1), (replace(old, amount=old.amount + 1), 1), (old, 2)):
        with stage.refuses(refused.WrongHash):
            claim(leaf, node)
    purse = stage.purse(w.owner(1))
    claim(old, 1)
    with stage.refuses(refused.NothingToClaim, node=1):
        claim(old, 1)
    with stage.refuses(refused.NothingToClaim, node=1):
        stage.cash_in(first, TRAINERS, 1)
    stage.advance_to(stage.phase_start(3, 0))
    stage.cash_in(second, TRAINERS, 1)  # by the newer record, which nobody has noted
    with stage.refuses(refused.NothingToClaim, node=1):  # and the older one pays nothing twice
        claim(old, 1)
    assert stage.purse(w.owner(1)) == purse + new.amount


@threat(32, "spoil a batch of claims or commits with one bad item")
def test_one_bad_item_harms_its_own_batch_only(stage: Stage) -> None:
    """A batch is whole or not at all, and every item can go alone: nobody's claim waits for another's."""
    case, ledger = stage.final(), stage.ledger
    calls = [ledger.rewards.call("claim", stage.task, TRAINERS, node) for node in (1, 3, 2)]  # 3 earned nothing
    with stage.refuses(refused.NothingToClaim, node=3):
        ledger.batch(MALLORY, calls)
    purses = {node: stage.purse(w.owner(node)) for node in (1, 2)}
    ledger.batch(MALLORY, [calls[0], calls[2]])
    assert all(stage.purse(w.owner(node)) > purses[node] for node in (1, 2))
    assert case.report.round == 1
    stage.advance_to(stage.phase_start(2, 0))
    commits = [ledger.book.call("commit", stage.task, 2, node, w.digest(node)) for node in (2, 1)]
    with stage.refuses(refused.NotNode, node=1, caller=w.hot(2).address):
        ledger.batch(w.hot(2), commits)
    ledger.batch(w.hot(2), commits[:1])
    assert [event.args["node"] for event in ledger.commits(stage.task, 2)] == [2]


# --- a task with oneself ---
@threat(45, "fund a task, fill it with own nodes, and give them the highest scores")
@both_modes
def test_a_task_with_oneself_gains_nothing(stage: Stage, mode: Mode) -> None:
    """Pay comes out of the sponsor's own pools, and reputation stays in the task in which it was farmed."""
    stage.use(mode)
    cartel = [w.owner(index) for index in range(8)]
    paid_in, wealth = 3 * stage.params.pools, sum(map(stage.purse, cartel))
    assert stage.ledger.escrow(stage.task) == paid_in
    before = None
    for round_ in (1, 2, 3):
        case = stage.final(round_, before=before, scores=dict.fromkeys(w.TRAINERS, 65_535))
        before = case.data
    claims: Mapping[Role, range | tuple[int, ...]] = {TRAINERS: w.TRAINERS, VERIFIERS: range(1, 8)}
    gained = sum(
        stage.cash_in(case, role, node).event("Claimed").args["amount"] for role in Role for node in claims[role]
    )
    refunded = stage.ledger.close_task(w.owner(0), stage.task).event("TaskClosed").args["refunded"]
    dust = stage.ledger.escrow(stage.task)
    assert gained + refunded + dust == paid_in
    assert sum(map(stage.purse, cartel)) == wealth + paid_in - dust
    stage.use(1 - mode)
    assert set(stage.ledger.reputations(stage.task, TRAINERS).values()) == {0}
    assert set(stage.ledger.reputations(stage.task, VERIFIERS).values()) == {0}


@threat(45, "promise a pool that is not there")
def test_pools_are_paid_first(stage: Stage) -> None:
    """A task exists with its funding or not at all, and draws no committee that is not paid for."""
    params = PARAMS[Mode.WORDS]
    call = stage.ledger.book.call("createTask", params, 3)
    with stage.refuses(refused.ERC20InsufficientAllowance):
        stage.ledger.transmitter(MALLORY).send(call)
    with stage.refuses(refused.BadFunding, rounds=0):
        stage.ledger.transmitter(MALLORY).send(stage.ledger.book.call("createTask", params, 0))
    stage.add_task(params, funded=1)
    stage.final(1)
    stage.submit(2)
    with stage.refuses(refused.NotFunded, draws=1, fundedRounds=1):
        stage.ledger.arm_beacon(MALLORY, stage.task, 2)
