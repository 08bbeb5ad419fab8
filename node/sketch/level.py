"""What sketches are compared on: four levels, each with a tolerance of its own."""

from __future__ import annotations

from typing import Literal, get_args

LevelName = Literal["output", "update", "segment", "step"]
"""Probe outputs of one model; a whole round's update; a segment of its steps; one step."""

LEVELS: tuple[LevelName, ...] = get_args(LevelName)
