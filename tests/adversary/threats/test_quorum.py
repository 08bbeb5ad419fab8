"""Attacks on who signs a report: other committees, signatures counted twice, replayed, bent, or given twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import Ledger, Mode, Report, Seat, committee_hash, deploy, observation_digest, pack_committee
from ledger import contract_errors as refused
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, QUORUM, SEATS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def high_s(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest."""
    s, v = int.from_bytes(signature[32:64], "big"), signature[64]
    return signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])


@threat(12, "post with an own list of members in the place of the drawn one")
@both_modes
def test_another_committee(stage: Stage, mode: Mode) -> None:
    """The draw's hash binds seed and list; the list that is passed must hash to what the report names."""
    case = stage.use(mode).prepared()
    friends = tuple(Seat(9, w.hot(9).address) for _ in range(SEATS))
    mine = replace(case, committee=friends, signing=())
    mine.report = replace(case.report, committee_hash=committee_hash(friends))
    with stage.refuses(refused.WrongDraw):
        mine.send()
    with stage.refuses(refused.WrongCommittee, expected=case.report.committee_hash):
        case.send(committee=pack_committee(friends))
    swapped = pack_committee((*case.committee[1:], case.committee[0]))
    with stage.refuses(refused.WrongCommittee):
        case.send(committee=swapped)
    with stage.refuses(refused.WrongDraw):
        replace(case, report=replace(case.report, seed=w.digest("mine"))).send()


@threat(13, "count one signature twice")
@both_modes
def test_one_signature_for_two_seats(stage: Stage, mode: Mode) -> None:
    """Every signature must be by the key of its own seat, in the order of the bitmap."""
    case = stage.use(mode).prepared()
    own = case.sign(case.committee[0].node)
    with stage.refuses(refused.BadSignature, seat=1):
        case.send(signatures=own * QUORUM)
    four = b"".join(case.sign(seat.node) for seat in case.committee[: QUORUM - 1])
    with stage.refuses(refused.WrongLength, what="signatures", got=65 * 4, expected=65 * 5):
        case.send(signatures=four)
    with stage.refuses(refused.NoQuorum, got=QUORUM - 1, needed=QUORUM):
        case.send(signatures=four, signers=0b1111)
    with stage.refuses(refused.BadSignature, seat=4):
        case.send(signatures=four + own)


@threat(13, "append bytes to the signatures, set bits of seats that are not there")
@both_modes
def test_garbage_behind_the_signatures(stage: Stage, mode: Mode) -> None:
    """Exact lengths: what no seat accounts for is refused."""
    case = stage.use(mode).prepared()
    joined = b"".join(case.signatures().values())
    for tail in (b"\0", joined[:65]):
        expected = {"what": "signatures", "got": len(joined + tail), "expected": len(joined)}
        with stage.refuses(refused.WrongLength, **expected):
            case.send(signatures=joined + tail)
    ghost = case.bitmap() | 1 << SEATS
    with stage.refuses(refused.WrongLength, what="signers", got=ghost, expected=SEATS):
        case.send(signers=ghost)
    case.send()


@threat(13, "a signature that recovers to nobody, for a seat whose signer is zero")
@both_modes
def test_a_signature_of_nobody(stage: Stage, mode: Mode) -> None:
    """What does not recover is refused, whoever sits there; no drawn seat has signer zero, and its list is hashed."""
    case = stage.use(mode).prepared()
    good = [case.sign(node) for node in case.signing]
    for nobody in (bytes(65), good[0][:64] + b"\0", b"\xff" * 64 + b"\x1b"):
        with stage.refuses(refused.BadSignature, seat=0):
            case.send(signatures=nobody + b"".join(good[1:]))
    vacant = pack_committee((Seat(0, "0x" + "0" * 40), *case.committee[1:]))
    with stage.refuses(refused.WrongCommittee):
        case.send(committee=vacant, signatures=bytes(65) + b"".join(good[1:]))
    assert all(int(seat.signer, 16) and seat.node for seat in case.committee)


