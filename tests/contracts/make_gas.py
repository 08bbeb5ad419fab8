"""What each action costs on the in-process chain: `python -m tests.contracts.make_gas` rewrites the gas snapshot.

Steady state unless the name says otherwise; committees are 5 of 7. The chain is seeded, so equal contracts give equal
figures; its fork charges these actions as mainnet's does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from ledger import Signer, TesterChain
from ledger.gas import TX_CAP
from ledger.report import observation_digest, update_commitment, votes_hash
from ledger.rootstate import RootLedgerState, word_index
from ledger.types import DemandKind, Mode, PayProof, Phase, Receipt, Role, RootState
from scripts.bench.gas_rig import Rig, Shape, TaskRig, digest

SNAPSHOT = Path(__file__).resolve().parents[1] / "vectors" / "gas.json"
SIZES = (8, 64, 256)
SEATS, QUORUM = 7, 5
BIG_SEATS, BIG_QUORUM = 31, 21
# What was promised; sums of actions are named in `SUMS`.
TARGETS = {
    "round root": 260_000,
    "round root, 21 of 31": 470_000,
    "post and finalise, N = 256": 900 * 256,
    "post and finalise with contributions, N = 256": 1_600 * 256,
    "claimNoted next": 82_000,
}
SUMS = {
    "round root": ("collect", "armBeacon", "drawCommittee", "postRoot"),
    "round root, 21 of 31": ("collect", "armBeacon", "drawCommittee, 21 of 31", "postRoot, 21 of 31"),
}
CHALLENGE_LIMIT = 3_000_000


class Meter:
    """Collects gas by action."""

    def __init__(self) -> None:
        self.gas: dict[str, int] = {}

    def take(self, name: str, receipt: Receipt) -> Receipt:
        """Note the gas of one transaction."""
        assert name not in self.gas, name
        self.gas[name] = receipt.gas_used
        return receipt


def new_rig(nodes: int, seats: int) -> Rig:
    """A fresh seeded chain with registered and seated nodes."""
    owner = Signer.from_seed(b"gas snapshot", "owner")
    chain = TesterChain.create(seed=b"gas snapshot", funded=[owner.address])
    rig = Rig(chain, chain, owner)
    rig.register(nodes)
    rig.seat(seats)
    return rig


def members(meter: Meter, rig: Rig) -> None:
    """Registering and seats, one by one."""
    before = len(rig.keys)
    meter.take("register", rig.register(before + 1)[0])
    meter.take("takeSeats", rig.send(rig.ledger.vault.call("takeSeats", before + 1, 1)))
    meter.take("leaveSeats", rig.send(rig.ledger.vault.call("leaveSeats", before + 1, 1)))


def submissions(meter: Meter, task: TaskRig, round_: int) -> None:
    """A trainer's own commit and reveal, and a collector's for all."""
    ledger, owner, node = task.rig.ledger, task.rig.owner, SEATS + 1
    manifest, salt = digest("manifest"), digest("salt")
    commitment = update_commitment(
        chain_id=ledger.chain.chain_id, book=ledger.book.address, task=task.task, round=round_, node=node,
        manifest=manifest, salt=salt,
    )  # fmt: skip
    task.at(round_, Phase.COMMIT)
    meter.take("commit", ledger.commit(owner, task.task, round_, node, commitment))
    meter.take("collect", task.rig.send(task.bundle_call(round_, reveals=False)))
    task.at(round_, Phase.REVEAL)
    meter.take("reveal", ledger.reveal(owner, task.task, round_, node, manifest, 1_000, salt))
    task.at(round_, Phase.POST)
    meter.take("openProbe", ledger.open_probe(owner, task.task, round_, digest("probe")))


def words_mode(meter: Meter, rig: Rig, nodes: int, *, contributions: bool) -> TaskRig:
    """Rounds in words mode: first writes, then steady ones apart and in one transaction."""
    shape = Shape.of(nodes, seats=SEATS, quorum=QUORUM, mode=Mode.WORDS, contributions=contributions)
    name = f"{' with contributions' if contributions else ''}, N = {nodes}"
    task = rig.open_task(shape)
    for round_ in (1, 2, 3):
        task.at(round_, Phase.POST)
        task.draw(round_)
        posted = task.post(round_)
        if round_ == 3:
            meter.take(f"post{name}", posted)
        else:
            task.at(round_ + 1, Phase.COMMIT)
            done = rig.send(task.finalise_call())
            meter.take(f"finalise{name}{', first' if round_ == 1 else ''}", done)
    task.at(4, Phase.POST)
    task.draw(4)
    both = rig.together([task.finalise_call(), task.post_call(4)])
    meter.take(f"post and finalise{name}", task.remember(both))
    task.at(5, Phase.COMMIT)
    rig.send(task.finalise_call())
    return task


def claims(meter: Meter, task: TaskRig) -> None:
    """Words mode: a node's first claim and a later one."""
    ledger, owner, node = task.rig.ledger, task.rig.owner, SEATS + 1
    meter.take("claim first", ledger.claim(owner, task.task, Role.TRAINER, node))
    task.at(5, Phase.POST)
    task.draw(5)
    task.post(5)
    task.at(6, Phase.COMMIT)
    task.rig.send(task.finalise_call())
    meter.take("claim next", ledger.claim(owner, task.task, Role.TRAINER, node))


