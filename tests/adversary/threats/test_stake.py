"""Attacks on stake and seats: stuffing a draw, other people's keys, leaving before the slash, one stake twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import Mode, Role, Signer, expected_draw
from ledger import contract_errors as refused
from ledger.abi import Contract, artefact
from ledger.deployments import CORE
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import BOND, MALLORY, PARAMS, SEATS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w

LIE = {1: 65_000, 2: 36_000, 3: 1}
STAKE = w.SEAT_STAKE


@threat(10, "take seats, or leave them, between the arming and the draw")
@both_modes
def test_seats_stand_still_while_a_draw_is_pending(stage: Stage, mode: Mode) -> None:
    """Arming freezes all seats up to the last block in which that seed can be proved; the draw ends the freeze."""
    stage.use(mode)
    frozen = stage.arm(1) + 256
    with stage.refuses(refused.SeatsFrozen, untilBlock=frozen):
        stage.ledger.take_seats(w.owner(1), 1, 5)
    with stage.refuses(refused.SeatsFrozen, untilBlock=frozen):
        stage.ledger.leave_seats(w.owner(2), 2, 1)
    stage.draw_armed(1)
    stage.ledger.take_seats(w.owner(1), 1, 5)
    until = stage.phase_start(2, 0)
    with stage.refuses(refused.SeatLocked, node=2, untilTime=until):  # a drawn seat stays to be slashed
        stage.ledger.leave_seats(w.owner(2), 2, 1)
    stage.advance_to(until)
    stage.ledger.leave_seats(w.owner(2), 2, 1)


@threat(10, "choose a time to register when the seed is known already")
def test_the_seed_is_younger_than_the_seats(stage: Stage) -> None:
    """The seed block does not exist when the seats freeze, and the draw is the one that anybody computes from both."""
    stage.ledger.take_seats(w.owner(1), 1, 9)
    seed_block = stage.arm(1)
    assert seed_block == stage.chain.block_number() + 2
    with stage.refuses(refused.SeedBlockPending, seedBlock=seed_block):
        stage.ledger.draw_committee(MALLORY, 1, 1, proof=stage.chain.header_rlp(seed_block - 2), gas=3_000_000)
    seats = [(node, w.hot(node).address, False) for node, _ in stage.ledger.seats()]
    stage.draw_armed(1)
    seed = stage.ledger.seed(1, 1)
    assert seed is not None
    assert tuple(expected_draw(seed, seats, SEATS)) == stage.ledger.committee(1, 1)


@threat(11, "register with another's signing key, before or after its owner does")
def test_another_s_key_cannot_be_occupied(stage: Stage) -> None:
    """The key itself signs for its owner's address and this vault; once taken, it is its node's for ever."""
    ledger, key = stage.ledger, w.hot(8)
    ledger.approve(MALLORY, ledger.vault.address, 10 * STAKE)
    for stolen in (
        ledger.possession(MALLORY.address, MALLORY),  # by the thief's key
        ledger.possession(w.owner(8).address, key),  # by the right key, for its owner
        key.sign_digest(w.digest("anything")),
        bytes(65),
    ):
        call = ledger.vault.call("register", key.address, STAKE, stolen)
        with stage.refuses(refused.BadPossession, signer=key.address):
            ledger.transmitter(MALLORY).send(call)
    with stage.refuses(refused.SignerTaken, signer=w.hot(3).address, node=3):
        call = ledger.vault.call("register", w.hot(3).address, STAKE, ledger.possession(MALLORY.address, w.hot(3)))
        ledger.transmitter(MALLORY).send(call)
    node, _ = ledger.register(w.owner(8), key, STAKE)
    assert (ledger.node_of_signer(key.address), ledger.node(node).owner) == (node, w.owner(8).address)


@threat(29, "sign a lie, then leave the seat and take the stake away before the proof")
@both_modes
def test_a_stake_cannot_run_from_its_slash(stage: Stage, mode: Mode) -> None:
    """Drawn seats are locked to the window's end, unbonding lasts longer than two rounds, exiting stake goes first."""
    case = stage.use(mode).prepared(false=LIE)
    case.post()
    thief, ledger = case.signing[0], stage.ledger
    with stage.refuses(refused.SeatLocked, node=thief):
        ledger.leave_seats(w.owner(thief), thief, 1)
    with stage.refuses(refused.StakeTooLow, got=BOND, needed=BOND + STAKE):
        ledger.unbond(w.owner(thief), thief, BOND)
    ledger.unbond(w.owner(thief), thief, BOND - STAKE)
    stage.advance_to(stage.phase_start(2, 0) - 10)
    exit_at = ledger.node(thief).exit_at
    assert exit_at > stage.phase_start(2, 0)
    with stage.refuses(refused.ExitTooEarly, exitAt=exit_at):
        ledger.withdraw(w.owner(thief), thief)
    with stage.punishes(case, WATCHER):
        case.prove(WATCHER)
    info = ledger.node(thief)
    assert (info.bonded, info.exiting) == (STAKE, BOND - STAKE - stage.params.slash)


