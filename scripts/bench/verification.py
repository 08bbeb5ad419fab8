"""How well work is told from cheating: honest drift and every cheat, by our sketch and by the other tests by name.

Prints tables, or with --json one object; --docs also writes docs/verification.md, .png and .json. --quick divides the
counts by fifty. ImageHash runs in an environment of its own, made on first use.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two threads on a busy core would spin at every barrier
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from node.cheat import CLAIMS, EXECUTIONS
from node.cli.main import main as credence
from node.train.profile import HONEST
from scripts.bench import verification_peers as peers
from scripts.bench.verification_cases import SIZES, Case, Suite, build
from scripts.bench.verification_generate import generative
from scripts.bench.verification_report import text, write_docs
from scripts.bench.verification_trials import (
    DRAW_RATE,
    acceptance,
    hugging,
    null_space,
    stated_sketches,
)

COUNTS = {"honest": 30_000, "cheat_seeds": 2_000, "known": 100, "fresh": 10_000, "stated": 1_000_000}
VOTERS = ("permuted", "micro_batches", "float64")
"""Profiles of the three verifiers whose perceptual hashes vote."""


def matrix(suites: Sequence[Suite]) -> dict[str, dict[str, float]]:
    """Share of the replay-mode cases that each other test accepts, by test and case name, at its best threshold."""
    cases = [case for suite in suites for case in suite.cases if case.mode == "replay"]
    pairs = [
        (
            np.concatenate([vector.reference for vector in case.vectors]),
            np.concatenate([vector.claim for vector in case.vectors]),
        )
        for case in cases
    ]
    honest = [case.kind == "honest" for case in cases]
    angle, flip = peers.angles(pairs), peers.flips(pairs, b"suite")
    widest_angle = 10 * max(a for a, h in zip(angle, honest, strict=True) if h)
    widest_flip = 10 * max(f for f, h in zip(flip, honest, strict=True) if h)
    verdicts = {
        "bitwise hash": peers.bitwise(pairs),
        "cosine": [a <= widest_angle for a in angle],
        "SimHash-256": [f <= widest_flip for f in flip],
        "pHash, majority of 3": _majority(cases),
        "TOPLOC": peers.toploc(pairs),
    }
    return {
        test: {name: float(np.mean([f for c, f in zip(cases, flags, strict=True) if c.name == name])) for name in names}
        for test, flags in verdicts.items()
        for names in [dict.fromkeys(case.name for case in cases)]
    }


def _majority(cases: Sequence[Case]) -> list[bool]:
    """Two of three verifiers, each on another honest profile, have a pHash within 24 bits of the claim's."""
    hashes = peers.perceptual([case.vectors[0].claim for case in cases])
    seen = {(case.task, case.place, case.name): value for case, value in zip(cases, hashes, strict=True)}
    found = []
    for case, value in zip(cases, hashes, strict=True):
        apart = [(seen[case.task, case.place, voter] ^ value).bit_count() for voter in VOTERS]
        found.append(sum(bits < peers.TOLERANCE for bits in apart) >= 2)
    return found


def refusals() -> list[dict[str, Any]]:
    """What `credence calibrate` says of jobs that no tolerance suits."""
    jobs = (["breast_cancer", "--allow", "bfloat16"], ["digits", "--replays", "1", "--without", "two_threads"])
    found = []
    for job in jobs:
        read, write = os.pipe()
        saved = os.dup(2)
        os.dup2(write, 2)
        try:
            status = credence(["calibrate", *job, "--json"])
        finally:
            os.dup2(saved, 2)
            os.close(write)
            os.close(saved)
        with os.fdopen(read) as stream:
            message = [line for line in stream.read().splitlines() if line.startswith("error")]
        found.append({"command": "credence calibrate " + " ".join(job), "status": status, "message": " ".join(message)})
    return found


def measure(divide: int) -> dict[str, Any]:
    """Every figure of the page."""
    counts = {name: max(20, value // divide) for name, value in COUNTS.items()}
    suites = [build(task, shards=1, checked=3, trial_seeds=200) for task in SIZES]
    rows = [
        row for suite in suites for row in acceptance(suite, honest=counts["honest"], cheat_seeds=counts["cheat_seeds"])
    ]
    smooth = suites[0]
    summaries = {**{e: EXECUTIONS.get(e).summary for e in EXECUTIONS}, **{c: CLAIMS.get(c).summary for c in CLAIMS}}
    return {
        "counts": counts,
        "draw_rate": DRAW_RATE,
        "segments": {suite.task: suite.segments for suite in suites},
        "summaries": summaries,
        "profiles": [profile.name for profile in HONEST],
        "calibrations": [suite.calibration.to_json() for suite in suites],
        "rows": rows,
        "peers": matrix(suites),
        "null_space": null_space(smooth, known=counts["known"], fresh=counts["fresh"]),
        "stated": {"count": counts["stated"], "accepted": stated_sketches(smooth, count=counts["stated"])},
        "hugging": {suite.task: hugging(suite) for suite in suites},
        "refusals": refusals(),
        "generative": generative(quick=divide > 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(50 if args.quick else 1)
    if args.docs:
        write_docs(found)
    print(json.dumps(found) if args.json else text(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
