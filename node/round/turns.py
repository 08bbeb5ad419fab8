"""When evidence is due: shares of a proposer's turn, and where a round's turn stands by the chain's clock."""

from __future__ import annotations

from node.round.settle import RoundFacts
from node.round.view import TaskView
from node.spec import TaskSpec

# Shares of an attempt's turn by which evidence is due; the rest is for the proposal and its signatures.
OBSERVE_BY, REVEAL_BY, CHECK_BY = 0.5, 0.7, 0.8
OPEN_BY = 0.75  # origins, which open only once reveals are over


def due_shares(spec: TaskSpec) -> tuple[float, ...]:
    """The shares of a turn at which some node's rules may let it do more."""
    return (OBSERVE_BY, REVEAL_BY, CHECK_BY, *((OPEN_BY,) if spec.canary_share else ()))


def turn_of(view: TaskView, facts: RoundFacts) -> int:
    """The proposer's turn by the clock, 0 first."""
    return max(0, (view.now - view.post_start(facts.round)) // facts.params.attempt_s)


def is_past(view: TaskView, facts: RoundFacts, share: float) -> bool:
    """Whether this share of the present turn is over."""
    opened = view.post_start(facts.round) + turn_of(view, facts) * facts.params.attempt_s
    return view.now >= opened + share * facts.params.attempt_s