@threat(29, "make a task whose rounds outlast the exit of stake")
def test_rounds_end_before_an_exit(stage: Stage) -> None:
    """A task whose two rounds last as long as unbonding is refused."""
    for window, allowed in ((47_000, False), (46_999, True)):
        params = replace(PARAMS[Mode.WORDS], window_s=window)
        assert (2 * params.period < 100_000) is allowed
        call = stage.ledger.book.call("createTask", params, 1)
        error = refused.ERC20InsufficientAllowance if allowed else refused.BadParams
        with stage.refuses(error):
            stage.ledger.transmitter(w.owner(0)).send(call)


@threat("one stake behind two draws", "let one seat answer for two tasks at a time")
def test_a_seat_serves_one_draw_at_a_time(stage: Stage) -> None:
    """A drawn seat is locked and passed by in every other draw until its window closes."""
    stage.prepared()  # task 1 has drawn all seven seats
    stage.use(Mode.ROOT)
    stage.arm(1)
    with stage.refuses(refused.NotEnoughSeats, wanted=SEATS, available=0):
        stage.draw_armed(1)


@threat("one stake behind two draws", "be drawn in two tasks at once, lie in both, and pay once")
def test_two_lies_cost_two_slashes(stage: Stage) -> None:
    """Two draws hold different seats, each with a stake of its own, and both slashes are paid in full."""
    for node in range(1, 8):
        stage.ledger.take_seats(w.owner(node), node, 1)
    one = stage.prepared(false=LIE)
    stage.use(Mode.ROOT)
    two = stage.settled_on(stage.draw(1), 1, false=LIE)
    locked = [until for _, until in stage.ledger.seats()]
    assert sorted(locked) == sorted([stage.phase_start(2, 0)] * SEATS + [stage.use(0).phase_start(2, 0)] * SEATS)
    drawn = [seat.node for case in (one, two) for seat in case.committee]
    assert all(drawn.count(node) <= 2 for node in range(1, 8))
    for mode, case in enumerate((one, two)):
        stage.use(mode)
        case.post()
        with stage.punishes(case, WATCHER):
            case.prove(WATCHER)


@threat(
    "one stake behind two draws", "back a seat with less than a fault of it costs, or a pool with less than it holds"
)
def test_a_seat_is_worth_its_slash(stage: Stage) -> None:
    """A task is refused where a seat cannot pay the slash, or a quorum's slashes are less than twice the pools."""
    base = PARAMS[Mode.WORDS]
    pools = base.quorum * base.slash // 2
    for params in (replace(base, slash=STAKE + 1), replace(base, trainer_pool=pools, verifier_pool=14 * w.UNIT)):
        with stage.refuses(refused.BadParams, field="slash"):
            stage.ledger.transmitter(w.owner(0)).send(stage.ledger.book.call("createTask", params, 1))
    with stage.refuses(refused.BadParams, field="quorum"):
        call = stage.ledger.book.call("createTask", replace(base, quorum=4), 1)
        stage.ledger.transmitter(w.owner(0)).send(call)


# --- members that have one seat's stake and nothing else ---
@pytest.fixture
def lean(stage: Stage) -> Stage:
    """Every member has exactly the stake of its seat, and a slash takes all of it; a new task in words mode."""
    for node in range(1, 8):
        stage.ledger.unbond(w.owner(node), node, BOND - STAKE)
    stage.advance_to(stage.ledger.node(7).exit_at)
    for node in range(1, 8):
        stage.ledger.withdraw(w.owner(node), node)
    stage.add_task(replace(PARAMS[Mode.WORDS], slash=STAKE, rounds=4))
    return stage


def mass_slash(lean: Stage) -> Case:
    """Round 1 is proved false: five of seven members lose all."""
    case = lean.prepared(1, false=LIE)
    case.post()
    with lean.punishes(case, WATCHER):
        case.prove(WATCHER)
    assert len(lean.ledger.seats()) == 2
    return case


@threat(30, "keep voting on a seat whose stake is gone")
def test_a_slashed_seat_is_gone(lean: Stage) -> None:
    """A seat that a slash leaves uncovered leaves the draw at once, without anybody's help, and needs new stake."""
    case = mass_slash(lean)
    ledger = lean.ledger
    assert {node for node, _ in ledger.seats()} == set(case.idle)
    for node in case.signing:
        assert (ledger.node(node).bonded, ledger.node(node).seats) == (0, 0)
        with lean.refuses(refused.StakeTooLow, got=0, needed=STAKE):
            ledger.take_seats(w.owner(node), node, 1)
        with lean.refuses(refused.TooManySeats, got=1, held=0):
            ledger.leave_seats(w.owner(node), node, 1)
    for node in case.idle:
        ledger.bond(w.owner(node), node, 5 * STAKE)
        ledger.take_seats(w.owner(node), node, 5)
    lean.submit(2)
    assert {seat.node for seat in lean.draw(2)} == set(case.idle)


