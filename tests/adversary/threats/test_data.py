"""Attacks with data: withheld from everybody, asked for without end, answered falsely."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import DemandKind, Mode, Role, WordProof, votes_hash
from ledger import contract_errors as refused
from ledger.rootstate import pay_index, word_index
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, SEATS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w

LEVELS = PARAMS[Mode.ROOT].levels
FEE = w.DEMAND_FEE
VOTES = DemandKind.VOTES
WITHHELD = {
    DemandKind.SCORES: word_index(LEVELS, Role.VERIFIER, 0),
    DemandKind.REPUTATION: word_index(LEVELS, Role.TRAINER, 1),
    DemandKind.TRAINER_PAY: pay_index(1),
    DemandKind.VERIFIER_PAY: pay_index(16),
}


def posted(stage: Stage, mode: Mode = Mode.WORDS) -> Case:
    """An honest post whose window is open."""
    case = stage.use(mode).prepared()
    case.post()
    stage.advance_to(stage.phase_start(1, 3))
    return case


def deadline(stage: Stage, case: Case, kind: DemandKind, a: int, b: int = 0) -> int:
    """Until when the answer is due."""
    found = stage.ledger.demand_of(case.posted().digest, kind, a, b)
    assert found is not None
    return found[1]


@threat(24, "sign a report and show its votes to nobody")
@both_modes
def test_withheld_votes_kill_the_post(stage: Stage, mode: Mode) -> None:
    """Anybody demands them; without an answer the post dies, its signers pay, and the demander's fee returns."""
    case, ledger = posted(stage, mode), stage.ledger
    post = case.posted()
    ledger.demand(WATCHER, post, VOTES, SEATS - 1, 0)
    due = deadline(stage, case, VOTES, SEATS - 1)
    with stage.refuses(refused.AnswerDue, until=due):
        stage.site.next_at(due)
        ledger.expire(WATCHER, post, VOTES, SEATS - 1, 0, gas=2_000_000)
    stage.advance_to(due + 1)
    with stage.punishes(case, WATCHER, refund=FEE):
        ledger.expire(WATCHER, post, VOTES, SEATS - 1, 0)
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        ledger.expire(WATCHER, post, VOTES, SEATS - 1, 0)


@threat(24, "sign a root and show a word, or a leaf of pay, to nobody")
@pytest.mark.parametrize("kind", WITHHELD, ids=lambda kind: kind.name.lower())
def test_withheld_words_kill_the_root(stage: Stage, kind: DemandKind) -> None:
    """Every word and every leaf behind a root can be demanded by its place."""
    case, ledger = posted(stage, Mode.ROOT), stage.ledger
    post, index = case.posted(), WITHHELD[kind]
    ledger.demand(WATCHER, post, kind, index)
    stage.advance_to(deadline(stage, case, kind, index) + 1)
    with stage.punishes(case, WATCHER, refund=FEE):
        ledger.expire(WATCHER, post, kind, index)


@threat(24, "answer a demand with something else, or late")
@both_modes
def test_only_the_signed_data_answer(stage: Stage, mode: Mode) -> None:
    """An answer is hashed against the signed report, and taken up to its deadline; any other is nothing."""
    case, ledger = posted(stage, mode), stage.ledger
    post, proof = case.posted(), case.vote_proofs()[2]
    ledger.demand(WATCHER, post, VOTES, 2, 0)
    false = (replace(case.votes[2], root=w.digest("x")), *case.votes[1:])
    wrong = [
        (case.votes, replace(proof, word=proof.word + 1)),
        (false, proof),
        (case.votes[:-1], proof),
        ((), WordProof(0, ())),
    ]
    for votes, word in wrong:
        with stage.refuses(refused.WrongHash):
            ledger.answer_votes(MALLORY, post, 2, 0, votes, word)
    with stage.refuses(refused.BadProofLength):
        ledger.answer_votes(MALLORY, post, 2, 0, case.votes, replace(proof, siblings=(bytes(32),)))
    with stage.refuses(refused.NotDemanded):
        ledger.answer_votes(MALLORY, post, 1, 0, case.votes, proof)
    due = deadline(stage, case, VOTES, 2)
    with stage.refuses(refused.TooLate, since=due):
        stage.site.next_at(due + 1)
        ledger.answer_votes(MALLORY, post, 2, 0, case.votes, proof, gas=2_000_000)