@threat(14, "turn a signature into its twin with a high s")
@both_modes
def test_a_malleable_signature(stage: Stage, mode: Mode) -> None:
    """High s recovers to nobody here, in posts and in proofs, and no signature ever serves as an identifier."""
    case = stage.use(mode).prepared()
    good = [case.sign(node) for node in case.signing]
    with stage.refuses(refused.BadSignature, seat=2):
        case.send(signatures=b"".join([*good[:2], high_s(good[2]), *good[3:]]))
    node, other = case.signing[0], replace(case.report, model=w.digest("other"))
    twin = high_s(case.sign(node))
    with stage.refuses(refused.NotAFault):  # one report, two signatures of it
        stage.ledger.equivocate(MALLORY, case.report, good[0], case.report, twin)
    with stage.refuses(refused.BadSignature, seat=0):
        stage.ledger.equivocate(MALLORY, case.report, twin, other, case.sign(node, model=other.model))
    case.send()


REPLAYS = {
    "another chain": {"chain_id": 1},
    "another contract": {"book": w.owner(5).address},
    "another task": {"task": 7},
    "another round": {"round": 2},
    "another mode": {"mode": 7},
    "another attempt": {"attempt": 1},
    "another parent": {"parent": w.digest("parent")},
    "other words": {"words_hash": w.digest("words")},
    "other votes": {"votes_hash": w.digest("votes")},
    "another model": {"model": w.digest("model", "other")},
    "another reward": {"reward_total": 1},
}


@threat("replay of a signature", "signatures over another chain, contract, task, round, mode, or other words")
@threat(15, "replay signatures given on another chain, to another contract, in another round")
@both_modes
def test_signatures_for_something_else(stage: Stage, mode: Mode) -> None:
    """EIP-712: the domain holds chain and contract, the report everything else, so the digest is another one."""
    case = stage.use(mode).prepared()
    good = [case.sign(node) for node in case.signing]
    for what, changes in REPLAYS.items():
        digest = case.digest(**changes)
        assert digest != case.digest(), what
        alien = w.hot(case.signing[1]).sign_digest(digest)
        with stage.refuses(refused.BadSignature, seat=1):
            case.send(signatures=b"".join([good[0], alien, *good[2:]]))
    case.send()


@threat("replay of a signature", "bring the signed report of one deployment to its copy, with the same keys")
@threat(15, "replay a whole post in a second deployment on the same chain")
def test_a_post_in_another_deployment(stage: Stage) -> None:
    """The seed names the contract, so the copy never drew that committee; its digest is another one as well."""
    case = stage.prepared()
    case.send()
    book = stage.ledger.deployment.book
    copy = deploy(
        stage.chain, w.owner(7), seat_stake=w.SEAT_STAKE, min_stake=100 * w.UNIT, unbonding_s=100_000,
        token=stage.ledger.token.address, seat_fee=w.SEAT_FEE, demand_fee=w.DEMAND_FEE,
    )  # fmt: skip
    twin = Stage.on(stage.site)
    twin.ledger = Ledger(stage.chain, copy)
    assert copy.book != book
    for index in range(1, 8):
        twin.ledger.register(w.owner(index), w.hot(index), w.SEAT_STAKE)
        twin.ledger.take_seats(w.owner(index), index, 1)
    twin.add_task(replace(PARAMS[Mode.WORDS], starts_at=0))
    other = twin.prepared()
    same = replace(case, world=twin)
    with twin.refuses(refused.WrongDraw):
        same.send(signatures=b"".join(case.signatures().values()))
    stolen = b"".join(w.hot(node).sign_digest(other.digest(book=book)) for node in other.signing)
    with twin.refuses(refused.BadSignature, seat=0):
        other.send(signatures=stolen)


@threat("replay of a signature", "a signed observation of another round, task, contract or node as evidence")
@threat(5, "accuse a member with a copy of its own observation signature")
def test_an_observation_signature_for_something_else(stage: Stage) -> None:
    """The signed observation names chain, contract, task, round, seed and node: under another name it is nobody's."""
    case = stage.prepared()
    victim, thief = case.committee[0].node, case.committee[1].node
    scope = {"chain_id": stage.chain.chain_id, "book": stage.ledger.deployment.book, "task": stage.task, "round": 1}
    first, second = w.digest("first"), w.digest("second")

    def signed(by: int, commitment: bytes, **changes: object) -> bytes:
        fields = {**scope, "seed": case.report.seed, "node": by, **changes}
        return w.hot(by).sign_digest(observation_digest(commitment=commitment, **fields))  # type: ignore[arg-type]

    def accuse(node: int, a: bytes, b: bytes) -> None:
        stage.ledger.equivocate_observation(
            MALLORY, task=stage.task, round=1, seed=case.report.seed, node=node,
            commitments=(first, second), signatures=(a, b),
        )  # fmt: skip

    honest = signed(victim, first)
    for changes in ({"round": 2}, {"task": 2}, {"seed": w.digest("x")}, {"book": MALLORY.address}, {"chain_id": 1}):
        with stage.refuses(refused.NotAFault):
            accuse(victim, honest, signed(victim, second, **changes))
    with stage.refuses(refused.NotAFault):  # the thief signs what it copied
        accuse(victim, honest, signed(thief, second, node=victim))
    with stage.refuses(refused.NotAFault):
        accuse(thief, honest, signed(victim, second))
    bonded = stage.ledger.node(victim).bonded
    accuse(victim, honest, signed(victim, second))  # two of its own: a fault
    assert stage.ledger.node(victim).bonded == bonded - stage.params.slash


