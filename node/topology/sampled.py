"""Sampled learning after MoDeST: each round a beacon-ordered sample trains, and several aggregators recompute one step.

(De Vos et al., "MoDeST: Bridging the Gap between Federated and Decentralized Learning with Decentralized Sampling",
2023, algorithms 1-3.) Differences on purpose: the order is keccak(beacon, stake id) of a round's beacon instead of a
hash known for all future rounds, so that keys cannot be ground to be chosen; and an aggregator is not trusted: at least
three compute the same step, and a strict majority must agree byte for byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from eth_utils.crypto import keccak

from node.data import FloatArray
from node.errors import ConfigError, TooFewUpdates

WINDOW = 50
"""Rounds without a sign of life after which a node is no candidate (the authors' delta k)."""
MIN_AGGREGATORS = 3


@dataclass(frozen=True)
class Entry:
    """What a view says of one node: the last round it was active in, and its latest join or leave by counter."""

    active: int
    counter: int
    joined: bool


View = Mapping[int, Entry]


def merge(one: View, other: View) -> dict[int, Entry]:
    """Entry-wise: the later activity; the membership of the higher counter, a leave before a join of the same one.

    Commutative, associative, idempotent: nodes may exchange views in any order and any number of times.
    """
    return {node: _later(one.get(node), other.get(node)) for node in sorted({*one, *other})}


def _later(one: Entry | None, other: Entry | None) -> Entry:
    found = [entry for entry in (one, other) if entry is not None]
    newest = max(found, key=lambda entry: (entry.counter, not entry.joined))
    return Entry(max(entry.active for entry in found), newest.counter, newest.joined)


def order(view: View, round_: int, beacon: bytes, *, window: int = WINDOW) -> list[int]:
    """All candidates of a round in the beacon's order: joined, and active within `window` rounds."""
    candidates = [node for node, entry in view.items() if entry.joined and entry.active >= round_ - window]
    place = {node: keccak(beacon + round_.to_bytes(8, "big") + node.to_bytes(8, "big")) for node in candidates}
    return sorted(candidates, key=lambda node: (place[node], node))


def sample(
    view: View, round_: int, beacon: bytes, *, size: int, alive: Iterable[int], window: int = WINDOW
) -> tuple[int, ...]:
    """The first `size` candidates in the beacon's order that answer a ping (`alive`); fewer where fewer answer.

    Two views that differ in one entry give samples that differ in one member at most. Raises TooFewUpdates when nobody
    answers.
    """
    answering = set(alive)
    chosen = tuple(node for node in order(view, round_, beacon, window=window) if node in answering)[:size]
    if not chosen:
        raise TooFewUpdates(f"round {round_}: no candidate answers", hint="wait for nodes to join")
    return chosen


def aggregators(chosen: Sequence[int], count: int) -> tuple[int, ...]:
    """The first `count` of a sample. Raises ConfigError below three, TooFewUpdates where the sample is smaller."""
    if count < MIN_AGGREGATORS:
        raise ConfigError(f"{count} aggregators cannot check one another", hint=f"at least {MIN_AGGREGATORS}")
    if len(chosen) < count:
        raise TooFewUpdates(f"a sample of {len(chosen)} has no {count} aggregators", hint="a larger sample")
    return tuple(chosen[:count])


def aggregators_agree(steps: Mapping[int, FloatArray]) -> tuple[FloatArray, list[int]]:
    """The step that more than half of the aggregators computed, byte for byte, and the others, ascending.

    Raises TooFewUpdates where there are fewer than three, or no majority: then the round is skipped.
    """
    if len(steps) < MIN_AGGREGATORS:
        raise TooFewUpdates(f"{len(steps)} aggregators answered", hint=f"at least {MIN_AGGREGATORS} must agree")
    digests = {node: sha256(step.tobytes()).digest() for node, step in steps.items()}
    winner, votes = min(Counter(digests.values()).items(), key=lambda item: (-item[1], item[0]))
    if 2 * votes <= len(steps):
        raise TooFewUpdates("no majority of the aggregators computed the same step", hint="the round is skipped")
    agreed = next(steps[node] for node in sorted(steps) if digests[node] == winner)
    return agreed, sorted(node for node in steps if digests[node] != winner)


def enough(arrived: int, size: int, *, share: float = 0.8) -> bool:
    """Whether an aggregator may go on: floor(share x size) models are there, so stragglers hold up nobody."""
    return arrived >= max(1, int(share * size))
