"""Checkpoints as content: weights, optimiser state and step counter in one container, named by its digest.

Without the optimiser's arrays a replayed segment is off by more than its own size. The length follows from the layout,
so the digest alone names the content.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ledger import PositionTree
from node.errors import DataError
from node.model import Layout
from node.spec import Artefact
from node.train import Recipe, TrainerState
from node.train.trainer import checkpoint_layout
from storage import TensorSpec, decode, encode

_STEP = "step"


def checkpoint_bytes(state: TrainerState) -> bytes:
    """The one encoding of a state."""
    return encode({**state.tensors(), _STEP: np.array([state.step], dtype=np.int64)})


def checkpoint_digest(state: TrainerState) -> bytes:
    """32 bytes: the digest of the encoding as the store names it."""
    return Artefact.of(checkpoint_bytes(state)).digest


def checkpoint_length(layout: Layout, recipe: Recipe) -> int:
    """Bytes of every checkpoint of a task."""
    blank = {name: np.zeros(shape, dtype=np.float32) for name, shape in checkpoint_layout(layout, recipe)}
    return len(checkpoint_bytes(TrainerState.of(blank, 0)))


def read_checkpoint(data: bytes, layout: Layout, recipe: Recipe) -> TrainerState:
    """The state in untrusted bytes. Raises CodecError with its reason, or DataError for a step below zero."""
    specs = [TensorSpec(name, shape, "float32") for name, shape in checkpoint_layout(layout, recipe)]
    tensors = decode(data, [*specs, TensorSpec(_STEP, (1,), "int64")], max_bytes=checkpoint_length(layout, recipe))
    step = int(tensors.pop(_STEP)[0])
    if step < 0:
        raise DataError(f"a checkpoint of step {step}", hint="steps count from 0")
    return TrainerState.of(tensors, step)


def checkpoint_tree(digests: Sequence[bytes]) -> PositionTree:
    """The position-bound tree over digests of 32 bytes: the root is what a trainer commits to."""
    return PositionTree([int.from_bytes(digest, "big") for digest in digests])
