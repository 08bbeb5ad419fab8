"""Whole rounds of both modes on the in-process chain against the model, and what they cost (printed only)."""

from __future__ import annotations

import pytest

from tests.contracts import model
from tests.contracts.rig import NO_STATE, NOTHING, POOLS, ROOT, TRAINER, VERIFIER, Rig


def _show(rig: Rig, what: str) -> None:
    print(f"\n{what}: {rig.trainers} trainers, quorum {rig.quorum} of {rig.members}")
    for name, gas in rig.gas.items():
        print(f"  {name:24} {gas:>10,}")


def _open(rig: Rig, task: int, round_: int) -> tuple[bytes, list[tuple[int, str]]]:
    """Collect commits and reveals, then draw."""
    for phase, reveals, name in ((0, False, "collect commits"), (1, True, "collect reveals")):
        rig.to_phase(task, round_, phase)
        arguments = (task, round_, reveals, b"\x11" * 32, rig.trainers, b"\x12" * 32)
        rig.send(name, rig.rounds.functions.collect(*arguments))
    rig.send("reveal", rig.rounds.functions.reveal(task, round_, 1, b"\x12" * 32, 1, b"\x13" * 32))
    rig.to_phase(task, round_, 2)
    seed, seats = rig.draw(task, round_)
    assert {node for node, _ in seats} == set(range(rig.trainers + 1, rig.trainers + rig.members + 1))
    return seed, seats


@pytest.mark.parametrize(("trainers", "members", "quorum"), [(8, 7, 5), (240, 7, 5), (8, 31, 21)])
def test_words_rounds(trainers: int, members: int, quorum: int) -> None:
    rig = Rig(trainers=trainers, members=members, quorum=quorum)
    task = rig.create_task()
    scores = [40_000 + node for node in range(trainers)]
    trainer_words, verifier_words = model.words(scores), model.words([50_000] * members)
    state = [0] * len(trainer_words)
    parent, settled = b"\2" * 32, NOTHING
    for round_ in (1, 2, 3):
        seed, seats = _open(rig, task, round_)
        votes = [(node, bytes(32), model.tree_root(trainer_words), bytes(32)) for node in sorted(n for n, _ in seats)]
        words = [*trainer_words, *verifier_words]
        report = rig.report(task, round_, seed, seats, votes, model.words_hash(words, []), parent)
        bitmap, signatures = rig.sign(report, seats, quorum)
        committee = model.pack_committee(seats)
        rig.send("post", rig.rounds.functions.post(report, settled, committee, words, bitmap, signatures))
        parent, settled = report["model"], rig.settled(report, bitmap, len(trainer_words))
        assert rig.rounds.functions.liveOf(task).call()[5] == model.settled_hash(settled)
        assert rig.rounds.functions.finalOf(task).call()[0] == round_ - 1
        rig.to_phase(task, round_ + 1, 0)
        assert rig.rounds.functions.finalOf(task).call() == [round_, model.settled_hash(settled)]
        rig.send("finalise", rig.rounds.functions.finalise(task, settled, words, 2**32 - 1))
        pairs = zip(state, trainer_words, strict=True)
        state = [model.step_word(before, word, round_, trainer=True) for before, word in pairs]
        assert state == [rig.book.functions.wordAt(task, TRAINER, i).call() for i in range(len(state))]
    for node in (1, 2):
        share = 3 * model.units(trainer_words)[node - 1]
        assert rig.book.functions.contributionOf(task, TRAINER, node).call() == share
        before = rig.token.functions.balanceOf(rig.owner).call()
        rig.send("claim", rig.rewards.functions.claim(task, TRAINER, node))
        assert rig.token.functions.balanceOf(rig.owner).call() - before == share * POOLS[0] // 10**6
    rig.send("claim verifier", rig.rewards.functions.claim(task, VERIFIER, trainers + 1))
    rig.to_phase(task, 11, 0)
    rig.send("closeTask", rig.rounds.functions.closeTask(task))
    _show(rig, "words")


