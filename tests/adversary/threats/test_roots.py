"""Attacks on root mode: false words, false pay, lying sums, and trees bent to hold what they do not."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from ledger import DemandKind, Mode, PayProof, Role, RootLedgerState, RootState, Settled, WordProof
from ledger import contract_errors as refused
from ledger.abi import Call
from ledger.rootstate import pay_index, word_index
from ledger.sumtree import MAX_SUM
from ledger.tree import PositionTree
from ledger.words import LANES, pack_scores, step_lane, step_word
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, PARAMS, WATCHER, Case, Stage, both_modes
from tests.integration.ledger import world as w

LEVELS = PARAMS[Mode.ROOT].levels
TRAINERS, VERIFIERS = Role.TRAINER, Role.VERIFIER


@pytest.fixture
def root(stage: Stage) -> Stage:
    """In root mode."""
    return stage.use(Mode.ROOT)


def second_round(root: Stage) -> Case:
    """An honest round is final; the next is ready to sign."""
    first = root.final(1)
    return root.prepared(2, before=first.data)


def signed(case: Case, data: RootLedgerState, **changes: Any) -> Case:
    """The committee signs another state in the place of the honest one."""
    assert case.before is not None
    root = replace(data.root_state(), **changes)
    made = case.stage.root_settlement(case.report.round, case.committee, data, parent=case.before, root=root)
    return Case.of(made, data=data, before=case.before)


def honest_data(case: Case) -> tuple[RootLedgerState, RootLedgerState]:
    """Parent and next state."""
    assert case.before is not None
    assert case.data is not None
    return case.before, case.data


def challenge_step(case: Case, role: Role = TRAINERS, word: int = 0, **forged: Any) -> Call:
    """`challengeStep` on a word of this case, with some arguments forged."""
    ledger, post, (before, data) = case.stage.ledger, case.posted(), honest_data(case)
    parent = ledger.parent_post(post.task)
    arguments = {
        "accused": ledger.accused(post),
        "state": post.state,
        "parent": Settled() if parent is None else parent.settled,
        "parentState": RootState() if parent is None else parent.state,
        "index": word_index(LEVELS, role, word),
        "score": data.score_proof(role, word),
        "before": before.reputation_proof(role, word),
        "next": data.reputation_proof(role, word),
    }
    assert forged.keys() <= arguments.keys()
    return ledger.disputes.call("challengeStep", *{**arguments, **forged}.values())


def challenge_pay(case: Case, at: int, role: Role = TRAINERS, **forged: Any) -> Call:
    """`challengePay` on slot `at` of this case, with some arguments forged."""
    ledger, post, (before, data) = case.stage.ledger, case.posted(), honest_data(case)
    parent = ledger.parent_post(post.task)
    arguments = {
        "accused": ledger.accused(post),
        "state": post.state,
        "parent": Settled() if parent is None else parent.settled,
        "parentState": RootState() if parent is None else parent.state,
        "role": role,
        "slot": pay_index(at),
        "score": data.score_proof(role, at // LANES),
        "before": before.pay_proof(role, at),
        "next": data.pay_proof(role, at),
    }
    assert forged.keys() <= arguments.keys()
    return ledger.disputes.call("challengePay", *{**arguments, **forged}.values())


# --- the parent ---
@threat(17, "build on a model that is not the final one, or on a fork")
@both_modes
def test_a_stale_or_forked_parent(stage: Stage, mode: Mode) -> None:
    """The report names the final model, and the record that is passed must hash to the stored one."""
    stage.use(mode)
    first = stage.final(1)
    case = stage.prepared(2, before=first.data)
    genesis = stage.params.genesis_model
    stale = replace(case, report=replace(case.report, parent=genesis))
    with stage.refuses(refused.WrongParent, got=genesis, expected=first.report.model):
        stale.send()
    final = stage.ledger.final(stage.task)
    assert final is not None
    for fork in (Settled(), replace(final.settled, model=genesis), replace(final.settled, signers=0)):
        with stage.refuses(refused.WrongHash, what="settled", expected=final.hash):
            case.send(parent=fork)
    if mode == Mode.ROOT:
        for state in (RootState(), replace(final.state, totals=final.state.totals - 1)):
            with stage.refuses(refused.WrongHash, what="state"):
                case.send(parent_state=state)
    case.send()
    with stage.refuses(refused.StaleReport, round=2, latest=2):
        case.send()


@threat(17, "challenge a root with a parent of the challenger's own")
def test_a_forged_parent_in_a_proof(root: Stage) -> None:
    """Parent record and parent state are hashed against what the post built on."""
    case = second_round(root)
    case.post()
    sender, parent = root.ledger.transmitter(MALLORY), root.ledger.parent_post(root.task)
    assert parent is not None
    for make in (challenge_step, lambda c, **forged: challenge_pay(c, 0, **forged)):
        with root.refuses(refused.WrongHash, what="parent"):
            sender.send(make(case, parent=Settled(), parentState=RootState()))
        with root.refuses(refused.WrongHash, what="parent"):
            sender.send(make(case, parent=replace(parent.settled, state=w.digest("x"))))
        with root.refuses(refused.WrongHash, what="parentState"):
            sender.send(make(case, parentState=replace(parent.state, reputation=w.digest("x"))))


# --- words ---
LIES = {
    "a lane too high": lambda word: word + 1,
    "the neighbour's lane": lambda word: word ^ 1 << 16,
    "a lane behind the last slot": lambda word: word | 1 << 16 * 14,
    "another stamp": lambda word: word ^ 1 << 240,
}


@threat(18, "sign one wrong reputation word")
@pytest.mark.parametrize("lie", LIES)
def test_a_false_step_dies_and_the_parent_rules_again(root: Stage, lie: str) -> None:
    """The contract steps the parent's word itself; the root dies, the next round builds on the parent and settles."""
    case = second_round(root)
    parent, data = honest_data(case)
    words = (LIES[lie](data.reputation[0][0]),)
    false = signed(case, replace(data, reputation=(words, data.reputation[1])))
    false.post()
    with root.refuses(refused.NotAFault):
        root.ledger.transmitter(MALLORY).send(challenge_step(false, VERIFIERS))
    with root.punishes(false, WATCHER):
        root.ledger.transmitter(WATCHER).send(challenge_step(false))
    with root.refuses(refused.StaleReport, round=2, latest=2):  # a void round is not posted again
        case.send()
    third = root.final(3, before=parent)
    assert root.ledger.root_state(root.task) == third.state
    assert root.ledger.task(root.task).finalised == 2


