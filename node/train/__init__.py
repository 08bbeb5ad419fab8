"""Local training: the recipe, and a deterministic run of it that can stop and resume at any step."""

from node.train.optimise import MOMENTS
from node.train.profile import PINNED, Profile
from node.train.recipe import MAX_RATE, Optimiser, Recipe
from node.train.trainer import Trainer, TrainerState, train

__all__ = ["MAX_RATE", "MOMENTS", "PINNED", "Optimiser", "Profile", "Recipe", "Trainer", "TrainerState", "train"]
