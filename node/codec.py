"""Update codecs: a flat vector as arrays by name and back. The container's bytes are the store's business.

What is hashed, sketched and aggregated is always the decoded update, so a lossy codec loses once, at its
trainer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.data import FloatArray
from node.errors import DataError
from node.model import Layout, flatten, unflatten
from node.registry import Registry


@dataclass(frozen=True)
class Codec:
    """Each parameter as one array of `dtype`, under its own name."""

    name: str
    dtype: str

    def encode(self, vector: FloatArray, layout: Layout) -> dict[str, NDArray[Any]]:
        """`vector` (d,) float32 as arrays by parameter name. DataError if it does not fit or is not finite.

        A finite value beyond the range of `dtype` is sent as the largest of its sign: an infinity would get
        the whole update rejected.
        """
        if not np.isfinite(vector).all():
            raise DataError("an update with a NaN or infinite value cannot be sent")
        limit = np.float32(np.finfo(self.dtype).max)
        return {
            name: np.clip(value, -limit, limit).astype(self.dtype) for name, value in unflatten(vector, layout).items()
        }

    def decode(self, tensors: Mapping[str, NDArray[Any]], layout: Layout) -> FloatArray:
        """(d,) float32. Raises DataError unless names, shapes and dtype are right and all is finite."""
        expected = {name: (shape, self.dtype) for name, shape in layout}
        got = {name: (tuple(value.shape), value.dtype.name) for name, value in tensors.items()}
        for name in sorted(expected.keys() | got.keys()):
            if expected.get(name) != got.get(name):
                found, wanted = got.get(name, "missing"), expected.get(name, "absent")
                raise DataError(
                    f"array {name!r} of an update is {found}, not {wanted}",
                    hint=f"codec {self.name!r} of this task",
                )
        vector = flatten({name: value.astype(np.float32) for name, value in tensors.items()})
        if not np.isfinite(vector).all():
            raise DataError("an update has a NaN or infinite value")
        return vector


CODECS: Registry[Codec] = Registry("codec")
CODECS.register("raw")(Codec("raw", "float32"))
CODECS.register("fp16")(Codec("fp16", "float16"))
