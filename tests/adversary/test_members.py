"""Byzantine members and proposers: the others refuse, the next proposer settles the round, nobody honest is hurt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import node.simulate
from ledger import Clock, Phase
from node.audit import Findings, audit
from node.config import SimulationConfig
from node.message import Kind, Message, sign_message
from node.model import Parameters
from node.round.adversary import make_trainer, make_verifier
from node.round.settle import RoundFacts, observed_digest
from node.round.trainer import Trainer
from node.round.verifier import Verifier
from node.source import open_run
from node.summary import load_round_record
from node.verify import Reason

CONFIG = SimulationConfig(task="breast_cancer", nodes=3, verifiers=4, rounds=1)


def settle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, verifier: type[Verifier] = Verifier, only: int | None = None
) -> tuple[dict[str, Any], int, Findings]:
    """Run one round in which the member `only` (or all, None) is of class `verifier`: (result, attempt, audit)."""

    def make(context: Any, *, run_seed: int, attack: Any, patience_s: int) -> Verifier:
        odd = only is None or context.node == CONFIG.nodes + only
        if not odd:
            return make_verifier(context, run_seed=run_seed, attack=attack, patience_s=patience_s)
        return verifier(context, run_seed=run_seed, patience_s=patience_s)

    monkeypatch.setattr(node.simulate, "make_verifier", make)
    result = node.simulate.simulate(CONFIG, folder).summary.to_json()
    source = open_run(folder)
    try:
        record = load_round_record(source.view, source.store, 1)
        assert record is not None
        return result, record.attempt, audit(source, replay=True)
    finally:
        source.close()


def honest_is_whole(result: Mapping[str, Any], *, but: int | None = None) -> None:
    """Everyone except the misbehaving member was accepted, scored, and keeps its stake."""
    assert result["rounds"][0]["settled"]
    assert result["rounds"][0]["accepted"] == 3
    for row in result["nodes"]:
        assert row["stake_end"] == row["stake_start"]
        if but is None or row["node"] != CONFIG.nodes + but:
            assert row["rejections"] == [], row
            assert row["reputation"] > 0


class FirstTurn(Verifier):
    """Misbehaves as the first proposer only, so that whoever is drawn first does."""

    def first(self, facts: RoundFacts) -> bool:
        return self.attempt(facts) == 0


class OtherModel(FirstTurn):
    """Proposes a model that is 1 % of the step off."""

    shift = 1e-2

    def adopt(self, model: Parameters) -> Parameters:
        facts = self.facts(1)
        assert facts is not None
        if not (self.first(facts) and self._is_proposer(facts)):
            return model
        parent = self.context.model(facts.parent)
        return {name: (value + self.shift * (value - parent[name])).astype(np.float32) for name, value in model.items()}


class NearModel(OtherModel):
    """Off by less than τ, as another machine's rounding is."""

    shift = 2e-5


class SilentProposer(FirstTurn):
    """Takes its turn and says nothing."""

    def _propose_roster(self, facts: RoundFacts) -> bool:
        return not self.first(facts) and super()._propose_roster(facts)


class Censor(FirstTurn):
    """Leaves one revealed observation out of its proposal."""

    def _evidence(self, facts: RoundFacts, roster: Message) -> list[Message]:
        found = super()._evidence(facts, roster)
        others = [m for m in found if m.kind is Kind.REVEALED and m.node != self.context.node]
        return [m for m in found if not (self.first(facts) and m is others[0])]


