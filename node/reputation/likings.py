"""What raters like, out of their evaluations: each accepted update by its CID, and the data that its trainer holds."""

from __future__ import annotations

from collections.abc import Sequence

from node.record import Manifest
from node.reputation.graph import HALF_LIFE, Evaluation, freshness
from node.reputation.recommend import Liking
from node.round.gather import fetch
from node.round.view import TaskView
from node.spec import Artefact
from storage import Store, from_digest


def likings_of(view: TaskView, store: Store, evaluations: Sequence[Evaluation]) -> list[Liking]:
    """Two likings for each evaluation of accepted work, fading like the graph's links; distrust recommends nothing."""
    latest = view.latest_final or 0
    names: dict[tuple[int, int], str] = {}
    found = []
    for item in evaluations:
        affinity = item.part * item.seats * freshness(latest - item.round, HALF_LIFE) >> 16
        if affinity < 1:
            continue
        key = (item.round, item.rated)
        if key not in names:
            names[key] = _update_of(view, store, *key)
        found.append(Liking(item.rater, names[key], affinity))
        found.append(Liking(item.rater, f"data:{item.rated}", affinity))
    return found


def _update_of(view: TaskView, store: Store, round_: int, node: int) -> str:
    """`update:CID` of what a node submitted, by its manifest in the store."""
    entry = next(found for found in view.commitments(round_) if found.node == node and found.manifest is not None)
    assert entry.manifest is not None
    update = Manifest.from_bytes(fetch(store, Artefact(entry.manifest, entry.length))).update
    return f"update:{from_digest(update.digest, update.length)}"
