"""Attacks that know honest updates, or one another: alie, ipm, mimic, Sybil clones with and without noise, an outlier.

Where an attacker knows of no other's update (a first round), its own honest one stands for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from node.attacks.kind import AttackKind, ForgeContext, add_attack, generator_of, positive
from node.data import FloatArray
from node.seeds import derive_seed

SEARCH = "search"
Exact = NDArray[np.float64]


def alie(update: FloatArray, context: ForgeContext) -> FloatArray:
    """A Little Is Enough: mean - z std of the honest updates, per coordinate (Baruch et al. 2019, algorithm 3).

    By default z = Phi^-1((n - m - s) / (n - m)) with s = floor(n/2 + 1) - m, the largest shift that still leaves a
    majority of honest values further out; a number sets z, `search` finds the z that moves the rule furthest.
    """
    honest = _known(update, context)
    mean, std = honest.mean(axis=0), honest.std(axis=0)
    n, m = len(honest) + context.attackers, context.attackers
    if context.strength == SEARCH:
        z = worst_factor(lambda factor: mean - factor * std, honest, context)
    else:
        z = float(context.strength) if context.strength else _alie_factor(n, m)
    return np.asarray(mean - z * std, dtype=np.float32)


def _alie_factor(n: int, m: int) -> float:
    supporters = math.floor(n / 2 + 1) - m
    share = (n - m - supporters) / (n - m)
    return NormalDist().inv_cdf(min(max(share, 0.5), 0.999))


def ipm(update: FloatArray, context: ForgeContext) -> FloatArray:
    """Inner-product manipulation: -strength x the mean of the honest updates (Xie et al. 2020, section 3).

    2 by default: four such in twenty bring a plain mean down to less than half of its length; `search` as for `alie`.
    """
    honest = _known(update, context)
    mean = honest.mean(axis=0)
    if context.strength == SEARCH:
        factor = worst_factor(lambda tried: -tried * mean, honest, context)
    else:
        factor = float(context.strength or 2)
    return np.asarray(-factor * mean, dtype=np.float32)


def worst_factor(forged: Callable[[float], Exact], honest: Exact, context: ForgeContext) -> float:
    """The factor whose vector, sent by all attackers, moves the attacked rule furthest from the honest mean.

    Doubling from 1/4 to 8, then two steps each way towards the neighbours of the best (the line search of Shejwalkar
    and Houmansadr 2021, on a ratio scale). Ten calls of the rule; without a rule to try, 1.
    """
    rule = context.aggregate
    if rule is None:
        return 1.0
    centre = honest.mean(axis=0)

    def damage(factor: float) -> float:
        rows = np.repeat(forged(factor)[None, :], context.attackers, axis=0)
        step = rule(np.vstack([honest, rows]).astype(np.float32)).astype(np.float64)
        return float(np.linalg.norm(step - centre))

    tried = {2.0**power: damage(2.0**power) for power in range(-2, 4)}
    width = 2.0
    for _ in range(2):
        best, width = max(tried, key=lambda factor: tried[factor]), math.sqrt(width)
        for factor in (best / width, best * width):
            tried[factor] = damage(factor)
    return max(tried, key=lambda factor: tried[factor])


def mimic(update: FloatArray, context: ForgeContext) -> FloatArray:
    """All repeat one honest update, so that it counts many times (Karimireddy et al. 2022, section 4.1).

    By default the one furthest along the direction in which honest updates differ most, so that the others are
    under-represented; a number names another by position, modulo their count.
    """
    honest = _known(update, context)
    if context.strength:
        return np.asarray(honest[int(context.strength) % len(honest)], dtype=np.float32)
    centred = honest - honest.mean(axis=0)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    return np.asarray(honest[int(np.argmax(np.abs(vectors[:, -1])))], dtype=np.float32)


def sybil_clones(update: FloatArray, context: ForgeContext) -> FloatArray:
    """Every identity sends the same reversed work: against the honest mean, strength (1) times as long as honest work.

    At 1 no norm tells it from honest work, whose own mean is shorter the more honest nodes differ.
    """
    return np.asarray(float(context.strength or 1) * _reversed(update, context), dtype=np.float32)


def sybil_noise(update: FloatArray, context: ForgeContext) -> FloatArray:
    """Clones that each add their own noise, strength (0.5 by default) times as long as the base, to look different."""
    base = _reversed(update, context)
    noise = generator_of(context, "sybil_noise").standard_normal(base.shape)
    scale = float(context.strength or 0.5) * np.linalg.norm(base) / max(float(np.linalg.norm(noise)), 1e-300)
    return np.asarray(base + scale * noise, dtype=np.float32)


def _reversed(update: FloatArray, context: ForgeContext) -> Exact:
    """Against the honest mean, at the median honest norm."""
    honest = _known(update, context)
    mean = honest.mean(axis=0)
    length = float(np.median(np.linalg.norm(honest, axis=1)))
    return np.asarray(-mean * (length / max(float(np.linalg.norm(mean)), 1e-300)), dtype=np.float64)


def outlier(update: FloatArray, context: ForgeContext) -> FloatArray:
    """One direction that nobody else has, strength (10 by default) times as long as the honest mean.

    Against weights that trust whoever is unlike the others. Colluders share a direction and so are one outlier.
    """
    mean = _known(update, context).mean(axis=0)
    shared = np.random.default_rng(derive_seed(context.shared_seed, "attack", "outlier"))
    direction = shared.standard_normal(mean.shape)
    length = float(context.strength or 10) * np.linalg.norm(mean)
    return np.asarray(direction * (length / np.linalg.norm(direction)), dtype=np.float32)


def _known(update: FloatArray, context: ForgeContext) -> Exact:
    known = context.honest if context.honest is not None and len(context.honest) else update[None, :]
    return known.astype(np.float64)


def _searchable(text: str) -> bool:
    return text == SEARCH or positive(text)


def _index(text: str) -> bool:
    return text.isascii() and text.isdecimal()


_FACTOR = f"a factor > 0, or {SEARCH}"
add_attack(AttackKind("alie", "trainer", "shifts within the honest spread", alie, _FACTOR, _searchable, colludes=True))
add_attack(AttackKind("ipm", "trainer", "sends the honest mean reversed", ipm, _FACTOR, _searchable, colludes=True))
add_attack(AttackKind("mimic", "trainer", "all repeat one honest update", mimic, "a position", _index, colludes=True))
add_attack(
    AttackKind(
        "sybil_clones", "trainer", "all send one reversed update", sybil_clones, "a factor > 0", positive, colludes=True
    )
)
add_attack(AttackKind("sybil_noise", "trainer", "clones with noise", sybil_noise, "relative noise > 0", positive))
add_attack(
    AttackKind("outlier", "trainer", "sends a far, odd direction", outlier, "a factor > 0", positive, colludes=True)
)
