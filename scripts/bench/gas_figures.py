"""What the measurements of the gas benchmark say: floors, savings and targets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.bench.gas_peers import DRAG_BATCH

Results = Mapping[str, Any]
BASE, SLOT, NEW_SLOT = 21_000, 5_000, 22_100
WORD_CALLDATA = 488  # 30 bytes of scores and two zeros
SMALL, BIG = "5 of 7", "21 of 31"
MARGINAL = (1_024, 10_000)


def floor_words(nodes: int, *, first: bool, contributions: bool) -> float:
    """The physical limit a node in words mode: one transaction that carries the words and writes each slot once."""
    slot = NEW_SLOT if first else SLOT
    words, totals = -(-nodes // 15), -(-nodes // 8) if contributions else 0
    return (BASE + words * (WORD_CALLDATA + slot) + totals * slot) / nodes


def floor_root(nodes: int) -> float:
    """The physical limit a node of a root: one transaction that writes one slot."""
    return (BASE + SLOT) / nodes


def words_gas(cell: Mapping[str, Any], *, apart: bool = False) -> int:
    """A steady settlement in words mode: the last round's words applied in the transaction that posts, or apart."""
    return int(cell["steady post"] + cell["steady finalise"] if apart else cell["steady together"])


def whole_round(cell: Mapping[str, Any], collect: int) -> int:
    """A whole round in words mode: a collector, arm and draw beside the settlement."""
    return int(collect + cell["arm"] + cell["draw"] + words_gas(cell))


def root_gas(cell: Mapping[str, Any], *, reveals: bool = False) -> int:
    """A whole round in root mode: collector, arm, draw, post; with `reveals` a bundle of them rides with arm."""
    arm = cell["arm with reveals"] if reveals else cell["arm"]
    return int(cell["collect"] + arm + cell["draw"] + cell["steady post"])


def sizes_of(results: Results) -> list[int]:
    """Every N that was measured in words mode."""
    return sorted(int(size) for size in results["ours"][SMALL]["words"])


def cell(results: Results, committee: str, way: str, nodes: int) -> Mapping[str, Any]:
    """One measured task."""
    found: Mapping[str, Any] = results["ours"][committee][way][str(nodes)]
    return found


def drag(results: Results, kind: str, records: int) -> float:
    """Gas a record of two scores in a batch of the published design."""
    return float(results["peers"]["drag"][kind][str(records)]) / records


def best_drag(results: Results) -> float:
    """The same at its best batch: more records go out in several."""
    return drag(results, "steady", max(map(int, results["peers"]["drag"]["steady"])))


def arrays(results: Results, nodes: int, kind: str = "steady") -> float:
    """Gas a score in plain arrays."""
    return float(results["peers"]["arrays"][str(nodes)][kind]) / nodes


def batching(name: str, one: float, twenty: float, marginal: float) -> dict[str, Any]:
    """Savings of batching: by the paper's metric, 20 in a batch against 1, and by what one more costs."""
    return {
        "name": name,
        "per(1)": round(one),
        "per(20)": round(twenty),
        "saving at 20": round(1 - twenty / one, 4),
        "marginal": round(marginal, 1),
        "saving at the margin": round(1 - marginal / one, 4),
    }


def slope(gas: Callable[[int], float], sizes: Sequence[int]) -> float:
    """Gas of one more node between two sizes."""
    low, high = MARGINAL if MARGINAL[1] in sizes else (sizes[-2], sizes[-1])
    return (gas(high) - gas(low)) / (high - low)


def batching_rows(results: Results) -> list[dict[str, Any]]:
    """Savings of ours and of the peers."""
    sizes = sizes_of(results)
    drag_sizes = sorted(map(int, results["peers"]["drag"]["steady"]))
    drag_gas = {size: results["peers"]["drag"]["steady"][str(size)] for size in drag_sizes}
    last, before = drag_sizes[-1], drag_sizes[-2]
    drag_slope = (drag_gas[last] - drag_gas[before]) / (last - before)
    rows = [
        batching("DragScores, a record of two scores", drag_gas[1], drag_gas[20] / 20, drag_slope),
        batching(
            "plain arrays", arrays(results, 1), arrays(results, 20), slope(lambda n: n * arrays(results, n), sizes)
        ),
    ]
    for way, text in (("words", "words, reputation"), ("contributions", "words, reputation and contribution")):

        def total(n: int, way: str = way) -> float:
            return words_gas(cell(results, SMALL, way, n))

        rows.append(batching(f"{text}, {SMALL}", total(1), total(20) / 20, slope(total, sizes)))

    def root(n: int) -> float:
        return root_gas(cell(results, SMALL, "root", n))

    rows.append(batching(f"root, whole round, {SMALL}", root(1), root(20) / 20, slope(root, sizes)))
    return rows


