"""What transactions cost, well enough to fit them under a cap before they are sent. Pure.

Estimates are upper bounds, fitted to receipts (tests/integration/ledger/test_gas_estimates.py holds them to that);
the chain's own estimate decides where a transaction goes out alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import BadArgument

TX_CAP = 2**24  # mainnet's cap on one transaction (EIP-7825)
_INTRINSIC = 21_000
_ZERO_BYTE, _BYTE = 4, 16
_FLOOR_ZERO, _FLOOR_BYTE = 10, 40  # EIP-7623
_MULTICALL = 8_000  # the loop's own work and reading the contract
_PER_BYTE = 8  # copying a call, and its place in the list
# Upper bounds of execution: of one call where its task, role and owner were not met in the batch, and each further.
# Calls that are not here go out alone, with the chain's estimate.
_CALL_GAS: dict[str, tuple[int, int]] = {
    "register": (200_000, 140_000),
    "bond": (75_000, 50_000),
    "takeSeats": (65_000, 45_000),
    "fundTask": (80_000, 20_000),
    "join": (95_000, 55_000),
    "commit": (30_000, 24_000),
    "reveal": (26_000, 20_000),
    "collect": (14_000, 10_000),
    "openProbe": (14_000, 9_000),
    "claim": (95_000, 60_000),
    "claimRoot": (105_000, 60_000),
}
_PER_SEAT = 70_000  # takeSeats, each


def calldata_gas(data: bytes) -> tuple[int, int]:
    """Gas of call data by the ordinary price and by the floor."""
    zeros = data.count(0)
    others = len(data) - zeros
    return zeros * _ZERO_BYTE + others * _BYTE, zeros * _FLOOR_ZERO + others * _FLOOR_BYTE


def transaction_gas(data: bytes, execution: int) -> int:
    """Gas of a transaction: base and data with `execution`, or the data's floor where that is more."""
    ordinary, floor = calldata_gas(data)
    return _INTRINSIC + max(ordinary + execution, floor)


@dataclass(frozen=True, slots=True)
class CallCost:
    """Upper bounds of a call inside a batch, without the transaction's base: as its first call, and after others."""

    first: int
    further: int
    floor: int  # of its call data


def call_cost(name: str, data: bytes) -> CallCost | None:
    """What a call costs in a batch; None where no bound is known."""
    known = _CALL_GAS.get(name)
    if known is None:
        return None
    ordinary, floor = calldata_gas(data)
    more = ordinary + _PER_BYTE * len(data)
    if name == "takeSeats":
        more += _PER_SEAT * int.from_bytes(data[36:68], "big")
    return CallCost(known[0] + more, known[1] + more, floor)


def batch_gas(costs: Sequence[CallCost]) -> int:
    """Upper bound of one transaction with these calls."""
    execution = costs[0].first + sum(cost.further for cost in costs[1:])
    return _INTRINSIC + _MULTICALL + max(execution, sum(cost.floor for cost in costs))


def batches(costs: Sequence[CallCost], cap: int) -> list[range]:
    """Consecutive calls that fit one transaction each, as few as greed makes them. Raises `BadArgument` where one
    alone is above the cap."""
    found: list[range] = []
    start, execution, floor = 0, 0, 0
    room = cap - _INTRINSIC - _MULTICALL
    for position, cost in enumerate(costs):
        if max(cost.first, cost.floor) > room:
            raise BadArgument(f"call {position} needs {batch_gas([cost])} gas", hint=f"the gas cap is {cap}")
        if position > start and max(execution + cost.further, floor + cost.floor) > room:
            found.append(range(start, position))
            start, execution, floor = position, 0, 0
        execution += cost.further if position > start else cost.first
        floor += cost.floor
    return [*found, range(start, len(costs))] if costs else []


@dataclass(frozen=True, slots=True)
class FinaliseCost:
    """What `finalise` costs, in gas: what any part pays, for all posted words, and for each applied word."""

    base: int = 45_000
    carried: int = 330  # each posted word: copied twice, hashed, its parts summed
    applied: int = 1_000  # each applied word's own work
    shared: int = 1_400  # and where contributions are kept
    steady_slot: int = 5_000
    new_slot: int = 22_100

    def word(self, *, new: bool, steady_totals: int = 0, new_totals: int = 0, contributions: bool) -> int:
        """One applied word and the slots of contribution totals that begin in it."""
        work = self.applied + (self.shared if contributions else 0)
        slots = self.steady_slot * (steady_totals + (not new)) + self.new_slot * (new_totals + new)
        return work + slots


FINALISE = FinaliseCost()
CONTRIBUTION_SLOTS = 2  # at most so many begin in one word: 15 lanes, 8 a slot


def finalise_parts(
    words: Sequence[int], word_costs: Sequence[int], *, start: int, cap: int, cost: FinaliseCost = FINALISE
) -> list[tuple[int, int]]:
    """Split words [start, len) into (end, gas limit) of transactions under `cap`; `word_costs` is by word.

    Every transaction carries all words in its call data. Raises `BadArgument` where not even one word fits.
    """
    data = b"".join(word.to_bytes(32, "big") for word in words)
    ordinary, floor = calldata_gas(data)
    # Memory of the words: 3 gas each and a square, twice over. A slot of totals that began in the word before is
    # written by both parts.
    memory = 2 * (3 * len(words) + len(words) ** 2 // 512)
    base = _INTRINSIC + cost.base + ordinary + cost.carried * len(words) + memory + cost.new_slot
    least = _INTRINSIC + floor + 40_000  # the rest of the call data is short
    parts: list[tuple[int, int]] = []
    total = base
    for position in range(start, len(words)):
        if max(base + word_costs[position], least) > cap:
            raise BadArgument(
                f"{len(words)} words do not fit transactions of {cap} gas", hint="root mode settles so many nodes"
            )
        if total + word_costs[position] > cap:
            parts.append((position, max(total, least)))
            total = base
        total += word_costs[position]
    return [*parts, (len(words), max(total, least))]
