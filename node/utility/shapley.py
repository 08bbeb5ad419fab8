"""The Shapley value by enumeration: the reference for every estimate (Shapley 1953)."""

from __future__ import annotations

from math import comb

import numpy as np

from node.errors import ConfigError
from node.utility.game import UTILITIES, Game, Values

MAX_PLAYERS = 12


@UTILITIES.register("shapley")
def shapley(game: Game) -> Values:
    """(n,) float64: sum over S without i of |S|! (n - |S| - 1)! / n! [U(S + i) - U(S)]. 2^n evaluations.

    Raises ConfigError above 12 players.
    """
    n = len(game.players)
    if n > MAX_PLAYERS:
        raise ConfigError(
            f"utility 'shapley' enumerates 2^n coalitions: at most {MAX_PLAYERS} updates, got {n}",
            hint="use gtg_shapley, which needs 2n evaluations",
        )
    coalitions = np.arange(1 << n)
    worth = np.array([game.utility(game.model(i for i in range(n) if mask >> i & 1)) for mask in coalitions])
    size = np.array([int(mask).bit_count() for mask in coalitions])
    values = np.zeros(n, dtype=np.float64)
    for player in range(n):
        without = coalitions[coalitions >> player & 1 == 0]
        odds = np.array([1 / (n * comb(n - 1, int(k))) for k in size[without]])
        values[player] = odds @ (worth[without | 1 << player] - worth[without])
    return game.spread(values)
