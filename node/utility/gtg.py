"""GTG-Shapley, guided truncated gradient Shapley (Liu, Chen, Yu, Liu and Cui, arXiv 2109.02053), at 2n evaluations.

As there, coalitions are rebuilt from the updates without retraining, a round that changes nothing is skipped, and a
permutation stops when nothing is left to tell. Three things are ours: a first-order screen takes out players that do
not matter; the coalition model keeps the full denominator (see `Game`); and instead of rotating leaders, permutations
come in pairs, one the reverse of the other. In a game without interactions of three players or more a pair gives the
exact value, since every other player stands before i in exactly one of the two; so one pair a round does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ledger.report import draw_order
from node.utility.game import UTILITIES, Game, Values

_DOMAIN = b"credence shapley\x00"


@UTILITIES.register("gtg_shapley")
def gtg_shapley(game: Game) -> Values:
    """(n,) float64 Shapley estimates. At most 2n evaluations, the screen's one pass included.

    Values of screened players are their first-order ones; the others' sum to what the round gained beyond them.
    """
    nobody, slopes = game.slopes()
    dust = np.abs(slopes) <= game.thresholds.truncate * np.abs(slopes).mean()
    if dust.all():
        return game.spread(slopes)
    everyone = game.utility(game.model(range(len(slopes))))
    if abs(everyone - nobody) <= game.thresholds.skip:
        return game.spread(slopes)
    start = game.model(np.flatnonzero(dust).tolist()) if dust.any() else game.base
    below = game.utility(start) if slopes[dust].any() else nobody
    sampled = np.flatnonzero(~dust)
    order = sampled[draw_order(hashlib.sha256(_DOMAIN + game.seed).digest(), len(sampled), len(sampled))].tolist()
    values = np.where(dust, slopes, 0.0)
    for walk in (order, order[::-1]):
        values[walk] += _marginals(game, walk, start, below, everyone) / 2
    return game.spread(values)


def _marginals(game: Game, order: Sequence[int], start: Values, below: float, everyone: float) -> Values:
    """Gains of the players in `order`, the first of whom joins `start`. Once the prefix is as good as everyone, up to
    `truncate` of the whole gain, those left share the rest by weight."""
    gains = np.zeros(len(order), dtype=np.float64)
    limit = game.thresholds.truncate * abs(everyone - below)
    prefix, reached = start.copy(), below
    for place, player in enumerate(order[:-1]):
        prefix += game.step(player)
        utility = game.utility(prefix)
        gains[place], reached = utility - reached, utility
        if abs(everyone - reached) <= limit:
            left = game.shares[list(order[place + 1 :])]
            gains[place + 1 :] = (everyone - reached) * left / left.sum()
            return gains
    gains[-1] = everyone - reached
    return gains