@threat(18, "sign a wrong decay of a trainer that was not due")
def test_false_decay(root: Stage) -> None:
    """Not due is a 64th for trainers and nothing for verifiers, in the proof as in the rule."""
    first = root.final(1)
    case = root.prepared(2, before=first.data, scores={1: 0, 2: 36_000, 3: 1})
    parent, data = honest_data(case)
    old = parent.reputation[0][0]
    lane = old & 0xFFFF
    assert data.reputation[0][0] & 0xFFFF == lane - lane // 64 < lane
    kept = data.reputation[0][0] & ~0xFFFF | lane
    false = signed(case, replace(data, reputation=((kept,), data.reputation[1])))
    false.post()
    with root.punishes(false, WATCHER):
        root.ledger.transmitter(WATCHER).send(challenge_step(false))


@threat(34, "overflow a lane, or carry into the next")
def test_random_lanes_equal_the_scalar_rule(root: Stage) -> None:
    """The chain steps whole words at once: every lane of random and extreme words equals the rule for one lane."""
    levels, generator = 4, random.Random(34)
    count = 2 << levels
    edges = (0, 1, 2, 3, 4, 15, 16, 63, 64, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF)

    def word() -> int:
        some = [generator.choice(edges) if generator.random() < 0.5 else generator.randrange(65_536) for _ in range(15)]
        return pack_scores(some)[0]

    old, scores = ([word() | 1 << 240 for _ in range(count)], [word() for _ in range(count)])
    new = [step_word(a, b, round=2, role=Role(at >> levels)) for at, (a, b) in enumerate(zip(old, scores, strict=True))]
    trees = [PositionTree(words, levels + 1) for words in (old, scores, new)]
    root.add_task(replace(PARAMS[Mode.ROOT], levels=levels))
    # A first round whose committee signed these reputations, unchallenged; then one that steps them by the scores.
    pools = root.params.trainer_pool | root.params.verifier_pool << 128
    states = [
        RootState(scores=trees[1].root, reputation=tree.root, totals=round_ * pools, points=1 | 1 << 128)
        for round_, tree in ((1, trees[0]), (2, trees[2]))
    ]
    for round_, state in enumerate(states, start=1):
        root.submit(round_)
        made = root.settlement(round_, root.draw(round_), reward=root.params.pools, state=state)
        Case.of(made).post()
    ledger = root.ledger
    post, parent = ledger.post_of(root.task, 2), ledger.parent_post(root.task)
    assert post is not None
    assert parent is not None
    head = (ledger.accused(post), post.state, parent.settled, parent.state)
    for index in range(count):
        proofs = (trees[1].proof(index), trees[0].proof(index), trees[2].proof(index))
        with pytest.raises(refused.NotAFault):
            ledger.read(ledger.disputes.call("challengeStep", *head, index, *proofs))


