"""The evaluation graph in an audit: built again from chain and store, and compared with what a run saved."""

from __future__ import annotations

from node.errors import AuditFailed
from node.findings import Findings, same
from node.reputation.evaluations import GRAPH_FILE, graph_after, load_graph, read_evaluations
from node.reputation.graph import EvaluationGraph
from node.source import Source
from node.spec import TaskSpec


def check_graph(source: Source, spec: TaskSpec, findings: Findings) -> None:
    """Build the graph after the latest final round; where the run saved one, every link of it must follow.

    Raises AuditFailed naming rater and rated of the first link that differs, or what else does.
    """
    view = source.view
    evaluations = read_evaluations(view, source.store, spec)
    latest = graph_after(view, evaluations, view.latest_final or 0)
    findings.graph = latest.digest()
    findings.add("evaluation", count=len(evaluations))
    findings.add("link", count=len(latest.links))
    path = None if source.folder is None else source.folder / GRAPH_FILE
    if path is not None and path.exists():
        saved, stated = load_graph(path)
        if view.settled(saved.round) is None and saved.round:
            raise AuditFailed(f"{path}: round {saved.round} is not final")
        compare(graph_after(view, evaluations, saved.round), saved, stated)
        findings.add("graph")


def compare(derived: EvaluationGraph, saved: EvaluationGraph, stated: str) -> None:
    """Raise AuditFailed at the first difference of a saved graph, or of the digest that it names, from what follows."""
    where = f"evaluation graph of round {saved.round}"
    mine, theirs = ({link[:2]: link[2] for link in graph.links} for graph in (derived, saved))
    for rater, rated in sorted({*mine, *theirs}):
        same(
            f"{where}: node {rater}",
            f"link to node {rated}",
            mine.get((rater, rated), 0),
            theirs.get((rater, rated), 0),
        )
    same(where, "members", derived.members, saved.members)
    same(where, "stakes", dict(derived.stakes), dict(saved.stakes))
    same(where, "digest", derived.digest(), saved.digest())
    same(where, "digest that it names", derived.digest(), stated)
