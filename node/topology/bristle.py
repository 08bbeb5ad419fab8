"""Bristle in a gossip graph: which neighbours to test, how well they do on one's own samples, and what of them to take.

(Verbraeken, de Vos and Pouwelse 2021.) The trunk is frozen: every layer but the last stays the node's own, and where
the run's model is an output layer over a pre-trained trunk, only that layer is trained and sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from node.aggregate.bristle import class_weights, integrate, prioritise
from node.data import FloatArray
from node.errors import ConfigError
from node.seeds import derive_bytes
from node.topology.mixing import MIXINGS, MixingKind, Plain, Sent, Site

TESTED = 10
"""beta: how many received models are tested, before rounding up by thirds."""


class Bristle(Plain):
    """Prioritise by distance, measure by F1 a class, integrate column by column. Raises ConfigError without a judge."""

    def __init__(self, site: Site) -> None:
        if site.judge is None or not site.judge.familiar.any() or not site.layout:
            raise ConfigError(
                f"mixing 'bristle': node {site.node} cannot measure the models that it receives",
                hint="it needs the model's layers and a few samples of its own",
            )
        self._judge, self._seed, self._node = site.judge, site.seed, site.node
        self._shape = site.layout[-1][1]
        self._start = -int(np.prod(self._shape))

    def keep(self, base: FloatArray, trained: FloatArray) -> FloatArray:
        """Columns of familiar classes: training without samples of a class only teaches that it never occurs (CWR)."""
        head, kept = self._head(trained[None])[0], base.copy()
        self._head(kept[None])[0][:, self._judge.familiar] = head[:, self._judge.familiar]
        return kept

    def mix(self, base: FloatArray, own: Sent, received: Sequence[Sent], round_: int) -> FloatArray:
        if not received:
            return own.model
        models = np.stack([own.model, *(sent.model for sent in received)])
        heads = self._head(models)
        apart = np.linalg.norm((heads[1:] - heads[0]).astype(np.float64), axis=(1, 2))
        seed = derive_bytes(self._seed, "bristle", self._node, round_)
        tested = 1 + prioritise(apart, count=TESTED, seed=seed)
        f1 = self._judge.f1(models[[0, *tested]])
        weights = class_weights(f1[0], f1[1:], self._judge.familiar)
        result = own.model.copy()
        self._head(result[None])[0][:] = integrate(heads[0], heads[tested], weights)
        return result

    def _head(self, models: FloatArray) -> FloatArray:
        """(k, rows, classes) float32 view of the last layer of `models` (k, d)."""
        return models[:, self._start :].reshape(len(models), *self._shape)


MIXINGS.register("bristle")(MixingKind(Bristle, frozen=True, judged=True))