# --- pay ---
def packed(trainers: int, verifiers: int) -> int:
    """Totals or points of both roles."""
    return trainers | verifiers << 128


@threat(19, "let the pay trees grow by more than the pools")
def test_inflated_pay(root: Stage) -> None:
    """A pay tree's root carries its sum, so the post itself is refused, for each role and for what it says in total."""
    case = second_round(root)
    before, data = honest_data(case)
    pools, paid = root.pools, [sum(data.pay[r]) for r in Role]
    ceiling = [sum(before.pay[r]) + pools[r] for r in Role]
    with root.refuses(refused.WrongReward, what="trainers", got=pools[0] + 1, expected=pools[0]):
        signed(case, data, totals=packed(ceiling[0] + 1, paid[1])).send()
    with root.refuses(refused.WrongReward, what="verifiers", got=pools[1] + 1, expected=pools[1]):
        signed(case, data, totals=packed(paid[0], ceiling[1] + 1)).send()
    with root.refuses(refused.WrongReward, what="trainers", expected=0):  # nobody has points, and pay
        signed(case, data, points=packed(0, 1)).send()
    with root.refuses(refused.WrongReward, what="trainers", got=0, expected=sum(before.pay[0])):  # take back
        taken = signed(case, data, totals=packed(0, paid[1]))
        replace(taken, report=replace(taken.report, reward_total=0)).send()
    grown = sum(paid) - sum(map(sum, before.pay))
    for wrong in (grown + 1, 0, 2**256 - 1):
        with root.refuses(refused.WrongReward, what="rewardTotal", got=wrong, expected=grown):
            replace(case, report=replace(case.report, reward_total=wrong)).send()
    case.send()


@threat(19, "write more than the pools into a words report")
def test_inflated_words(stage: Stage) -> None:
    """A words report cannot promise more than the pools, and what is paid follows from its words alone."""
    case, pools = stage.prepared(), stage.params.pools
    with stage.refuses(refused.RewardTooHigh, got=pools + 1, limit=pools):
        replace(case, report=replace(case.report, reward_total=pools + 1)).send()


@threat(20, "move pay from one leaf to another, or exchange two nodes' leaves")
@pytest.mark.parametrize("lie", ["moved", "exchanged"])
def test_moved_pay(root: Stage, lie: str) -> None:
    """One leaf with its parent's leaf and its score proves it; leaves that are right accuse nobody."""
    case = second_round(root)
    _, data = honest_data(case)
    one, two, three = data.pay[0]
    pay = {"moved": (one + 9, two - 9, three), "exchanged": (two, one, three)}[lie]
    false = signed(case, replace(data, pay=(pay, data.pay[1])))
    false.post()
    sender = root.ledger.transmitter(WATCHER)
    for right in (2, 17):
        with root.refuses(refused.NotAFault):
            sender.send(challenge_pay(false, right))
    with root.refuses(refused.NotAFault):
        sender.send(challenge_pay(false, 0, VERIFIERS))
    with root.punishes(false, WATCHER):
        sender.send(challenge_pay(false, 0))


