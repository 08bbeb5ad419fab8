"""Innovation: what a member's report adds to the last public consensus, and others confirm. Pure integers.

Republishing what is public adds nothing and scores 0. The score is that of correlated agreement (Shnayder, Agarwal,
Frongillo and Parkes 2016, arXiv 1603.03151): agreement on the same task minus agreement on different ones, here over
residuals. Each task j is matched with a different one p(j), p a random cycle drawn from the beacon after the reports;
with d_ij = r_ij - r_ip(j) the difference of matched and mismatched products is half the sum over j of d_ij d_kj. What
a member says of all tasks alike cancels in d.

Against coalitions, a member's score is the median over the *other* members of its agreement with each: two that share
their noise agree with one another, but with nobody else. It is divided by the member's own energy or, if that is less,
the committee's median energy, so that exaggeration loses, and whispering an almost empty report does too. Where reports
are noisy, agreement is averaged over rounds first (`Memory`): chance agreement fades, innovation stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger.report import draw_order

IntVector = NDArray[np.int64]
IntMatrix = NDArray[np.int64]
BoolMatrix = NDArray[np.bool_]

FULL = 1 << 16
"""The score of a member whose innovation the median of the others shares in full."""
MAX_RESIDUAL = 1 << 19
"""Eight powers of two in the scale of `log2_q16`; allows 8,192 tasks."""
_EXACT = 1 << 53  # integers up to here are exact in float64


@dataclass(frozen=True)
class Memory:
    """Running mean agreement of members over rounds: `agreement` (n, n) int64, `met` (n, n) bool where there is any.

    Pairs that are not drawn together keep theirs. The mean is exponential, of rate 1/2^`shift`.
    """

    agreement: IntMatrix
    met: BoolMatrix
    shift: int = 4

    @staticmethod
    def empty(members: int, *, shift: int = 4) -> Memory:
        """Before the first round."""
        return Memory(np.zeros((members, members), dtype=np.int64), np.zeros((members, members), dtype=np.bool_), shift)

    def after(self, agreement: IntMatrix, together: BoolMatrix) -> Memory:
        """With one more round, of the pairs that were in it `together`. A pair's first agreement counts in full."""
        moved = self.agreement + ((agreement - self.agreement) >> self.shift)
        kept = np.where(together, np.where(self.met, moved, agreement), self.agreement)
        return Memory(kept, self.met | together, self.shift)


def innovation(
    reports: IntMatrix,
    public: IntVector,
    stakes: IntVector,
    *,
    seed: bytes,
    given: BoolMatrix | None = None,
    clip: int = MAX_RESIDUAL,
    floor: int = 1,
    memory: Memory | None = None,
) -> tuple[IntVector, Memory]:
    """(n,) int64 in -65,536..65,536: each member's innovation, FULL where the others confirm all of it; new memory.

    `reports` (n, m) and `public` (m,) int64 in one additive scale (lanes, or log2 of weights); `stakes` (n,) >= 0 weigh
    the medians; `seed` is the beacon, known after the reports only; `given` (n, m) marks what was reported, all by
    default: a member that reported no two matched tasks scores 0. Residuals are cut to +-`clip`, with 4 m clip^2 at
    most 2^53. `floor` is the mean squared difference below which residuals count as noise of the machine: quieter
    reports score in proportion.
    Without `memory` the round stands alone. All zeros with fewer than two tasks or members. Raises ValueError on shapes
    that do not fit, or too wide a clip.
    """
    n, m = reports.shape
    mask = np.ones((n, m), dtype=np.bool_) if given is None else given
    before = Memory.empty(n) if memory is None else memory
    if public.shape != (m,) or stakes.shape != (n,) or mask.shape != (n, m) or before.met.shape != (n, n):
        raise ValueError(f"reports {reports.shape}, public {public.shape}, stakes {stakes.shape} do not fit")
    if clip < 1 or m * (2 * clip) ** 2 > _EXACT:
        raise ValueError(f"clip {clip} is not 1..{math.isqrt(_EXACT // (4 * max(m, 1)))}, which {m} tasks allow")
    scores = np.zeros(n, dtype=np.int64)
    if m < 2:
        return scores, before
    partner = mismatch(seed, m)
    residual = np.clip(reports - public, -clip, clip)
    both = mask & mask[:, partner]
    apart = np.where(both, residual - residual[:, partner], 0)
    pairs = _products(both.astype(np.int64))
    after = before.after(_products(apart) // np.maximum(pairs, 1), pairs > 0)
    energy, drawn = np.diagonal(after.agreement), np.diagonal(pairs) > 0
    usual = max(_middle(energy[drawn], stakes[drawn]) // 2, floor)
    for member in np.flatnonzero(drawn):
        others = after.met[member] & (np.arange(n) != member)
        confirmed = _middle(after.agreement[member, others], stakes[others])
        share = confirmed * FULL // (2 * max(int(energy[member]), usual))
        scores[member] = min(max(share, -FULL), FULL)
    return scores, after


def mismatch(seed: bytes, tasks: int) -> IntVector:
    """(m,) int64: the task that each task is matched with; one random cycle through all, so none with itself."""
    order = np.array(draw_order(seed, tasks, tasks), dtype=np.int64)
    partner = np.empty_like(order)
    partner[order] = np.roll(order, -1)
    return partner


def log2_q16(values: IntVector) -> IntVector:
    """log2 of positive integers below 2^31 in 1/65,536, rounded down; for values that are 0, that of 1/2.

    Bit by bit: squaring a number in [1, 2) gives the next binary digit of its logarithm.
    """
    if values.size and (values.min() < 0 or values.max() >= 1 << 31):
        raise ValueError("log2_q16 takes integers in 0..2^31 - 1")
    doubled = 2 * values + (values == 0)
    whole = np.zeros_like(doubled)
    for step in (16, 8, 4, 2, 1):
        whole += step * (doubled >> (whole + step) > 0)
    mantissa = doubled << (31 - whole.clip(max=31)) >> (whole - 31).clip(min=0)  # [2^31, 2^32)
    fraction = np.zeros_like(doubled)
    for _ in range(16):
        square = (mantissa >> 1) ** 2 >> 29
        carry = square >> 32
        mantissa = square >> carry
        fraction = 2 * fraction + carry
    found: IntVector = (whole - 1) * 65_536 + fraction
    return found


def _products(apart: IntMatrix) -> IntMatrix:
    """(n, n) exact sums of products: all partial sums are integers of at most _EXACT, so float64 loses nothing."""
    exact = apart.astype(np.float64)
    return np.rint(exact @ exact.T).astype(np.int64)


def _middle(values: IntVector, stakes: IntVector) -> int:
    """Twice the stake-weighted median: its lower plus its upper value, so that ties favour nobody."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(stakes[order])
    total = int(reached[-1]) if len(reached) else 0
    if total == 0:
        return 0
    lower = values[order[np.searchsorted(reached, (total + 1) // 2)]]
    upper = values[order[np.searchsorted(reached, total // 2 + 1)]]
    return int(lower) + int(upper)
