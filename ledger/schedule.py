"""Whose turn it is to send: proposers of a round in a seeded order, each with its own time.

Everybody derives the same order, so that one transaction goes out instead of one a node; where a proposer stalls,
the next one's turn begins by the clock. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import BadArgument, NotNeeded
from ledger.report import draw_order


def staged_order(committee_nodes: Sequence[int], seed: bytes) -> list[int]:
    """Proposers by attempt: a permutation of the distinct committee nodes, seeded by the round's seed."""
    nodes = sorted(set(committee_nodes))
    return [nodes[position] for position in draw_order(seed, len(nodes), len(nodes))]


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt: its proposer, and when its turn begins and ends (seconds, half-open)."""

    attempt: int
    node: int
    starts_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The turns of one round's proposers between `starts_at` and `ends_at` (seconds), `attempt_s` each. The order
    goes round where time is left."""

    order: tuple[int, ...]
    starts_at: int
    ends_at: int
    attempt_s: int

    def __post_init__(self) -> None:
        """Raises `BadArgument` on no proposer or no time."""
        if not self.order or self.attempt_s <= 0 or self.ends_at <= self.starts_at:
            raise BadArgument("a schedule needs proposers and time", hint="pass a drawn committee and a task's times")

    @classmethod
    def of(
        cls, committee_nodes: Sequence[int], seed: bytes, *, starts_at: int, ends_at: int, attempt_s: int
    ) -> Schedule:
        """The schedule of a drawn committee: its POST phase and the task's `attempt_s`."""
        return cls(tuple(staged_order(committee_nodes, seed)), starts_at, ends_at, attempt_s)

    def attempt_at(self, now: int) -> int | None:
        """The attempt whose turn it is; None before the first and after the last."""
        return (now - self.starts_at) // self.attempt_s if self.starts_at <= now < self.ends_at else None

    def turn(self, attempt: int) -> Turn:
        """Proposer and time of an attempt. Raises `BadArgument` where it would begin after the end."""
        starts_at = self.starts_at + attempt * self.attempt_s
        if attempt < 0 or starts_at >= self.ends_at:
            raise BadArgument(f"attempt {attempt} has no turn", hint="the round's POST phase ends before it")
        node = self.order[attempt % len(self.order)]
        return Turn(attempt, node, starts_at, min(self.ends_at, starts_at + self.attempt_s))

    def turn_at(self, now: int) -> Turn | None:
        """The turn at a time; None before the first and after the last."""
        attempt = self.attempt_at(now)
        return None if attempt is None else self.turn(attempt)

    def next_turn(self, node: int, now: int) -> Turn | None:
        """The turn of `node` that has not ended at `now`; None where there is none left."""
        if node not in self.order:
            return None
        attempt = self.order.index(node)
        while self.starts_at + attempt * self.attempt_s < self.ends_at:
            turn = self.turn(attempt)
            if now < turn.ends_at:
                return turn
            attempt += len(self.order)
        return None

    def may_send(self, node: int, now: int) -> bool:
        """Whether `node` is the one to send at `now`."""
        turn = self.turn_at(now)
        return turn is not None and turn.node == node

    def guard(self, node: int, clock: Callable[[], int], needed: Callable[[], bool]) -> Callable[[], bool]:
        """What `Transmitter.send` asks as `still_needed` just before it sends: it is still this node's turn, and
        nobody else has met the purpose.

        Raises `NotNeeded` at once where either fails already, so that nothing is prepared in vain.
        """

        def still_needed() -> bool:
            return self.may_send(node, clock()) and needed()

        if not still_needed():
            raise NotNeeded(f"it is not the turn of node {node}, or another node was first")
        return still_needed
