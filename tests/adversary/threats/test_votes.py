"""Attacks on scores: signing without looking, colluding votes, and the proofs that punish them, abused in turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import Mode, Report, Role, Seat, pack_committee
from ledger import contract_errors as refused
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, WATCHER, Stage, both_modes
from tests.integration.ledger import world as w

LIE = {1: 65_000, 2: 36_000, 3: 1}


@threat(6, "sign whatever the proposer says")
@both_modes
def test_one_false_score_slashes_every_signer(stage: Stage, mode: Mode) -> None:
    """Anybody proves one word false from the signed votes: every signer pays, whoever did not sign keeps all."""
    case = stage.use(mode).prepared(false=LIE)
    assert len(case.idle) == 2
    case.post()
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER)
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        case.prove(MALLORY)


@threat(6, "lift a lane that nobody voted on, or lower one that everybody did")
@threat(18, "post another number than the lower median, anywhere in a word")
@pytest.mark.parametrize("false", [{1: 39_999, 2: 36_000, 3: 1}, {1: 0, 2: 36_000, 3: 1}, {1: 40_000, 2: 36_000, 3: 2}])
def test_every_wrong_lane_is_a_fault(stage: Stage, false: dict[int, int]) -> None:
    """The contract computes the lower median over seats of every lane itself; only the median or 1 passes."""
    case = stage.prepared(false=false)
    case.post()
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER)


@threat(7, "three of seven vote for a friend; then also sign the friend's score")
@both_modes
def test_a_minority_of_votes_moves_nothing(stage: Stage, mode: Mode) -> None:
    """Three of seven cannot raise the lower median; a report that follows them is proved false with their own votes."""
    case = stage.use(mode).prepared()
    hostile = [seat.node for seat in case.committee[:3]]
    ballots = {node: {1: 2, 2: 65_535, 3: 65_535} for node in hostile}
    honest = case.cast(ballots)
    assert honest.ballots is not None
    posted = honest.data.scores[0][0] if honest.data else honest.trainer_words[0]
    assert posted == sum(score << 16 * lane for lane, score in enumerate(w.SCORES.values()))
    honest.post()
    with stage.refuses(refused.NotAFault):
        honest.prove(MALLORY)
    stage.advance_to(stage.phase_start(2, 0))
    final = stage.ledger.final(stage.task)
    assert final is not None
    assert final.round == 1


@threat(7, "a quorum follows three hostile votes")
def test_a_report_that_follows_the_minority_is_proved_false(stage: Stage) -> None:
    """The signed votes themselves convict it, and its signers pay."""
    case = stage.prepared()
    ballots = {seat.node: {1: 65_535, 2: 65_535, 3: 65_535} for seat in case.committee[:3]}
    voted = case.cast(ballots)
    bribed = stage.settled_on(case.committee, 1, scores=w.SCORES, false={1: 65_535, 2: 36_000, 3: 1})
    bribed.report = replace(bribed.report, votes_hash=voted.report.votes_hash)
    bribed.votes, bribed.ballots = voted.votes, voted.ballots
    bribed.post()
    with stage.punishes(bribed, WATCHER):
        bribed.prove(WATCHER)


@threat("bytes served to some members only", "a trainer shows its bytes to four members and hides them from three")
@both_modes
def test_bytes_that_three_members_never_got(stage: Stage, mode: Mode) -> None:
    """The three vote 1 (unavailable): the median is that of the others, the report stands, and nobody is slashed."""
    case = stage.use(mode).prepared()
    blind = [seat.node for seat in case.committee[:3]]
    seen = case.cast({node: {**w.SCORES, 1: 1} for node in blind})
    seen.post()
    with stage.refuses(refused.NotAFault):
        seen.prove(MALLORY)
    stage.advance_to(stage.phase_start(2, 0))
    before = stage.purse(w.owner(1))
    stage.cash_in(seen, Role.TRAINER, 1)
    assert stage.purse(w.owner(1)) > before
    assert all(stake == (10 * w.SEAT_STAKE, 0, 1) for stake in stage.holdings().stakes.values())


@threat("bytes served to some members only", "a trainer shows its bytes to three members of seven")
def test_bytes_that_most_members_never_got(stage: Stage) -> None:
    """The median is 1: the trainer alone loses, and posting what the three saw is a fault of whoever signs it."""
    case = stage.prepared()
    blind = [seat.node for seat in case.committee[:4]]
    unseen = case.cast({node: {**w.SCORES, 1: 1} for node in blind})
    assert unseen.trainer_words[0] & 0xFFFF == 1
    stubborn = replace(unseen, trainer_words=case.trainer_words)
    stubborn.report = replace(unseen.report, words_hash=case.report.words_hash)
    stubborn.post()
    with stage.punishes(stubborn, WATCHER):
        stubborn.prove(WATCHER)


# --- proofs against an honest post ---
@threat(26, "kill an honest post with forged reports, lists, votes, words and proofs")
@both_modes
def test_an_honest_post_outlives_every_forgery(stage: Stage, mode: Mode) -> None:
    """What a proof reads is bound by hash to the stored post before anything is judged."""
    case = stage.use(mode).prepared()
    case.post()
    post, sender = case.posted(), stage.ledger.transmitter(MALLORY)
    accused, proofs = stage.ledger.accused(post), case.vote_proofs()
    lies = ("round", "attempt", "parent", "submissions_root", "votes_hash", "words_hash", "model", "record", "seed")
    others = [replace(accused, report=replace(post.report, **{lie: _other(post.report, lie)})) for lie in lies]
    others += [replace(accused, signers=accused.signers ^ 1), replace(accused, trainer_words=2)]
    for forged in others:
        with stage.refuses(refused.NotPending, task=stage.task):
            sender.send(case.proof_call(accused=forged))
    strangers = pack_committee([Seat(9, MALLORY.address)] * 7)
    away = (replace(case.votes[0], root=w.digest("root")), *case.votes[1:])
    wrong: list[tuple[str, dict[str, object]]] = [
        ("committee", {"accused": replace(accused, committee=strangers)}),
        ("votes", {"votes": away}),
        ("votes", {"votes": case.votes[1:], "voteWords": proofs[1:]}),
        ("vote", {"voteWords": [replace(proof, word=65_535) for proof in proofs]}),
    ]
    if mode == Mode.WORDS:
        wrong += [("words", {"words": (post.words[0] ^ 1, *post.words[1:])})]
    else:
        assert case.data is not None
        score = case.data.score_proof(Role.TRAINER, 0)
        wrong += [
            ("state", {"state": replace(post.state, data=w.digest("data"))}),
            ("score", {"score": replace(score, word=score.word + 1)}),
            ("score", {"score": replace(score, siblings=score.siblings[::-1])}),
        ]
    for what, forgery in wrong:
        with stage.refuses(refused.WrongHash, what=what):
            sender.send(case.proof_call(**forgery))
    with stage.refuses(refused.WrongLength, what="voteWords", got=6, expected=7):
        sender.send(case.proof_call(voteWords=proofs[1:]))
    with stage.refuses(refused.NotAFault):
        case.prove(MALLORY)
    stage.advance_to(stage.phase_start(2, 0))
    assert stage.ledger.final(stage.task) == post


def _other(report: Report, name: str) -> object:
    value = getattr(report, name)
    return value + 1 if isinstance(value, int) else w.digest("forged", name)


@threat(26, "void a post without any proof")
@both_modes
def test_only_a_proof_voids(stage: Stage, mode: Mode) -> None:
    """`voidPost` is for Disputes alone, and no proof of fault is accepted against nothing."""
    case = stage.use(mode).prepared()
    case.post()
    digest = case.posted().digest
    for anybody in (MALLORY, w.owner(0), w.owner(1)):
        call = stage.ledger.book.call("voidPost", stage.task, digest, anybody.address)
        with stage.refuses(refused.NotDisputes, caller=anybody.address):
            stage.ledger.transmitter(anybody).send(call)


@threat(27, "let strangers or members that did not sign pay for the signers")
@both_modes
def test_the_slash_finds_the_signers_only(stage: Stage, mode: Mode) -> None:
    """Bitmap and list are part of what the book remembers: with any other nobody is slashed at all."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    accused, sender = stage.ledger.accused(case.posted()), stage.ledger.transmitter(MALLORY)
    idle_bits = ~case.bitmap() & (1 << len(case.committee)) - 1
    for signers in (idle_bits, 0, case.bitmap() & ~1):
        with stage.refuses(refused.NotPending, task=stage.task, round=1):
            sender.send(case.proof_call(accused=replace(accused, signers=signers)))
    order = case.committee
    for seats in ((order[-1], *order[1:-1], order[0]), [Seat(6, w.hot(6).address)] * 7):
        with stage.refuses(refused.WrongHash, what="committee"):
            sender.send(case.proof_call(accused=replace(accused, committee=pack_committee(seats))))
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER)