@threat(30, "be slashed while a draw is pending, so that seats move under a known seed")
def test_a_slash_in_a_freeze_moves_no_seat(lean: Stage) -> None:
    """A seat lost in a freeze becomes vacant where it stands: no other seat moves, and nobody is drawn there."""
    case = lean.prepared()
    case.post()
    ledger, node = lean.ledger, case.signing[0]
    for other in range(1, 8):
        if other != node:
            ledger.bond(w.owner(other), other, STAKE)
            ledger.take_seats(w.owner(other), other, 1)
    lean.finish(1)
    lean.arm(2)
    before = [holder for holder, _ in ledger.seats()]
    second = replace(case.report, model=w.digest("second"))
    ledger.equivocate(WATCHER, case.report, case.sign(node), second, case.sign(node, model=second.model))
    assert [holder for holder, _ in ledger.seats()] == [0 if holder == node else holder for holder in before]
    lean.draw_armed(2)
    committee = ledger.committee(lean.task, 2)
    assert committee is not None
    assert not {0, node} & {seat.node for seat in committee}


@threat(30, "be slashed between the draw and the post, and sign with nothing left to lose")
@threat(28, "empty the own stake by proving an own old fault, then sign a lie for free")
def test_an_emptied_stake_was_half_burnt(lean: Stage) -> None:
    """The lie is void all the same, and emptying a stake burns half of it: together more than a round's pools."""
    first, ledger = lean.final(1), lean.ledger
    case = lean.prepared(2, false=LIE)
    cartel = first.signing

    def assets() -> int:
        stakes = lean.holdings().stakes
        return sum(sum(stakes[node][:2]) + lean.purse(w.owner(node)) for node in cartel)

    before, other = assets(), replace(first.report, model=w.digest("other"))
    for node in cartel:
        two = (first.report, first.sign(node), other, first.sign(node, model=other.model))
        ledger.equivocate(w.owner(node), *two)
        assert (ledger.node(node).bonded, ledger.node(node).seats) == (0, 0)
    case.signing = cartel
    case.post()
    purse = lean.purse(WATCHER)
    case.prove(WATCHER)
    lean.is_void(case)
    assert lean.purse(WATCHER) == purse  # nothing was left to take: the watcher worked for the parent model alone
    assert before - assets() == len(cartel) * STAKE // 2 >= lean.params.pools
    final = ledger.final(lean.task)
    assert final is not None
    assert final.round == 1


