"""Attacks on the protocol between nodes, in a whole simulated network: early looks, copied votes, hidden bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import node.simulate
from ledger import Clock, Phase
from node.message import Kind
from node.round.actor import Context
from node.round.settle import RoundFacts, observed_digest
from node.round.trainer import Trainer
from node.round.verifier import Verifier
from node.score import NOT_DUE, REJECTED
from node.spec import Artefact
from node.verify import Observation, Reason
from storage import MissingContent, Store, from_digest
from tests.adversary.test_members import CONFIG, honest_is_whole, settle
from tests.adversary.threats.registry import threat


@threat(2, "look into the store for others' updates while commits are still taken")
def test_nothing_is_in_the_store_before_the_reveals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trainer's bytes stay in its own journal until COMMIT is over; only then are they put into the store."""
    found: dict[Phase, list[bool]] = {Phase.COMMIT: [], Phase.POST: []}

    class Watched(Trainer):
        def _advance_round(self, clock: Clock) -> bool:
            if self.done(clock.round, "trained") and clock.phase in found:
                bytes_ = self.context.journal.read_blob(f"update-{clock.round}")
                mine = [Artefact.of(bytes_), Artefact.from_json(self.recall(clock.round, "trained")["manifest"])]
                found[clock.phase] += [self.context.store.has(from_digest(a.digest, a.length)) for a in mine]
            return super()._advance_round(clock)

    def make(context: Any, data: Any, *, run_seed: int, attack: Any) -> Trainer:
        return Watched(context, data, run_seed=run_seed)

    monkeypatch.setattr(node.simulate, "make_trainer", make)
    node.simulate.simulate(CONFIG, tmp_path / "run")
    assert found[Phase.COMMIT]
    assert not any(found[Phase.COMMIT])
    assert found[Phase.POST]
    assert all(found[Phase.POST])


class VoteCopier(Verifier):
    """Evaluates nothing: repeats the first other commitment that it hears, and later that member's opening."""

    victim = 0

    def _commit(self, facts: RoundFacts) -> bool:
        others = [m for m in self.heard(facts.round, Kind.OBSERVED) if m.node != self.context.node]
        if self.done(facts.round, f"said:{Kind.OBSERVED.value}:0") or not others:
            return False
        self.victim = others[0].node
        commitment = bytes.fromhex(others[0].body["commitment"])
        signature = self.context.signer.sign_digest(observed_digest(facts, self.context.node, commitment))
        return self.say(facts.round, Kind.OBSERVED, {"commitment": commitment.hex(), "signature": signature.hex()})

    def _reveal(self, facts: RoundFacts) -> bool:
        opened = [m for m in self.heard(facts.round, Kind.REVEALED) if m.node == self.victim]
        return bool(opened) and self.say(facts.round, Kind.REVEALED, dict(opened[0].body))


class Blind(Verifier):
    """Evaluates nothing: says of every update that it was never served."""

    def make_observation(self, facts: RoundFacts, key: bytes) -> Observation:
        votes = [NOT_DUE] * len(facts.trainer_slots)
        for entry in facts.commitments:
            votes[entry.slot] = REJECTED
        reasons = {entry.node: Reason.UNAVAILABLE for entry in facts.commitments}
        return Observation(votes=tuple(votes), reasons=reasons, sketches={}, member_sketches={})


class LateStore:
    """A store that does not have one block until its member has revealed its votes."""

    def __init__(self, store: Store, hides: Callable[[str], bool]) -> None:
        self._store, self._hides = store, hides

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        if self._hides(cid):
            raise MissingContent(f"nobody serves {cid}")
        return self._store.get(cid, max_bytes=max_bytes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Unserved(Verifier):
    """The first trainer shows it nothing; only later are the bytes to be had from other members."""

    def __init__(self, context: Context, *, run_seed: int, patience_s: int = 0) -> None:
        store: Any = LateStore(context.store, self._hidden)
        super().__init__(replace(context, store=store), run_seed=run_seed, patience_s=patience_s)

    def _hidden(self, cid: str) -> bool:
        round_ = self.view.clock.round
        first = next((c for c in self.view.commitments(round_) if c.slot == 0 and c.manifest), None)
        if first is None or first.manifest is None or self.done(round_, "revealed"):
            return False
        return cid == from_digest(first.manifest, first.length)


@threat(5, "commit to another member's commitment, and open it with that member's opening")
def test_a_copied_vote_is_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commitment hashes the member's id: the copy opens to nothing, its member counts as silent and scores 1."""
    result, _, _ = settle(tmp_path / "run", monkeypatch, verifier=VoteCopier, only=2)
    honest_is_whole(result, but=2)
    (copier,) = [row for row in result["nodes"] if row["node"] == CONFIG.nodes + 2]
    assert [item["reason"] for item in copier["rejections"]] == [Reason.SILENT.value]
    assert (copier["reputation"], copier["contribution"], copier["reward"]) == (0, 0, 0)


@threat(5, "say of everything that it was never served, which needs no sketch")
def test_a_member_that_sees_nothing_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was not served most of what the others accepted scores 1: no pay, and a quarter of the reputation."""
    result, _, _ = settle(tmp_path / "run", monkeypatch, verifier=Blind, only=2)
    honest_is_whole(result, but=2)
    (blind,) = [row for row in result["nodes"] if row["node"] == CONFIG.nodes + 2]
    assert [item["reason"] for item in blind["rejections"]] == [Reason.UNSEEN.value]
    assert (blind["reputation"], blind["contribution"], blind["reward"]) == (0, 0, 0)


@pytest.fixture(scope="module")
def unserved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a run in which one member of four is not served one trainer's bytes."""
    with pytest.MonkeyPatch.context() as patch:
        result, attempt, _ = settle(tmp_path_factory.mktemp("unserved") / "run", patch, verifier=Unserved, only=2)
    assert attempt in (0, 1)
    return result


@threat("bytes served to some members only", "one member of a live committee is never served a trainer's bytes")
def test_one_member_without_the_bytes_stops_nobody(unserved: dict[str, Any]) -> None:
    """It votes `unavailable`; the others' median stands, the round settles, and no stake is touched."""
    honest_is_whole(unserved, but=2)


@threat("bytes served to some members only", "have an honest member scored down, by not serving it one's bytes")
def test_a_member_without_the_bytes_is_not_called_false(unserved: dict[str, Any]) -> None:
    """Whoever says `unavailable` of an update need not show a sketch of it."""
    honest_is_whole(unserved)


@threat("bytes served to some members only", "stop a round by serving four members of seven: enough to be accepted")
def test_bytes_served_to_a_bare_majority_stop_no_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that missed an accepted update get it from those that have it, and sign."""
    config = replace(CONFIG, verifiers=7)

    def make(context: Context, *, run_seed: int, attack: Any, patience_s: int) -> Verifier:
        kind = Unserved if context.node <= CONFIG.nodes + 3 else Verifier
        return kind(context, run_seed=run_seed, patience_s=patience_s)

    monkeypatch.setattr(node.simulate, "make_verifier", make)
    result = node.simulate.simulate(config, tmp_path / "run").summary.to_json()
    assert result["rounds"][0]["settled"]
