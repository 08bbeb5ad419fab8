"""One whole round on the in-process chain, and what it costs (printed, never asserted)."""

from __future__ import annotations

import pytest

from tests.contracts import model
from tests.contracts.rig import TRAINER, VERIFIER, Rig


@pytest.mark.parametrize(("trainers", "members", "quorum"), [(8, 7, 5), (240, 7, 5), (8, 31, 21)])
def test_round(trainers: int, members: int, quorum: int) -> None:
    rig = Rig(trainers=trainers, members=members, quorum=quorum)
    task = rig.create_task()
    scores = [40_000 + node for node in range(trainers)]
    state = [0] * len(model.words(scores))
    for round_ in (1, 2, 3):
        rig.to_phase(task, round_, 0)
        commitment = b"\x11" * 32
        rig.send("commit", rig.rounds.functions.commit(task, round_, 1, commitment))
        rig.to_phase(task, round_, 1)
        rig.send("reveal", rig.rounds.functions.reveal(task, round_, 1, b"\x12" * 32, 1, b"\x13" * 32))
        rig.to_phase(task, round_, 2)
        seats = rig.draw(task, round_)
        assert {node for node, _ in seats} == set(range(trainers + 1, trainers + members + 1))
        words = model.words(scores)
        verifier_words = model.words([50_000] * members)
        votes = [(node, bytes(32), model.tree_root(words), bytes(32)) for node in sorted(n for n, _ in seats)]
        report = rig.report(task, round_, seats, votes, words, verifier_words)
        bitmap, signatures = rig.sign(report, seats, quorum)
        posted = rig.rounds.functions.post(report, seats, votes, words, verifier_words, bitmap, signatures)
        rig.send("post", posted)
        assert rig.rounds.functions.liveOf(task).call()[7] == model.report_digest(
            report, rig.w3.eth.chain_id, rig.rounds.address
        )
        rig.to_phase(task, round_ + 1, 0)
        rig.send("finalise", rig.rounds.functions.finalise(task, report, words, verifier_words))
        state = [model.step_word(before, word, round_, trainer=True) for before, word in zip(state, words, strict=True)]
        assert state == [rig.book.functions.wordAt(task, TRAINER, i).call() for i in range(len(words))]
    for node in (1, 2):
        share = 3 * model.units(model.words(scores))[node - 1]
        assert rig.book.functions.contributionOf(task, TRAINER, node).call() == share
        before = rig.token.functions.balanceOf(rig.owner).call()
        rig.send("claim", rig.rounds.functions.claim(task, TRAINER, node))
        assert rig.token.functions.balanceOf(rig.owner).call() - before == share * 100 * 10**18 // 10**6
    rig.send("claim verifier", rig.rounds.functions.claim(task, VERIFIER, trainers + 1))
    rig.to_phase(task, 11, 0)
    rig.send("closeTask", rig.rounds.functions.closeTask(task))
    print(f"\n{trainers} trainers, quorum {quorum} of {members}")
    for name, gas in rig.gas.items():
        print(f"  {name:24} {gas:>10,}")


def test_challenge() -> None:
    rig = Rig(trainers=8, members=7, quorum=5)
    task = rig.create_task()
    rig.to_phase(task, 1, 2)
    seats = rig.draw(task, 1)
    honest = model.words([40_000] * 8)
    posted = model.words([40_000] * 7 + [65_535])
    votes = [(node, bytes(32), model.tree_root(honest), bytes(32)) for node, _ in seats]
    report = rig.report(task, 1, seats, votes, posted, [0])
    bitmap, signatures = rig.sign(report, seats, 5)
    rig.send("post", rig.rounds.functions.post(report, seats, votes, posted, [0], bitmap, signatures))
    proofs = [model.tree_proof(honest, 0)] * 7
    rig.send(
        "challengeScore",
        rig.rounds.functions.challengeScore(report, seats, votes, posted, [0], bitmap, 0, honest * 7, proofs),
    )
    live = rig.rounds.functions.liveOf(task).call()
    assert live[5] == 0
    assert live[8] == model.report_digest(report, rig.w3.eth.chain_id, rig.rounds.address)
    print(f"\nchallengeScore, 5 of 7: {rig.gas['challengeScore']:,} gas")
