"""Aggregation rules by name: updates and weights in, one update out. One file a family."""

from node.aggregate.clip import clip_to_median_norm
from node.aggregate.coordinate import cosine_to_others, median, trimmed_mean, weighted_median
from node.aggregate.krum import krum, krum_scores, multi_krum, squared_distances
from node.aggregate.mean import mean
from node.aggregate.rule import AGGREGATORS, Aggregator

__all__ = [
    "AGGREGATORS",
    "Aggregator",
    "clip_to_median_norm",
    "cosine_to_others",
    "krum",
    "krum_scores",
    "mean",
    "median",
    "multi_krum",
    "squared_distances",
    "trimmed_mean",
    "weighted_median",
]
