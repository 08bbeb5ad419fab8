"""Calibration: how far apart honest machines end up on a task, and the tolerance and grid that follow."""

from node.calibrate.derive import calibrate
from node.calibrate.level import Calibration, Level
from node.calibrate.replay import Comparison, Shard, compare_levels, segments_of

__all__ = ["Calibration", "Comparison", "Level", "Shard", "calibrate", "compare_levels", "segments_of"]
