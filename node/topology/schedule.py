"""Who is there when, by name: nodes that rest, lag, choose how much they train, or die all at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from node.errors import ConfigError
from node.registry import Registry
from node.seeds import derive_seed


@dataclass(frozen=True)
class Presence:
    """Of one node in one round: whether it answers, how many rounds late its work is, how many epochs it takes."""

    there: bool = True
    delay: int = 0
    epochs: int | None = None
    """None: the run's own number."""


Schedule = Callable[[int, int], Presence]
"""(node, round from 1) -> presence; deterministic."""
Maker = Callable[[str, int, int], Schedule]
"""(argument, nodes, seed) -> schedule."""

SCHEDULES: Registry[Maker] = Registry("schedule")
SYNTAX = "always | random:P | cycle:K | slow:SHARE | uneven:K | kill:ROUND[:SHARE], joined by +"
LATEST = 3


def schedule_of(spec: str, nodes: int, *, seed: int) -> Schedule:
    """The schedule called NAME[:ARGUMENT], or several joined by `+`: there only if there in all, as late as the latest.

    Raises UnknownName, or ConfigError for an argument that makes no sense.
    """
    parts = [text.partition(":") for text in spec.split("+")]
    schedules = [SCHEDULES.get(name)(argument, nodes, seed) for name, _, argument in parts]

    def together(node: int, round_: int) -> Presence:
        found = [schedule(node, round_) for schedule in schedules]
        epochs = next((presence.epochs for presence in found if presence.epochs is not None), None)
        return Presence(all(p.there for p in found), max(p.delay for p in found), epochs)

    return together


def _number(argument: str, name: str, *, low: float, high: float = math.inf) -> float:
    try:
        value = float(argument)
    except ValueError:
        value = math.nan
    if not low <= value <= high or value == 0 or math.isinf(value):
        limit = f" up to {high:g}" if high < math.inf else ""
        raise ConfigError(f"schedule {name!r} needs a positive number{limit}, got {argument!r}", hint=SYNTAX)
    return value


def _whole(argument: str, name: str) -> int:
    if not argument.isdecimal() or int(argument) < 1:
        raise ConfigError(f"schedule {name!r} needs a whole number from 1, got {argument!r}", hint=SYNTAX)
    return int(argument)


@SCHEDULES.register("always")
def always(argument: str, nodes: int, seed: int) -> Schedule:
    """Everybody, in every round."""
    if argument:
        raise ConfigError(f"schedule 'always' takes no argument, got {argument!r}", hint=SYNTAX)
    return lambda node, round_: Presence()


@SCHEDULES.register("random")
def random(argument: str, nodes: int, seed: int) -> Schedule:
    """Each node by its own chance, evenly from P/5 to 9P/5 (at most 1): some are seldom there, as FedAU supposes."""
    chance = _number(argument, "random", low=0, high=1)
    order = np.random.default_rng(derive_seed(seed, "chance")).permutation(nodes)
    chances = np.minimum(1, np.linspace(chance / 5, 9 * chance / 5, nodes))[order]

    def drawn(node: int, round_: int) -> Presence:
        return Presence(np.random.default_rng(derive_seed(seed, "there", node, round_)).random() < chances[node])

    return drawn


@SCHEDULES.register("cycle")
def cycle(argument: str, nodes: int, seed: int) -> Schedule:
    """Each node in every K-th round, by its number."""
    every = _whole(argument, "cycle")
    return lambda node, round_: Presence(round_ % every == node % every)


@SCHEDULES.register("slow")
def slow(argument: str, nodes: int, seed: int) -> Schedule:
    """A share of the nodes needs one to three rounds more for its work, each always as many."""
    count = round(_number(argument, "slow", low=0, high=1) * nodes)
    generator = np.random.default_rng(derive_seed(seed, "slow"))
    lag = {int(node): int(generator.integers(1, LATEST + 1)) for node in generator.permutation(nodes)[:count]}
    return lambda node, round_: Presence(delay=lag.get(node, 0))


@SCHEDULES.register("uneven")
def uneven(argument: str, nodes: int, seed: int) -> Schedule:
    """One to K local epochs, drawn by node and round."""
    most = _whole(argument, "uneven")

    def drawn(node: int, round_: int) -> Presence:
        generator = np.random.default_rng(derive_seed(seed, "epochs", node, round_))
        return Presence(epochs=int(generator.integers(1, most + 1)))

    return drawn


@SCHEDULES.register("kill")
def kill(argument: str, nodes: int, seed: int) -> Schedule:
    """From ROUND on, a SHARE (0.8) of the nodes is gone: all at once, for good, without a word."""
    when, colon, rest = argument.partition(":")
    first = _whole(when, "kill")
    count = round((_number(rest, "kill", low=0, high=1) if colon else 0.8) * nodes)
    dead = set(np.random.default_rng(derive_seed(seed, "kill")).permutation(nodes)[:count].tolist())
    return lambda node, round_: Presence(round_ < first or node not in dead)