@threat(24, "answer in the last second; then expire all the same")
@both_modes
def test_an_answer_in_time_saves_the_post(stage: Stage, mode: Mode) -> None:
    """The deadline itself is in time; whoever answers has the fee, and an answered demand expires nothing."""
    case, ledger = posted(stage, mode), stage.ledger
    post, helper = case.posted(), w.owner(6)
    ledger.demand(WATCHER, post, VOTES, 2, 0)
    purse = stage.purse(helper)
    stage.site.next_at(deadline(stage, case, VOTES, 2))
    ledger.answer_votes(helper, post, 2, 0, case.votes, case.vote_proofs()[2], gas=2_000_000)
    assert stage.purse(helper) == purse + FEE
    stage.advance_to(stage.chain.now() + 10)
    with stage.refuses(refused.NotDemanded):
        ledger.expire(MALLORY, post, VOTES, 2, 0)
    stage.advance_to(stage.phase_start(2, 0))
    assert ledger.final(stage.task) == post
    assert all(stake == (10 * w.SEAT_STAKE, 0, 1) for stake in stage.holdings().stakes.values())


@threat(24, "sign a list of votes that is too long for any transaction")
@both_modes
def test_a_list_longer_than_the_committee(stage: Stage, mode: Mode) -> None:
    """More votes than seats are a fault in themselves: the list answers no demand, and whoever has it proves it."""
    case = stage.use(mode).prepared()
    long = (*case.votes, case.votes[0])
    case.votes = long
    case.report = replace(case.report, votes_hash=votes_hash(long))
    case.post()
    post, ledger = case.posted(), stage.ledger
    ledger.demand(WATCHER, post, VOTES, 0, 0)
    with stage.refuses(refused.WrongLength, what="votes", got=SEATS + 1, expected=SEATS):
        ledger.answer_votes(MALLORY, post, 0, 0, long, case.vote_proofs()[0])
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER)
    purse = stage.purse(WATCHER)
    ledger.reclaim(MALLORY, post, VOTES, 0, 0)
    assert stage.purse(WATCHER) == purse + FEE


@threat("a void after half the window", "withhold until demands are closed, and be asked in the last second before")
@both_modes
def test_a_demand_before_half_time_still_kills(stage: Stage, mode: Mode) -> None:
    """Half of the window to ask, a quarter to answer, a quarter to expire: the last demand can still void in time."""
    case, ledger = posted(stage, mode), stage.ledger
    post, closes = case.posted(), stage.phase_start(2, 0)
    half = closes - stage.params.window_s // 2
    ledger.approve(WATCHER, ledger.disputes.address, 10 * FEE)
    stage.site.next_at(half - 1)
    ledger.demand(WATCHER, post, VOTES, 0, 0, gas=500_000)
    assert stage.chain.now() == half - 1
    with stage.refuses(refused.TooLate, since=half):
        stage.site.next_at(half)
        ledger.demand(WATCHER, post, VOTES, 1, 0, gas=500_000)
    due = deadline(stage, case, VOTES, 0)
    assert half < due < closes
    stage.advance_to(closes - 10)
    with stage.punishes(case, WATCHER, refund=FEE):
        ledger.expire(WATCHER, post, VOTES, 0, 0)
    assert stage.chain.now() < closes
    stage.final(2)
    assert ledger.task(stage.task).final_round == 2


