"""What no contract can refuse, in numbers: a captured committee's chance, a bribe's price, what farming earns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import ceil, comb, sqrt

import numpy as np
import pytest

from ledger import Mode, Role, TaskParams
from ledger.report import draw_order
from ledger.words import ACCEPTED, FAILED, MAX_SCORE, score_part, step_lane
from node.sketch import Domain, agrees, grid_of, sketch, sketch_seed
from node.weight import WEIGHTINGS
from tests.adversary.threats.registry import threat
from tests.adversary.threats.stage import PARAMS
from tests.integration.ledger import world as w

HONEST = 40_000


# --- 7: capture ---
def at_least(least: int, *, seats: int, share: float) -> float:
    """Chance of `least` hostile among `seats` drawn, where a share of all seats is hostile (many seats)."""
    return sum(comb(seats, n) * share**n * (1 - share) ** (seats - n) for n in range(least, seats + 1))


def exactly_from(total: int, hostile: int, *, seats: int, least: int) -> float:
    """The same without replacement, from `total` seats."""
    ways = sum(comb(hostile, n) * comb(total - hostile, seats - n) for n in range(least, seats + 1))
    return ways / comb(total, seats)


@threat(7, "own a share of all seats, and hope for a quorum, or a majority of votes, in a draw")
@pytest.mark.parametrize(
    ("seats", "quorum", "share", "capture", "median"),
    [
        (7, 5, 0.1, 2e-4, 3e-3), (7, 5, 0.2, 5e-3, 3e-2), (7, 5, 0.33, 4e-2, 2e-1),
        (31, 21, 0.1, 2e-14, 7e-9), (31, 21, 0.2, 1e-8, 9e-5), (31, 21, 0.33, 8e-5, 3e-2),
    ],
)  # fmt: skip
def test_the_table_of_capture(seats: int, quorum: int, share: float, capture: float, median: float) -> None:
    """21 of 31 seats are captured by a third of all stake once in 12,000 draws; 5 of 7 are for demonstrations."""
    assert at_least(quorum, seats=seats, share=share) == pytest.approx(capture, rel=0.5)
    assert at_least(seats // 2 + 1, seats=seats, share=share) == pytest.approx(median, rel=0.5)


@threat(7, "find a seed, or places in the list, by which the draw favours somebody")
def test_the_draw_is_as_fair_as_the_table() -> None:
    """20,000 draws of the contract's own shuffle capture as often as drawing lots would, wherever the hostile sit."""
    generator, draws, total, hostile = random.Random(7), 20_000, 60, 20
    for places in (range(hostile), range(0, total, 3)):
        bad, captured, majorities = set(places), 0, 0
        for _ in range(draws):
            hits = sum(seat in bad for seat in draw_order(generator.randbytes(32), total, 7))
            captured += hits >= 5
            majorities += hits >= 4
        for seen, least in ((captured, 5), (majorities, 4)):
            chance = exactly_from(total, hostile, seats=7, least=least)
            assert abs(seen - draws * chance) < 4 * sqrt(draws * chance)


# --- 8: bribes ---
def caught_cost(params: TaskParams, *, watched: float) -> float:
    """Wei that one seat expects to lose by signing a false report, where a window is watched with this chance."""
    share = params.verifier_pool / params.seats
    return watched * (params.slash + share)


@threat(8, "pay members to sign a report that is provably false")
@pytest.mark.parametrize("mode", list(Mode))
def test_a_bribe_for_a_false_report_costs_more_than_the_round(mode: Mode) -> None:
    """Every signer loses its slash whatever the others do: a quorum costs twice the pools, more than can be taken."""
    params = PARAMS[mode]
    price = params.quorum * caught_cost(params, watched=1.0)
    assert price >= params.quorum * params.slash >= 2 * params.pools
    # It pays only where windows go unwatched more often than not.
    even = next(
        percent for percent in range(100) if params.quorum * caught_cost(params, watched=percent / 100) > params.pools
    )
    assert even <= 50
    # p + epsilon: "I pay you more than your loss if you lose". The loss is certain, so the promise is always called in.
    promised = params.quorum * (params.slash + 1)
    assert promised > params.pools


def bribed_vote(bribed: int, *, seats: int, offer: int, share: int) -> tuple[bool, int]:
    """p + epsilon on votes, which no chain can judge: (whether the lie is the median, what the briber pays).

    The briber pays `offer` to each bribed seat that votes the lie, if the lie does not win. A seat that votes with the
    losers may lose its `share` of the verifiers' pool; an offer above that makes the lie each one's best vote.
    """
    lies = bribed if offer > share else 0
    wins = 2 * lies > seats
    return wins, 0 if wins else lies * offer


