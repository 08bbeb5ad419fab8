"""Attacks before the beacon: copied, late, repeated, withheld and censored commits and reveals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ledger import Bundle, Event, Mode, Phase, Role, Signer, update_commitment
from ledger import contract_errors as refused
from ledger.words import step_lane
from node.message import Kind, Message, sign_message
from node.round.bundle import pack
from node.round.gather import open_commitment
from node.round.view import Commitment, TaskView
from node.score import NOT_DUE, REJECTED
from node.verify import Reason, Submission, mark_duplicates
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import MALLORY, Stage, both_modes
from tests.integration.ledger import world as w
from tests.support.protocol import tiny_spec

VICTIM, COPIER = 1, 2
SALT, MANIFEST = w.digest("secret salt"), w.digest("the manifest")


def promise(stage: Stage, node: int, *, manifest: bytes = MANIFEST, salt: bytes = SALT) -> bytes:
    """What a node commits to."""
    return update_commitment(
        chain_id=stage.chain.chain_id, book=stage.ledger.book.address, task=stage.task, round=1, node=node,
        manifest=manifest, salt=salt,
    )  # fmt: skip


def view_of(stage: Stage, stored: Mapping[bytes, bytes] | None = None) -> TaskView:
    """What every node reads of the task, with a store that holds these blocks."""
    blocks = dict(stored or {})
    return TaskView(stage.ledger, stage.task, blocks.__getitem__)


def commitments(stage: Stage, stored: Mapping[bytes, bytes] | None = None) -> dict[int, Commitment]:
    """First commits of round 1 by node."""
    return {entry.node: entry for entry in view_of(stage, stored).commitments(1)}


def verdict(stage: Stage, entry: Commitment) -> Reason | None:
    """Whether its reveal opens a commit."""
    return open_commitment(entry, scope=view_of(stage).scope, task=stage.task, round_=1)


def commit(stage: Stage, node: int, commitment: bytes, by: Signer | None = None) -> None:
    stage.ledger.commit(by or w.hot(node), stage.task, 1, node, commitment)


def reveal(stage: Stage, node: int, manifest: bytes = MANIFEST, salt: bytes = SALT) -> None:
    stage.ledger.reveal(w.hot(node), stage.task, 1, node, manifest, 1_000, salt)


def signed(stage: Stage, node: int, kind: Kind, *, key: int | None = None, **body: object) -> Message:
    """A trainer's leaf, by its own key or another's."""
    by, scope = w.hot(node if key is None else key), view_of(stage).scope
    return sign_message(by, scope, kind=kind, task=stage.task, round_=1, node=node, body=body)


@threat(1, "send the commitment that another has sent, then its opening")
@both_modes
def test_a_copied_commitment_cannot_be_opened(stage: Stage, mode: Mode) -> None:
    """The commitment hashes the node's id: with the victim's opening the copier's commit opens to nothing."""
    stage.use(mode)
    commit(stage, VICTIM, promise(stage, VICTIM))
    commit(stage, COPIER, promise(stage, VICTIM))
    with stage.refuses(refused.NotNode, node=VICTIM, caller=w.hot(COPIER).address):
        commit(stage, VICTIM, promise(stage, COPIER), by=w.hot(COPIER))
    stage.advance_to(stage.phase_start(1, 1))
    reveal(stage, VICTIM)
    reveal(stage, COPIER)
    found = commitments(stage)
    assert verdict(stage, found[VICTIM]) is None
    assert verdict(stage, found[COPIER]) is Reason.COMMITMENT_MISMATCH
    # The committee scores it 1, and the victim has the whole pool.
    case = stage.settled_on(stage.draw(1), 1, scores={VICTIM: 40_000, COPIER: REJECTED, 3: REJECTED})
    case.post()
    stage.advance_to(stage.phase_start(2, 0))
    pool, purse = stage.params.trainer_pool, stage.purse(w.owner(VICTIM))
    stage.cash_in(case, Role.TRAINER, VICTIM)
    assert stage.purse(w.owner(VICTIM)) == purse + pool
    with stage.refuses(refused.NothingToClaim, node=COPIER):
        stage.cash_in(case, Role.TRAINER, COPIER)


