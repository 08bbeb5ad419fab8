"""Updates and data sets that a node may like, from what raters whom it trusts found good.

Walks go from a rater to an item by affinity (the parts of its evaluations) and from an item back to its raters by
affinity times *standing*, their part of all raters' stake (Web3Recommend, arXiv 2307.01411, goes back by personalised
PageRank). An item's score is MeritRank's: the chance of a visit, less what connectivity decay takes. Raters without
stake get no link back, so identities are free and worth nothing: what a group of raters pushes alone is visited no more
often than walks come to its members, and standing, which brings them, is additive in stake.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from node.reputation.links import links_of
from node.reputation.rankings import RANKINGS, World
from node.reputation.walk import SEARCH, Ints, Seeds, committee, ego

STANDING = 1 << 10


@dataclass(frozen=True, order=True)
class Liking:
    """A rater's affinity, ≥ 1, to an item: `update:CID` or `data:NODE`, the data that a trainer learns from."""

    rater: int
    item: str
    affinity: int


@dataclass(frozen=True)
class Advice:
    """An item, its score in 2^-40 units, and whether the asking node has rated it itself."""

    item: str
    score: int
    known: bool


def recommend(
    likings: Sequence[Liking], stakes: Mapping[int, int], node: int, *, a: Fraction = SEARCH, ranking: str = "meritrank"
) -> list[Advice]:
    """Items that walks from `node` visit, best first, ties by name. Who has rated nothing sees what the stakes see.

    Affinities of one rater to one item add up. Nothing comes of no likings, or of nobody with stake for a stranger.
    """
    affinity: dict[tuple[int, str], int] = defaultdict(int)
    for liking in likings:
        affinity[liking.rater, liking.item] += liking.affinity
    raters, items = sorted({rater for rater, _ in affinity}), sorted({item for _, item in affinity})
    seeds = _seeds(raters, stakes, node)
    if seeds is None:
        return []
    at_rater = {rater: index for index, rater in enumerate(raters)}
    at_item = {item: len(raters) + index for index, item in enumerate(items)}
    total = sum(stakes.get(rater, 0) for rater in raters)
    edges = []
    for (rater, item), weight in sorted(affinity.items()):
        edges.append((at_rater[rater], at_item[item], weight))
        standing = stakes.get(rater, 0) * STANDING // total if total else 0
        if standing:
            edges.append((at_item[item], at_rater[rater], weight * standing))
    scores: Ints = RANKINGS.get(ranking)(World(links_of(len(raters) + len(items), edges), a), seeds)
    found = [Advice(item, int(scores[at_item[item]]), (node, item) in affinity) for item in items]
    return sorted((advice for advice in found if advice.score), key=lambda advice: (-advice.score, advice.item))


def _seeds(raters: Sequence[int], stakes: Mapping[int, int], node: int) -> Seeds | None:
    if node in raters:
        return ego(raters.index(node))
    held = {index: stakes.get(rater, 0) for index, rater in enumerate(raters) if stakes.get(rater, 0)}
    return committee(held) if held else None
