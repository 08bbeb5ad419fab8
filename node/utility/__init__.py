"""Utilities: how much each update helps on the probe shard, as one verifier measures it. Strategies by name."""

from node.utility import first_order, gtg, loo, shapley  # noqa: F401  (they enter themselves in the registry)
from node.utility.game import UTILITIES, Game, Thresholds, Utility

__all__ = ["UTILITIES", "Game", "Thresholds", "Utility"]