@threat(28, "the cartel proves its own fault to take the reward itself")
@both_modes
def test_a_self_challenge_saves_half_at_most(stage: Stage, mode: Mode) -> None:
    """Half of every slash is burnt, so whoever proves it, the cartel has lost half of it for good."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    cartel = case.signing
    insider = w.owner(cartel[0])

    def assets() -> int:
        stakes = stage.holdings().stakes
        return sum(sum(stakes[node][:2]) + stage.purse(w.owner(node)) for node in cartel)

    before, burnt = assets(), stage.holdings().places["burnt"]
    with stage.punishes(case, insider):
        case.prove(insider)
    taken = len(cartel) * stage.params.slash
    assert before - assets() == taken // 2
    assert stage.holdings().places["burnt"] - burnt == taken // 2
    assert taken // 2 >= stage.params.pools  # what it lost is more than it could have won


@threat(38, "copy a watcher's transaction and send it first")
@both_modes
def test_a_copied_challenge_voids_all_the_same(stage: Stage, mode: Mode) -> None:
    """Safety does not depend on who sends the proof: the signers pay, and the watcher is only late for the reward."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    stolen = case.proof_call()
    purse = stage.purse(WATCHER)
    with stage.punishes(case, MALLORY):
        stage.ledger.transmitter(MALLORY).send(stolen)
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        case.prove(WATCHER)
    assert stage.purse(WATCHER) == purse