@threat(1, "commit to the same content under an own name")
def test_a_copied_update_is_one_player() -> None:
    """Among near-duplicates the first commit wins, whatever the copier's slot is."""
    work = np.ones(6, dtype=np.float32)
    copy = work + np.float32(1e-6)
    submissions = [
        Submission(COPIER, 0, order=1, update=copy, reason=Reason.ACCEPTED),
        Submission(VICTIM, 1, order=0, update=work, reason=Reason.ACCEPTED),
    ]
    marked = {item.node: item.reason for item in mark_duplicates(submissions, tiny_spec())}
    assert marked == {VICTIM: Reason.ACCEPTED, COPIER: Reason.DUPLICATE}


@threat(2, "commit once the others' content is out")
@both_modes
def test_a_commit_at_the_deadline_is_late(stage: Stage, mode: Mode) -> None:
    """Content is published in REVEAL; at that very second commits are refused, by the half-open clock."""
    deadline = stage.use(mode).phase_start(1, 1)
    stage.site.next_at(deadline - 1)
    stage.ledger.commit(w.hot(VICTIM), stage.task, 1, VICTIM, promise(stage, VICTIM), gas=200_000)
    assert stage.chain.now() == deadline - 1
    with stage.refuses(refused.WrongPhase, round=1, got=Phase.REVEAL, needed=Phase.COMMIT):
        stage.site.next_at(deadline)
        stage.ledger.commit(w.hot(COPIER), stage.task, 1, COPIER, promise(stage, COPIER), gas=200_000)
    assert stage.chain.now() == deadline
    late = pack([signed(stage, COPIER, Kind.COMMITTED, commitment=promise(stage, COPIER).hex())])
    stage.ledger.collect(w.owner(0), stage.task, 1, late, reveals=False)  # logged, and read by nobody
    reveal(stage, VICTIM)
    assert set(commitments(stage, {late.data: late.encoded})) == {VICTIM}


@threat(2, "open an early, empty commit with what another has published")
def test_a_commit_cannot_be_filled_later(stage: Stage) -> None:
    """The manifest's digest is inside of the commitment; another manifest or salt does not open it."""
    commit(stage, VICTIM, promise(stage, VICTIM))
    commit(stage, COPIER, promise(stage, COPIER, manifest=w.digest("nothing yet"), salt=w.digest("own")))
    stage.advance_to(stage.phase_start(1, 1))
    reveal(stage, VICTIM)
    reveal(stage, COPIER, MANIFEST, w.digest("own"))
    assert verdict(stage, commitments(stage)[COPIER]) is Reason.COMMITMENT_MISMATCH