@pytest.mark.parametrize(("trainers", "members", "quorum", "levels"), [(8, 7, 5, 0), (40, 7, 5, 9), (8, 31, 21, 2)])
def test_root_rounds(trainers: int, members: int, quorum: int, levels: int) -> None:
    rig = Rig(trainers=trainers, members=members, quorum=quorum)
    task = rig.create_task(mode=ROOT, levels=levels, contributions=False)
    state: dict[str, object] = {"scores": [[], []], "words": [[], []], "wei": [[], []], "root": list(NO_STATE)}
    parent, settled = b"\2" * 32, NOTHING
    for round_ in (1, 2, 3):
        scores = ([40_000 + 7 * node * round_ for node in range(trainers)], [50_000] * members)
        seed, seats = _open(rig, task, round_)
        after = model.root_round(state, scores, round_, POOLS, levels)
        votes = [(node, bytes(32), model.tree_root(after["scores"][0]), bytes(32)) for node, _ in seats]
        reward = sum(map(sum, after["wei"])) - sum(map(sum, state["wei"]))  # type: ignore[call-overload]
        report = rig.report(
            task, round_, seed, seats, votes, model.state_hash(after["root"]), parent, mode=ROOT, rewardTotal=reward
        )
        bitmap, signatures = rig.sign(report, seats, quorum)
        arguments = (report, settled, state["root"], after["root"], model.pack_committee(seats), bitmap, signatures)
        rig.send("postRoot", rig.rounds.functions.postRoot(*arguments))
        parent, settled = report["model"], rig.settled(report, bitmap, len(after["words"][0]))
        state = after
        rig.to_phase(task, round_ + 1, 0)
        assert rig.rounds.functions.finalOf(task).call() == [round_, model.settled_hash(settled)]
    for node in (1, 2):
        wei: int = state["wei"][TRAINER][node - 1]  # type: ignore[index]
        leaves = model.pay_leaves(state["wei"][TRAINER], levels)  # type: ignore[index]
        sums, siblings = model.sum_proof(leaves, levels + 4, node - 1)
        before = rig.token.functions.balanceOf(rig.owner).call()
        arguments = (task, TRAINER, node, settled, state["root"], wei, sums, siblings)
        rig.send("claimRoot", rig.rewards.functions.claimRoot(*arguments))
        assert rig.token.functions.balanceOf(rig.owner).call() - before == wei > 0
    words = model.both_roles(state["words"], levels, fill=3 << 240)  # type: ignore[arg-type]
    proof = model.tree_proof(words, 0)
    arguments = (task, TRAINER, 0, words[0], settled, state["root"], proof)
    rig.send("materialise", rig.book.functions.materialise(*arguments))
    assert rig.book.functions.wordAt(task, TRAINER, 0).call() == words[0]
    rig.to_phase(task, 11, 0)
    rig.send("closeRootTask", rig.rounds.functions.closeRootTask(task, settled, state["root"]))
    _show(rig, f"root, levels {levels}")


def test_challenge() -> None:
    rig = Rig(trainers=8, members=7, quorum=5)
    task = rig.create_task()
    seed, seats = _open(rig, task, 1)
    honest = model.words([40_000] * 8)
    words = [*model.words([40_000] * 7 + [65_535]), 0]
    votes = [(node, bytes(32), model.tree_root(honest), bytes(32)) for node, _ in seats]
    report = rig.report(task, 1, seed, seats, votes, model.words_hash(words, []), b"\2" * 32)
    bitmap, signatures = rig.sign(report, seats, 5)
    committee = model.pack_committee(seats)
    rig.send("post", rig.rounds.functions.post(report, NOTHING, committee, words, bitmap, signatures))
    proofs = [(honest[0], model.tree_proof(honest, 0))] * 7
    accused = (report, bitmap, 1, committee)
    challenge = rig.disputes.functions.challengeScore(accused, words, votes, 0, proofs)
    rig.send("challengeScore", challenge)
    live = rig.rounds.functions.liveOf(task).call()
    assert (live[4], live[8]) == (0, 1)  # nothing posted, round 1 void
    bonded = [rig.vault.functions.nodeOf(node).call()[2] for node, _ in seats]
    assert sorted(bonded) == sorted([5 * 10**20] * 5 + [10**21] * 2)
    print(f"\nchallengeScore, 5 of 7: {rig.gas['challengeScore']:,} gas")