class TestProposers:
    @pytest.mark.parametrize("kind", [OtherModel, SilentProposer, Censor])
    def test_a_bad_proposal_is_refused_and_the_next_proposer_settles(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Verifier]
    ) -> None:
        result, attempt, findings = settle(tmp_path / "run", monkeypatch, verifier=kind)
        assert attempt == 1
        honest_is_whole(result)
        assert findings.items[("model", "exact")] == 1

    def test_a_model_within_tolerance_is_signed_and_audits_as_such(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result, attempt, findings = settle(tmp_path / "run", monkeypatch, verifier=NearModel)
        assert attempt == 0
        honest_is_whole(result)
        assert findings.items[("model", "tolerance")] == 1


class BadWords(Verifier):
    """Repeats its commitment under another attempt, and signs nonsense in the place of the report."""

    def _commit(self, facts: RoundFacts) -> bool:
        said = super()._commit(facts)
        return self.say(facts.round, Kind.OBSERVED, {"commitment": "00"}, attempt=1) or said

    def _sign(self, facts: RoundFacts) -> bool:
        for proposal in self.heard(facts.round, Kind.PROPOSAL):
            body = {"report": proposal.body["report"], "signature": "zz"}
            return self.say(facts.round, Kind.SIGNATURE, body, attempt=proposal.attempt)
        return False


class Withholder(Verifier):
    """Reveals an observation whose record it never publishes."""

    def _reveal(self, facts: RoundFacts) -> bool:
        roster = self._roster(facts)
        if roster is None:
            return False
        observed = self.recall(facts.round, "observed")
        body = {"root": observed["root"], "record": observed["record"], "salt": self._salt(facts.round).hex()}
        return self.say(facts.round, Kind.REVEALED, body)


class Absent(Verifier):
    """Is drawn and does nothing."""

    def _advance_round(self, clock: Clock) -> bool:
        return False


class TestMembers:
    @pytest.mark.parametrize(("kind", "reason"), [(BadWords, None), (Withholder, "silent"), (Absent, "silent")])
    def test_one_bad_member_holds_up_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Verifier], reason: str | None
    ) -> None:
        result, _, _ = settle(tmp_path / "run", monkeypatch, verifier=kind, only=2)
        honest_is_whole(result, but=2)
        (bad,) = [row for row in result["nodes"] if row["node"] == CONFIG.nodes + 2]
        assert [item["reason"] for item in bad["rejections"]] == ([reason] if reason else [])


class TwoFaced(Verifier):
    """Signs a second observation commitment and shows it around."""

    def _commit(self, facts: RoundFacts) -> bool:
        said = super()._commit(facts)
        if said:
            other = bytes(32)
            signature = self.context.signer.sign_digest(observed_digest(facts, self.context.node, other))
            second = sign_message(
                self.context.signer,
                self.context.scope,
                kind=Kind.OBSERVED,
                task=facts.task,
                round_=facts.round,
                node=self.context.node,
                body={"commitment": other.hex(), "signature": signature.hex()},
            )
            self.context.peers.publish(second)
        return said


def test_two_commitments_of_one_member_cost_it_its_stake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _, _ = settle(tmp_path / "run", monkeypatch, verifier=TwoFaced, only=2)
    stakes = {row["node"]: (row["stake_start"], row["stake_end"]) for row in result["nodes"]}
    start, end = stakes.pop(CONFIG.nodes + 2)
    assert end < start
    assert all(start == end for start, end in stakes.values())
    assert result["rounds"][0]["settled"]


class FalseClaimer(Trainer):
    """Claims and opens a sketch that is not that of its update."""

    def _own_sketch(self, round_: int, seed: bytes, key: bytes) -> Any:
        return super()._own_sketch(round_, seed, key) * 2


class Mute(Trainer):
    """Reveals, and claims nothing."""

    def _claim(self, round_: int) -> bool:
        return False


class TwiceClaimer(Trainer):
    """Claims a second time under another attempt."""

    def _claim(self, round_: int) -> bool:
        said = super()._claim(round_)
        if said and self.view.clock.phase is Phase.POST:
            self.say(round_, Kind.CLAIM, {"digest": "00"}, attempt=1)
        return said


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FalseClaimer, Reason.SKETCH_MISMATCH), (Mute, Reason.NO_CLAIM), (TwiceClaimer, None)],
)
def test_a_trainer_s_claim_is_held_against_the_committee_s_sketch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Trainer], reason: Reason | None
) -> None:
    def make(context: Any, data: Any, *, run_seed: int, attack: Any) -> Trainer:
        if context.node != 2:
            return make_trainer(context, data, run_seed=run_seed, attack=attack)
        return kind(context, data, run_seed=run_seed)

    monkeypatch.setattr(node.simulate, "make_trainer", make)
    result = node.simulate.simulate(CONFIG, tmp_path / "run").summary.to_json()
    rejections = {row["node"]: [item["reason"] for item in row["rejections"]] for row in result["nodes"]}
    assert rejections.pop(2) == ([reason.value] if reason else [])
    assert not any(rejections.values())
