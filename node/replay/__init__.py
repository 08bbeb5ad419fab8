"""Replay mode: checkpoints that anyone can go on from, segments re-executed, and disputes down to one step."""

from node.replay.checkpoint import checkpoint_bytes, checkpoint_digest, checkpoint_tree, read_checkpoint
from node.replay.dispute import Challenger, Defender, judge
from node.replay.movement import encode_movement, movement_sketch, same_movement, same_step
from node.replay.run import Run, recorded

__all__ = [
    "Challenger",
    "Defender",
    "Run",
    "checkpoint_bytes",
    "checkpoint_digest",
    "checkpoint_tree",
    "encode_movement",
    "judge",
    "movement_sketch",
    "read_checkpoint",
    "recorded",
    "same_movement",
    "same_step",
]