@threat(20, "claim with another node's leaf, or to another account")
def test_another_node_s_leaf(root: Stage) -> None:
    """A leaf stands at its slot, the slot is its node's for ever, and the node's cold owner is paid, whoever calls."""
    case = root.final()
    _, data = honest_data(case)
    best = data.pay_proof(TRAINERS, 0)
    with root.refuses(refused.WrongHash, what="pay"):
        root.ledger.claim_root(w.owner(2), root.task, TRAINERS, 2, best)
    with root.refuses(refused.WrongHash, what="pay"):
        root.ledger.claim_root(w.owner(1), root.task, VERIFIERS, 1, best)
    with root.refuses(refused.NoSlot, task=root.task, role=0, node=4):
        root.ledger.claim_root(w.owner(4), root.task, TRAINERS, 4, best)
    purses = root.purse(MALLORY), root.purse(w.owner(1))
    root.ledger.claim_root(MALLORY, root.task, TRAINERS, 1, best)
    assert (root.purse(MALLORY), root.purse(w.owner(1))) == (purses[0], purses[1] + best.amount)


@threat(21, "keep pay back, or claim more points than there are so that every share shrinks")
def test_underpaid(root: Stage) -> None:
    """Less than one wei a slot stays unpaid, or the post is refused; with right totals false points are false pay."""
    case = second_round(root)
    before, data = honest_data(case)
    pool, slots, paid = root.pools[0], 3, [sum(data.pay[r]) for r in Role]
    short = sum(before.pay[0]) + pool - slots - 1
    with root.refuses(refused.WrongReward, what="trainers", got=pool - slots - 1, expected=pool):
        signed(case, data, totals=packed(short, paid[1])).send()
    points = case.state.points if case.state else 0
    halved = tuple(old + (new - old) // 2 for old, new in zip(before.pay[0], data.pay[0], strict=True))
    shrunk = replace(data, pay=(halved, data.pay[1]))
    with root.refuses(refused.WrongReward, what="trainers", expected=pool):
        signed(case, shrunk, points=points + (points & (2**128 - 1))).send()
    doubled = signed(case, data, points=points + (points & (2**128 - 1)))
    doubled.post()
    with root.punishes(doubled, WATCHER):
        root.ledger.transmitter(WATCHER).send(challenge_pay(doubled, 0))


@threat(21, "say that nobody earned, and keep a whole pool")
def test_points_denied(root: Stage) -> None:
    """One score word with a lane that earned proves that there were points."""
    case = second_round(root)
    before, data = honest_data(case)
    points = case.state.points if case.state else 0
    denied = replace(data, pay=(before.pay[0], data.pay[1]))
    false = signed(case, denied, points=points & ~(2**128 - 1))
    false.post()
    index, ledger = word_index(LEVELS, TRAINERS, 0), root.ledger
    with root.refuses(refused.NotAFault):
        other = word_index(LEVELS, VERIFIERS, 0)
        ledger.challenge_points(MALLORY, false.posted(), other, denied.score_proof(VERIFIERS, 0))
    with root.punishes(false, WATCHER):
        ledger.challenge_points(WATCHER, false.posted(), index, denied.score_proof(TRAINERS, 0))


def lying_tree(amounts: dict[int, int], depth: int, lie: int) -> tuple[bytes, int, dict[int, PayProof]]:
    """A sum tree that counts `lie` less than its leaf 0 has, its root's sum, and the best proof of each leaf."""

    def leaf(amount: int) -> bytes:
        return keccak(b"\2" + amount.to_bytes(12, "big"))

    row = [(leaf(amounts.get(at, 0)), amounts.get(at, 0)) for at in range(1 << depth)]
    row[0] = (row[0][0], row[0][1] - lie)
    rows = [row]
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=True)
        row = [
            (keccak(b"\3" + a + x.to_bytes(12, "big") + b + y.to_bytes(12, "big")), x + y) for (a, x), (b, y) in pairs
        ]
        rows.append(row)
    proofs = {}
    for at, amount in amounts.items():
        beside = [rows[level][(at >> level) ^ 1] for level in range(depth)]
        proofs[at] = PayProof(amount, tuple(total for _, total in beside), tuple(mark for mark, _ in beside))
    return row[0][0], row[0][1], proofs


