"""Compiled inner loops over links (node.reputation.links).

`starts` (n+1,), `ends` (m,) and `weights` (m,) list links by target in forward kernels (`ends` holds sources) and by
source in reverse ones (`ends` holds targets). They are unsigned: an index then needs no test for negative positions,
which alone makes a pass 1.6 times faster. Integer kernels give the same bits on every machine: sums of integers do not
depend on order, and where a loop updates in place, its order is that of the nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 4  # egos that one pass over the links serves

F = TypeVar("F", bound=Callable[..., Any])
Ints = NDArray[np.int64]
Indices = NDArray[np.uint32]
Floats = NDArray[np.float64]


def compiled(function: F) -> F:
    """Machine code on first call, kept in __pycache__ between processes."""
    return cast(F, njit(cache=True)(function))


@compiled
def per_weight(amount: np.int64, rate: np.int64, shift: np.int64) -> np.int64:
    """⌊amount · a · 2^22 / W⌋ for an amount up to 2^40, W being a node's out-weight, short by at most two units.

    `rate` = ⌊a · 2^(42+shift) / W⌋ with 2^shift ≤ W < 2^(shift+1): 42 bits whatever W is. 40 × 42 bits in two halves.
    """
    return ((amount >> 20) * rate + (((amount & 0xFFFFF) * rate) >> 20)) >> shift


@compiled
def spread_mass(
    starts: Indices, ends: Indices, weights: Indices, rates: Ints, shifts: Ints, seeds: Ints, parts: Ints, limit: int,
    rounds: int, mass: Ints,
) -> tuple[np.int64, int]:  # fmt: skip
    """Power iteration on `mass` (n,) int64 in place, its total kept at 2^40; (mass restarted last, rounds used).

    `rates` and `shifts` (n,) as in `per_weight`, rate 0 at dead ends. `seeds` (k,) nodes take `parts` (k,), which sum
    to 2^22, of whatever does not move on. Ends with the first round that moves at most `limit`, or after `rounds`.
    """
    nodes, used = len(mass), 0
    share = np.empty(nodes, np.int64)
    before = np.empty(len(seeds), np.int64)
    back = np.int64(0)
    while used < rounds:
        used += 1
        for u in range(nodes):
            share[u] = per_weight(mass[u], rates[u], shifts[u])
        for i in range(len(seeds)):
            before[i] = mass[seeds[i]]
        moved, back = np.int64(0), np.int64(1 << 40)
        for v in range(nodes):
            total = np.int64(0)
            for j in range(starts[v], starts[v + 1]):
                total += np.int64(weights[j]) * share[ends[j]]
            total >>= 22
            moved += abs(total - mass[v])
            mass[v] = total
            back -= total
        rest = back
        for i in range(len(seeds) - 1, -1, -1):  # the first seed takes what division leaves
            v = seeds[i]
            part = rest if i == 0 else (back * parts[i]) >> 22
            rest -= part
            moved += abs(mass[v] + part - before[i]) - abs(mass[v] - before[i])
            mass[v] += part
        if moved <= limit:
            break
    return back, used


@compiled
def spread_mass_lanes(
    starts: Indices, ends: Indices, weights: Indices, rates: Ints, shifts: Ints, egos: Ints, limit: int, rounds: int,
    found: Ints, backs: Ints, ends_in: Ints,
) -> None:  # fmt: skip
    """`spread_mass` for LANES egos in one pass: `found` (LANES, n), `backs` and `ends_in` (LANES,) are written, lane by
    lane, in the round in which a lane alone would have ended, so that a result does not depend on its neighbours.
    """
    nodes = found.shape[1]
    mass = np.zeros((nodes, 4), np.int64)
    share = np.zeros((nodes, 4), np.int64)
    for lane in range(4):
        mass[egos[lane], lane] = 1 << 40
    done, before = np.zeros(4, np.bool_), np.zeros(4, np.int64)
    moved, back = np.zeros(4, np.int64), np.zeros(4, np.int64)
    for used in range(rounds):
        for u in range(nodes):
            rate, shift = rates[u], shifts[u]
            for lane in range(4):
                share[u, lane] = per_weight(mass[u, lane], rate, shift)
        for lane in range(4):
            before[lane] = mass[egos[lane], lane]
        m0 = m1 = m2 = m3 = b0 = b1 = b2 = b3 = np.int64(0)
        for v in range(nodes):
            t0 = t1 = t2 = t3 = np.int64(0)
            for j in range(starts[v], starts[v + 1]):
                u, w = ends[j], np.int64(weights[j])
                t0 += w * share[u, 0]
                t1 += w * share[u, 1]
                t2 += w * share[u, 2]
                t3 += w * share[u, 3]
            t0 >>= 22
            t1 >>= 22
            t2 >>= 22
            t3 >>= 22
            m0 += abs(t0 - mass[v, 0])
            m1 += abs(t1 - mass[v, 1])
            m2 += abs(t2 - mass[v, 2])
            m3 += abs(t3 - mass[v, 3])
            mass[v, 0], mass[v, 1], mass[v, 2], mass[v, 3] = t0, t1, t2, t3
            b0, b1, b2, b3 = b0 + t0, b1 + t1, b2 + t2, b3 + t3
        moved[0], moved[1], moved[2], moved[3] = m0, m1, m2, m3
        back[0], back[1], back[2], back[3] = b0, b1, b2, b3
        for lane in range(4):
            v, old = egos[lane], before[lane]
            back[lane] = np.int64(1 << 40) - back[lane]
            moved[lane] += abs(mass[v, lane] + back[lane] - old) - abs(mass[v, lane] - old)
            mass[v, lane] += back[lane]
            if not done[lane] and (moved[lane] <= limit or used + 1 == rounds):
                done[lane] = True
                found[lane] = mass[:, lane]
                backs[lane] = back[lane]
                ends_in[lane] = used + 1
        if done.all():
            return


@compiled
def relax(
    starts: Indices, ends: Indices, weights: Indices, rates: Floats, seeds: Floats, damping: float, tolerance: float,
    rounds: int, visits: Floats,
) -> tuple[float, int]:  # fmt: skip
    """Gauss-Seidel on visits = seeds + a · Pᵀ visits, in place; (bound on the L1 error, rounds used).

    A sweep that changes entries by d in total leaves a residual of at most a·d (each relaxed residual passes on a times
    itself, and only backwards does it stay), so the error is at most a·d/(1−a). After each sweep the vector is scaled
    so that the sum of the equations holds: this removes the slowest mode, and what it adds to the residual is counted.
    """
    nodes = len(visits)
    share = rates * visits
    seeded = seeds.sum()
    bound = np.inf
    for used in range(rounds):
        change = total = stuck = 0.0
        for v in range(nodes):
            x = seeds[v]
            for j in range(starts[v], starts[v + 1]):
                x += weights[j] * share[ends[j]]
            change += abs(x - visits[v])
            visits[v] = x
            share[v] = x * rates[v]
            total += x
            if rates[v] == 0:
                stuck += x
        scale = seeded / (total - damping * (total - stuck))
        for v in range(nodes):
            visits[v] *= scale
            share[v] *= scale
        bound = (scale * damping * change + abs(1 - scale) * seeded) / (1 - damping)
        if bound <= tolerance:
            return bound, used + 1
    return bound, rounds


@compiled
def relax_lanes(
    starts: Indices, ends: Indices, weights: Indices, rates: Floats, egos: Ints, damping: float, tolerance: float,
    rounds: int, visits: Floats,
) -> float:  # fmt: skip
    """`relax` for LANES single egos in one pass over the links: `visits` (n, LANES) starts at 0 and is written; returns
    the largest bound.
    """
    nodes = len(visits)
    share = np.zeros((nodes, 4))
    scale, worst, seeded = np.ones(4), np.inf, 1 - damping
    for lane in range(4):  # all mass at the ego is nearer than none, and the same for every graph
        visits[egos[lane], lane] = 1.0
        share[egos[lane], lane] = rates[egos[lane]]
    change, total, stuck = np.zeros(4), np.zeros(4), np.zeros(4)
    for _ in range(rounds):
        c0 = c1 = c2 = c3 = 0.0
        s0 = s1 = s2 = s3 = 0.0
        d0 = d1 = d2 = d3 = 0.0
        for v in range(nodes):
            x0 = seeded if egos[0] == v else 0.0
            x1 = seeded if egos[1] == v else 0.0
            x2 = seeded if egos[2] == v else 0.0
            x3 = seeded if egos[3] == v else 0.0
            for j in range(starts[v], starts[v + 1]):
                u, w = ends[j], float(weights[j])
                x0 += w * share[u, 0]
                x1 += w * share[u, 1]
                x2 += w * share[u, 2]
                x3 += w * share[u, 3]
            rate = rates[v]
            c0 += abs(x0 - visits[v, 0])
            c1 += abs(x1 - visits[v, 1])
            c2 += abs(x2 - visits[v, 2])
            c3 += abs(x3 - visits[v, 3])
            visits[v, 0], visits[v, 1], visits[v, 2], visits[v, 3] = x0, x1, x2, x3
            share[v, 0], share[v, 1], share[v, 2], share[v, 3] = x0 * rate, x1 * rate, x2 * rate, x3 * rate
            s0, s1, s2, s3 = s0 + x0, s1 + x1, s2 + x2, s3 + x3
            if rate == 0:
                d0, d1, d2, d3 = d0 + x0, d1 + x1, d2 + x2, d3 + x3
        change[0], change[1], change[2], change[3] = c0, c1, c2, c3
        total[0], total[1], total[2], total[3] = s0, s1, s2, s3
        stuck[0], stuck[1], stuck[2], stuck[3] = d0, d1, d2, d3
        worst = 0.0
        for lane in range(4):
            scale[lane] = seeded / (total[lane] - damping * (total[lane] - stuck[lane]))
            residual = scale[lane] * damping * change[lane] + abs(1 - scale[lane]) * seeded
            worst = max(worst, residual / (1 - damping))
        for v in range(nodes):
            for lane in range(4):
                visits[v, lane] *= scale[lane]
                share[v, lane] *= scale[lane]
        if worst <= tolerance:
            break
    return worst


@compiled
def reach(
    starts: Indices, ends: Indices, weights: Indices, rates: Ints, shifts: Ints, target: int, limit: int, rounds: int,
    hits: Ints,
) -> np.int64:  # fmt: skip
    """Pr(a walk from v ever visits `target`) for every v, 2^-40 units, into `hits` (n,) int64; returns the probability
    that a walk from the target comes back to it. Links by source.

    h(v) = a · Σ P(v,k) h(k), h(target) = 1, relaxed in place in the order of nodes until no entry moves by more than
    `limit`. Every division rounds down, so every value is a lower bound.
    """
    hits[:] = 0
    hits[target] = 1 << 40
    home = np.int64(0)
    for _ in range(rounds):
        worst = np.int64(0)
        for v in range(len(hits)):
            total = np.int64(0)
            for j in range(starts[v], starts[v + 1]):
                total += np.int64(weights[j]) * hits[ends[j]]
            if total == 0:
                continue
            mean = total >> shifts[v]  # up to 2^41
            value = ((mean >> 20) * rates[v] + (((mean & 0xFFFFF) * rates[v]) >> 20)) >> 22
            if v == target:
                home = value
            else:
                worst = max(worst, abs(value - hits[v]))
                hits[v] = value
        if worst <= limit:
            break
    return home


@compiled
def reach_all(
    starts: Indices, ends: Indices, weights: Indices, rates: Ints, shifts: Ints, limit: int, rounds: int, hits: Ints,
    homes: Ints,
) -> None:  # fmt: skip
    """`reach` for every target t: into hits[t] of (n, n), and the returns into `homes` (n,)."""
    for target in range(len(homes)):
        homes[target] = reach(starts, ends, weights, rates, shifts, target, limit, rounds, hits[target])


@compiled
def returns(
    starts: Indices, ends: Indices, weights: Indices, rates: Ints, shifts: Ints, targets: Ints, smallest: int,
    found: Ints,
) -> None:  # fmt: skip
    """Lower bounds of Pr(a walk from t comes back to t), 2^-40 units, for every t in `targets`, by reverse push into
    `found`. Links by target.

    Residuals below `smallest` are left, so a value is short by at most smallest/(1−a).
    """
    nodes = len(rates)
    residual = np.zeros(nodes, np.int64)
    waiting = np.zeros(nodes, np.bool_)
    queue = np.empty(nodes, np.int64)  # a ring: a node waits at most once
    touched = np.empty(nodes, np.int64)
    seen = np.zeros(nodes, np.bool_)
    for i in range(len(targets)):
        target = targets[i]
        head, length, count = 0, 1, 0
        queue[0] = target
        back, first = np.int64(0), True
        while length:
            w = queue[head]
            head, length = (head + 1) % nodes, length - 1
            waiting[w] = False
            amount = np.int64(1 << 40) if first else residual[w]
            first = False
            residual[w] = 0
            for j in range(starts[w], starts[w + 1]):
                u = ends[j]
                part = (np.int64(weights[j]) * per_weight(amount, rates[u], shifts[u])) >> 22
                if u == target:
                    back += part
                    continue
                residual[u] += part
                if not seen[u]:
                    seen[u] = True
                    touched[count] = u
                    count += 1
                if residual[u] >= smallest and not waiting[u]:
                    waiting[u] = True
                    queue[(head + length) % nodes] = u
                    length += 1
        found[i] = back
        for k in range(count):
            residual[touched[k]] = 0
            seen[touched[k]] = False


@compiled
def group(
    keys: Indices, others: Indices, weights: Indices, starts: Indices, sorted_others: Indices, sorted_weights: Indices
) -> None:
    """Stable counting sort of links by `keys` (m,) into starts (n+1,) and the two columns."""
    starts[:] = 0
    for key in keys:
        starts[key + 1] += 1
    for v in range(len(starts) - 1):
        starts[v + 1] += starts[v]
    place = starts[:-1].copy()
    for j in range(len(keys)):
        at = place[keys[j]]
        sorted_others[at] = others[j]
        sorted_weights[at] = weights[j]
        place[keys[j]] = at + 1


@compiled
def merge(
    starts: Indices, ends: Indices, weights: Indices, targets: Ints, sources: Ints, values: Ints,
    new_starts: Indices, new_ends: Indices, new_weights: Indices, totals: Ints,
) -> int:  # fmt: skip
    """Set links in lists by target: changes (targets, sources, values), sorted and unique, replace or add; 0 removes.

    Writes the new lists and brings `totals` (out-weights) up to date in one pass; returns the number of links.
    """
    at, change = 0, 0
    for v in range(len(starts) - 1):
        new_starts[v] = at
        j, stop = starts[v], starts[v + 1]
        while j < stop or (change < len(targets) and targets[change] == v):
            due = change < len(targets) and targets[change] == v
            if due and (j == stop or sources[change] <= ends[j]):
                source, value = sources[change], values[change]
                old = np.int64(0)
                if j < stop and ends[j] == source:
                    old = np.int64(weights[j])
                    j += 1
                totals[source] += value - old
                change += 1
                if value:
                    new_ends[at], new_weights[at] = source, value
                    at += 1
            else:
                new_ends[at], new_weights[at] = ends[j], weights[j]
                at += 1
                j += 1
    new_starts[len(starts) - 1] = at
    return at
