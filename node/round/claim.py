"""Taking what a node has earned and not been paid, in either mode."""

from __future__ import annotations

from ledger import Role, Signer
from node.round.standing import standing_before
from node.round.view import TaskView


def claim_earned(view: TaskView, by: Signer, role: Role, node: int) -> bool:
    """Claim for a node what its final rounds have earned; `by` pays the gas, the node's owner is paid.

    Words mode pays by contribution units that are applied; root mode by proof against the final root. False where
    nothing is due.
    """
    ledger, slot = view.ledger, view.slots(role).get(node)
    if slot is None:
        return False
    claimed = ledger.claimed(view.task, role, node)
    if not view.root_mode:
        if ledger.contribution(view.task, role, node) <= claimed:
            return False
        ledger.claim(by, view.task, role, node)
        return True
    final = view.latest_final
    if final is None:
        return False
    state = standing_before(view, final + 1).state
    if slot >= len(state.pay[role]) or state.pay[role][slot] <= claimed:
        return False
    ledger.claim_root(by, view.task, role, node, state.pay_proof(role, slot))
    return True