@threat("a void after half the window", "hope that nothing can be proved any more once demands are closed")
@both_modes
def test_a_proof_counts_until_the_window_closes(stage: Stage, mode: Mode) -> None:
    """Demands end with half of the window; proofs are taken up to its last second, and not one later."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    closes = stage.phase_start(2, 0)
    stage.site.next_at(closes - 1)
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER, gas=3_000_000)
        assert stage.chain.now() == closes - 1
    stage.final(2)  # and the next round goes on from the old parent
    assert stage.ledger.task(stage.task).final_round == 2


@threat("a void after half the window", "be proved false a second too late")
@both_modes
def test_a_proof_a_second_late_is_refused(stage: Stage, mode: Mode) -> None:
    """Finality is the clock's: the limit of optimism is one watched window, and the loss one round's pools."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    with stage.refuses(refused.NotPending, task=stage.task, round=1):
        stage.site.next_at(stage.phase_start(2, 0))
        case.prove(WATCHER, gas=3_000_000)
    escrow = stage.ledger.escrow(stage.task)
    paid = sum(stage.cash_in(case, Role.TRAINER, node).event("Claimed").args["amount"] for node in (1, 2))
    assert paid <= stage.params.trainer_pool
    assert stage.ledger.escrow(stage.task) == escrow - paid
