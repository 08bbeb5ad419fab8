"""Time byzfl's rules and ours on the same rows, interleaved, in one process and thread; print JSON.

Run by `aggregation.py` in an environment that has both. Times are CPU time of the process, so other work on the machine
does not count as somebody's; wall time is kept beside it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from node.aggregate import AGGREGATORS

REPEATS = 5
SLOWER = 1.2
"""Of byzfl's two inputs the one that takes this many times as long in its first run is not run again."""

Times = dict[str, list[float]]
Rule = Callable[[], Any]


def peers(byzfl: Any, n: int, f: int) -> dict[str, Callable[[Any], Any]]:
    """byzfl's rules under our names."""
    mixing = byzfl.NNM(f)

    def clipping(x: Any) -> Any:
        return byzfl.CenteredClipping(L=3)(x)  # a new one: it remembers its last result

    rules = {
        "trimmed_mean": byzfl.TrMean(f),
        "multi_krum": byzfl.MultiKrum(f),
        "geometric_median": byzfl.GeometricMedian(),
    }
    found: dict[str, Callable[[Any], Any]] = {
        **rules,
        "mean": byzfl.Average(),
        "median": byzfl.Median(),
        "meamed": byzfl.Meamed(f),
        "krum": byzfl.Krum(f),
        "centered_clipping": clipping,
        "monna": byzfl.MoNNA(f, 0),
    }
    if n > 32:  # its mixing would hold n x n x d values, 49 GB at n = 128; the others take many minutes there
        return {name: found[name] for name in MANY if name in found}
    return found | {"nnm+trimmed_mean": lambda x: rules["trimmed_mean"](mixing(x))}


OURS = (
    "mean",
    "median",
    "trimmed_mean",
    "meamed",
    "krum",
    "multi_krum",
    "geometric_median",
    "centered_clipping",
    "monna",
    "nnm+trimmed_mean",
    "nnm+multi_krum",
    "nnm+geometric_median",
    "caf",
    "flag",
)
MANY = ("median", "trimmed_mean", "geometric_median")
"""Rules of byzfl that are timed at n > 32."""

WEIGHTED = ("median", "trimmed_mean", "meamed", "nnm+trimmed_mean")
SAME = ("mean", "median", "trimmed_mean", "meamed", "monna")
"""Rules that both define alike, so that results can be compared; byzfl's Krum counts one neighbour more, its geometric
median stops after three steps from zero, its clipping has a fixed radius."""


def timed(work: Rule, into: list[float], wall: list[float]) -> Any:
    """Run once; CPU and wall milliseconds go to the lists."""
    cpu, clock = time.process_time(), time.perf_counter()
    result = work()
    into.append(1e3 * (time.process_time() - cpu))
    wall.append(1e3 * (time.perf_counter() - clock))
    return result


def measure(byzfl: Any, n: int, d: int, repeats: int) -> list[dict[str, Any]]:
    """One row a rule at n rows of d columns, f = n / 4."""
    f = n // 4
    rows = np.random.default_rng(n).standard_normal((n, d), dtype=np.float32)
    tensor, copied = torch.from_numpy(rows), np.zeros_like(rows)
    equal, unequal = np.ones(n), np.random.default_rng(1).uniform(1, 2, n)
    theirs = peers(byzfl, n, f)
    found = []
    for name, weights in [*((name, equal) for name in OURS), *((name, unequal) for name in WEIGHTED)]:
        label = name if weights is equal else f"{name}, weighted"
        rule = AGGREGATORS.get(name)
        options = {"pivot": 0} if name == "monna" else {}
        contestants: dict[str, Rule] = {
            "copy": lambda: np.copyto(copied, rows),
            "ours": lambda rule=rule, weights=weights, options=options: rule(rows, weights, f=f / n, **options),  # type: ignore[misc]
        }
        if weights is equal and name in theirs:
            peer = theirs[name]
            contestants["byzfl numpy"] = lambda peer=peer: peer(rows)  # type: ignore[misc]
            contestants["byzfl torch"] = lambda peer=peer: peer(tensor)  # type: ignore[misc]
        cpu: Times = {who: [] for who in contestants}
        wall: Times = {who: [] for who in contestants}
        results = {}
        for who, work in contestants.items():  # a first run that does not count, except to drop the slower input
            first: list[float] = []
            results[who] = timed(work, first, [])
            if who.startswith("byzfl"):
                cpu[who], wall[who] = first[:], first[:]
        pair = [who for who in contestants if who.startswith("byzfl")]
        dropped = {who for who in pair if cpu[who][0] > SLOWER * min(cpu[other][0] for other in pair)}
        for who in set(pair) - dropped:
            cpu[who], wall[who] = [], []
        for _ in range(repeats):
            for who, work in contestants.items():
                if who not in dropped:
                    timed(work, cpu[who], wall[who])
        entry: dict[str, Any] = {"rule": label, "n": n, "d": d, "f": f}
        for who in contestants:
            entry[who] = round(statistics.median(cpu[who]), 2)
            entry[f"{who} wall"] = round(statistics.median(wall[who]), 2)
            entry[f"{who} runs"] = len(cpu[who])
        if pair:
            entry["byzfl"] = min(entry[who] for who in pair)
            entry["ratio"] = round(entry["byzfl"] / entry["ours"], 2)
        entry["limit ratio"] = round(entry["ours"] / entry["copy"], 2)
        if name in SAME and pair:
            other = np.asarray(results["byzfl numpy"], dtype=np.float64)
            entry["largest difference"] = float(np.abs(other - results["ours"]).max())
        print(json.dumps({key: entry[key] for key in entry if "wall" not in key}), file=sys.stderr, flush=True)
        found.append(entry)
    return found


def main() -> int:
    """Measure as told and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--d", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # byzfl's, about its own code
    torch.set_num_threads(1)
    byzfl = importlib.import_module("byzfl")
    rows = measure(byzfl, options.n, options.d, options.repeats)
    print(json.dumps({"numpy": np.__version__, "torch": torch.__version__, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