@threat(8, "promise p + epsilon to members that vote for a friend and lose by it")
def test_what_a_bribe_for_votes_can_do() -> None:
    """Votes are opinions: a bribed minority moves no median and is paid for nothing; a majority is the known limit."""
    params = PARAMS[Mode.WORDS]
    share = params.verifier_pool // params.seats
    for seats in (7, 31):
        for bribed in range(1, seats // 2 + 1):
            assert bribed_vote(bribed, seats=seats, offer=share + 1, share=share) == (False, bribed * (share + 1))
    # A bought majority wins for nothing, and takes one round's pools at most: that is why a third of the stake is the
    # most that is assumed to be hostile. The more seats, the rarer it is that they are drawn together.
    assert bribed_vote(4, seats=7, offer=share + 1, share=share) == (True, 0)
    assert bribed_vote(16, seats=31, offer=share + 1, share=share) == (True, 0)
    assert bribed_vote(7, seats=7, offer=share, share=share) == (False, 0)
    assert at_least(16, seats=31, share=0.2) < at_least(4, seats=7, share=0.2) / 300


# --- 43: farming ---
def climb(reputation: int, score: int) -> Iterator[int]:
    """Reputation after each further honest round."""
    while True:
        reputation = step_lane(reputation, score, role=Role.TRAINER)
        yield reputation


def rounds_to(level: int, *, start: int, score: int) -> int:
    """Honest rounds until a reputation is reached."""
    return next(count for count, reached in enumerate(climb(start, score), start=1) if reached >= level)


@threat(43, "work honestly for a name, then send one bad update")
def test_what_one_defection_costs() -> None:
    """It climbs by a sixteenth and falls by a quarter: one rejection takes 25 honest rounds to make good to 95 %."""
    top = _top()
    assert HONEST - 16 < top <= HONEST
    fallen = step_lane(top, FAILED, role=Role.TRAINER)
    assert top - fallen == -(-top // 4)
    assert rounds_to(ceil(0.95 * top), start=fallen, score=HONEST) == 25
    assert rounds_to(ceil(0.99 * top), start=fallen, score=HONEST) >= 45
    assert rounds_to(top // 2, start=0, score=HONEST) == 11  # what an honest newcomer needs to half of it


def _top() -> int:
    reputation, after = 0, step_lane(0, HONEST, role=Role.TRAINER)
    while after != reputation:
        reputation, after = after, step_lane(after, HONEST, role=Role.TRAINER)
    return reputation


@threat(43, "defect every n-th round, for ever")
@pytest.mark.parametrize(("every", "share"), [(2, 0.17), (5, 0.5), (10, 0.72), (20, 0.87)])
def test_defecting_now_and_then_keeps_a_name_low(every: int, share: float) -> None:
    """Whoever fails each second round stays below a fifth of an honest name, each tenth below three quarters."""
    reputation = low = 0
    for round_ in range(1, 40 * every + 1):
        bad = round_ % every == 0
        reputation = step_lane(reputation, FAILED if bad else HONEST, role=Role.TRAINER)
        low = reputation if bad else low
    assert low <= share * _top()


@threat(43, "turn a farmed name into power over the model, or into money")
def test_a_name_is_never_custody() -> None:
    """A name weighs at most seventeen times a newcomer's, with the same stake at risk; it pays and unlocks nothing."""
    weigh = WEIGHTINGS.get("stake")
    newcomer, famous = weigh([1_000, 1_000], [0, MAX_SCORE])
    assert famous / newcomer == pytest.approx((4_096 + MAX_SCORE) / 4_096)
    assert famous / newcomer < 17.1
    assert score_part(FAILED) == score_part(ACCEPTED) == 0  # a defector's round pays nothing, whatever its name


# --- 5: guessing ---
@threat(5, "show sketches without evaluating: zeros, noise, or another member's")
def test_no_guess_passes_the_address_bound_sketch() -> None:
    """In 200 rounds no guess and no copy agrees with what a member recomputes under the copier's own address."""
    generator = np.random.default_rng(5)
    grid, passed = grid_of(100.0), 0
    for round_ in range(1, 201):
        outputs = generator.standard_normal((32, 2)).astype(np.float32)
        own, other = (
            sketch(
                outputs,
                seed=sketch_seed(Domain.MEMBER, beacon=w.digest(round_), task=1, round_=round_, node=1, member=m),
                grid=grid,
            )
            for m in (w.hot(1).address, w.hot(2).address)
        )
        noise = sketch(generator.standard_normal((32, 2)).astype(np.float32), seed=b"guess", grid=grid)
        assert agrees(own, own, tau=1e-4)
        passed += sum(agrees(guess, own, tau=1e-4) for guess in (np.zeros_like(own), noise, other))
    assert passed == 0
