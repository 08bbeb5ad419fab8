"""Canaries under attack: planters that open falsely or late, proposers that censor, blame and spare, leak takers.

Node 2 plants; the others do not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import node.round.planter
import node.simulate
from ledger import lower_median, pack_scores, tree_proof
from ledger.contract_errors import NotAFault
from ledger.posts import Post
from ledger.types import WordProof
from node.audit import Findings, audit
from node.config import SimulationConfig
from node.message import Kind, Message
from node.record import RoundRecord
from node.round.adversary import LeakTaker, make_trainer, make_verifier
from node.round.settle import Dossier, RoundFacts
from node.round.trainer import Trainer
from node.round.verifier import Verifier
from node.score import REJECTED
from node.source import open_run
from node.summary import load_round_record
from node.verify import Reason

PLANTER, TAKER = 2, 7  # trainers are 1 to 3, members 4 to 7
CONFIG = SimulationConfig(task="breast_cancer", nodes=3, verifiers=4, rounds=1, canary_rate="0.3")
WITH_TAKER = SimulationConfig(**{**CONFIG.to_json(), "attack": ("leak_taker:1",)})


@pytest.fixture(autouse=True)
def one_planter(monkeypatch: pytest.MonkeyPatch) -> None:
    def plants(secret: int, *, round_: int, node: int, rate: object) -> bool:
        return node == PLANTER

    monkeypatch.setattr(node.round.planter, "plants", plants)


def settle(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    config: SimulationConfig = CONFIG,
    planter: type[Trainer] = Trainer,
    verifier: type[Verifier] | None = None,
    taker: type[Verifier] = LeakTaker,
) -> tuple[RoundRecord, dict[str, Any], Findings]:
    """Run one round with these classes: (round record, result, replaying audit)."""

    def trainers(context: Any, data: Any, *, run_seed: int, attack: Any) -> Trainer:
        if context.node == PLANTER:
            return planter(context, data, run_seed=run_seed)
        return make_trainer(context, data, run_seed=run_seed, attack=attack)

    def verifiers(context: Any, *, run_seed: int, attack: Any, patience_s: int) -> Verifier:
        kind = taker if attack else verifier
        if kind is None:
            return make_verifier(context, run_seed=run_seed, attack=attack, patience_s=patience_s)
        return kind(context, run_seed=run_seed, patience_s=patience_s)

    monkeypatch.setattr(node.simulate, "make_trainer", trainers)
    monkeypatch.setattr(node.simulate, "make_verifier", verifiers)
    result = node.simulate.simulate(config, folder).summary.to_json()
    source = open_run(folder)
    try:
        record = load_round_record(source.view, source.store, 1)
        assert record is not None
        return record, result, audit(source, replay=True)
    finally:
        source.close()


def rejections(result: dict[str, Any]) -> dict[int, list[str]]:
    found = {row["node"]: [item["reason"] for item in row["rejections"]] for row in result["nodes"]}
    return {node: reasons for node, reasons in found.items() if reasons}


def test_an_opened_canary_is_scored_and_paid_and_in_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, result, findings = settle(tmp_path / "run", monkeypatch)
    assert record.reasons == {1: Reason.ACCEPTED, 2: Reason.CANARY, 3: Reason.ACCEPTED}
    assert sorted(record.weights) == [1, 3]
    assert all(score > REJECTED for score in (*record.trainer_scores, *record.verifier_scores))
    assert rejections(result) == {}
    assert result["rounds"][0]["accepted"] == 2
    rewards = {row["node"]: row["reward"] for row in result["nodes"]}
    assert rewards[PLANTER] > 0
    assert findings.items[("canary", "exact")] == 1


def test_who_takes_the_planter_s_leak_is_caught_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, result, findings = settle(tmp_path / "run", monkeypatch, config=WITH_TAKER)
    assert rejections(result) == {TAKER: ["canary_fault"]}
    assert record.verifier_scores == (*record.verifier_scores[:3], REJECTED)
    assert record.reasons[PLANTER] is Reason.CANARY
    (row,) = [row for row in result["nodes"] if row["node"] == TAKER]
    assert (row["reward"], row["reputation"]) == (0, 0)
    assert findings.items[("canary", "exact")] == 1


# -- planters ------------------------------------------------------------------------------------------------


class WrongSalt(Trainer):
    """Opens with a salt that its manifest does not bind."""

    def _open_origin(self, round_: int) -> bool:
        opened = self.done(round_, f"said:{Kind.CLAIM_OPENED.value}:0")
        return opened and self.say(round_, Kind.ORIGIN_OPENED, {"planted": True, "salt": "5a" * 32})


class Repudiator(Trainer):
    """Says that what it planted is a submission like any other."""

    def planted(self, round_: int) -> bool:
        return False


class Silent(Trainer):
    """Plants and never opens."""

    def _open_origin(self, round_: int) -> bool:
        return False


class Late(Trainer):
    """Opens once the report is proposed, to have the proposal refused."""

    def _open_origin(self, round_: int) -> bool:
        return bool(self.heard(round_, Kind.PROPOSAL)) and super()._open_origin(round_)


class Pretender(Trainer):
    """Bound itself to a submission that is not planted, and opens it as planted."""

    def origin(self, round_: int, update: bytes) -> Any:
        found = super().origin(round_, update)
        assert found is not None
        return type(found)(found.task, found.round, found.node, found.update, planted=False, salt=found.salt)

    def planted(self, round_: int) -> bool:
        return True


class Thief(Trainer):
    """Repeats another trainer's opening."""

    def _open_origin(self, round_: int) -> bool:
        others = [m for m in self.heard(round_, Kind.ORIGIN_OPENED) if m.node != self.context.node]
        return bool(others) and self.say(round_, Kind.ORIGIN_OPENED, {"planted": True, "salt": others[0].body["salt"]})


