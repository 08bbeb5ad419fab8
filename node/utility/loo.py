"""Leave-one-out: what is lost without an update. Redundant updates lose their value to one another."""

from __future__ import annotations

import numpy as np

from node.utility.game import UTILITIES, Game, Values


@UTILITIES.register("loo")
def loo(game: Game) -> Values:
    """(n,) float64: U(N) - U(N without i). n + 1 evaluations. Not finite where a loss is not."""
    everyone = game.model(range(len(game.players)))
    full = game.utility(everyone)
    lost = [full - game.utility(everyone - game.step(player)) for player in range(len(game.players))]
    return game.spread(np.array(lost, dtype=np.float64))
