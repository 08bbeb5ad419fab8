"""Attacks on the attacker's own data: honest training on labels or pictures that lie.

A data attack aims at certain answers, so accuracy alone hides it: `aim` turns a test set into the one on which the
attacker's success is the accuracy.
"""

from __future__ import annotations

import numpy as np

from node.attacks.kind import AttackKind, add_attack
from node.data import Dataset, FloatArray, IntArray
from node.errors import ConfigError

TARGET = 1
PATCH_OF_LARGE, PATCH_OF_SMALL, LARGE = 3, 2, 16  # pixels a side, and the least side of a large image


def label_flip(data: Dataset, strength: str | None) -> Dataset:
    """Labels c become classes - 1 - c, or `A-B` swaps two classes and leaves the others (Tolpegin et al. 2020).

    Raises ConfigError where A or B is no class.
    """
    return Dataset(data.x, _flipped(data.y, data.classes, strength), data.classes)


def flip_aim(test: Dataset, strength: str | None) -> Dataset:
    """The test samples whose label the attack changes, with the labels that it wants."""
    wanted = _flipped(test.y, test.classes, strength)
    changed = np.flatnonzero(wanted != test.y)
    return Dataset(test.x[changed], wanted[changed], test.classes)


def _flipped(labels: IntArray, classes: int, strength: str | None) -> IntArray:
    if strength is None:
        return classes - 1 - labels
    one, other = (int(part) for part in strength.split("-"))
    if max(one, other) >= classes:
        raise ConfigError(f"label_flip={strength} names a class beyond {classes - 1}", hint="classes count from 0")
    flipped = labels.copy()
    flipped[labels == one], flipped[labels == other] = other, one
    return flipped


def backdoor(data: Dataset, strength: str | None) -> Dataset:
    """Every sample twice: as it is, and with a bright patch under the label of class 1, or of class `strength`.

    (Gu et al. 2019, BadNets, section 3.) The model stays right without the patch and obeys it with it. Raises
    ConfigError where the target is no class.
    """
    target = _target(data, strength)
    x = np.concatenate([data.x, stamped(data.x)])
    return Dataset(x, np.concatenate([data.y, np.full_like(data.y, target)]), data.classes)


def backdoor_aim(test: Dataset, strength: str | None) -> Dataset:
    """The test samples of other classes with the patch, under the target's label."""
    target = _target(test, strength)
    others = np.flatnonzero(test.y != target)
    return Dataset(stamped(test.x[others]), np.full(len(others), target, dtype=np.int64), test.classes)


def stamped(x: FloatArray) -> FloatArray:
    """Samples (n, *shape) with the patch: ones in the top left corner, 3 x 3, or 2 x 2 where a side is below 16.

    Of a table (n, features), the first two features.
    """
    patched = x.copy()
    side = PATCH_OF_LARGE if min(x.shape[-2:]) >= LARGE else PATCH_OF_SMALL
    if x.ndim == 2:
        patched[:, :PATCH_OF_SMALL] = 1.0
    else:
        patched[..., :side, :side] = 1.0
    return patched


def _target(data: Dataset, strength: str | None) -> int:
    target = TARGET if strength is None else int(strength)
    if target >= data.classes:
        raise ConfigError(f"backdoor={strength} names a class beyond {data.classes - 1}", hint="classes count from 0")
    return target


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _pair(text: str) -> bool:
    one, dash, other = text.partition("-")
    return bool(dash) and _whole(one) and _whole(other) and int(one) != int(other)


add_attack(
    AttackKind(
        "label_flip",
        "trainer",
        "trains on wrong labels",
        strengths="A-B, two classes to swap",
        accepts=_pair,
        poisoner=label_flip,
        aim=flip_aim,
    )
)
add_attack(
    AttackKind(
        "backdoor",
        "trainer",
        "trains a patch to mean one class",
        strengths="the target class",
        accepts=_whole,
        poisoner=backdoor,
        aim=backdoor_aim,
    )
)
