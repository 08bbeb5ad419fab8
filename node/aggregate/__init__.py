"""Aggregation rules by name: updates and weights in, one update out. One file a family, one line here each.

`aggregate` applies a rule to clients in any order; the rules themselves take rows as they come.
"""

from node.aggregate.before import arc, bucketing, clipping, nnm
from node.aggregate.centre import centered_clipping, geometric_median
from node.aggregate.clip import clip_to_median_norm
from node.aggregate.coordinate import meamed, median, trimmed_mean, weighted_median
from node.aggregate.cosine import cosine_to_others
from node.aggregate.frl import frl
from node.aggregate.krum import krum, krum_scores, multi_krum, squared_distances
from node.aggregate.mean import mean
from node.aggregate.nearest import mda, monna
from node.aggregate.order import aggregate
from node.aggregate.rows import ColumnSource
from node.aggregate.rule import AGGREGATORS, PREAGGREGATORS, Aggregator
from node.aggregate.spectral import caf, flag

__all__ = [
    "AGGREGATORS",
    "PREAGGREGATORS",
    "Aggregator",
    "ColumnSource",
    "aggregate",
    "arc",
    "bucketing",
    "caf",
    "centered_clipping",
    "clip_to_median_norm",
    "clipping",
    "cosine_to_others",
    "flag",
    "frl",
    "geometric_median",
    "krum",
    "krum_scores",
    "mda",
    "meamed",
    "mean",
    "median",
    "monna",
    "multi_krum",
    "nnm",
    "squared_distances",
    "trimmed_mean",
    "weighted_median",
]
