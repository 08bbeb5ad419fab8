"""Distrust: a walk may take one negative link, and then follows trust only, so that enemies of enemies gain nothing.

The graph is unfolded into two floors of n nodes. On the ground floor a walk chooses among all links of a node by their
absolute weight; a positive one stays, a negative one leads upstairs; upstairs there are positive links alone. A node's
net score is its score on the ground floor less that upstairs. Every rater's distrust counts, not the ego's alone. Both
floors count towards EXACT_NODES.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from node.reputation.links import Links, link
from node.reputation.walk import Ints


def unfold(nodes: int, sources: ArrayLike, targets: ArrayLike, weights: ArrayLike) -> Links:
    """Links of 2n nodes (v and, upstairs, n + v) from (m,) signed integer weights; a weight of 0 is no link.

    Raises GraphError on what `link` refuses.
    """
    source, target, weight = (np.asarray(column) for column in (sources, targets, weights))
    trust, distrust = weight > 0, weight < 0
    return link(
        2 * nodes,
        np.concatenate([source[trust], source[distrust], source[trust] + nodes]),
        np.concatenate([target[trust], target[distrust] + nodes, target[trust] + nodes]),
        np.concatenate([weight[trust], -weight[distrust], weight[trust]]),
    )


def net(scores: Ints) -> Ints:
    """(n,) from (2n,): trust less distrust, in the units of `scores`."""
    nodes = len(scores) // 2
    difference: Ints = scores[:nodes] - scores[nodes:]
    return difference
