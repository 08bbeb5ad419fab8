"""What our contracts pay for a round, in both modes, by committee and number of nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ledger.types import Mode, Phase, Role
from scripts.bench.gas_chain import BenchChain, open_bench_chain, payer, require_increasing_time
from scripts.bench.gas_rig import Rig, Shape, TaskRig, gas_of

COMMITTEES = ((7, 5), (31, 21))
SIZES = (1, 8, 20, 64, 256, 1_024, 10_000)
ROOT_ONLY = 100_000
QUICK = (1, 8, 20, 64, 256)
FEW = 15  # nodes that join where the tree alone holds all of them
LARGE = 2_000  # nodes; above it a task gets a chain of its own
WAYS = {"words": (Mode.WORDS, False), "contributions": (Mode.WORDS, True), "root": (Mode.ROOT, False)}

Say = Callable[[str], None]


def words_round(chain: BenchChain, task: TaskRig) -> dict[str, Any]:
    """Four rounds in words mode: the first writes, then steady ones, in transactions of their own and together."""
    rig, owner = task.rig, task.rig.owner
    found: dict[str, Any] = {}
    for round_ in (1, 2, 3):
        task.at(round_, Phase.POST)
        drawn = task.draw(round_)
        post = task.post(round_)
        kind = "first" if round_ == 1 else "steady"
        found[f"{kind} post"] = post.gas_used
        if round_ < 3:
            task.at(round_ + 1, Phase.COMMIT)
            parts = rig.ledger.finalise(owner, task.task)
            found[f"{kind} finalise"] = gas_of(parts)
            found[f"{kind} finalise transactions"] = len(parts)
    found["arm"], found["draw"] = drawn["arm"].gas_used, drawn["draw"].gas_used
    task.at(4, Phase.POST)
    task.draw(4)
    both = task.remember(rig.together([task.finalise_call(), task.post_call(4)]))
    found["steady together"] = both.gas_used
    found["new slots"] = sum(chain.new_slots(r.tx_hash) for r in (*drawn.values(), both))
    task.at(5, Phase.COMMIT)
    (last,) = rig.ledger.finalise(owner, task.task)
    found["steady finalise"] = last.gas_used
    if task.shape.contributions:
        node = task.shape.seats + 1
        found["claim"] = rig.ledger.claim(owner, task.task, Role.TRAINER, node).gas_used
    return found


def root_round(chain: BenchChain, task: TaskRig) -> dict[str, Any]:
    """Four rounds in root mode, with a collector's two bundles, and claims of one node: by proof against the final
    record, and against noted pay trees."""
    rig = task.rig
    node = task.shape.seats + 1
    found: dict[str, Any] = {}
    for round_ in (1, 2, 3, 4):
        task.at(round_, Phase.COMMIT)
        if round_ == 2:
            found["claim first"] = task.claim_root(Role.TRAINER, node, 0, 1).gas_used
            rig.ledger.note_pay(rig.owner, task.task)
        if round_ == 4:
            found["note"] = rig.ledger.note_pay(rig.owner, task.task).gas_used
            found["claim noted"] = task.claim_noted(Role.TRAINER, node, 0, 3).gas_used
        collected = rig.send(task.bundle_call(round_, reveals=False))
        task.at(round_, Phase.POST)
        drawn = task.draw(round_, with_reveals=round_ == 4)
        post = task.post(round_)
        if round_ == 1:
            found["first post"] = post.gas_used
        elif round_ == 3:
            found |= {"collect": collected.gas_used, "arm": drawn["arm"].gas_used}
            found |= {"draw": drawn["draw"].gas_used, "steady post": post.gas_used}
            found["new slots"] = sum(chain.new_slots(r.tx_hash) for r in (collected, *drawn.values(), post))
        elif round_ == 4:
            found["arm with reveals"] = drawn["arm"].gas_used
    task.at(5, Phase.COMMIT)
    found["claim next"] = task.claim_root(Role.TRAINER, node, 0, 4).gas_used
    return found


def measure_task(rig: Rig, chain: BenchChain, shape: Shape, *, joined: int | None) -> tuple[TaskRig, dict[str, Any]]:
    """A task of this shape and what its rounds cost."""
    task = rig.open_task(shape, joined=joined)
    gas = words_round(chain, task) if shape.mode == Mode.WORDS else root_round(chain, task)
    return task, {**gas, "trainers": shape.trainers, "verifiers": shape.verifiers}


def new_rig(chain: BenchChain, nodes: int) -> tuple[Rig, dict[str, Any]]:
    """A deployment with registered nodes, and what they cost."""
    rig = Rig(chain, chain, payer(chain, "ours"))
    started = time.monotonic()
    registered = rig.register(nodes)
    seconds = round(time.monotonic() - started, 1)
    return rig, {"nodes": nodes, "register seconds": seconds, "register gas each": round(gas_of(registered) / nodes)}


def measure_ours(sizes: Sequence[int], *, root_only: int | None, say: Say) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gas by committee, way and N; and what setting up the largest cost.

    anvil hashes its whole state for every block: each large task therefore gets a chain of its own.
    """
    small = [size for size in sizes if size <= LARGE]
    found: dict[str, Any] = {f"{q} of {k}": {way: {} for way in WAYS} for k, q in COMMITTEES}
    setup: dict[str, Any] = {}
    with open_bench_chain() as chain:
        rig, setup = new_rig(chain, max(small) + COMMITTEES[-1][0])
        for seats, quorum in COMMITTEES:  # by size: a smaller committee is drawn while only its seats are taken
            rig.seat(seats)
            for way, (mode, contributions) in WAYS.items():
                extra = [root_only] if root_only and mode == Mode.ROOT else []
                for count in [*small, *extra]:
                    shape = Shape.of(count, seats=seats, quorum=quorum, mode=mode, contributions=contributions)
                    _, gas = measure_task(rig, chain, shape, joined=FEW if count == root_only else None)
                    found[f"{quorum} of {seats}"][way][count] = gas
                say(f"{quorum} of {seats}, {way}: {', '.join(map(str, [*small, *extra]))} nodes")
        require_increasing_time(chain)
    for count in sizes:
        if count <= LARGE:
            continue
        for seats, quorum in COMMITTEES:
            for way, (mode, contributions) in WAYS.items():
                started = time.monotonic()
                with open_bench_chain() as chain:
                    rig, setup = new_rig(chain, count + seats)
                    rig.seat(seats)
                    shape = Shape.of(count, seats=seats, quorum=quorum, mode=mode, contributions=contributions)
                    task, found[f"{quorum} of {seats}"][way][count] = measure_task(rig, chain, shape, joined=None)
                    setup["join gas each"] = round(gas_of(task.joins) / count)
                    require_increasing_time(chain)
                say(f"{quorum} of {seats}, {way}: {count} nodes, {time.monotonic() - started:.0f} s")
    return found, setup