def lying(root: Stage, lie: int = 50) -> tuple[Case, dict[int, PayProof]]:
    """Posted: a pay tree whose leaves hold more than its root says."""
    case = root.prepared()
    _, data = honest_data(case)
    amounts = {pay_index(slot): wei for slot, wei in enumerate(data.pay[0])}
    amounts[0] += lie
    tree, total, proofs = lying_tree(amounts, LEVELS + 4, lie)
    assert total == sum(data.pay[0]) == sum(amounts.values()) - lie
    false = signed(case, data, trainer_pay=tree)
    false.post()
    return false, proofs


@threat(22, "sign a pay tree with a lying inner sum, so that its leaves hold more than its root")
def test_a_lying_inner_sum_has_no_proof(root: Stage) -> None:
    """A node's hash holds both sums, so the false leaf can be shown to nobody: it is demanded, and the post dies."""
    false, proofs = lying(root)
    post, ledger = false.posted(), root.ledger
    ledger.demand(WATCHER, post, DemandKind.TRAINER_PAY, 0)
    honest = false.data.pay_proof(TRAINERS, 0) if false.data else proofs[0]
    for attempt in (proofs[0], replace(proofs[0], amount=proofs[0].amount - 50), honest):
        with root.refuses(refused.WrongHash):
            ledger.answer_pay(MALLORY, post, DemandKind.TRAINER_PAY, 0, attempt)
    found = ledger.demand_of(post.digest, DemandKind.TRAINER_PAY, 0)
    assert found is not None
    root.advance_to(found[1] + 1)
    fee, purse = root.demand_fee, root.purse(WATCHER)
    ledger.expire(WATCHER, post, DemandKind.TRAINER_PAY, 0)
    taken = len(false.signing) * root.params.slash
    assert root.purse(WATCHER) == purse + fee + taken // 2
    root.is_void(false)


@threat(22, "claim from a tree with a lying sum that nobody challenged")
def test_a_lying_sum_pays_no_more_than_its_total(root: Stage) -> None:
    """The claimed leaf's sum is added up to the root's total, so all claims together stay within the pool."""
    false, proofs = lying(root)
    root.advance_to(root.phase_start(2, 0))
    escrow, ledger = root.ledger.escrow(root.task), root.ledger
    with root.refuses(refused.WrongHash, what="pay"):
        ledger.claim_root(MALLORY, root.task, TRAINERS, 1, proofs[0])
    ledger.claim_root(MALLORY, root.task, TRAINERS, 2, proofs[1])
    assert escrow - ledger.escrow(root.task) == proofs[1].amount <= root.pools[0]
    assert false.state is not None
    assert false.state.total(TRAINERS) <= root.pools[0]


@threat(22, "overflow a sum on the way to the root")
def test_an_overflowing_sum(root: Stage) -> None:
    """Every sum that a proof meets fits 96 bits, or the proof is refused."""
    case = root.final()
    _, data = honest_data(case)
    proof = data.pay_proof(TRAINERS, 0)
    flood = replace(proof, sums=(MAX_SUM, *proof.sums[1:]))
    with root.refuses(refused.SumOverflow):
        root.ledger.claim_root(MALLORY, root.task, TRAINERS, 1, flood)
    with root.refuses(refused.SumOverflow):
        root.ledger.claim_root(MALLORY, root.task, TRAINERS, 1, replace(proof, amount=MAX_SUM))
    with root.refuses(refused.BadProofLength, got=LEVELS + 3, expected=LEVELS + 4):
        root.ledger.claim_root(MALLORY, root.task, TRAINERS, 1, replace(proof, sums=proof.sums[1:]))


# --- trees ---
def sorted_root(word: bytes, proof: list[bytes]) -> bytes:
    """What a tree of sorted pairs makes of a leaf: no index comes in."""
    node = keccak(word)
    for sibling in proof:
        node = keccak(min(node, sibling) + max(node, sibling))
    return node


