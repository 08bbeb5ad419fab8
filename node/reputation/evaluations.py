"""Evaluations out of chain and store: final settlements only, each vote by its signed, revealed record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ledger import Role
from node.errors import GraphError
from node.record import RoundRecord
from node.reputation.graph import Evaluation, EvaluationGraph, evaluations_of, graph_of
from node.round.facts import facts_of
from node.round.gather import fetch_record
from node.round.origins import manifests_of
from node.round.settle import compile_dossier, outcome_of
from node.round.standing import posted_scores
from node.round.truths import stated_faults
from node.round.view import TaskView
from node.spec import TaskSpec
from node.verify import Reason
from storage import Store

GRAPH_FILE = "graph.json"


def read_evaluations(view: TaskView, store: Store, spec: TaskSpec) -> list[Evaluation]:
    """Every evaluation of a task's final rounds, checked: signatures, commitments, and the scores that the chain has.

    Raises what the store raises for a missing record, PeerError for evidence that does not hold.
    """
    found = []
    for round_ in range(1, view.state.params.rounds + 1):
        if view.settled(round_) is not None:
            found += evaluations_in(view, store, spec, round_)
    return found


def evaluations_in(view: TaskView, store: Store, spec: TaskSpec, round_: int) -> list[Evaluation]:
    """The evaluations of one final round: of members that revealed what they committed to, and whose sketches held."""
    posted = view.settled(round_)
    facts = None if posted is None else facts_of(view, view.scope, round_, before=posted)
    if posted is None or facts is None:
        return []
    record = RoundRecord.from_bytes(fetch_record(store, posted.args["report"].record))
    dossier = compile_dossier(
        facts,
        list(record.evidence),
        lambda item: fetch_record(store, item.digest),
        manifests=manifests_of(store, spec, facts),
    )
    sound = outcome_of(facts, spec, dossier, stated_faults(record)).member_reasons
    votes = {
        node: seen.votes for node, seen in dossier.evidence.observations.items() if sound.get(node) is Reason.ACCEPTED
    }
    return evaluations_of(round_, votes, posted_scores(view, posted)[0], facts.trainer_slots, facts.seats)


def graph_after(view: TaskView, evaluations: Sequence[Evaluation], round_: int) -> EvaluationGraph:
    """The graph of a task after a final round, with its raters' stake at the start of that round."""
    members = sorted({node for role in Role for node in view.slots(role)})
    raters = sorted({item.rater for item in evaluations})
    stakes = view.stakes(round_, raters) if round_ and raters else {}
    return graph_of(evaluations, task=view.task, round_=round_, members=members, stakes=stakes)


def latest_graph(view: TaskView, store: Store, spec: TaskSpec) -> EvaluationGraph:
    """The graph after the latest final round."""
    return graph_after(view, read_evaluations(view, store, spec), view.latest_final or 0)


def save_graph(graph: EvaluationGraph, path: Path) -> None:
    """Write a graph with its digest, for others to compare."""
    path.write_text(json.dumps({"digest": graph.digest(), **graph.to_json()}, indent=1) + "\n", encoding="utf-8")


def load_graph(path: Path) -> tuple[EvaluationGraph, str]:
    """A saved graph and the digest that it names, which an audit compares. Raises GraphError where it is malformed."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        stated = str(data.pop("digest"))
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise GraphError(f"{path} holds no evaluation graph: {error}", hint="restore the file, or delete it") from error
    return EvaluationGraph.from_json(data), stated
