"""Time the hot loops of a round beside a named peer and a physical limit, all in one run, one thread.

Rows: {case, ours, unit, peer, peer_value, ratio, limit, limit_ratio, note}; ratio = peer / ours (above 1: ours is
faster), limit_ratio = ours / limit (1 is the best that memory or hash allows).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from safetensors.numpy import load as safetensors_load

from node.aggregate import AGGREGATORS
from node.sketch import sketch
from storage import TensorSpec, cid_of, decode, encode

REPEATS = 5


def median_ms(work: Callable[[], object]) -> float:
    """Median wall time of REPEATS runs after one warm-up, milliseconds."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times)


def row(case: str, ours: float, *, peer: tuple[str, float], limit: float, note: str) -> dict[str, Any]:
    """One row of the table; times in milliseconds."""
    return {
        "case": case,
        "ours": round(ours, 3),
        "unit": "ms",
        "peer": peer[0],
        "peer_value": round(peer[1], 3),
        "ratio": round(peer[1] / ours, 2),
        "limit": round(limit, 3),
        "limit_ratio": round(ours / limit, 2),
        "note": note,
    }


def rows() -> list[dict[str, Any]]:
    """All cases."""
    generator = np.random.default_rng(7)
    vector = generator.standard_normal(1_000_000).astype(np.float32)
    data = generator.bytes(50_000_000)
    updates = generator.standard_normal((8, 1_000_000)).astype(np.float32)
    weights = np.full(8, 1 / 8)
    container = encode({"u": vector})
    spec = [TensorSpec("u", vector.shape, "float32")]

    def dense() -> object:
        signs = np.random.default_rng(1).integers(0, 2, (16, vector.size), dtype=np.int8) * 2 - 1
        return signs.astype(np.float32) @ vector

    read = median_ms(vector.sum)
    found = [
        row(
            "sketch 1e6 parameters, k = 16",
            median_ms(lambda: sketch(vector, seed=b"bench", k=16, grid=1e-6)),
            peer=("numpy, rows from PCG64, dense product", median_ms(dense)),
            limit=read,
            note="limit: one read of the vector",
        ),
        row(
            "CID of 50 MB",
            median_ms(lambda: cid_of(data)),
            peer=("hashlib.sha256 of the whole", median_ms(lambda: hashlib.sha256(data).digest())),
            limit=median_ms(lambda: hashlib.sha256(data).digest()),
            note="limit: hashing the bytes once",
        ),
        row(
            "decode 4 MB of tensors",
            median_ms(lambda: decode(container, spec, max_bytes=len(container))),
            peer=("safetensors, no checks of ours", median_ms(lambda: safetensors_load(container))),
            limit=median_ms(vector.copy),
            note="limit: one copy of the data",
        ),
    ]
    for name in ("trimmed_mean", "median", "multi_krum"):
        rule = AGGREGATORS.get(name)
        found.append(
            row(
                f"{name}, n = 8, d = 1e6",
                median_ms(lambda rule=rule: rule(updates, weights, f=0.2)),  # type: ignore[misc]
                peer=("numpy sort along clients", median_ms(lambda: np.sort(updates, axis=0)[2:6].mean(axis=0))),
                limit=8 * read,
                note="limit: one read of all updates",
            )
        )
    return found


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = rows()
    if args.json:
        print(json.dumps(table))
        return 0
    for item in table:
        print(
            f"{item['case']:32} {item['ours']:>9} {item['unit']}  {item['ratio']:>6} x {item['peer']}"
            f"  ({item['limit_ratio']} x the limit; {item['note']})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
