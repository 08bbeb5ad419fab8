"""What cheating verifiers and colluding committees gain, by simulation with the rules that the protocol runs.

Sketches, canaries and draws are the real ones; only the outputs are random vectors in the place of a model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ledger.report import draw_order, draw_steps
from node.canary import canary_faults, plants
from node.consensus import false_members
from node.seeds import derive_bytes, derive_seed
from node.sketch import Domain, Sketch, agrees, grid_of, sketch, sketch_seed
from node.verify import Observation, Reason

WIDTH = 96
"""Length of a simulated output vector."""

BOUND = 1_000.0
"""Its norm bound, which gives the grid."""


class Conduct(Enum):
    """How a simulated verifier gets its observation."""

    HONEST = "honest"
    LAZY = "lazy_verifier"  # guesses
    PEER_COPIER = "vote_copier"  # a friend hands it a whole observation before the commitments
    LEAK_COPIER = "leak_copier"  # trainers hand it their outputs: it sketches those, and computes nothing


@dataclass(frozen=True)
class Stakes:
    """Tokens: what a round pays a member, costs it, and what a proof of fault takes."""

    reward: float
    cost: float
    slash: float


@dataclass(frozen=True)
class Career:
    """What became of one verifier over many rounds."""

    conduct: Conduct
    rounds: int
    paid: int  # rounds
    faults: int  # rounds in which a canary convicted it
    canary_rounds: int  # rounds that had a canary

    def profit(self, stakes: Stakes) -> float:
        """Tokens a round: rewards less slashes, and less the cost of work for who does it."""
        cost = stakes.cost if self.conduct is Conduct.HONEST else 0.0
        return (self.paid * stakes.reward - self.faults * stakes.slash) / self.rounds - cost

    @property
    def rounds_to_catch(self) -> float:
        """Mean number of rounds from one conviction to the next; infinite without any."""
        return self.rounds / self.faults if self.faults else float("inf")


def simulate_careers(
    *,
    rounds: int,
    submissions: int,
    canary_rate: Fraction,
    recognised: float = 0.0,
    tau: float = 1e-4,
    drift: float = 1e-5,
    seed: int = 7,
) -> dict[Conduct, Career]:
    """One verifier of each conduct beside three honest ones, over `rounds` rounds with `submissions` trainers each.

    Trainers leak their outputs to whoever asks; a planted one leaks a wrong one. `recognised` is the share of canaries
    that hostile planters make recognisable on purpose: a cheat works on those. Honest machines differ from the truth by
    `drift` (relative). A member found false by the others' checks is not paid; one at fault on a canary is slashed.
    """
    paid, faults, watched = dict.fromkeys(Conduct, 0), dict.fromkeys(Conduct, 0), 0
    for number in range(1, rounds + 1):
        table = _Round(number, submissions, canary_rate, recognised, drift, seed)
        convicted, false = table.faults(tau), table.false(tau)
        watched += bool(table.canaries)
        for conduct in Conduct:
            faults[conduct] += conduct in convicted
            paid[conduct] += conduct not in convicted | false
    return {conduct: Career(conduct, rounds, paid[conduct], faults[conduct], watched) for conduct in Conduct}


class _Round:
    """One round's outputs, canaries and observations."""

    def __init__(
        self, number: int, submissions: int, rate: Fraction, recognised: float, drift: float, seed: int
    ) -> None:
        self.number, self.nodes = number, range(1, submissions + 1)
        self.beacon = derive_bytes(seed, "beacon", number)
        draw = np.random.default_rng(derive_seed(seed, "outputs", number))
        self.truth = {n: _vector(draw) for n in self.nodes}
        self.canaries = {
            n for n in self.nodes if plants(derive_seed(seed, "planter"), round_=number, node=n, rate=rate)
        }
        # 5 % off: far more than any machine's drift, and nothing that shows without the work.
        self.leaked = {n: u + 0.05 * _vector(draw) if n in self.canaries else u for n, u in self.truth.items()}
        for node in self.canaries:
            if draw.random() < recognised:
                self.leaked[node] = self.truth[node]
        self.observations: dict[Conduct, Observation] = {}
        for conduct in Conduct:
            off = {n: u + drift * _vector(draw) for n, u in self.truth.items()}
            self.observations[conduct] = self._observe(conduct, off)
        self.bound_truths = {
            conduct: {n: self.sketch(n, self.truth[n], conduct) for n in self.nodes} for conduct in Conduct
        }

    def _observe(self, conduct: Conduct, computed: dict[int, NDArray[np.float64]]) -> Observation:
        zeros = {n: np.zeros(WIDTH) for n in self.nodes}
        base = {Conduct.LAZY: zeros, Conduct.LEAK_COPIER: self.leaked}.get(conduct, computed)
        common = {n: self.sketch(n, u) for n, u in base.items()}
        # A copied observation is bound to the address of the member that made it.
        member = Conduct.HONEST if conduct is Conduct.PEER_COPIER else conduct
        bound = {n: self.sketch(n, u, member) for n, u in base.items()}
        return Observation((40_000,) * len(self.nodes), dict.fromkeys(self.nodes, Reason.ACCEPTED), common, bound)

    def sketch(self, node: int, output: NDArray[np.float64], member: Conduct | None = None) -> Sketch:
        domain = Domain.OUTPUT if member is None else Domain.MEMBER
        address = None if member is None else "0x" + f"{list(Conduct).index(member) + 1:040x}"
        seed = sketch_seed(domain, beacon=self.beacon, task=1, round_=self.number, node=node, member=address)
        return sketch(output, seed=seed, grid=grid_of(BOUND))

    def faults(self, tau: float) -> set[Conduct]:
        """Members that the round's canaries convict."""
        members = list(Conduct)
        found = canary_faults(
            {members.index(c): seen for c, seen in self.observations.items()},
            truths={n: self.sketch(n, self.truth[n]) for n in self.canaries},
            member_truths={members.index(c): self.bound_truths[c] for c in members},
            tau=tau,
        )
        return {members[index] for index in found}

    def false(self, tau: float) -> set[Conduct]:
        """Members whose address-bound sketches three honest checkers find wrong; canaries do not count."""
        wrong = set()
        for conduct, seen in self.observations.items():
            mine = self.bound_truths[conduct]
            work = [n for n in self.nodes if n not in self.canaries]
            if any(not agrees(seen.member_sketches[n], mine[n], tau=tau) for n in work):
                wrong.add(list(Conduct).index(conduct))
        seats = dict.fromkeys(range(len(Conduct) + 3), 1)
        checks = {checker: frozenset(wrong) for checker in range(len(Conduct), len(Conduct) + 3)}
        return {list(Conduct)[index] for index in false_members(seats, checks)}