@threat(16, "sign two reports of one attempt")
@both_modes
def test_equivocation_costs_once(stage: Stage, mode: Mode) -> None:
    """Anyone shows both; the member pays its slash once a round, and a second showing is refused."""
    case = stage.use(mode).prepared()
    case.send()
    node = case.committee[0].node
    models = [case.report.model, w.digest("b"), w.digest("c")]
    reports = [replace(case.report, model=model) for model in models]
    signatures = [case.sign(node, model=model) for model in models]
    before, purse = stage.holdings(), stage.purse(WATCHER)
    receipt = stage.ledger.equivocate(WATCHER, reports[0], signatures[0], reports[1], signatures[1])
    assert receipt.event("Equivocated").args["node"] == node
    after, slash = stage.holdings(), stage.params.slash
    assert after.stakes.pop(node)[0] == before.stakes.pop(node)[0] - slash
    assert after.stakes == before.stakes
    assert stage.purse(WATCHER) == purse + slash // 2
    assert after.places["burnt"] == before.places["burnt"] + slash // 2
    assert after.live == before.live  # the post itself stands
    for a, b in ((0, 1), (1, 0), (1, 2)):
        with stage.refuses(refused.AlreadyPunished, node=node, round=1):
            stage.ledger.equivocate(WATCHER, reports[a], signatures[a], reports[b], signatures[b])
    with stage.refuses(refused.NotAFault):  # two members, a report each
        other = case.committee[1].node
        stage.ledger.equivocate(WATCHER, reports[0], case.sign(other), reports[1], signatures[1])


@threat("a later attempt after a proposer's time-out", "accuse a member that signed again when the turn passed on")
@both_modes
def test_signing_a_later_attempt_is_no_fault(stage: Stage, mode: Mode) -> None:
    """Only equal (task, round, seed, attempt) make two reports a fault; the later one settles."""
    case = stage.use(mode).prepared()
    first, signatures = case.report, case.signatures()
    later = replace(first, attempt=1, model=w.digest("later"))
    case.report = later
    opens = stage.phase_start(1, 2) + stage.params.attempt_s
    with stage.refuses(refused.AttemptTooEarly, attempt=1, opensAt=opens):
        case.send()
    stage.advance_to(opens)
    for node in case.signing:
        with stage.refuses(refused.NotAFault):
            stage.ledger.equivocate(MALLORY, first, signatures[node], later, case.sign(node))
    case.send()
    stage.advance_to(stage.phase_start(2, 0))
    final = stage.ledger.final(stage.task)
    assert final is not None
    assert final.report == later
    assert all(stake[0] == 10 * w.SEAT_STAKE for stake in stage.holdings().stakes.values())


@threat(42, "use an old key: reports of a past round, with all its signatures")
@both_modes
def test_old_keys_sign_nothing_new(stage: Stage, mode: Mode) -> None:
    """A report counts in its own phase only, and a round that has gone by never comes back."""
    case = stage.use(mode).prepared()
    stage.advance_to(stage.phase_start(1, 3))
    with stage.refuses(refused.WrongPhase, round=1, got=3, needed=2):
        case.send()
    stage.advance_to(stage.phase_start(2, 2))
    with stage.refuses(refused.WrongRound, got=1, current=2):
        case.send()
    forged: Report = replace(case.report, round=2)
    case.report = forged
    with stage.refuses(refused.NotDrawn, round=2):
        case.send()