@threat(24, "wait for the window to close on an open demand")
@both_modes
def test_a_demand_that_nobody_expires(stage: Stage, mode: Mode) -> None:
    """Whoever demands must expire it in time; later the post is final, and the fee goes back to the demander alone."""
    case, ledger = posted(stage, mode), stage.ledger
    post = case.posted()
    ledger.demand(WATCHER, post, VOTES, 0, 0)
    with stage.refuses(refused.AnswerDue):
        ledger.reclaim(WATCHER, post, VOTES, 0, 0)
    stage.advance_to(stage.phase_start(2, 0))
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        ledger.expire(MALLORY, post, VOTES, 0, 0)
    with stage.refuses(refused.ContractError):  # an answer comes too late as well
        ledger.answer_votes(MALLORY, post, 0, 0, case.votes, case.vote_proofs()[0])
    purses = stage.purse(WATCHER), stage.purse(MALLORY)
    ledger.reclaim(MALLORY, post, VOTES, 0, 0)
    assert (stage.purse(WATCHER), stage.purse(MALLORY)) == (purses[0] + FEE, purses[1])
    with stage.refuses(refused.NotDemanded):
        ledger.reclaim(MALLORY, post, VOTES, 0, 0)
    assert ledger.final(stage.task) == post


@threat(25, "demand the same again and again, or data that cannot exist")
@both_modes
def test_demands_without_end(stage: Stage, mode: Mode) -> None:
    """A datum is demanded once, its place is checked, and each demand costs a fee that its answerer earns."""
    case, ledger = posted(stage, mode), stage.ledger
    post, proofs = case.posted(), case.vote_proofs()
    for by in (MALLORY, WATCHER):
        ledger.approve(by, ledger.disputes.address, 100 * FEE)
    ledger.demand(MALLORY, post, VOTES, 0, 0)
    for by in (MALLORY, WATCHER):
        with stage.refuses(refused.AlreadyDemanded):
            ledger.demand(by, post, VOTES, 0, 0)
    with stage.refuses(refused.BadIndex, what="vote", got=SEATS, limit=SEATS):
        ledger.demand(MALLORY, post, VOTES, SEATS, 0)
    with stage.refuses(refused.BadIndex, what="word", got=1, limit=1):
        ledger.demand(MALLORY, post, VOTES, 0, 1)
    if mode == Mode.WORDS:
        with stage.refuses(refused.WrongMode, mode=Mode.WORDS, needed=Mode.ROOT):
            ledger.demand(MALLORY, post, DemandKind.SCORES, 0)
    else:
        for kind, limit in ((DemandKind.SCORES, 2 << LEVELS), (DemandKind.TRAINER_PAY, 16 << LEVELS)):
            with stage.refuses(refused.BadIndex, got=limit, limit=limit):
                ledger.demand(MALLORY, post, kind, limit)
        with stage.refuses(refused.BadIndex, what="b", got=1, limit=1):
            ledger.demand(MALLORY, post, DemandKind.SCORES, 0, 1)
    forged = replace(post, report=replace(post.report, round=2))
    with stage.refuses(refused.NotPending, task=stage.task, round=2):
        ledger.demand(MALLORY, forged, VOTES, 1, 0)
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        ledger.demand(MALLORY, replace(post, trainer_count=9), VOTES, 1, 8)
    for place in range(1, SEATS):
        ledger.demand(MALLORY, post, VOTES, place, 0)
    purse, helper = stage.purse(MALLORY), w.owner(6)
    earned = stage.purse(helper)
    for place in range(SEATS):
        ledger.answer_votes(helper, post, place, 0, case.votes, proofs[place])
    assert stage.purse(helper) == earned + SEATS * FEE
    with stage.refuses(refused.AlreadyDemanded):  # what was answered is not asked again
        ledger.demand(MALLORY, post, VOTES, 0, 0)
    assert stage.purse(MALLORY) == purse
    assert stage.holdings().places["Disputes"] == 0


@threat(25, "demand without paying")
def test_a_demand_without_money(stage: Stage) -> None:
    """The fee is taken with the demand, or there is none."""
    case, ledger = posted(stage), stage.ledger
    poor = w.hot(9)
    call = ledger.disputes.call("demand", *_demand(case), VOTES, 0, 0)
    with stage.refuses(refused.ERC20InsufficientAllowance, needed=FEE):
        ledger.transmitter(poor).send(call)
    ledger.approve(poor, ledger.disputes.address, FEE)
    with stage.refuses(refused.ERC20InsufficientBalance, needed=FEE):
        ledger.transmitter(poor).send(call)
    assert ledger.demand_of(case.posted().digest, VOTES, 0, 0) is None


def _demand(case: Case) -> tuple[object, int, int]:
    post = case.posted()
    return post.report, post.signers, post.trainer_count
