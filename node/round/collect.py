"""When a collector acts and when trainers stop waiting for it: shares of the phase, on the chain's clock."""

from __future__ import annotations

from math import ceil

from node.message import Kind
from node.round.view import TaskView

BUNDLE_LEAVES = 1_500  # of some 600 bytes each: one block in the store
COLLECT_BY = 0.6  # the collector logs what it has
DIRECT_FROM = 0.8  # whoever was left out sends its own transaction; enough of the phase is left for it to be mined


def collect_time(view: TaskView, round_: int, kind: Kind, share: float) -> int:
    """The instant (seconds) at which `share` of the phase of commits, or of reveals, has passed."""
    params, start = view.state.params, view.round_start(round_)
    if kind is Kind.COMMITTED:
        return start + ceil(share * params.commit_s)
    return start + params.commit_s + ceil(share * params.reveal_s)


def collected(view: TaskView, round_: int, kind: Kind) -> bool:
    """Whether the task's owner has logged its bundle of this kind already."""
    return any(
        bool(event.args["reveals"]) == (kind is Kind.DISCLOSED) and str(event.args["collector"]) == view.state.owner
        for event in view.events("Collected", round_)
    )
