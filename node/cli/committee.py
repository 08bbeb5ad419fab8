"""Exact odds that a committee is captured, its median moved, or its quorum stalled."""

from __future__ import annotations

import argparse
import json
from typing import Any

from node.committee import CommitteeRisk, committee_risk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `credence committee`."""
    parser.add_argument("--stake-bad", default="0.2", metavar="SHARE", help="hostile share of stake (default 0.2)")
    parser.add_argument("--size", type=int, default=31, metavar="K", help="drawn seats (default 31)")
    parser.add_argument("--quorum", type=int, metavar="Q", help="seats that settle (default floor(2k/3) + 1)")
    parser.add_argument("--seats", type=int, metavar="N", help="seats in the draw: exact without replacement")
    parser.add_argument("--json", action="store_true")


def as_json(risk: CommitteeRisk) -> dict[str, Any]:
    """Floats for reading, and `exact` as numerator/denominator."""
    odds = {"capture": risk.capture, "median": risk.median, "stall": risk.stall}
    return {
        "size": risk.size,
        "quorum": risk.quorum,
        "stake_bad": float(risk.stake_bad),
        "seats": risk.seats,
        **{name: float(value) for name, value in odds.items()},
        "exact": {name: str(value) for name, value in odds.items()},
    }


def run(args: argparse.Namespace) -> int:
    """Print the three probabilities of one draw."""
    quorum = 2 * args.size // 3 + 1 if args.quorum is None else args.quorum
    risk = committee_risk(stake_bad=args.stake_bad, size=args.size, quorum=quorum, seats=args.seats)
    if args.json:
        print(json.dumps(as_json(risk)))
        return 0
    drawn = f"{args.size} seats" + ("" if args.seats is None else f" of {args.seats}")
    print(f"{drawn}, quorum {quorum}, {args.stake_bad} of the stake hostile; odds of one draw:")
    print(f"  capture  {float(risk.capture):.3e}   hostile seats >= {quorum}: they settle what they like")
    print(f"  median   {float(risk.median):.3e}   hostile seats >= {(args.size + 1) // 2}: they move scores")
    print(f"  stall    {float(risk.stall):.3e}   silent seats >= {args.size - quorum + 1}: nothing settles")
    return 0