@dataclass(frozen=True)
class Target:
    """What was promised and what came out."""

    what: str
    got: float
    limit: float
    at_least: bool = False
    arithmetic: str = ""

    @property
    def met(self) -> bool:
        """Whether the promise holds."""
        return self.got >= self.limit if self.at_least else self.got <= self.limit

    def row(self) -> dict[str, Any]:
        """For the output."""
        gap = "" if self.met else self.arithmetic
        return {"what": self.what, "got": round(self.got, 1), "limit": self.limit, "met": self.met, "arithmetic": gap}


WORDS_TARGETS = {
    "words": {256: 900, 1_024: 650, 10_000: 560},
    "contributions": {256: 1_600, 1_024: 1_300, 10_000: 1_250},
}
ROOT_TARGETS = {SMALL: 260_000, BIG: 470_000}
CLAIM_TARGET, DRAG_WORDS_TARGET, DRAG_ROOT_TARGET = 82_000, 18, 100


def targets(results: Results) -> list[Target]:
    """Every promise about gas that the sizes measured can judge."""
    sizes, found = sizes_of(results), []
    for way, limits in WORDS_TARGETS.items():
        for nodes, limit in limits.items():
            if nodes not in sizes:
                continue
            total = words_gas(cell(results, SMALL, way, nodes))
            least = floor_words(nodes, first=False, contributions=way == "contributions")
            found.append(
                Target(
                    f"{way}, N = {nodes:,}, {SMALL}: gas a node, steady",
                    total / nodes,
                    limit,
                    arithmetic=f"{total:,} a round, {total - limit * nodes:,} too many; floor {least:.0f} a node",
                )
            )
    root_sizes = sorted(map(int, results["ours"][SMALL]["root"]))
    for committee, limit in ROOT_TARGETS.items():
        part = cell(results, committee, "root", root_sizes[-1])
        parts = " + ".join(f"{part[name]:,} ({name})" for name in ("collect", "arm", "draw", "steady post"))
        found.append(
            Target(
                f"root, {committee}: a whole round at N = {root_sizes[-1]:,}", root_gas(part), limit, arithmetic=parts
            )
        )
    last = cell(results, SMALL, "root", root_sizes[-1])
    found.append(
        Target(
            f"claim, next, N = {root_sizes[-1]:,}",
            last["claim noted"],
            CLAIM_TARGET,
            arithmetic=f"{last['note']:,} once a record (note), for all; without that {last['claim next']:,}",
        )
    )
    slots = sum(c["new slots"] for ways in results["ours"].values() for way in ways.values() for c in way.values())
    found.append(Target("new storage slots a steady round, all tasks together", slots, 0))
    if 256 in sizes:
        ours = words_gas(cell(results, SMALL, "contributions", 256)) / 256
        found.append(
            Target(
                "DragScores / words with contributions (two values a node), N = 256",
                drag(results, "steady", DRAG_BATCH) / ours,
                DRAG_WORDS_TARGET,
                at_least=True,
                arithmetic=f"{drag(results, 'steady', DRAG_BATCH):,.0f} / {ours:,.0f}",
            )
        )
    if 1_024 in sizes:
        ours = root_gas(cell(results, SMALL, "root", 1_024)) / 1_024
        found.append(
            Target(
                "DragScores / root, whole round, N = 1,024",
                best_drag(results) / ours,
                DRAG_ROOT_TARGET,
                at_least=True,
                arithmetic=f"{best_drag(results):,.0f} / {ours:,.1f}",
            )
        )
    return found
