"""The chain's part of a round, assembled the same way for a member that signs and for an auditor years later."""

from __future__ import annotations

from collections.abc import Mapping

from ledger import Event, Role
from node.message import Scope
from node.round.settle import RoundFacts
from node.round.view import TaskView


def facts_of(
    view: TaskView,
    scope: Scope,
    round_: int,
    *,
    before: Event | None = None,
    reputations: Mapping[int, int] | None = None,
) -> RoundFacts | None:
    """RoundFacts of a round; None before its committee is drawn.

    `before` leaves out whoever joined after that event (the post, when looking back); `reputations` by trainer replace
    those at the head.
    """
    committee, seed = view.committee(round_), view.seed(round_)
    if committee is None or seed is None:
        return None
    trainers, verifiers = (_slots(view, role, before) for role in (Role.TRAINER, Role.VERIFIER))
    signers = {seat.node: seat.signer for seat in committee}
    for node in trainers:
        signers.setdefault(node, view.signer_of(node))
    return RoundFacts(
        scope=scope,
        task=view.task,
        round=round_,
        seed=seed,
        parent=view.parent(round_),
        params=view.state.params,
        committee=committee,
        trainer_slots=trainers,
        verifier_slots=verifiers,
        commitments=tuple(view.commitments(round_)),
        stakes=view.stakes(round_, sorted(trainers)),
        reputations=view.reputations(Role.TRAINER) if reputations is None else reputations,
        signers=signers,
    )


def _slots(view: TaskView, role: Role, before: Event | None) -> dict[int, int]:
    if before is None:
        return view.slots(role)
    limit = (before.block_number, before.log_index)
    return {
        int(event.args["node"]): int(event.args["slot"])
        for event in view.events("Joined")
        if int(event.args["role"]) == role.value and (event.block_number, event.log_index) < limit
    }
