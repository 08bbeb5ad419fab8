"""Who exchanges with whom: graphs for gossip, beacon-ordered samples, and one rule a neighbourhood by name."""

from node.topology.gossip import ENDINGS, MIXINGS, Gossip
from node.topology.graph import GRAPHS, Graph, graph_of
from node.topology.mixing import Mixing
from node.topology.sampled import View, aggregators_agree, merge, sample

__all__ = [
    "ENDINGS",
    "GRAPHS",
    "MIXINGS",
    "Gossip",
    "Graph",
    "Mixing",
    "View",
    "aggregators_agree",
    "graph_of",
    "merge",
    "sample",
]
