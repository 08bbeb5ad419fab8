"""What an attack is, how it is named, and those that need nobody else: on one's own update or on the protocol."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np

from node.data import Dataset, FloatArray
from node.errors import ConfigError
from node.registry import Registry
from node.seeds import derive_seed

SYNTAX = "NAME[=STRENGTH]:COUNT, for example sign_flip:2, sign_flip=2.5:2 or free_rider=noise:1"

TINY = 1e-6
"""Deviation of the noise that hides an update with nothing in it."""


@dataclass(frozen=True)
class AttackSpec:
    """One attack and the number of nodes that carry it out."""

    name: str
    count: int
    strength: str | None


@dataclass(frozen=True)
class ForgeContext:
    """What an attacking trainer knows: seeds, the last accepted global step (d,) and its own last update.

    Colluders also share `honest` (h, d), what they know of honest work: this round's updates where they are omniscient,
    the last round's where commit and reveal keep the new ones from them. `attackers` is their number, `shared_seed` a
    seed that all of them have, and `aggregate` the rule that they attack: all updates (n, d) to the step (d,).
    """

    seed: int
    round: int
    previous_global: FloatArray | None = None
    own_previous: FloatArray | None = None
    strength: str | None = None
    honest: FloatArray | None = None
    attackers: int = 1
    shared_seed: int = 0
    aggregate: Callable[[FloatArray], FloatArray] | None = None


Forge = Callable[[FloatArray, ForgeContext], FloatArray]


Poison = Callable[[Dataset, str | None], Dataset]
"""(data set, strength) -> data set. Of a shard: what is trained on. Of a test set: the attacker's aim, as labels."""


def _honest(update: FloatArray, context: ForgeContext) -> FloatArray:
    return update


def _no_strength(strength: str) -> bool:
    return False


@dataclass(frozen=True)
class AttackKind:
    """How one attack behaves.

    An attack on the update itself forges it; one on the data leaves the update and poisons the shard (`poisoner`;
    `aim` gives the test set that says how often it succeeds); one on the protocol leaves both and is carried out by the
    round's machine, which looks at the flags: `copies_commitment` (a trainer that republishes another's bytes),
    `malforms` (one whose bytes are broken or missing, see `Malformation`), `skips_steps` (leaves some out: seen
    in replay mode alone), `skips_work` (a verifier that guesses), `copies_votes`, and `leaks` and `takes_leaks` (a
    trainer that hands out its outputs, a verifier that states them as its own work).
    """

    name: str
    role: Literal["trainer", "verifier"]
    summary: str
    forger: Forge = _honest
    strengths: str = ""
    accepts: Callable[[str], bool] = _no_strength
    copies_commitment: bool = False
    malforms: bool = False
    skips_work: bool = False
    copies_votes: bool = False
    skips_steps: bool = False
    leaks: bool = False
    takes_leaks: bool = False
    colludes: bool = False  # all who carry it out send one vector
    poisoner: Poison | None = None
    aim: Poison | None = None

    def forge(self, update: FloatArray, *, context: ForgeContext) -> FloatArray:
        """(d,) float32: what is sent in place of the honest `update` (d,) float32. Raises as `check`."""
        self.check(context.strength)
        return np.asarray(self.forger(update, context), dtype=np.float32)

    def poison(self, data: Dataset, strength: str | None) -> Dataset:
        """What the attacker trains on in place of `data`. Raises as `check`."""
        self.check(strength)
        return self.poisoner(data, strength) if self.poisoner is not None else data

    def check(self, strength: str | None) -> None:
        """Raise ConfigError unless the attack has this strength; None is the default one."""
        if strength is not None and not self.accepts(strength):
            allowed = f"strength: {self.strengths}" if self.strengths else "it takes no strength"
            raise ConfigError(f"attack {self.name!r} has no strength {strength!r}", hint=allowed)


class Malformation(Enum):
    """How a `malformed` trainer's submission is broken."""

    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    WRONG_SHAPE = "wrong_shape"
    NON_FINITE = "non_finite"
    WITHHELD = "withheld"  # revealed, but the bytes are nowhere
    UNREVEALED = "unrevealed"  # committed, then silent