@threat(23, "two words for one place; an inner node as a word; a proof of another depth")
def test_one_word_for_one_place(root: Stage) -> None:
    """Trees are bound to position and of fixed depth; with sorted pairs the same trick works, as shown here."""
    a, b = (n.to_bytes(32, "big") for n in (7, 8))
    apex = sorted_root(a, [keccak(b)])
    assert sorted_root(b, [keccak(a)]) == apex  # "word 0" is a and is b: nothing says which place a proof is for
    case = root.final()
    _, data = honest_data(case)
    ledger, first = root.ledger, data.reputation_proof(TRAINERS, 0)
    second = data.reputation_proof(TRAINERS, 1)
    with root.refuses(refused.WrongHash, what="reputation"):
        ledger.materialise(MALLORY, root.task, TRAINERS, 1, first)
    with root.refuses(refused.WrongHash, what="reputation"):
        ledger.materialise(MALLORY, root.task, TRAINERS, 0, WordProof(second.word, first.siblings))
    inner = keccak(b"\1" + keccak(b"\0" + first.word.to_bytes(32, "big")) + first.siblings[0])
    as_word = WordProof(int.from_bytes(inner, "big"), first.siblings[1:])
    with root.refuses(refused.BadProofLength, got=LEVELS, expected=LEVELS + 1):
        ledger.materialise(MALLORY, root.task, TRAINERS, 0, as_word)
    with root.refuses(refused.BadProofLength, got=LEVELS + 2, expected=LEVELS + 1):
        ledger.materialise(MALLORY, root.task, TRAINERS, 0, replace(first, siblings=(*first.siblings, bytes(32))))
    verifiers = data.reputation_proof(VERIFIERS, 0)  # the trainers' index that would reach it
    with root.refuses(refused.BadIndex, index=1 << LEVELS, count=1 << LEVELS):
        ledger.materialise(MALLORY, root.task, TRAINERS, 1 << LEVELS, verifiers)
    ledger.materialise(MALLORY, root.task, TRAINERS, 0, first)
    assert list(ledger.reputations(root.task, TRAINERS).values()) == data.reputations(TRAINERS)


@threat(26, "kill an honest root with forged words, leaves, indices and totals")
def test_an_honest_root_outlives_every_forgery(root: Stage) -> None:
    """Score, word before, word after and both leaves are proved against signed roots; an index is checked first."""
    case = second_round(root)
    case.post()
    sender = root.ledger.transmitter(MALLORY)
    before, data = honest_data(case)
    score, leaf, old = data.score_proof(TRAINERS, 0), data.pay_proof(TRAINERS, 0), before.pay_proof(TRAINERS, 0)
    after, past = data.reputation_proof(TRAINERS, 0), before.reputation_proof(TRAINERS, 0)
    forged_steps = {
        "score": {"score": replace(score, word=score.word + 1)},
        "before": {"before": replace(past, word=past.word + 1)},
        "next": {"next": replace(after, word=after.word + 1)},
    }
    for what, forgery in forged_steps.items():
        with root.refuses(refused.WrongHash, what=what):
            sender.send(challenge_step(case, **forgery))
    forged_leaves = {
        "score": {"score": replace(score, word=score.word + 1)},
        "before": {"before": replace(old, amount=old.amount + 1)},
        "next": {"next": replace(leaf, amount=leaf.amount + 1)},
    }
    for what, forgery in forged_leaves.items():
        with root.refuses(refused.WrongHash, what=what):
            sender.send(challenge_pay(case, 0, **forgery))
    with root.refuses(refused.BadIndex, what="word", got=2 << LEVELS, limit=2 << LEVELS):
        sender.send(challenge_step(case, index=2 << LEVELS))
    with root.refuses(refused.BadIndex, what="leaf", got=16 << LEVELS, limit=16 << LEVELS):
        sender.send(challenge_pay(case, 0, slot=16 << LEVELS))
    for call in (challenge_step(case), challenge_pay(case, 0), challenge_pay(case, 16)):
        with root.refuses(refused.NotAFault):
            sender.send(call)
    root.advance_to(root.phase_start(3, 0))
    assert root.ledger.root_state(root.task) == case.state
    assert step_lane(0, 40_000, role=TRAINERS) == before.reputations(TRAINERS)[0]
