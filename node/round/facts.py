"""The chain's part of a round, assembled the same way for a member that signs and for an auditor years later."""

from __future__ import annotations

from ledger import Event, Role
from node.message import Scope
from node.round.settle import RoundFacts
from node.round.standing import standing_before
from node.round.view import TaskView


def facts_of(
    view: TaskView,
    scope: Scope,
    round_: int,
    *,
    before: Event | None = None,
) -> RoundFacts | None:
    """RoundFacts of a round; None before its committee is drawn.

    `before` leaves out whoever joined after that event (the post, when looking back). Reputations are those that the
    earlier rounds have made, whether or not their words are applied yet.
    """
    committee, seed = view.committee(round_), view.seed(round_)
    if committee is None or seed is None:
        return None
    trainers, verifiers = (view.slots(role, before=before) for role in (Role.TRAINER, Role.VERIFIER))
    standing = standing_before(view, round_)
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
        reputations={node: standing.reputation(Role.TRAINER, slot) for node, slot in trainers.items()},
        standing=standing,
        signers=signers,
    )