@threat(47, "slash so many that too few seats are left for a committee")
def test_the_task_outlives_a_mass_slash(lean: Stage) -> None:
    """A round without a committee is skipped: no reputation falls, its pools return, and new seats carry on."""
    mass_slash(lean)
    ledger = lean.ledger
    lean.submit(2)
    seed_block = lean.arm(2)
    with lean.refuses(refused.NotEnoughSeats, wanted=SEATS, available=2):
        lean.draw_armed(2)
    lean.mine(max(0, seed_block + 257 - lean.chain.block_number()))  # the freeze ends with the seed
    for node in range(1, 8):
        ledger.bond(w.owner(node), node, STAKE)
        ledger.take_seats(w.owner(node), node, 1)
    lean.final(3)
    ranks = ledger.reputations(lean.task, Role.TRAINER)
    lean.final(4)
    assert ledger.task(lean.task).finalised == 2
    once = {node: score // 16 for node, score in w.SCORES.items()}
    assert ranks == {**once, 3: 0}  # as if rounds 1 and 2 had never been
    args = ledger.close_task(MALLORY, lean.task).event("TaskClosed").args
    assert args["forfeited"] == 2 * SEATS * w.SEAT_FEE  # rounds 1 and 2 were armed and not settled
    assert args["refunded"] == 2 * lean.params.pools - args["forfeited"]


# --- identities ---
@threat(44, "throw a bad name away and come back under a new one")
def test_a_new_name_starts_at_nothing(stage: Stage) -> None:
    """A new node has reputation 0, no better than any old one, and needs new stake while the old one is locked."""
    stage.final(1)
    stage.final(2, scores={1: 1, 2: 36_000, 3: 1})
    ledger, task, owner = stage.ledger, stage.task, w.owner(1)
    old = ledger.reputation(task, Role.TRAINER, 1)
    with stage.refuses(refused.SlotTaken, task=task, node=1):
        ledger.join(w.hot(1), task, 1, Role.TRAINER)
    with stage.refuses(refused.SignerTaken, signer=w.hot(1).address, node=1):
        key = ledger.possession(owner.address, w.hot(1))
        ledger.transmitter(owner).send(ledger.vault.call("register", w.hot(1).address, STAKE, key))
    ledger.leave_seats(owner, 1, 1)
    ledger.unbond(owner, 1, BOND)
    with stage.refuses(refused.ExitTooEarly):
        ledger.withdraw(owner, 1)
    purse = stage.purse(owner)
    fresh, _ = ledger.register(owner, w.hot(8), STAKE)
    assert stage.purse(owner) == purse - STAKE
    ledger.join(w.hot(8), task, fresh, Role.TRAINER)
    assert ledger.reputation(task, Role.TRAINER, fresh) == 0 <= old
    assert ledger.reputation(task, Role.TRAINER, 1) == old  # and the old one keeps what it was
    assert ledger.contribution(task, Role.TRAINER, fresh) == 0


# Every function that changes anything; what only a contract may call, with the error that everybody else gets.
OPEN = {
    "StakeVault": {"register", "bond", "unbond", "withdraw", "takeSeats", "leaveSeats", "multicall"},
    "ReputationBook": {"materialise"},
    "Rewards": {"claim", "claimRoot", "notePay", "claimNoted", "multicall"},
    "Disputes": {
        "challengeScore", "challengeRootScore", "challengeStep", "challengePay", "challengePoints", "equivocate",
        "equivocateObservation", "demand", "answerVotes", "answerWord", "answerPay", "expire", "reclaim",
    },
    "RoundBook": {
        "createTask", "fundTask", "cancelTask", "closeTask", "closeRootTask", "join", "commit", "reveal", "collect",
        "openProbe", "armBeacon", "drawCommittee", "post", "postRoot", "finalise", "multicall",
    },
}  # fmt: skip
GUARDED: dict[str, dict[str, tuple[type[refused.ContractError], tuple[object, ...]]]] = {
    "StakeVault": {
        "freezeSeats": (refused.NotRounds, (1_000,)),
        "drawSeats": (refused.NotRounds, (bytes(32), 1, 0)),
        "slash": (refused.NotDisputes, (1, 1, MALLORY.address)),
    },
    "ReputationBook": {
        "openSlot": (refused.NotRounds, (1, 0, 1)),
        "step": (refused.NotRounds, (1, 1, [1], 1, 0, 1, True)),
    },
    "Rewards": {
        "credit": (refused.NotRounds, (1, 1)),
        "refund": (refused.NotRounds, (1, MALLORY.address, 1)),
    },
    "Disputes": {},
    "RoundBook": {"voidPost": (refused.NotDisputes, (1, bytes(32), MALLORY.address))},
}


@threat(46, "be the deployer or anybody, and look for a back door")
@pytest.mark.parametrize("who", ["deployer", "stranger"])
def test_there_is_no_back_door(stage: Stage, who: str) -> None:
    """No function is for an owner: what moves stake, pay or scores answers to other contracts, fixed at creation."""
    caller: Signer = w.owner(0) if who == "deployer" else MALLORY
    for name in CORE:
        contract = Contract(name, stage.ledger.deployment.contracts[name])
        functions = [entry for entry in artefact(name)["abi"] if entry["type"] in ("function", "fallback", "receive")]
        writes = {entry["name"] for entry in functions if entry["stateMutability"] not in ("view", "pure")}
        assert writes == OPEN[name] | GUARDED[name].keys()
        assert not [entry for entry in functions if entry["stateMutability"] == "payable"]
        for function, (error, arguments) in GUARDED[name].items():
            with stage.refuses(error, caller=caller.address):
                stage.ledger.transmitter(caller).send(contract.call(function, *arguments))


@threat(46, "end another's task, or open its probe")
def test_only_its_owner_has_a_say_in_a_task(stage: Stage) -> None:
    """An owner's rights end where the task begins: it opens probes, and can neither cancel nor change anything."""
    ledger, task = stage.ledger, stage.task
    with stage.refuses(refused.NotTaskOwner, task=task, caller=MALLORY.address):
        ledger.cancel_task(MALLORY, task)
    with stage.refuses(refused.TaskStarted, task=task):
        ledger.cancel_task(w.owner(0), task)
    with stage.refuses(refused.TaskRunning, task=task):
        ledger.close_task(w.owner(0), task)
    stage.advance_to(stage.phase_start(1, 2))
    with stage.refuses(refused.NotTaskOwner, task=task, caller=MALLORY.address):
        ledger.open_probe(MALLORY, task, 1, w.digest("key"))