def root_mode(meter: Meter, rig: Rig, *, seats: int, quorum: int) -> TaskRig:
    """Three rounds in root mode at 64 nodes."""
    name = "" if seats == SEATS else f", {quorum} of {seats}"
    task = rig.open_task(Shape.of(64, seats=seats, quorum=quorum, mode=Mode.ROOT))
    for round_ in (1, 2, 3):
        if round_ == 3 and not name:
            submissions(meter, task, round_)
        task.at(round_, Phase.POST)
        drawn = task.draw(round_)
        posted = task.post(round_)
        if round_ == 3:
            if not name:
                meter.take("armBeacon", drawn["arm"])
            meter.take(f"drawCommittee{name}", drawn["draw"])
            meter.take(f"postRoot{name}", posted)
    return task


def root_reads(meter: Meter, task: TaskRig) -> None:
    """Root mode: claims and a word brought on chain."""
    ledger, owner, node = task.rig.ledger, task.rig.owner, SEATS + 1
    task.at(4, Phase.COMMIT)
    meter.take("claimRoot first", task.claim_root(Role.TRAINER, node, 0, 3))
    proof = task.ledger_state(3).reputation_proof(Role.TRAINER, 0)
    meter.take("materialise first", ledger.materialise(owner, task.task, Role.TRAINER, 0, proof))
    meter.take("notePay first", ledger.note_pay(owner, task.task))
    meter.take("claimNoted first", task.claim_noted(Role.TRAINER, node + 1, 1, 3))
    task.at(4, Phase.POST)
    task.draw(4)
    task.post(4)
    task.at(5, Phase.COMMIT)
    meter.take("notePay next", ledger.note_pay(owner, task.task))
    meter.take("claimNoted next", task.claim_noted(Role.TRAINER, node + 1, 1, 4))
    meter.take("claimRoot next", task.claim_root(Role.TRAINER, node, 0, 4))
    proof = task.ledger_state(4).reputation_proof(Role.TRAINER, 0)
    meter.take("materialise next", ledger.materialise(owner, task.task, Role.TRAINER, 0, proof))


