"""Write tests/vectors/reputation.json: digests of scores that every machine must reproduce. Run as a module."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from node.reputation.rankings import RANKINGS, World
from node.reputation.walk import MONEY, SEARCH, ego
from tests.unit.node.reputation.graphs import lcg_links

TARGET = Path(__file__).resolve().parents[3] / "vectors" / "reputation.json"
SHAPE = {"nodes": 200, "edges": 900, "seed": 20_260_101, "ego": 3}


def main() -> None:
    """All rankings at both values of a."""
    links = lcg_links(SHAPE["nodes"], SHAPE["edges"], seed=SHAPE["seed"])
    scores = {
        f"{name} {a}": hashlib.sha256(
            RANKINGS.get(name)(World(links, a), ego(SHAPE["ego"])).astype("<i8").tobytes()
        ).hexdigest()
        for name in RANKINGS
        for a in (MONEY, SEARCH)
    }
    TARGET.write_text(json.dumps({**SHAPE, "links": links.digest().hex(), "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    main()
