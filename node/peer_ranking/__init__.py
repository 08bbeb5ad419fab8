"""Peer-ranked answers, for tasks without ground truth: who compares what, what follows from it, who may judge."""

from node.peer_ranking.bradley_terry import Interval, intervals, strengths
from node.peer_ranking.judges import assign, capability, is_capable, next_reputation
from node.peer_ranking.ranking import Comparison, rank_answers, wins_of

__all__ = [
    "Comparison",
    "Interval",
    "assign",
    "capability",
    "intervals",
    "is_capable",
    "next_reputation",
    "rank_answers",
    "strengths",
    "wins_of",
]
