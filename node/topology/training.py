"""What a loop needs of local training, and one call for nodes that take different numbers of epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol

from node.data import FloatArray


class Trainers(Protocol):
    """Local training of some nodes; see `node.matrix.learner.Learner`."""

    epochs: int

    def updates(
        self, models: FloatArray, round_: int, *, nodes: Sequence[int] | None = None, epochs: int | None = None
    ) -> FloatArray:
        """(m, d) float32: what the epochs of `nodes` add to `models`, (d,) shared or (m, d)."""
        ...


def train_each(trainers: Trainers, models: FloatArray, round_: int, epochs: Mapping[int, int]) -> dict[int, FloatArray]:
    """(d,) float32 a node: what its own number of `epochs` adds to `models`, (d,) shared or (n, d) one a node."""
    added: dict[int, FloatArray] = {}
    for count, group in groupby(sorted(epochs, key=lambda node: (epochs[node], node)), key=lambda node: epochs[node]):
        nodes = list(group)
        start = models if models.ndim == 1 else models[nodes]
        added |= zip(nodes, trainers.updates(start, round_, nodes=nodes, epochs=count), strict=True)
    return added