@threat(3, "commit, look at the others, and reveal only where it pays")
def test_a_withheld_reveal_costs_more_than_a_bad_one(stage: Stage) -> None:
    """A silent commit scores 1: no pay, and a quarter of the reputation; absence costs a 64th and pays nothing."""
    ledger = stage.ledger
    stage.final(1)
    before = ledger.reputations(stage.task, Role.TRAINER)
    units = ledger.contributions(stage.task, Role.TRAINER)
    stage.advance_to(stage.phase_start(2, 0))
    for node in (1, 2):
        ledger.commit(w.hot(node), stage.task, 2, node, w.digest(node))
    stage.advance_to(stage.phase_start(2, 2))
    with stage.refuses(refused.WrongPhase, round=2, got=Phase.POST, needed=Phase.REVEAL):
        ledger.reveal(w.hot(1), stage.task, 2, 1, MANIFEST, 1_000, SALT)
    entries = {entry.node: entry for entry in view_of(stage).commitments(2)}
    assert open_commitment(entries[1], scope=view_of(stage).scope, task=stage.task, round_=2) is Reason.UNREVEALED
    committee = stage.draw(2)
    stage.settled_on(committee, 2, scores={1: REJECTED, 2: 2, 3: NOT_DUE}).post()
    stage.finish(2)
    after = ledger.reputations(stage.task, Role.TRAINER)
    for node, score in ((1, REJECTED), (2, 2), (3, NOT_DUE)):
        assert after[node] == step_lane(before[node], score, role=Role.TRAINER)
    assert before[1] - after[1] == -(-before[1] // 4)
    assert ledger.contributions(stage.task, Role.TRAINER) == units
    assert step_lane(40_000, NOT_DUE, role=Role.TRAINER) == 39_375
    assert step_lane(40_000, REJECTED, role=Role.TRAINER) == 30_000


@threat(4, "a collector leaves a trainer out")
@both_modes
def test_whoever_is_left_out_commits_directly(stage: Stage, mode: Mode) -> None:
    """Bundles carry signed leaves of others; the direct call is open to every joined node, and to nobody else."""
    stage.use(mode)
    bundle = pack([signed(stage, n, Kind.COMMITTED, commitment=promise(stage, n).hex()) for n in (2, 3)])
    stage.ledger.collect(w.owner(0), stage.task, 1, bundle, reveals=False)
    commit(stage, VICTIM, promise(stage, VICTIM))
    with stage.refuses(refused.NotNode, node=VICTIM, caller=MALLORY.address):
        commit(stage, VICTIM, promise(stage, VICTIM), by=MALLORY)
    with stage.refuses(refused.NotJoined, task=stage.task, role=Role.TRAINER, node=4):
        commit(stage, 4, promise(stage, 4))
    stage.advance_to(stage.phase_start(1, 1))
    opened = [signed(stage, 2, Kind.DISCLOSED, manifest=MANIFEST.hex(), length=1_000, salt=SALT.hex())]
    revealed = pack(opened)
    stage.ledger.collect(w.owner(0), stage.task, 1, revealed, reveals=True)
    reveal(stage, VICTIM)
    found = commitments(stage, {bundle.data: bundle.encoded, revealed.data: revealed.encoded})
    assert list(found) == [2, 3, VICTIM]
    assert [verdict(stage, found[n]) for n in (2, VICTIM, 3)] == [None, None, Reason.UNREVEALED]


@threat("a forged collector leaf for a victim", "a collector makes up a commit or a reveal for somebody")
@threat(4, "somebody else collects in the owner's place, or a collector logs bytes that are not its bundle")
@both_modes
def test_a_forged_leaf_counts_for_nothing(stage: Stage, mode: Mode) -> None:
    """A leaf counts by its trainer's signature, and only bundles of the task's owner are read."""
    stage.use(mode)
    stored: dict[bytes, bytes] = {}

    def collect(by: Signer, *leaves: Message, reveals: bool = False) -> Event:
        bundle = pack(leaves)
        stored[bundle.data] = bundle.encoded
        return stage.ledger.collect(by, stage.task, 1, bundle, reveals=reveals).event("Collected")

    spoiled = {"commitment": w.digest("spoiled").hex()}
    other_round = sign_message(
        w.hot(VICTIM), view_of(stage).scope, kind=Kind.COMMITTED, task=stage.task, round_=2, node=VICTIM, body=spoiled
    )
    collect(w.owner(0), signed(stage, VICTIM, Kind.COMMITTED, key=COPIER, **spoiled), other_round)
    collect(MALLORY, signed(stage, VICTIM, Kind.COMMITTED, **spoiled))  # signed, and by a stranger's hand
    lies = Bundle((b"not a message", pack([signed(stage, VICTIM, Kind.COMMITTED, **spoiled)]).leaves[0]))
    stored[lies.data] = pack([signed(stage, VICTIM, Kind.COMMITTED, **spoiled)]).encoded  # other bytes than logged
    stage.ledger.collect(w.owner(0), stage.task, 1, lies, reveals=False)
    assert commitments(stage, stored) == {}
    commit(stage, VICTIM, promise(stage, VICTIM))
    stage.advance_to(stage.phase_start(1, 1))
    false_opening = {"manifest": w.digest("bad").hex(), "length": 1, "salt": SALT.hex()}
    collect(w.owner(0), signed(stage, VICTIM, Kind.DISCLOSED, key=COPIER, **false_opening), reveals=True)
    reveal(stage, VICTIM)
    (entry,) = commitments(stage, stored).values()
    assert (entry.node, entry.commitment, entry.manifest) == (VICTIM, promise(stage, VICTIM), MANIFEST)
    assert verdict(stage, entry) is None


@threat("several commits of one node", "commit to several updates, and choose among them at the reveal")
@both_modes
def test_the_first_commit_counts(stage: Stage, mode: Mode) -> None:
    """In (block, log, leaf) order the first commit of a node counts, directly or collected; the others are noise."""
    stage.use(mode)
    second = promise(stage, 3, manifest=w.digest("second"))
    bundle = pack([signed(stage, 3, Kind.COMMITTED, commitment=second.hex())])
    commit(stage, 3, promise(stage, 3))
    commit(stage, 3, second)
    stage.ledger.collect(w.owner(0), stage.task, 1, bundle, reveals=False)
    commit(stage, 2, promise(stage, 2))
    stored = {bundle.data: bundle.encoded}
    stage.advance_to(stage.phase_start(1, 1))
    reveal(stage, 3, w.digest("second"))
    found = commitments(stage, stored)
    assert [(entry.node, entry.order) for entry in found.values()] == [(3, 0), (2, 1)]
    assert found[3].commitment == promise(stage, 3)
    assert verdict(stage, found[3]) is Reason.COMMITMENT_MISMATCH  # the choice came too late
    assert len(stage.ledger.commits(stage.task, 1)) == 3


@threat("two reveals", "reveal twice, the second time with other content, or let a collector do so")
@both_modes
def test_the_first_reveal_counts(stage: Stage, mode: Mode) -> None:
    """The first reveal is the reveal; what comes later, in whichever way, changes nothing for anybody."""
    stage.use(mode)
    commit(stage, VICTIM, promise(stage, VICTIM))
    stage.advance_to(stage.phase_start(1, 1))
    reveal(stage, VICTIM)
    reveal(stage, VICTIM, w.digest("other"), w.digest("other salt"))
    body = {"manifest": w.digest("third").hex(), "length": 7, "salt": SALT.hex()}
    bundle = pack([signed(stage, VICTIM, Kind.DISCLOSED, **body)])
    stage.ledger.collect(w.owner(0), stage.task, 1, bundle, reveals=True)
    (entry,) = commitments(stage, {bundle.data: bundle.encoded}).values()
    assert (entry.manifest, entry.salt, entry.length) == (MANIFEST, SALT, 1_000)
    assert verdict(stage, entry) is None


@threat(39, "log a bundle of commits or reveals a second too early or too late")
def test_collectors_keep_to_the_phases(stage: Stage) -> None:
    """The log's own time says whether a bundle counts: commits until COMMIT ends, reveals until the beacon is armed."""
    begins, ends = stage.phase_start(1, 1), stage.phase_start(1, 2)
    stored: dict[bytes, bytes] = {}

    def collect(time: int, node: int, kind: Kind, **body: object) -> None:
        bundle = pack([signed(stage, node, kind, **body)])
        stored[bundle.data] = bundle.encoded
        stage.site.next_at(time)
        reveals = kind is Kind.DISCLOSED
        stage.ledger.collect(w.owner(0), stage.task, 1, bundle, reveals=reveals, gas=200_000)
        assert stage.chain.now() == time

    def opening(node: int) -> dict[str, object]:
        return {"manifest": w.digest("manifest", node).hex(), "length": 9, "salt": SALT.hex()}

    for node in (2, 3):
        commit(stage, node, promise(stage, node))
    collect(begins - 2, 2, Kind.DISCLOSED, **opening(2))  # before REVEAL
    collect(begins - 1, 1, Kind.COMMITTED, commitment=promise(stage, 1).hex())
    collect(begins, 1, Kind.COMMITTED, commitment=w.digest("too late").hex())
    collect(ends, 1, Kind.DISCLOSED, **opening(1))  # in POST, and nobody knows the seed yet
    stage.site.next_at(ends + 1)
    stage.ledger.arm_beacon(MALLORY, stage.task, 1, gas=200_000)
    collect(ends + 2, 3, Kind.DISCLOSED, **opening(3))
    found = commitments(stage, stored)
    assert found[1].commitment == promise(stage, 1)
    assert {node: entry.manifest for node, entry in found.items()} == {1: w.digest("manifest", 1), 2: None, 3: None}
