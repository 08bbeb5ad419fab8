"""Data sets in memory: one frozen pair of arrays, a stratified split, and the arrays that go into a shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.errors import DataError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled samples: `x` (n, *shape) float32, all finite; `y` (n,) int64 in [0, classes).

    Arrays are stored C-contiguous and in exactly these dtypes (a conversion copies, a match does not).
    Raises DataError if lengths differ, a label is out of range, or a value is not finite.
    """

    x: FloatArray
    y: IntArray
    classes: int

    def __post_init__(self) -> None:
        x = np.ascontiguousarray(self.x, dtype=np.float32)
        y = np.ascontiguousarray(self.y, dtype=np.int64)
        if np.ndim(self.x) < 2 or np.ndim(self.y) != 1 or len(x) != len(y):
            raise DataError(
                f"x {np.shape(self.x)} and y {np.shape(self.y)} are not n samples and n labels",
                hint="x is (n, features), (n, height, width) or (n, channels, height, width); y is (n,)",
            )
        if len(y) and not (int(y.min()) >= 0 and int(y.max()) < self.classes):
            raise DataError(
                f"labels span {y.min()}..{y.max()}, outside 0..{self.classes - 1}",
                hint=f"there are {self.classes} classes, numbered from 0",
            )
        if not np.isfinite(x).all():
            sample = int(np.argmin(np.isfinite(x).reshape(len(x), -1).all(axis=1)))
            raise DataError(f"sample {sample} has a value that is NaN, infinite or too large for float32")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.x.shape[1:]

    def subset(self, indices: NDArray[Any]) -> Dataset:
        """The samples at `indices` (m,) of an integer dtype, in that order (copies)."""
        return Dataset(self.x[indices], self.y[indices], self.classes)


@dataclass(frozen=True)
class Split:
    """Three disjoint parts of one data set that together cover it."""

    train: Dataset
    probe: Dataset
    test: Dataset


def split(dataset: Dataset, *, seed: int, probe_fraction: float, test_fraction: float) -> Split:
    """Stratified, disjoint train / probe / test parts; deterministic in `seed`.

    Each class gives round(fraction * count) samples to probe and to test and the rest to train; within a part
    the samples are shuffled, so that a prefix of a part is no single class. Raises DataError if the fractions
    are not in [0, 1) with a sum below 1, or if a part with a positive fraction, or train, comes out empty.
    """
    if not (0 <= probe_fraction < 1 and 0 <= test_fraction < 1 and probe_fraction + test_fraction < 1):
        raise DataError(
            f"probe fraction {probe_fraction} and test fraction {test_fraction} leave nothing to train on",
            hint="both lie in [0, 1) and their sum is below 1",
        )
    rng = np.random.default_rng(seed)
    parts: list[list[IntArray]] = [[], [], []]
    for label in np.unique(dataset.y):
        members = rng.permutation(np.flatnonzero(dataset.y == label))
        probe = round(probe_fraction * len(members))
        test = min(round(test_fraction * len(members)), len(members) - probe)
        cuts = np.split(members, [probe, probe + test])
        for part, cut in zip(parts, (cuts[2], cuts[0], cuts[1]), strict=True):
            part.append(cut)
    wanted = (("train", 1.0), ("probe", probe_fraction), ("test", test_fraction))
    chosen = []
    for (name, fraction), part in zip(wanted, parts, strict=True):
        indices = rng.permutation(np.concatenate([*part, np.empty(0, np.int64)]))
        if fraction > 0 and len(indices) == 0:
            raise DataError(
                f"the {name} part of {len(dataset)} samples is empty",
                hint="give more samples or change a fraction",
            )
        chosen.append(dataset.subset(indices))
    return Split(*chosen)


def to_tensors(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """The arrays of a shard file: `x` float32 (n, *shape), `y` int64 (n,), `classes` int64 (1,)."""
    return {"x": dataset.x, "y": dataset.y, "classes": np.array([dataset.classes], dtype=np.int64)}


def from_tensors(tensors: Mapping[str, NDArray[Any]]) -> Dataset:
    """The inverse of `to_tensors`. Raises DataError on a missing or extra array, dtype, shape or label."""
    if sorted(tensors) != ["classes", "x", "y"]:
        raise DataError(f"a shard holds arrays {sorted(tensors)}", hint="expected: classes, x, y")
    x, y, classes = tensors["x"], tensors["y"], tensors["classes"]
    if x.dtype != np.float32 or y.dtype != np.int64 or classes.dtype != np.int64 or classes.shape != (1,):
        raise DataError(
            f"a shard has x {x.dtype}, y {y.dtype}, classes {classes.dtype} {classes.shape}",
            hint="expected: x float32, y int64, classes int64 of shape (1,)",
        )
    if classes[0] < 1:
        raise DataError(f"a shard declares {classes[0]} classes", hint="at least 1")
    return Dataset(x, y, int(classes[0]))
