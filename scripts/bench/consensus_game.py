"""Two games on Yuma's epoch: what honest stake must be worth to keep its share, and what weight copiers earn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from node.consensus import Carry, Memory, Reports, Rules, innovation, log2_q16, member_pay, yuma_epoch
from node.consensus.yuma import MAX_WEIGHT, UNIT

NODES, VALIDATORS, STAKE_NOISE = 512, 64, 0.3
HONEST_STAKE = 0.6
STAKE_UNITS = 1 << 24


def reports_of(stakes: np.ndarray, weights: np.ndarray, round_: int = 0) -> Reports:
    """Rows committed to in `round_` by members that are none of the columns, which were there before."""
    n, m = weights.shape
    never_n, never_m = np.full(n, -1), np.full(m, -1)
    return Reports(stakes, weights, np.full(n, round_), never_m, never_n, never_n)


def lanes(weights: np.ndarray) -> np.ndarray:
    """Rows scaled to a largest weight of 65,535."""
    scaled: np.ndarray = np.rint(weights / weights.max(axis=1, keepdims=True) * MAX_WEIGHT).astype(np.int64)
    return scaled


# --- retention: subtensor docs/consensus.md, "Monte Carlo simulations" ----------------------------------------------


def honest_emission(utility: float, cabal_weight: float, noise: float, rng: np.random.Generator, rules: Rules) -> float:
    """Share of all emission (half to servers, half to validators) that honest nodes get in one epoch.

    Honest validators give `utility` in total to honest servers, the cabal `cabal_weight` to its own; single weights are
    N(1, noise) before that, stakes N(1, 0.3), both cut at 0.
    """
    honest_v, honest_s = round(HONEST_STAKE * VALIDATORS), round(HONEST_STAKE * (NODES - VALIDATORS))
    stake = np.maximum(rng.normal(1, STAKE_NOISE, VALIDATORS), 0)
    stake[:honest_v] *= HONEST_STAKE / stake[:honest_v].sum()
    stake[honest_v:] *= (1 - HONEST_STAKE) / stake[honest_v:].sum()
    weights = np.maximum(rng.normal(1, noise, (VALIDATORS, NODES - VALIDATORS)), 0)
    for rows, ours in ((slice(None, honest_v), utility), (slice(honest_v, None), 1 - cabal_weight)):
        weights[rows, :honest_s] *= ours / weights[rows, :honest_s].sum(axis=1, keepdims=True)
        weights[rows, honest_s:] *= (1 - ours) / weights[rows, honest_s:].sum(axis=1, keepdims=True)
    reports = reports_of(np.rint(stake * STAKE_UNITS).astype(np.int64), lanes(weights))
    epoch = yuma_epoch(reports, Carry.genesis(reports, rules), rules, round_=0)
    dividends, ranks = list(epoch.dividends), epoch.ranks.tolist()
    return sum(dividends[:honest_v]) / sum(dividends) / 2 + sum(ranks[:honest_s]) / sum(ranks) / 2


def utility_to_hold(
    noise: float, *, penalty: float = 1.0, samples: int = 3, step: float = 0.02, seed: int = 7
) -> float:
    """The least honest utility with which a stake of 60 % keeps 60 % of emission against the cabal's best self-weight.

    Bisection over the utility to 1/256; the cabal tries self-weights in steps of `step`, each the mean of `samples`.
    """
    rules = Rules(permits=VALIDATORS, penalty=round(penalty * UNIT))

    def worst(utility: float) -> float:
        rng = np.random.default_rng(seed)
        grid = np.arange(step, 1.0, step)
        return min(
            float(np.mean([honest_emission(utility, weight, noise, rng, rules) for _ in range(samples)]))
            for weight in grid
        )

    low, high = 0.4, 1.0
    while high - low > 1 / 256:
        middle = (low + high) / 2
        low, high = (low, middle) if worst(middle) >= HONEST_STAKE else (middle, high)
    return (low + high) / 2


# --- copying: members that republish the last public consensus ------------------------------------------------------


@dataclass(frozen=True)
class Copiers:
    """How the last `count` members report: the public consensus, with log-normal `noise` that they share."""

    name: str
    count: int
    noise: float = 0.0


@dataclass(frozen=True)
class Earned:
    """A copier's pay as a share of an honest member's: innovation, bonds and both; and Yuma's dividends for comparison.

    `signed` is the copier's mean innovation score, before it is cut at 0 for pay, over the honest mean.
    """

    innovation: float
    signed: float
    total: float
    yuma: float
    bond_share: float


def copying(
    kind: Copiers,
    *,
    drift: float,
    delay: int = 0,
    epochs: int = 150,
    members: int = 16,
    tasks: int = 64,
    noise: float = 0.1,
    seed: int = 7,
) -> Earned:
    """A market of `tasks` servers whose log-quality drifts by N(0, drift) an epoch, judged by equal members.

    Honest members see log-quality with N(0, noise); copiers see consensus `delay` epochs before the last.
    """
    rng = np.random.default_rng(seed)
    quality, rules = rng.normal(0, 0.5, tasks), Rules(permits=members)
    stakes, memory = np.ones(members, dtype=np.int64), Memory.empty(members)
    history: list[np.ndarray] = []
    carry: Carry | None = None
    scored, paid, bonds, yuma = (np.zeros(members) for _ in range(4))
    for epoch_number in range(epochs):
        quality = 0.999 * quality + drift * rng.standard_normal(tasks)
        seen = quality + noise * rng.standard_normal((members, tasks))
        public = history[-1 - delay] if len(history) > delay else None
        if public is not None:
            shared = kind.noise * rng.standard_normal(tasks)
            seen[members - kind.count :] = np.log(np.maximum(public, 1)) + shared
        weights = np.maximum(lanes(np.exp(seen)), 1)
        reports = reports_of(stakes, weights, epoch_number)
        carry = Carry.genesis(reports, rules) if carry is None else carry
        epoch = yuma_epoch(reports, carry, rules, round_=epoch_number)
        carry = epoch.carry
        history.append(epoch.consensus)
        if public is None:
            continue
        own = log2_q16((weights << 24) // weights.sum(axis=1, keepdims=True))
        scores, memory = innovation(own, log2_q16(public >> 8), stakes, seed=rng.bytes(32), memory=memory)
        pay = member_pay(10**18, stakes.tolist(), scores.tolist(), epoch.dividends)
        scored += scores
        paid += np.array(pay.innovation, dtype=float)
        bonds += np.array(pay.bonds, dtype=float)
        yuma += np.array([value / sum(epoch.dividends) for value in epoch.dividends])

    def ratio(values: np.ndarray) -> float:
        return float(values[members - kind.count :].mean() / values[: members - kind.count].mean())

    share = float(bonds.sum() / (bonds + paid).sum())
    return Earned(ratio(paid), ratio(scored), ratio(paid + bonds), ratio(yuma), share)