ATTACKS: Registry[AttackKind] = Registry("attack")


def parse_attack(text: str) -> AttackSpec:
    """NAME[=STRENGTH]:COUNT as an AttackSpec. Raises ConfigError with the syntax, or UnknownName."""
    head, colon, count = text.strip().rpartition(":")
    if not colon or not (count.isascii() and count.isdecimal()) or int(count) < 1:
        raise ConfigError(f"attack {text!r} does not say how many nodes attack", hint=f"syntax: {SYNTAX}")
    name, equals, strength = head.partition("=")
    if not name or (equals and not strength):
        raise ConfigError(f"attack {text!r} is incomplete", hint=f"syntax: {SYNTAX}")
    spec = AttackSpec(name, int(count), strength if equals else None)
    ATTACKS.get(name).check(spec.strength)
    return spec


def positive(text: str) -> bool:
    """Whether a strength is a finite number above 0."""
    try:
        return math.isfinite(float(text)) and float(text) > 0
    except ValueError:
        return False


def _share(text: str) -> bool:
    return positive(text) and float(text) <= 1


def generator_of(context: ForgeContext, name: str) -> np.random.Generator:
    """The attacker's own randomness of a round."""
    return np.random.default_rng(derive_seed(context.seed, "attack", name, context.round))


def _sign_flip(update: FloatArray, context: ForgeContext) -> FloatArray:
    """-strength x update, 4 by default: two in eight then outweigh the other six in a plain mean."""
    return np.float32(-float(context.strength or 4)) * update


def _gaussian(update: FloatArray, context: ForgeContext) -> FloatArray:
    """Isotropic noise whose norm is strength (1 by default) times that of the update."""
    noise = generator_of(context, "gaussian").standard_normal(update.shape)
    length = float(np.linalg.norm(update.astype(np.float64))) * float(context.strength or 1)
    return np.asarray(noise * (length / max(float(np.linalg.norm(noise)), 1e-300)), dtype=np.float32)


def _free_rider(update: FloatArray, context: ForgeContext) -> FloatArray:
    """`stale` (default) re-sends the last global step; `noise`, or stale with none yet, next to nothing."""
    if context.strength != "noise" and context.previous_global is not None:
        return context.previous_global.copy()
    noise = generator_of(context, "free_rider").standard_normal(update.shape)
    return np.asarray(TINY * noise, dtype=np.float32)


def add_attack(kind: AttackKind) -> None:
    """Enter an attack under its name."""
    ATTACKS.register(kind.name)(kind)


add_attack(AttackKind("sign_flip", "trainer", "sends -4 x its update", _sign_flip, "a factor > 0", positive))
add_attack(AttackKind("gaussian", "trainer", "sends noise of its update's norm", _gaussian, "a factor > 0", positive))
add_attack(
    AttackKind(
        "free_rider",
        "trainer",
        "does not train: re-sends the last global step, or tiny noise",
        _free_rider,
        "stale or noise",
        lambda text: text in ("stale", "noise"),
    )
)
add_attack(
    AttackKind("copycat", "trainer", "republishes another trainer's commitment and bytes", copies_commitment=True)
)
add_attack(
    AttackKind(
        "malformed",
        "trainer",
        "sends broken bytes, or none",
        strengths=", ".join(kind.value for kind in Malformation),
        accepts=lambda text: text in {kind.value for kind in Malformation},
        malforms=True,
    )
)
add_attack(
    AttackKind(
        "skip_steps", "trainer", "leaves out a share of its steps", _honest, "a share in (0, 1]", _share,
        skips_steps=True,
    )
)  # fmt: skip
add_attack(AttackKind("lazy_verifier", "verifier", "guesses instead of evaluating", skips_work=True))
add_attack(AttackKind("vote_copier", "verifier", "repeats another member's commitment and reveal", copies_votes=True))
add_attack(AttackKind("leak", "trainer", "hands its outputs to members that would rather not compute them", leaks=True))
add_attack(AttackKind("leak_taker", "verifier", "states leaked outputs in the place of own work", takes_leaks=True))
