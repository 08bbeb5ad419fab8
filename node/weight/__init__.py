"""Aggregation weights by name: stake and reputation in, one share of influence an update out. One file a strategy."""

from node.weight.clusters import near_duplicates, one_vote_a_cluster
from node.weight.foolsgold import foolsgold_scores
from node.weight.stake import NEWCOMER, normalise
from node.weight.sybilwall import SybilWall
from node.weight.weighting import WEIGHTINGS, Weighting

__all__ = [
    "NEWCOMER",
    "WEIGHTINGS",
    "SybilWall",
    "Weighting",
    "foolsgold_scores",
    "near_duplicates",
    "normalise",
    "one_vote_a_cluster",
]
