"""First-order values: one backward pass for all. A screen, and not a payment: linear in the update."""

from __future__ import annotations

from node.utility.game import UTILITIES, Game, Values


@UTILITIES.register("first_order")
def first_order(game: Game) -> Values:
    """(n,) float64: -<grad L(base), (w_i / w_N) Delta_i>, the first-order term of every marginal contribution."""
    return game.spread(game.slopes()[1])