@threat(42, "leave, then equivocate with the key that used to sit in a committee; or take the stake with that key")
def test_old_keys_stay_accountable_and_never_touch_the_stake(stage: Stage) -> None:
    """A key belongs to its node for ever, so its faults cost the stake while it is there; exits pay the cold owner."""
    case = stage.final()
    node, ledger = case.signing[0], stage.ledger
    ledger.leave_seats(w.owner(node), node, 1)
    ledger.unbond(w.owner(node), node, 10 * w.SEAT_STAKE)
    assert ledger.node_of_signer(w.hot(node).address) == node
    for theft in (ledger.withdraw, lambda by, n: ledger.unbond(by, n, 1), lambda by, n: ledger.leave_seats(by, n, 1)):
        with stage.refuses(refused.NotOwner, node=node, caller=w.hot(node).address):
            theft(w.hot(node), node)
    other = replace(case.report, model=w.digest("long range"))
    signatures = case.sign(node), case.sign(node, model=other.model)
    ledger.equivocate(WATCHER, case.report, signatures[0], other, signatures[1])
    assert ledger.node(node).exiting == 10 * w.SEAT_STAKE - stage.params.slash
    stage.advance_to(ledger.node(node).exit_at)
    purse = stage.purse(w.owner(node))
    ledger.withdraw(w.owner(node), node)
    assert stage.purse(w.owner(node)) == purse + 10 * w.SEAT_STAKE - stage.params.slash
    assert stage.purse(w.hot(node)) == 0
    hot_purse = stage.purse(w.owner(1))
    claimed = ledger.claim(w.hot(1), 1, 0, 1).event("Claimed").args
    assert claimed["to"] == w.owner(1).address
    assert stage.purse(w.owner(1)) == hot_purse + claimed["amount"]


@pytest.fixture
def few(stage: Stage) -> Stage:
    """Nodes 1 and 2 hold eight of nine seats, so that a draw of seven gives one of them three or four."""
    for node in (1, 2):
        stage.ledger.take_seats(w.owner(node), node, 3)
    for node in (4, 5, 6, 7):
        stage.ledger.leave_seats(w.owner(node), node, 1)
    return stage


@threat("seats of one node counted by one signature", "sign several times for one node, to weigh more")
def test_a_node_with_several_seats_signs_once_for_all(few: Stage) -> None:
    """A node's first set seat has its signature and the others none: what is more than one a node is refused."""
    case = few.prepared()
    order = list(dict.fromkeys(seat.node for seat in case.committee))
    everybody = (1 << SEATS) - 1
    once = b"".join(case.sign(node) for node in order)
    node = _rich(case)
    each = b"".join(case.sign(seat.node) for seat in case.committee)
    with few.refuses(refused.ContractError):  # a signature for each of its seats
        case.send(signers=everybody, signatures=each)
    with few.refuses(refused.WrongLength, what="signatures", got=len(once) + 65, expected=len(once)):
        case.send(signers=everybody, signatures=once + case.sign(node))
    seats = [at for at, seat in enumerate(case.committee) if seat.node == node]
    alone = sum(1 << at for at in seats)
    with few.refuses(refused.NoQuorum, got=len(seats), needed=QUORUM):  # its weight is that of its seats
        case.send(signers=alone, signatures=case.sign(node))
    receipt = case.send(signers=everybody, signatures=once)
    assert receipt.event("Posted").args["reportDigest"] == case.digest()


@threat("seats of one node counted by one signature", "leave some of its bits clear, to be slashed for fewer seats")
def test_a_node_answers_with_all_its_seats(few: Stage) -> None:
    """A clear bit takes weight away and nothing else: whoever signs a false report pays for every seat that it drew."""
    case = few.prepared(false={1: 65_000, 2: 36_000, 3: 1})
    node = _rich(case)
    hidden = [at for at, seat in enumerate(case.committee) if seat.node == node][1]
    case.signing = tuple(dict.fromkeys(seat.node for seat in case.committee))
    signers = (1 << SEATS) - 1 & ~(1 << hidden)
    case.send(signers=signers, signatures=b"".join(case.signatures().values()))
    with few.punishes(case, WATCHER):
        case.prove(WATCHER)


def _rich(case: Case) -> int:
    """The node that has drawn the most seats."""
    held = {node: sum(seat.node == node for seat in case.committee) for node in (1, 2)}
    node = max(held, key=lambda n: held[n])
    assert held[node] in (3, 4)
    return node