class Waiting(Verifier):
    """Signs only when the planter's opening has arrived: the worst moment for a late one."""

    def _sign(self, facts: RoundFacts) -> bool:
        opened = {message.node for message in self.heard(facts.round, Kind.ORIGIN_OPENED)}
        return PLANTER in opened and super()._sign(facts)


def test_an_opening_after_the_proposal_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, result, _ = settle(tmp_path / "run", monkeypatch, planter=Late, verifier=Waiting)
    assert record.attempt == 0
    assert record.reasons[PLANTER] is Reason.ACCEPTED
    assert rejections(result) == {}


@pytest.mark.parametrize("kind", [WrongSalt, Repudiator, Silent, Pretender, Thief])
def test_what_is_not_opened_rightly_and_in_time_counts_as_any_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Trainer]
) -> None:
    record, result, findings = settle(tmp_path / "run", monkeypatch, planter=kind)
    assert record.attempt == 0
    assert record.reasons == dict.fromkeys((1, 2, 3), Reason.ACCEPTED)
    assert sorted(record.weights) == [1, 2, 3]
    assert rejections(result) == {}
    assert ("canary", "exact") not in findings.items


class Unbound(Trainer):
    """Its manifest has no origin hash."""

    def origin(self, round_: int, update: bytes) -> None:
        return None


def test_a_manifest_without_an_origin_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, result, _ = settle(tmp_path / "run", monkeypatch, planter=Unbound)
    assert rejections(result) == {PLANTER: ["bad_manifest"]}
    assert record.attempt == 0


# -- proposers -----------------------------------------------------------------------------------------------


class Censor(Verifier):
    """As the first proposer leaves the opened origin out of the evidence."""

    def _evidence(self, facts: RoundFacts, roster: Message) -> list[Message]:
        found = super()._evidence(facts, roster)
        return [m for m in found if self.attempt(facts) or m.kind is not Kind.ORIGIN_OPENED]


class Blamer(Verifier):
    """As the first proposer says that every member lied about the canary."""

    def canary_faults(self, facts: RoundFacts, dossier: Dossier) -> frozenset[int]:
        return super().canary_faults(facts, dossier) if self.attempt(facts) else frozenset(facts.seats)


class Sparer(Verifier):
    """As the first proposer says that nobody did."""

    def canary_faults(self, facts: RoundFacts, dossier: Dossier) -> frozenset[int]:
        return super().canary_faults(facts, dossier) if self.attempt(facts) else frozenset()


class SparingTaker(LeakTaker):
    """Takes leaks, and as the first proposer says that nobody did."""

    canary_faults = Sparer.canary_faults


@pytest.mark.parametrize("kind", [Censor, Blamer])
def test_a_proposal_that_censors_or_blames_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Verifier]
) -> None:
    record, result, _ = settle(tmp_path / "run", monkeypatch, verifier=kind)
    assert record.attempt == 1
    assert record.reasons[PLANTER] is Reason.CANARY
    assert rejections(result) == {}


def test_a_proposal_that_spares_a_leak_taker_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, result, _ = settle(tmp_path / "run", monkeypatch, config=WITH_TAKER, verifier=Sparer, taker=SparingTaker)
    assert record.attempt == 1
    assert rejections(result) == {TAKER: ["canary_fault"]}


# -- the chain -----------------------------------------------------------------------------------------------


class Challenger(Verifier):
    """Brings the settled round to the contract as soon as it stands, with the true vote words."""

    answers: list[str]

    def advance(self) -> bool:
        posted = self.view.standing_post(1)
        if posted is not None and not self.answers and self.view.live.posted_round == 1:
            facts = self.facts(1)
            record = load_round_record(self.view, self.context.store, 1)
            assert facts is not None
            assert record is not None
            dossier = self._compile(facts, list(record.evidence))
            words = [pack_scores(dossier.evidence.observations[v.node].votes) for v in dossier.votes]
            proofs = [WordProof(w[0], tuple(tree_proof(w, 0))) for w in words]
            try:
                self.view.ledger.challenge_score(self.context.signer, Post.of(posted), dossier.votes, 0, proofs)
            except NotAFault as refusal:
                self.answers.append(refusal.code)
            seen = [seen.votes for seen in dossier.evidence.observations.values()]
            assert list(record.trainer_scores) == [lower_median(list(lane)) for lane in zip(*seen, strict=True)]
        return super().advance()


@pytest.mark.parametrize("config", [CONFIG, WITH_TAKER], ids=["honest", "leak taker"])
def test_the_contract_finds_no_fault_in_a_report_with_a_canary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: SimulationConfig
) -> None:
    answers: list[str] = []
    monkeypatch.setattr(Challenger, "answers", answers, raising=False)
    record, result, _ = settle(tmp_path / "run", monkeypatch, config=config, verifier=Challenger)
    assert answers == ["not-a-fault"]
    assert record.reasons[PLANTER] is Reason.CANARY
    assert result["rounds"][0]["settled"]
    assert all(row["stake_end"] == row["stake_start"] for row in result["nodes"])
