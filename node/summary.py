"""Results of a run as the JSON contract names them, read back from the chain and the store.

Nothing here comes from the simulator's memory except the attack labels: scores, stakes, gas and reasons are what
anyone can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger import Event, Ledger, Role
from node.config import SimulationConfig
from node.network import SEAT_STAKE, Member, Network
from node.record import RoundRecord
from node.round.gather import fetch_record
from node.round.standing import Standing, standing_before
from node.round.view import TaskView
from node.verify import Reason
from storage import Store

PROTOCOL_EVENTS = (
    "Committed", "Revealed", "Collected", "ProbeOpened", "BeaconArmed", "CommitteeDrawn", "Posted", "Finalised",
    "Voided",
)  # fmt: skip
_NO_REJECTION = (Reason.ACCEPTED, Reason.NOT_DUE, Reason.CANARY)


@dataclass(frozen=True)
class RunSummary:
    """One run's results; `to_json` is the published contract."""

    fields: Mapping[str, Any]

    def timed(self, *, wall_s: float) -> RunSummary:
        """The same results with the wall time filled in."""
        return replace(self, fields={**self.fields, "wall_s": round(wall_s, 3)})

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(self.fields)


def load_round_record(view: TaskView, store: Store, round_: int) -> RoundRecord | None:
    """The record of a round's post, or None when nothing was posted."""
    posted = view.events("Posted", round_)
    return RoundRecord.from_bytes(fetch_record(store, posted[-1].args["report"].record)) if posted else None


def summarise(
    config: SimulationConfig,
    network: Network,
    *,
    view: TaskView,
    store: Store,
    accuracies: list[float],
    baselines: Mapping[str, list[float]],
    phase_s: Mapping[str, float],
    folder: Path,
) -> RunSummary:
    """Read the whole run back. Amounts are wei of the token, gas is gas units."""
    ledger = network.ledger
    rounds = range(1, config.rounds + 1)
    standing = standing_before(view, config.rounds + 1)
    records = {round_: load_round_record(view, store, round_) for round_ in rounds}
    return RunSummary(
        {
            "run": str(folder),
            "seed": config.seed,
            "chain": {
                "kind": ledger.chain.kind,
                "chain_id": ledger.chain.chain_id,
                "contracts": dict(sorted(ledger.deployment.contracts.items())),
            },
            "task": config.task,
            "final_accuracy": accuracies[-1],
            "clean_accuracy": baselines["clean"][-1],
            "undefended_accuracy": baselines["undefended"][-1],
            "rounds": [round_row(view, records[r], r, accuracy=accuracies[r - 1]) for r in rounds],
            "nodes": [_node_row(view, member, records, standing) for member in network.members],
            "history": reputation_history(view, config.rounds),
            "curves": {name: list(values) for name, values in baselines.items()},
            "wall_s": 0.0,
            "phase_s": {name: round(value, 3) for name, value in phase_s.items()},
        }
    )


def reputation_history(view: TaskView, rounds: int) -> dict[str, list[int]]:
    """Reputation of every node after each round, by node id, from the logs alone."""
    history: dict[str, list[int]] = {}
    for round_ in range(1, rounds + 1):
        standing = standing_before(view, round_ + 1)
        for role in Role:
            for node, slot in view.slots(role).items():
                history.setdefault(str(node), []).append(standing.reputation(role, slot))
    return history


def round_row(view: TaskView, record: RoundRecord | None, round_: int, *, accuracy: float) -> dict[str, Any]:
    """One round: accuracy, verdicts, gas of all its transactions, gas of settlement per score, posting transaction."""
    posted, final = view.events("Posted", round_), view.events("Finalised", round_)
    settlement = sum(gas_of(view.ledger, event) for event in (*posted[-1:], *final[-1:]))
    hashes = {e.tx_hash: e for name in PROTOCOL_EVENTS for e in view.events(name, round_)}
    scores = [s for s in (*record.trainer_scores, *record.verifier_scores) if s] if record else []
    return {
        "round": round_,
        "accuracy": accuracy,
        "accepted": sum(r is Reason.ACCEPTED for r in record.reasons.values()) if record else 0,
        "rejected": sum(r not in _NO_REJECTION for r in record.reasons.values()) if record else 0,
        "gas_used": sum(gas_of(view.ledger, event) for event in hashes.values()),
        "gas_per_score": round(settlement / len(scores), 1) if scores else None,
        "tx": "0x" + posted[-1].tx_hash.hex() if posted else None,
        "settled": view.settled(round_) is not None,
    }


def gas_of(ledger: Ledger, event: Event) -> int:
    """Gas of the transaction that emitted an event."""
    receipt = ledger.chain.receipt(event.tx_hash)
    return receipt.gas_used if receipt is not None else 0


def _node_row(
    view: TaskView, member: Member, records: Mapping[int, RoundRecord | None], standing: Standing
) -> dict[str, Any]:
    person, node, ledger = member.identity, member.node, view.ledger
    slot = view.slots(person.role)[node]
    held = ledger.node(node)
    trainer = person.role is Role.TRAINER
    verdicts = {
        round_: (record.reasons if trainer else record.member_reasons).get(node)
        for round_, record in records.items()
        if record is not None
    }
    return {
        "node": node,
        "label": person.label,
        "role": person.role.name.lower(),
        "honest": person.attack is None,
        "attack": person.attack.name if person.attack else None,
        "stake_start": SEAT_STAKE,
        "stake_end": held.bonded + held.exiting,
        "reputation": standing.reputation(person.role, slot),
        "contribution": standing.contribution(person.role, slot),
        "reward": ledger.token_balance(person.cold.address),
        "rejections": [
            {"round": round_, "reason": reason.value}
            for round_, reason in sorted(verdicts.items())
            if reason is not None and reason not in _NO_REJECTION
        ],
    }