def words_faults(meter: Meter, rig: Rig) -> None:
    """Words mode: a wrong score proved, withheld votes demanded and answered, and not answered."""
    ledger, owner = rig.ledger, rig.owner
    task = rig.open_task(Shape.of(64, seats=SEATS, quorum=QUORUM, mode=Mode.WORDS))
    for round_ in (1, 2):
        task.at(round_, Phase.POST)
        task.draw(round_)
        votes, tree = task.votes(round_)
        trainers, verifiers = task.words(round_)
        words = ([trainers[0] ^ 2, *trainers[1:]], verifiers)
        rig.send(task.post_call(round_, words=words, votes_hash=votes_hash(votes)))
        pending = ledger.pending(task.task)
        assert pending is not None
        task.at(round_, Phase.WINDOW)
        if round_ == 1:
            meter.take("demand votes", ledger.demand(owner, pending.post, DemandKind.VOTES, 0, 0))
            answered = ledger.answer_votes(owner, pending.post, 0, 0, votes, tree.proof(0))
            meter.take("answer votes", answered)
            proofs = [tree.proof(0)] * len(votes)
            meter.take("challengeScore", ledger.challenge_score(owner, pending.post, votes, 0, proofs))
        else:
            ledger.demand(owner, pending.post, DemandKind.VOTES, 1, 0)
            rig.clock.advance_to(rig.chain.now() + task.params.window_s // 4 + 1)
            meter.take("expire", ledger.expire(owner, pending.post, DemandKind.VOTES, 1, 0))


def shifted(state: RootLedgerState) -> RootLedgerState:
    """The state with one wei moved from the second trainer to the first."""
    first, second, *rest = state.pay[Role.TRAINER]
    return replace(state, pay=((first + 1, second - 1, *rest), state.pay[Role.VERIFIER]))


def restepped(state: RootLedgerState) -> RootLedgerState:
    """The state with one lane of the trainers' first reputation word raised."""
    first, *rest = state.reputation[Role.TRAINER]
    return replace(state, reputation=((first ^ 1, *rest), state.reputation[Role.VERIFIER]))


def root_faults(meter: Meter, rig: Rig) -> None:
    """Root mode: each proof of fault, each of which voids its round; withheld words and leaves, with answers."""
    ledger, owner = rig.ledger, rig.owner
    task = rig.open_task(Shape.of(64, seats=SEATS, quorum=QUORUM, mode=Mode.ROOT))
    levels, word = task.shape.levels, word_index(task.shape.levels, Role.TRAINER, 0)
    task.at(1, Phase.POST)
    task.draw(1)
    task.post(1)
    before = task.ledger_state(1)
    for round_, fault in enumerate(("score", "step", "pay", "points"), 2):
        task.at(round_, Phase.POST)
        task.draw(round_)
        votes, tree = task.votes(round_)
        honest = task.ledger_state(round_)
        built, state = honest, honest.root_state()
        if fault == "score":
            scores = task.scores(round_)
            other = ([scores[0][0] ^ 2, *scores[0][1:]], scores[1])
            pools = (task.params.trainer_pool, task.params.verifier_pool)
            # The points change with the score; paying by the honest ones keeps the totals right.
            built = replace(before.step(other, round=round_, pools=pools), pay=honest.pay)
            state = replace(built.root_state(), points=state.points)
        elif fault == "step":
            built = restepped(honest)
            state = built.root_state()
        elif fault == "pay":
            built = shifted(honest)
            state = built.root_state()
        else:
            state = without_points(state, before.root_state())
        rig.send(task.post_call(round_, state=state, votes_hash=votes_hash(votes)))
        pending = ledger.pending(task.task)
        assert pending is not None
        post = pending.post
        task.at(round_, Phase.WINDOW)
        score = built.score_proof(Role.TRAINER, 0)
        if fault == "score":
            meter.take("demand word", ledger.demand(owner, post, DemandKind.SCORES, word))
            meter.take("answer word", ledger.answer_word(owner, post, DemandKind.SCORES, word, score))
            meter.take("demand pay", ledger.demand(owner, post, DemandKind.TRAINER_PAY, 0))
            leaf: PayProof = built.pay_proof(Role.TRAINER, 0)
            meter.take("answer pay", ledger.answer_pay(owner, post, DemandKind.TRAINER_PAY, 0, leaf))
            proofs = [tree.proof(0)] * len(votes)
            meter.take("challengeRootScore", ledger.challenge_root_score(owner, post, votes, word, score, proofs))
        elif fault == "step":
            after = built.reputation_proof(Role.TRAINER, 0)
            known = before.reputation_proof(Role.TRAINER, 0)
            done = ledger.challenge_step(owner, post, word, score=score, before=known, after=after)
            meter.take("challengeStep", done)
        elif fault == "pay":
            old, new = before.pay_proof(Role.TRAINER, 0), built.pay_proof(Role.TRAINER, 0)
            done = ledger.challenge_pay(owner, post, Role.TRAINER, 0, score=score, before=old, after=new)
            meter.take("challengePay", done)
        else:
            meter.take("challengePoints", ledger.challenge_points(owner, post, word, score))
    assert levels == task.params.levels


def without_points(state: RootState, before: RootState) -> RootState:
    """A state that says no trainer earned, and pays none."""
    half = 2**128 - 1
    return replace(
        state,
        trainer_pay=before.trainer_pay,
        totals=(state.totals & ~half) | (before.totals & half),
        points=state.points & ~half,
    )


def equivocations(meter: Meter, rig: Rig) -> None:
    """Two reports, and two observations, signed by one member."""
    ledger, owner = rig.ledger, rig.owner
    task = rig.open_task(Shape.of(8, seats=SEATS, quorum=QUORUM, mode=Mode.WORDS))
    task.at(1, Phase.POST)
    task.draw(1)
    seat = task.draws[1].seats[0]
    key, chain_id, book = rig.key(seat.node), ledger.chain.chain_id, ledger.book.address
    reports = [task.report(1, words=digest("words"), reward=0, model=digest("model", i)) for i in (1, 2)]
    signed = [key.sign_digest(ledger.report_digest(report)) for report in reports]
    meter.take("equivocate", ledger.equivocate(owner, reports[0], signed[0], reports[1], signed[1]))
    seed = task.draws[1].seed
    commitments = (digest("commitment", 1), digest("commitment", 2))
    first, second = (
        key.sign_digest(
            observation_digest(
                chain_id=chain_id, book=book, task=task.task, round=1, seed=seed, node=seat.node, commitment=commitment
            )
        )
        for commitment in commitments
    )
    meter.take(
        "equivocateObservation",
        ledger.equivocate_observation(
            owner,
            task=task.task,
            round=1,
            seed=seed,
            node=seat.node,
            commitments=commitments,
            signatures=(first, second),
        ),
    )


def measure() -> dict[str, int]:
    """Gas of every action, and the sums that have a target."""
    meter = Meter()
    rig = new_rig(max(SIZES) + BIG_SEATS, SEATS)
    members(meter, rig)
    for nodes in SIZES:
        for contributions in (False, True):
            task = words_mode(meter, rig, nodes, contributions=contributions)
    claims(meter, task)
    joining = rig.open_task(Shape.of(8, seats=SEATS, quorum=QUORUM, mode=Mode.WORDS), joined=0)
    meter.take("createTask", joining.created)
    call = rig.ledger.book.call
    meter.take("join first", rig.send(call("join", joining.task, 1, Role.TRAINER, "http://node-1.example:7000")))
    meter.take("join", rig.send(call("join", joining.task, 2, Role.TRAINER, "http://node-2.example:7000")))
    root_reads(meter, root_mode(meter, rig, seats=SEATS, quorum=QUORUM))
    words_faults(meter, rig)
    root_faults(meter, rig)
    equivocations(meter, rig)
    big = new_rig(64 + BIG_SEATS, BIG_SEATS)
    root_mode(meter, big, seats=BIG_SEATS, quorum=BIG_QUORUM)
    sums = {name: sum(meter.gas[part] for part in parts) for name, parts in SUMS.items()}
    assert max(meter.gas.values()) < TX_CAP
    return {**meter.gas, **sums}


def main() -> int:
    """Rewrite the snapshot."""
    found = measure()
    SNAPSHOT.write_text(
        json.dumps({"generator": "python -m tests.contracts.make_gas", "gas": found}, indent=1) + "\n", encoding="utf-8"
    )
    for name, gas in found.items():
        target = f"  target {TARGETS[name]:,}" if name in TARGETS else ""
        print(f"{name:48} {gas:>10,}{target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
