"""When two states are the same training: by sketch of what moved, group by group, and in full at the last step.

A group is the weights or one array of the optimiser. Each is judged on its own: beside velocities weights are small,
and a second moment is small beside all, so in one joint norm they could be anything. What is sketched is the movement
since a state that both sides hold, so that the tolerance is relative to the work and not to the weights' size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from node.model import flatten
from node.sketch import Sketch, agrees, decode_sketch, encode_sketch, grid_of, sketch
from node.train import TrainerState

UNIT = 2.0**-24
"""Relative rounding of one float32 operation."""

_ROUNDINGS = 4
"""Both sides round the new value once, and the product behind it about as much (measured below 2; see the tests)."""


def groups_of(state: TrainerState) -> list[NDArray[np.float32]]:
    """The weights (d,), then each of the optimiser's arrays (d,) in order of its name; float32."""
    return [flatten(state.params), *(flatten(state.moments[name]) for name in sorted(state.moments))]


def movement_sketch(state: TrainerState, base: TrainerState, *, seed: bytes, k: int, norm_bound: float) -> Sketch:
    """(k · groups,) int32: k rows of each group's movement from `base` to `state`, rows different by group."""
    moved = zip(groups_of(state), groups_of(base), strict=True)
    grid = grid_of(norm_bound)
    rows = [sketch(a - b, seed=seed + bytes([g]), k=k, grid=grid) for g, (a, b) in enumerate(moved)]
    return np.concatenate(rows)


def same_movement(claim: Sketch, reference: Sketch, *, groups: int, tau: float) -> bool:
    """Whether each group of `claim` agrees with that of `reference` within `tau` (relative L2, √k for rounding)."""
    if len(claim) != len(reference) or len(reference) % groups:
        return False
    pairs = zip(np.split(claim, groups), np.split(reference, groups), strict=True)
    return all(agrees(mine, theirs, tau=tau) for mine, theirs in pairs)


def same_step(after: TrainerState, reference: TrainerState, before: TrainerState, *, tau: float) -> bool:
    """Whether `after` is one honest step from `before`, whose float64 `reference`, rounded to float32, is given.

    In each group ‖after − reference‖ ≤ τ·‖reference − before‖ + 4·2⁻²⁴·‖reference‖, in float64: the second term is what
    float32 cannot hold of a small step on large weights.
    """
    if after.step != reference.step:
        return False
    for got, wanted, start in zip(groups_of(after), groups_of(reference), groups_of(before), strict=True):
        wide = wanted.astype(np.float64)
        moved = float(np.linalg.norm(wide - start))
        off = float(np.linalg.norm(got - wide))
        if not off <= tau * moved + _ROUNDINGS * UNIT * float(np.linalg.norm(wide)):
            return False
    return True


def encode_movement(values: Sketch) -> bytes:
    """Big-endian int32, as a dispute's messages carry them."""
    return bytes.fromhex(encode_sketch(values))


def decode_movement(data: bytes) -> Sketch:
    """The inverse of `encode_movement`. Raises ValueError unless `data` is whole rows."""
    return decode_sketch(bytes(data).hex())