def _vector(draw: np.random.Generator) -> NDArray[np.float64]:
    return draw.standard_normal(WIDTH)


def honest_slashes(*, checks: int, tau: float, drift: float, rows: int = 16, width: int = 32, seed: int = 7) -> int:
    """How many of `checks` honest sketches a canary would convict; `drift` is the honest machine's, relative.

    Vectorised over ±1 rows drawn afresh for each check; integers and the rule of `agrees` (relative L2 plus √k).
    """
    draw = np.random.default_rng(derive_seed(seed, "honest checks"))
    grid, convicted = grid_of(BOUND), 0
    for start in range(0, checks, 20_000):
        count = min(20_000, checks - start)
        truth = draw.standard_normal((count, width))
        off = draw.standard_normal((count, width))
        off *= drift * np.linalg.norm(truth, axis=1, keepdims=True) / np.linalg.norm(off, axis=1, keepdims=True)
        signs = draw.integers(0, 2, (count, rows, width), dtype=np.int8).astype(np.float32) * 2 - 1
        true_rows = np.rint(np.einsum("ckw,cw->ck", signs, truth.astype(np.float32), optimize=True) / grid)
        moved = np.einsum("ckw,cw->ck", signs, off.astype(np.float32), optimize=True) / grid
        gap = np.linalg.norm(np.rint(true_rows + moved) - true_rows, axis=1)
        convicted += int(np.sum(gap > tau * np.linalg.norm(true_rows, axis=1) + sqrt(rows)))
    return convicted


@dataclass(frozen=True)
class Collusion:
    """Rounds in which a committee was captured, and in which a false result became final."""

    rounds: int
    captured: int
    false_final: int
    unjudged: int  # replay mode: the false round was voided because no later draw judged it


def simulate_collusion(
    *,
    rounds: int,
    size: int,
    quorum: int,
    seats: int,
    hostile: int,
    replay: bool,
    judging_draws: int = 8,
    seed: int = 7,
) -> Collusion:
    """Every round the hostile seats post a false result if they can; `replay` adds one honest challenger.

    Draws are the contract's (seeded partial Fisher-Yates over `seats` equal seats, the first `hostile` hostile). In
    output mode a captured draw settles. In replay mode the challenger disputes it, the bisection ends at a step that is
    wrong (`node.replay`, tested there), and later draws judge it: hostile seats sign a false verdict or stay silent;
    the first quorum decides. A disputed round is final by a verdict for it alone: one that `judging_draws` draws leave
    unjudged is void.
    """
    captured = final = unjudged = 0
    for number in range(rounds):
        if _hostile_drawn(seed, number, 0, seats, size, hostile) < quorum:
            continue
        captured += 1
        if not replay:
            final += 1
            continue
        for judge in range(1, judging_draws + 1):
            bad = _hostile_drawn(seed, number, judge, seats, size, hostile)
            if bad >= quorum:
                final += 1
            if bad >= quorum or size - bad >= quorum:
                break
        else:
            unjudged += 1
    return Collusion(rounds, captured, final, unjudged)


def _hostile_drawn(seed: int, round_: int, draw: int, seats: int, size: int, hostile: int) -> int:
    beacon = derive_bytes(seed, "draw", round_, draw)
    order: Sequence[int] = draw_order(beacon, seats, min(size, draw_steps(seats, size)))
    return sum(place < hostile for place in order)
